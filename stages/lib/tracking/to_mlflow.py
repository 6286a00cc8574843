"""One outbox entry into MLflow. The only module that speaks MLflow's language; it runs in the sending process alone.

One MLflow experiment a task, one MLflow run a training. Sending again what is there already changes nothing: a run is
found by its tag study.key, and only points, parameters and files that are missing are added. A training with the same
key and another curve (the code changed, or the machine) becomes a run of its own.
"""

import csv
import json
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.files import ROOT

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run
    from mlflow.models import ModelSignature

POINTS = 200  # a curve; MLflow's SQL stores take seconds for a thousand
PACKAGES = ("mlflow", "numpy", "pydantic", "pyyaml", "safetensors", "torch")

Point = tuple[int, int, float]  # row, step, value


def thinned(points: list[Point], total: int, complete: bool) -> list[Point]:
    """At most POINTS of a curve: the first in each equal stretch of `total` rows, and the last of a complete curve.

    The choice does not depend on how much of the curve is there, so a growing curve only ever gains points.
    """
    chosen: dict[int, Point] = {}
    for point in points:
        chosen.setdefault(point[0] * (POINTS - 1) // max(total, len(points), 1), point)
    kept = list(chosen.values())
    if complete and points and kept[-1] != points[-1]:
        kept.append(points[-1])
    return kept


def curves(history: list[list[Any]]) -> dict[str, list[Point]]:
    """Each column of a history but step and epoch, without empty cells and values that are no finite numbers."""
    columns, *rows = history
    step = columns.index("step")
    found: dict[str, list[Point]] = {name: [] for name in columns if name not in ("step", "epoch")}
    for i, row in enumerate(rows):
        for name, cell in zip(columns, row, strict=True):
            if name in found and cell not in ("", None) and math.isfinite(float(cell)):
                found[name].append((i, int(row[step]), float(cell)))
    return found


class Sender:
    """Writes outbox entries through one MlflowClient."""

    def __init__(self, client: "MlflowClient", root: Path, local: bool) -> None:
        self.client = client
        self.root = root
        self.local = local
        self._experiments: dict[str, Experiment] = {}

    def send(self, entry: dict[str, Any], folder: Path) -> None:
        """One entry of the outbox: a run, or scores or plots for one that was sent before."""
        if entry["kind"] == "run":
            self._send_run(entry, folder)
            return
        run = self._find(entry["key"], self._experiment(entry["key"].partition("/")[0]))
        if run is None:  # such as models that came out of DVC's cache: nothing was trained here
            return
        if entry["kind"] == "scores":
            self._log_scores(run, entry)
        else:
            for plot in sorted((folder / "plots").iterdir()):
                self.client.log_artifact(run.info.run_id, str(plot), "plots")
                self.client.set_tag(run.info.run_id, f"figure.{plot.stem}", f"plots/{plot.name}")

    def _send_run(self, entry: dict[str, Any], folder: Path) -> None:
        live = entry["status"] == "RUNNING"
        history = entry["history"] if "history" in entry else read_history(folder / "history.csv")
        points = curves(history)
        experiment = self._experiment(entry["key"].partition("/")[0])
        run = self._find(entry["key"], experiment)
        logged = self._logged(run, points, growing=live)
        if logged is None:
            if run.info.status == "RUNNING":
                self.client.set_terminated(run.info.run_id, "KILLED")
            run = None
        elif run is not None and live and run.info.status == "FINISHED":
            return  # trained before with the same curve, or the finished training overtook its own live curve
        if run is None:
            tags = {name: value for name, value in entry["tags"].items() if value}
            run = self.client.create_run(experiment.experiment_id, entry["started"], tags, entry["name"])
            logged = {}
        self._log_data(run, entry["data"])
        self._log_values(run, entry, points, logged, entry.get("total", len(history) - 1))
        if (folder / "history.csv").exists():
            self.client.log_artifact(run.info.run_id, str(folder / "history.csv"))
        if (folder / "model").exists() and not (run.outputs and run.outputs.model_outputs):
            self._log_model(run, entry, folder / "model")
        if run.info.status != entry["status"]:
            self.client.set_terminated(run.info.run_id, entry["status"], entry["recorded"])

    def _experiment(self, name: str) -> "Experiment":
        if name not in self._experiments:
            experiment = self.client.get_experiment_by_name(name)
            if experiment is None:
                # Only this project's own store is told where artifacts lie; a server knows its own place.
                place = str(self.root / "mlartifacts" / name) if self.local else None
                experiment = self.client.get_experiment(self.client.create_experiment(name, place))
            self._experiments[name] = experiment
        return self._experiments[name]

    def _find(self, key: str, experiment: "Experiment") -> "Run | None":
        """The newest run of that key."""
        found = self.client.search_runs(
            [experiment.experiment_id],
            f"tags.`study.key` = '{key}'",
            max_results=1,
            order_by=["attributes.start_time DESC"],
        )
        return self.client.get_run(found[0].info.run_id) if found else None

    def _logged(self, run: "Run | None", points: dict[str, list[Point]], growing: bool) -> dict[str, set[int]] | None:
        """The steps of each curve that MLflow has; None if it has other values: then it was another training.

        A curve that is still growing may be behind the one MLflow has.
        """
        logged: dict[str, set[int]] = {}
        for name in set(run.data.metrics) & set(points) if run else ():
            ours = {step: value for _, step, value in points[name]}
            for theirs in self.client.get_metric_history(run.info.run_id, name):
                value = ours.get(theirs.step, theirs.value if growing else math.nan)
                if not math.isclose(theirs.value, value, rel_tol=1e-9):
                    return None
                logged.setdefault(name, set()).add(theirs.step)
        return logged

    def _log_data(self, run: "Run", data: dict[str, Any]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if run.inputs and run.inputs.dataset_inputs:
            return
        dataset = Dataset(
            name=data["name"],
            digest=data["sha256"][:36],  # the most MLflow takes; the whole hash stands in the profile
            source_type="local",
            source=json.dumps({"uri": data["source"]}),
            profile=json.dumps({key: data[key] for key in ("bytes", "sha256", "sample")}),
        )
        tags = [InputTag("mlflow.data.context", "training")]
        self.client.log_inputs(run.info.run_id, [DatasetInput(dataset, tags)])

    def _log_values(
        self, run: "Run", entry: dict[str, Any], points: dict[str, list[Point]], logged: dict[str, set[int]], total: int
    ) -> None:
        """Parameters and thinned curves, as far as MLflow does not have them."""
        from mlflow.entities import Metric, Param

        params = [Param(name, value[:6000]) for name, value in entry["params"].items() if name not in run.data.params]
        complete = entry["status"] != "RUNNING"
        a_row = (entry["recorded"] - entry["started"]) / max(total, 1)  # milliseconds, on average
        metrics = [
            Metric(name, value, int(entry["started"] + (row + 1) * a_row), step)
            for name, curve in points.items()
            for row, step, value in thinned(curve, total, complete)
            if step not in logged.get(name, ())
        ]
        while params or metrics:  # a batch takes 1,000 values, 100 of them parameters
            self.client.log_batch(run.info.run_id, metrics[:900], params[:100])
            metrics, params = metrics[900:], params[100:]

    def _log_scores(self, run: "Run", entry: dict[str, Any]) -> None:
        from mlflow.entities import Metric

        new = [
            Metric(name, value, entry["recorded"], 0)
            for name, value in entry["scores"].items()
            if run.data.metrics.get(name) != value
        ]
        if new:
            self.client.log_batch(run.info.run_id, metrics=new)

    def _log_model(self, run: "Run", entry: dict[str, Any], data: Path) -> None:
        """The network as an MLflow model: weights, run.json and this project's code, no pickle, with its signature.

        It goes through MlflowClient, since mlflow.pyfunc.log_model knows no other run than the active one.
        """
        from importlib.metadata import version

        from mlflow import pyfunc
        from mlflow.entities import LoggedModelOutput
        from mlflow.models import Model

        model = self.client.create_logged_model(
            run.info.experiment_id,
            "model",
            run.info.run_id,
            params=entry["params"],
            model_type=entry["params"].get("model"),
        )
        with tempfile.TemporaryDirectory() as temporary:
            pyfunc.save_model(
                f"{temporary}/model",
                loader_module="stages.lib.tracking.model",
                data_path=str(data),
                code_paths=[str(ROOT / "stages")],
                signature=_signature(entry["signature"]),
                pip_requirements=[f"{package}=={version(package)}" for package in PACKAGES],
                mlflow_model=Model(
                    model.artifact_location, run.info.run_id, model_uuid=model.model_id, model_id=model.model_id
                ),
            )
            self.client.log_model_artifacts(model.model_id, f"{temporary}/model")
        self.client.finalize_logged_model(model.model_id, "READY")
        # Last, so that a model cut off half-way is not taken for the run's model when the run is sent again.
        self.client.log_outputs(run.info.run_id, [LoggedModelOutput(model.model_id, 0)])


def _signature(signature: dict[str, Any]) -> "ModelSignature":
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    def spec(dtype: str, shape: list[int], name: str | None = None) -> TensorSpec:
        return TensorSpec(np.dtype(dtype), tuple(shape), name)

    inputs = [spec(*value, name) for name, value in signature["inputs"].items()]
    return ModelSignature(Schema(inputs), Schema([spec(*signature["output"])]))


def read_history(path: Path) -> list[list[Any]]:
    """A history.csv as a list of rows, the names of the columns first."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))
