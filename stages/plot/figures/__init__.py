"""Kinds of figure, one module a kind: a figure of reports.yaml names its `kind` (default: curves).

A new kind `k` is one file, stages/plot/figures/k.py, with three names:
- `Entry`: a model of the figure's keys in reports.yaml, made from `FigureEntry`;
- `read(entry, sources) -> Table`: everything the figure shows, as the rows of its CSV file;
- `draw(entry, table, axes) -> None`: the table on one pair of axes, coloured by stages/plot/figures/style.py.

Because `draw` sees the table alone, the CSV beside a figure holds all that the figure shows.
"""

import csv
import importlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from stages.lib.config import check
from stages.lib.files import read_json
from stages.lib.errors import InputError


class FigureEntry(BaseModel):
    """The keys that figures of every kind share. `runs` maps each run to what a reader sees."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str = "curves"
    group: str
    baseline: str | None = None
    title: str
    caption: str = ""
    runs: Annotated[dict[str, str], Field(min_length=1)]


@dataclass(frozen=True)
class Table:
    """The rows of a figure's CSV file. Columns are named; `run` and `seed` come first in every kind."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Curve:
    """One column of one history.csv: `x` and `y` are equally long, rows without a value are left out."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class Sources:
    """What a figure may read of the runs that it names: under `root` their folders in models/<profile>, and the tables
    that evaluation left in metrics/<profile>/predictions.
    """

    profile: str
    runs: Mapping[str, Mapping[str, Any]] = field(repr=False)
    root: Path = Path()

    def folder(self, run: str) -> Path:
        folder = self.root / "models" / self.profile / str(self.runs[run].get("group", run)) / run
        if not folder.is_dir():
            raise InputError(f"{folder} does not exist; `dvc repro train@{run}` makes it")
        return folder

    def data(self, run: str) -> dict[str, Any]:
        """The data that a run was trained on: `name`, `sample` (generated or real) and more."""
        path = self.folder(run) / "run.json"
        data = read_json(path).get("data", {})
        if not {"name", "sample"} <= data.keys():
            raise InputError(f"{path} does not name its data; `dvc repro --force train@{run}` makes it anew")
        return data

    def table(self, run: str) -> dict[int, list[dict[str, str]]]:
        """Rows of every seed's table (predictions, or what a check found) as columns by name, by seed."""
        group = str(self.runs[run].get("group", run))
        folder = self.root / "metrics" / self.profile / "predictions" / group
        paths = {int(path.stem.rpartition("-seed-")[2]): path for path in folder.glob(f"{run}-seed-*.csv")}
        if not paths:
            raise InputError(f"{folder} holds no {run}-seed-<n>.csv; `dvc repro` makes it")
        tables = {}
        for seed in sorted(paths):
            with paths[seed].open(encoding="utf-8", newline="") as file:
                tables[seed] = list(csv.DictReader(file))
        return tables

    def tensors(self, run: str) -> dict[int, dict[str, Any]]:
        """What evaluation laid beside the predictions for figures to show, as NumPy arrays by name, by seed."""
        from safetensors.numpy import load_file

        group = str(self.runs[run].get("group", run))
        folder = self.root / "metrics" / self.profile / "predictions" / group
        paths = {int(path.stem.rpartition("-seed-")[2]): path for path in folder.glob(f"{run}-seed-*.safetensors")}
        if not paths:
            raise InputError(f"{folder} holds no {run}-seed-<n>.safetensors; `dvc repro evaluate@{group}` makes it")
        return {seed: load_file(paths[seed]) for seed in sorted(paths)}

    def history(self, run: str, x: str, y: str) -> dict[int, Curve]:
        """Columns `x` and `y` of every seed's history.csv, by seed."""
        folder = self.folder(run)
        paths = {int(path.parent.name.removeprefix("seed-")): path for path in folder.glob("seed-*/history.csv")}
        if not paths:
            raise InputError(f"{folder} holds no seed-<n>/history.csv; `dvc repro --force train@{run}` makes it anew")
        return {seed: _columns(paths[seed], x, y) for seed in sorted(paths)}


def _columns(path: Path, x: str, y: str) -> Curve:
    points = []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        names = reader.fieldnames or []
        for name in (x, y):
            if name not in names:
                raise InputError(f"{path} has no column {name!r}; it has {', '.join(names) or 'none'}")
        for row in reader:
            if not row[y]:
                continue
            try:
                points.append((float(row[x]), float(row[y])))
            except (TypeError, ValueError):
                raise InputError(f"{path}, line {reader.line_num}: {x} or {y} is not a number") from None
    points = [point for point in points if math.isfinite(point[1])]
    if not points:
        raise InputError(f"{path}: the column {y!r} has no values")
    return Curve(*zip(*points, strict=True))


def kind_of(figure: str, entry: Mapping[str, Any]) -> ModuleType:
    """The module that draws this figure's kind."""
    name = entry.get("kind", "curves")
    if re.fullmatch(r"[a-z][a-z_]*", str(name)) and (Path(__file__).parent / f"{name}.py").is_file():
        module = importlib.import_module(f"stages.plot.figures.{name}")
        if hasattr(module, "draw"):
            return module
    raise InputError(f"reports.yaml: figures.{figure}.kind: there is no kind {name!r} in stages/plot/figures")


def parse_entry(figure: str, reports: Mapping[str, Any]) -> tuple[ModuleType, FigureEntry]:
    """The kind and the checked entry of one figure in the content of reports.yaml."""
    figures = reports.get("figures") or {}
    if figure not in figures:
        raise InputError(f"reports.yaml has no figure {figure!r}; it has {', '.join(figures) or 'none'}")
    kind = kind_of(figure, figures[figure])
    entry = check(kind.Entry, figures[figure], f"reports.yaml: figures.{figure}")
    runs = reports.get("runs") or {}
    for run in entry.runs:
        if run not in runs:
            raise InputError(f"reports.yaml: figures.{figure}.runs: there is no run {run!r}")
        # DVC runs the figure again when these groups change and no others, so a run from elsewhere would go stale.
        if runs[run].get("group", run) not in (entry.group, entry.baseline):
            raise InputError(
                f"reports.yaml: figures.{figure}.runs: {run!r} belongs to the group {runs[run].get('group', run)!r}, "
                f"which is neither the figure's group nor its baseline"
            )
    return kind, entry
