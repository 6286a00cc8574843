"""The kind `specification`: one number of many variants of a run, sorted, above the choices that each of them makes.

U. Simonsohn, J. P. Simmons, L. D. Nelson, Nature Human Behaviour 4 (2020) 1208.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from stages.lib.figures import Specification
from stages.plot.evaluations import Evaluations
from stages.plot.intervals import seeds_with_interval
from stages.plot.style import GRID, INK, MUTED, PALETTE, Sheet

#: A setting with more values than this gets one row of values instead of a row for each.
MOST_ROWS = 6
#: Characters that fit beside one another in such a row.
WIDTH = 80
DOT = "●"


def read(figure: Specification, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run, seed, x (rank of the variant, from 1), value (of the seed), smoothed (mean), low, high, reported,
    main (whether it is the run that is judged), and one for each setting in which the runs differ.
    """
    table = seeds_with_interval(figure.runs, figure.metric, evaluations)
    means = table.drop_duplicates("id").set_index("id")["smoothed"].sort_values(kind="stable")
    table = table.assign(
        x=table["id"].map({run: rank for rank, run in enumerate(means.index, start=1)}),
        reported=np.nan if figure.reported is None else figure.reported,
        main=table["id"] == figure.main_run,
    )
    choices = differences({run: evaluations.config(run) for run in figure.runs})
    table = table.join(choices, on="id").sort_values(["x", "seed"], kind="stable")
    return table[["run", "seed", "x", "value", "smoothed", "low", "high", "reported", "main", *choices.columns]]


def differences(configs: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """The settings in which runs differ: a row a run, a column a setting, values as text; "" where a run has no such
    setting.

    Settings within others are named by their path (`network.hidden_size`).
    """
    flat = {run: _flatten(config) for run, config in configs.items()}
    names = dict.fromkeys(name for config in flat.values() for name in config)
    table = pd.DataFrame({name: [config.get(name, "") for config in flat.values()] for name in names}, index=list(flat))
    return table.loc[:, table.nunique() > 1]


def _flatten(config: Mapping[str, Any], path: str = "") -> dict[str, str]:
    flat = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{path}{name}.")
        else:
            flat[path + name] = _text(value)
    return flat


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def draw(figure: Specification, table: pd.DataFrame, sheet: Sheet) -> None:
    runs = table.drop_duplicates("x")
    rows = grid_rows(runs.iloc[:, runs.columns.get_loc("main") + 1 :])
    if rows:
        grid_height = 0.21 * sum(row.height for row in rows)
        sheet.set_height(2.9 + grid_height)
        above, below = sheet.subplots(2, 1, sharex=True, height_ratios=(2.6, grid_height))
        _draw_grid(runs, rows, below)
    else:
        # Runs that differ in length alone are alike in a profile that cuts it.
        above = below = sheet.axes(xticks=[])
    _draw_numbers(figure, table, runs, above)
    below.set_xlabel(figure.x_label)


def _draw_numbers(figure: Specification, table: pd.DataFrame, runs: pd.DataFrame, axes: Axes) -> None:
    if figure.reported is not None:
        label = f"report: {figure.reported:g}"
        axes.axhline(figure.reported, color=PALETTE[1], linewidth=1.5, linestyle=(0, (5, 2)), label=label, zorder=1.5)
    axes.vlines(runs["x"], runs["low"], runs["high"], color=MUTED, linewidth=1.5, zorder=2)
    axes.plot(runs["x"], runs["smoothed"], "o", color=MUTED, ms=5, label="other variants", zorder=3)
    beside = min(0.25, len(runs) / 80)
    axes.plot(table["x"] + beside, table["value"], ".", color=MUTED, ms=3.5, zorder=2)
    main = runs[runs["main"]]
    axes.vlines(main["x"], main["low"], main["high"], color=PALETTE[0], linewidth=2.2, zorder=4)
    axes.plot(main["x"], main["smoothed"], "D", color=PALETTE[0], ms=7, label=main["run"].iloc[0], zorder=5)
    axes.set(ylabel=figure.y_label, yscale=figure.y_scale)
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.grid(visible=False, axis="x")


@dataclass(frozen=True)
class GridRow:
    """A row of the grid: the setting, the row's label, and for each variant a dot, a value or nothing.

    Values that are too long to stand side by side are set upright; `height` counts in rows of dots.
    """

    setting: str
    label: str
    marks: tuple[str, ...]

    @property
    def upright(self) -> bool:
        return max(map(len, self.marks)) * len(self.marks) > WIDTH

    @property
    def height(self) -> float:
        return max(1.0, 0.42 * max(map(len, self.marks))) if self.upright else 1.0


def grid_rows(choices: pd.DataFrame) -> list[GridRow]:
    """A row for each value of a setting with a dot where a variant has it, or one row that spells the values out where
    there are more than MOST_ROWS. choices: a row a variant, a column a setting.
    """
    rows = []
    for name, values in choices.items():
        short = str(name).rpartition(".")[2].replace("_", " ")
        known = sorted({value for value in values if value}, key=_numbers_first)
        if len(known) > MOST_ROWS:
            rows.append(GridRow(short, short, tuple(values)))
        else:
            rows += [GridRow(short, f"{short}: {it}", tuple(DOT if v == it else "" for v in values)) for it in known]
    return rows


def _numbers_first(value: str) -> tuple[float, str]:
    try:
        return float(value), value
    except ValueError:
        return np.inf, value


def _draw_grid(runs: pd.DataFrame, rows: list[GridRow], axes: Axes) -> None:
    """The rows from top to bottom; those of every second setting stand on grey."""
    settings = list(dict.fromkeys(row.setting for row in rows))
    edges = np.cumsum([0.0] + [row.height for row in rows])
    middles = (edges[:-1] + edges[1:]) / 2
    for row, top, middle, bottom in zip(rows, edges[:-1], middles, edges[1:], strict=True):
        if settings.index(row.setting) % 2 == 0:
            axes.axhspan(top, bottom, color=GRID, alpha=0.5, linewidth=0, zorder=0)
        for x, mark, is_main in zip(runs["x"], row.marks, runs["main"], strict=True):
            color = PALETTE[0] if is_main else INK
            if mark == DOT:
                axes.plot(x, middle, "D" if is_main else "o", color=color, ms=5)
            elif mark:
                turn = 90 if row.upright else 0
                axes.text(x, middle, mark, ha="center", va="center", fontsize=7.5, color=color, rotation=turn)
    axes.set_yticks(middles, [row.label for row in rows], fontsize=8.5)
    axes.set_ylim(edges[-1], 0)
    axes.set_xlim(0.4, len(runs) + 0.6)
    axes.set_xticks([])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
