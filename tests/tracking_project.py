"""A small project with trained and scored runs, and what MLflow has of it."""

import json
import math
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import VOCABULARY, write_params, write_reports, write_sts_data

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

WORDS = ["a", "man", "is", "playing", "the", "guitar", "piano", "dog", "sleeps"]
RUNS = {"wide": {}, "slow": {"lr": 0.1, "keep_best": True}}
FIGURE = {"kind": "curves", "group": "g", "baseline": "g", "title": "Rates", "curve": "train_loss"}
FIGURE |= {"x_label": "step", "y_label": "MSE"}
QUESTIONS = {
    "rate": {
        "report": "A",
        "title": "Which learning rate?",
        "figures": ["rates"],
        "checks": [{"kind": "lower", "run": "wide", "against": "slow", "metric": "validation.mse"}],
    },
    "alone": {"report": "ours", "title": "How good is one?", "checks": [{"kind": "reaches", "run": "wide"}]},
}


def make_project(folder: Path) -> None:
    """Data, reports, two trained runs of two and one seeds, and their evaluation, all of profile `full`."""
    from stages.evaluate.evaluation import evaluate_group
    from stages.lib.config import load_reports
    from stages.train.trainer import train

    data = write_sts_data(folder / "data" / "full" / "sts", sample=False)
    words = [*WORDS, *(f"word{number}" for number in range(len(WORDS), VOCABULARY))]
    (data / "vocabulary.txt").write_text("\n".join(words))
    write_params(folder)
    runs = {"wide": {"seeds": 2}, "slow": RUNS["slow"]}
    figures = {"rates": {**FIGURE, "runs": {"wide": "0.5", "slow": "0.1"}}}
    write_reports(folder, runs, figures=figures, questions=QUESTIONS)
    for run in load_reports().runs("full"):
        train(run)
    evaluate_group("g", "full")


def write_verdicts(verdict: str = "reproduced") -> None:
    """What the report stage adds: verdicts and figures."""
    figures = Path("metrics", "full", "figures")
    figures.mkdir(parents=True, exist_ok=True)
    (figures / "rates.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    claims = {"rate": {"verdict": verdict, "found": "0.5 is better"}, "alone": {"verdict": "undecided"}}
    Path("metrics", "full", "claims.json").write_text(json.dumps({"claims": claims}))


def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def client() -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient()


def all_runs() -> "list[Run]":
    """By name, the oldest of the same name first."""
    found = client().search_runs([experiment.experiment_id for experiment in client().search_experiments()])
    return sorted(found, key=lambda run: (run.info.run_name, run.info.start_time))


def points(run: "Run", metric: str) -> dict[int, float]:
    """A metric by step. No step stands twice."""
    history = client().get_metric_history(run.info.run_id, metric)
    assert len({point.step for point in history}) == len(history), f"{metric} has a point twice"
    return {point.step: point.value for point in history}


def files(run: "Run", folder: str | None = None) -> list[str]:
    found = client().list_artifacts(run.info.run_id, folder)
    return sorted(path for item in found for path in (files(run, item.path) if item.is_dir else [item.path]))


def contents() -> list[dict[str, Any]]:
    """Everything that MLflow has of each run, without ids and times, to compare two stores by."""
    found = []
    for run in all_runs():
        models = [client().get_logged_model(output.model_id) for output in run.outputs.model_outputs]
        found.append(
            {
                "name": run.info.run_name,
                "status": run.info.status,
                "params": run.data.params,
                "tags": run.data.tags,
                "metrics": {name: points(run, name) for name in run.data.metrics},
                "data": [item.dataset.digest for item in run.inputs.dataset_inputs],
                "files": files(run),
                "models": [
                    (model.name, str(model.status), {m.key: m.value for m in model.metrics}) for model in models
                ],
            }
        )
    return found


def history_of(run: str, seed: int = 0) -> dict[str, dict[int, float]]:
    """Columns of a history.csv by step, read with nothing of this project."""
    lines = Path("models", "full", "g", run, f"seed-{seed}", "history.csv").read_text().splitlines()
    names, *rows = (line.split(",") for line in lines)
    columns: dict[str, dict[int, float]] = {}
    for row in rows:
        cells = dict(zip(names, row, strict=True))
        for name, cell in cells.items():
            if cell and math.isfinite(float(cell)):
                columns.setdefault(name, {})[int(cells["step"])] = float(cell)
    return columns


def approx(curve: dict[int, float]) -> Any:
    """Single precision."""
    return pytest.approx(curve, rel=1e-6)
