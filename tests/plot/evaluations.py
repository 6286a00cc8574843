"""Made-up evaluations as stages.evaluate leaves them, and entries of figures about them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.lib.figures import Figure, parse_figure
from stages.lib.results import group_folder, write_group
from stages.plot.drawing import draw_figure


def write_evaluation(
    root: Path,
    runs: dict[str, dict[int, dict[str, float]]],
    group: str = "g",
    sample: bool = False,
    configs: dict[str, dict[str, Any]] | None = None,
    plot_samples: dict[str, bytes] | None = None,
    **tables: pd.DataFrame,
) -> None:
    """Scores by run and seed, settings by run; outcomes, histories and tables with the columns run and seed."""
    data = {"name": "sample data (generated)" if sample else "Some Data", "sample": sample, "sha256": "0", "bytes": 1}
    entries = {
        run: {
            "config": (configs or {}).get(run, {}),
            "parameters": 1,
            "provenance": [],
            "seeds": {str(seed): {"scores": scores, "seconds": 1.0} for seed, scores in seeds.items()},
        }
        for run, seeds in runs.items()
    }
    scores = {"group": group, "task": "t", "data": data, "runs": entries}
    folder = group_folder("full", group, root)
    folder.parent.mkdir(parents=True, exist_ok=True)
    write_group(folder, scores, {name: [table] for name, table in tables.items()}, plot_samples)


def history(run: str, seed: int, values: list[float | None]) -> pd.DataFrame:
    """A history with validation_mse at the steps 1, 2, …; ten steps an epoch."""
    steps = range(1, len(values) + 1)
    columns = {"run": run, "seed": seed, "step": steps, "epoch": [step / 10 for step in steps], "lr": 1.0}
    return pd.DataFrame(columns | {"train_loss": 0.5, "validation_mse": np.array(values, dtype=np.float32)})


def write_histories(root: Path, histories: dict[str, dict[int, list[float | None]]], **options: Any) -> None:
    frames = [history(run, seed, values) for run, seeds in histories.items() for seed, values in seeds.items()]
    scores = {run: {seed: {} for seed in seeds} for run, seeds in histories.items()}
    write_evaluation(root, scores, histories=pd.concat(frames), **options)


def entry(kind: str, runs: list[str], /, **fields: Any) -> Figure:
    """A checked figure of the runs, labelled `label of <run>`."""
    content = {
        "kind": kind,
        "group": "g",
        "baseline": "g",
        "title": "A title",
        "runs": {run: f"label of {run}" for run in runs},
        "x_label": "x (steps)",
        "y_label": "y (units)",
    }
    return parse_figure(json.loads(json.dumps(content | fields)), "reports/t.yaml: figures.f")


def draw(root: Path, kind: str, runs: list[str], /, **fields: Any) -> pd.DataFrame:
    """Draw the figure `f` and return its CSV."""
    draw_figure("f", entry(kind, runs, **fields), "full", root)
    return pd.read_csv(root / "metrics/full/figures/f.csv")
