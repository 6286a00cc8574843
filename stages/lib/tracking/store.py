"""Records into MLflow; the one module that writes there. It runs in the process of `python -m stages.sync` alone.

One MLflow experiment a task, one MLflow run a seed. A run is found by its tag `training` (a record's key and a hash of
its curves) and gains what it lacks; the tag `synced`, set last, says that it lacks nothing. Another history under the
same key (other code, another machine) is another run.
"""

import json
import math
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow import MlflowClient, entities
from mlflow.entities import LoggedModel, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from stages.lib.config_entries import Profile
from stages.lib.config_params import OWN
from stages.lib.config_run import STUDY
from stages.lib.errors import InputError
from stages.lib.files import ROOT
from stages.lib.task import get_task, has_module
from stages.lib.tracking.logged_models import common_folder, link, write_model
from stages.lib.tracking.records import Curves, Record, curves, reason, sha256, states, thinned

if TYPE_CHECKING:
    import pandas as pd

#: What a store or the files behind it raise; ImportError where the client of a server's object store is missing.
FAILURES = (MlflowException, SQLAlchemyError, OSError, ImportError, ValueError)
HOUR = 3_600_000  # milliseconds
Logged = dict[str, dict[int, Metric]]  # by metric and step


class Store:
    """One pass over MLflow. `artifacts`: where a store on this machine keeps files, else None. `shared`: a temporary
    folder. `problems` gains a line for what cannot be sent.
    """

    def __init__(self, artifacts: Path | None, shared: Path, problems: list[str]) -> None:
        self.client, self.artifacts, self.shared, self.problems = MlflowClient(), artifacts, shared, problems
        self.client.search_experiments(max_results=1)  # raises where the store cannot be used at all
        self.without_files = ""  # why MLflow takes no files
        self.run_ids: dict[str, str] = {}  # by the key of a record
        self.experiment, self.runs, self.models = cache(self._experiment), cache(self._runs), cache(self._models)

    def send_all(self, profile: Profile, records: Sequence[Record]) -> int:
        """Send what MLflow lacks and register the best models; returns the number of runs that were written."""
        written, failed, in_a_row = 0, [], 0
        for record in records:
            try:
                written += self._send(record)
                in_a_row = 0
            except InputError as error:
                self.problems.append(str(error))
            except FAILURES as error:
                failed.append(f"MLflow did not take {record.name} ({reason(error)})")
                if (in_a_row := in_a_row + 1) == 3:
                    break
        if failed:
            more = f"; {len(failed) - 1} more failed" if failed[1:] else ""
            self.problems.append(f"{failed[0]}{more}; what it lacks is sent the next time")
            return written
        if self.without_files:
            self.problems.append(self.without_files)
            return written
        # The user's data sets have no common best model.
        for task, state in states(records).items() if profile != OWN else ():
            self._register_best(task, profile, [r for r in records if r.task == task and r.run != STUDY], state)
        for task in sorted({record.task for record in records}) if written else ():
            self._remove_pending(task)
        return written

    def _send(self, record: Record) -> bool:
        runs = self.runs(record.task)
        for known in runs:
            if known.data.tags.get("synced") == record.digest and known.data.tags["training"].startswith(record.key):
                self.run_ids[record.key] = known.info.run_id
                return False
        history = record.history()
        points = curves(history)
        content = json.dumps([[name, curve.index.tolist(), curve.tolist()] for name, curve in points.items()])
        training = f"{record.key}/{sha256(content.encode())[:12]}"
        run = next((run for run in runs if run.data.tags.get("training") == training), None)
        if run is None and (run := self._live_run(record.task, record.seed_key, points)):
            self.client.set_tag(run.info.run_id, "training", training)
        logged = self._logged(run) if run else {}
        run = run or self._create(record, training)
        run_id = self.run_ids[record.key] = run.info.run_id
        self._log_data(run, record)
        model = self._log_files(run, record, history)
        self._log_values(run, record, points, logged, model)
        if run.info.status != "FINISHED":
            self.client.set_terminated(run_id, "FINISHED", run.info.start_time + _milliseconds(record))
        if not self.without_files:
            self.client.set_tag(run_id, "synced", record.digest)
        return True

    def send_live(self, task: str, seed_key: str, tags: dict[str, str], history: "pd.DataFrame") -> None:
        """The curve of a training that goes on; `tags` has its profile, group and run."""
        points, now = curves(history), int(1000 * time.time())
        run = self._live_run(task, seed_key, points)
        if run is None:
            name = f"{tags['run']} {seed_key.rpartition('/')[2].replace('-', ' ')}"
            tags = {**tags, "live": seed_key}
            run = self.client.create_run(self.experiment(task).experiment_id, now, tags, name)
        logged = self._logged(run)
        growing = {name: thinned(curve, growing=True) for name, curve in points.items()}
        self._log(run, [Metric(*(name, value, now, step)) for name, step, value in _missing(growing, logged)])

    def _register_best(self, task: str, profile: Profile, records: Sequence[Record], state: str) -> None:
        """Register the model of the best run by validation as <task>, or <task>-sample, with the alias `best`."""
        experiment, tag = self.experiment(task), f"best.{profile}"
        if experiment.tags.get(tag) == state:
            return
        if any(record.weights and record.scores for record in records):
            metric, higher_is_better = get_task(task).monitor
            trained = [record for record in records if record.weights and record.key in self.run_ids]
            scores = {record.key: record.scores.get(f"validation.{metric}") for record in trained}
            scored = {self.run_ids[key]: score for key, score in scores.items() if score is not None}
            if scored:
                run_id = (max if higher_is_better else min)(scored, key=lambda key: scored[key])
                self._register(task if profile == "full" else f"{task}-{profile}", run_id)
        self.client.set_experiment_tag(experiment.experiment_id, tag, state)

    def _register(self, name: str, run_id: str) -> None:
        outputs = self.client.get_run(run_id).outputs
        if not outputs or not outputs.model_outputs:
            return
        model_id = outputs.model_outputs[0].model_id
        registered = [*self.client.search_registered_models(f"name = '{name}'")]
        registered = registered or [self.client.create_registered_model(name)]
        versions = {version.run_id: version for version in self.client.search_model_versions(f"name = '{name}'")}
        if (version := versions.get(run_id)) is None:
            version = self.client.create_model_version(name, f"models:/{model_id}", run_id, model_id=model_id)
        if str(registered[0].aliases.get("best")) != str(version.version):
            self.client.set_registered_model_alias(name, "best", version.version)

    def _experiment(self, task: str) -> entities.Experiment:
        experiment = self.client.get_experiment_by_name(task)
        if experiment is None:
            # Only a store on this machine is told where to keep files; a server has its own place.
            place = str(self.artifacts / task) if self.artifacts else None
            # Earlier MLflow opens an experiment of this kind on its runs; 3.17 goes by a switch in the browser instead.
            tags = {"mlflow.experimentKind": "custom_model_development"}
            experiment = self.client.get_experiment(self.client.create_experiment(task, place, tags))
        return experiment

    def _runs(self, task: str) -> list[Run]:
        found: list[Run] = []
        token = ""
        while token is not None:
            page = self.client.search_runs([self.experiment(task).experiment_id], max_results=1000, page_token=token)
            found, token = [*found, *page], page.token
        return found

    def _models(self, task: str) -> dict[str, LoggedModel]:
        """Logged models by the run that they come from."""
        found: dict[str, LoggedModel] = {}
        token: str | None = None
        while True:
            page = self.client.search_logged_models([self.experiment(task).experiment_id], page_token=token)
            found |= {model.source_run_id: model for model in page if model.source_run_id}
            if not (token := page.token):
                return found

    def _create(self, record: Record, training: str) -> Run:
        """A new run. Questions are no longer answered by what was trained under the same name before."""
        for run in self.runs(record.task):
            if run.data.tags.get("training", "").startswith(f"{record.seed_key}/") and record.run != STUDY:
                for tag in run.data.tags:
                    if tag.startswith("question.") or tag == "synced":
                        self.client.delete_tag(run.info.run_id, tag)
        tags = {"training": training}
        if "mlflow.source.git.commit" not in record.tags:  # sample runs do not keep theirs
            git = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
            head = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
            tags |= {"mlflow.source.git.commit": head} if head else {}
        made = record.history_file if record.history_file.exists() else record.history_file.with_name("scores.json")
        start = int(1000 * made.stat().st_mtime) - _milliseconds(record)
        return self.client.create_run(self.experiment(record.task).experiment_id, start, tags, record.name)

    def _live_run(self, task: str, seed_key: str, points: Curves) -> Run | None:
        """The run that showed this training's curve as it grew; one that showed another curve ends as killed."""
        for run in self.runs(task):
            if run.data.tags.get("live") == seed_key and run.info.status == "RUNNING":
                logged = self._logged(run)
                if all(
                    math.isclose(
                        metric.value, points[name].get(step, math.nan) if name in points else math.nan, rel_tol=1e-6
                    )
                    for name, steps in logged.items()
                    for step, metric in steps.items()
                ):
                    return run
                self.client.set_terminated(run.info.run_id, "KILLED")
        return None

    def _logged(self, run: Run) -> Logged:
        histories = {name: self.client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
        return {name: {metric.step: metric for metric in history} for name, history in histories.items()}

    def _log_data(self, run: Run, record: Record) -> None:
        if "sha256" not in record.data or (run.inputs and run.inputs.dataset_inputs):
            return
        dataset = entities.Dataset(
            name=record.data["name"],
            digest=record.data["sha256"][:36],  # the most MLflow takes; the whole hash is in the profile
            source_type="local",
            source=json.dumps({"uri": f"data/{record.profile}/{record.task}/tensors.safetensors"}),
            profile=json.dumps(dict(record.data)),
        )
        inputs = [entities.DatasetInput(dataset, [entities.InputTag("mlflow.data.context", "training")])]
        self.client.log_inputs(run.info.run_id, inputs)

    def _log_files(self, run: Run, record: Record, history: "pd.DataFrame") -> LoggedModel | None:
        """History, figures and model. A store that takes no files gets the values all the same."""
        if self.without_files:
            return None
        try:
            with tempfile.TemporaryDirectory() as folder:
                places = [(path, "figures") for path in record.figures]
                if record.weights:
                    places.append((record.history_file, ""))
                elif len(history):
                    places.append((Path(folder, "history.csv"), ""))
                    history.drop(columns=["run", "seed"]).to_csv(places[-1][0], index=False)
                for path, place in places:
                    if target := _local(run.info.artifact_uri):
                        link(path, target / place / path.name)
                    else:
                        self.client.log_artifact(run.info.run_id, str(path), place or None)
            # A model takes what a user types, which is for the task's `interaction` to read.
            if record.weights and has_module(record.task, "interaction"):
                return self._log_model(run, record, record.weights)
        except InputError as error:
            self.problems.append(str(error))
        except _file_failures() as error:
            self.without_files = f"MLflow took no files of {record.name} ({reason(error)}); runs were sent without"
        return None

    def _log_model(self, run: Run, record: Record, weights: Path) -> LoggedModel:
        """One that a dying server left pending is finished."""
        run_id, common = run.info.run_id, common_folder(self.shared, record)
        model = self.models(record.task).get(run_id)
        if model is None:
            name = record.name.translate(dict.fromkeys(map(ord, "/:.%\"'"), "-"))
            about = {"params": record.params, "model_type": record.config["model"]}
            model = self.client.create_logged_model(run.info.experiment_id, name, run_id, **about)
            self.models(record.task)[run_id] = model
        if model.status != "READY":
            if target := _local(model.artifact_location):
                write_model(weights, common, target, model)
            else:
                with tempfile.TemporaryDirectory(dir=self.shared) as folder:
                    write_model(weights, common, Path(folder), model)
                    self.client.log_model_artifacts(model.model_id, folder)
            self.models(record.task)[run_id] = self.client.finalize_logged_model(model.model_id, "READY")
        if not (run.outputs and run.outputs.model_outputs):
            self.client.log_outputs(run_id, [entities.LoggedModelOutput(model.model_id, 0)])
        return model

    def _log_values(
        self,
        run: Run,
        record: Record,
        points: Curves,
        logged: Logged,
        model: LoggedModel | None,
    ) -> None:
        """Parameters, tags, thinned curves and scores. A score that its curve does not end with is a point after it."""
        start, lasted, model_id = run.info.start_time, _milliseconds(record), model.model_id if model else None
        last = max((int(curve.index[-1]) for curve in points.values()), default=0)
        new = {
            (name, step): Metric(name, value, start + lasted * step // max(last, 1), step)
            for name, step, value in _missing({name: thinned(curve) for name, curve in points.items()}, logged)
        }
        for name, step in new:
            logged.setdefault(name, {})[step] = new[name, step]
        on_model = {metric.key for metric in (model.metrics if model else None) or ()}
        for name, value in record.scores.items():
            steps = logged.get(name)
            end = steps[max(steps)] if steps else None
            if end is None or not math.isclose(end.value, value, rel_tol=1e-6, abs_tol=1e-9):
                end = Metric(name, value, start + lasted, end.step + 1 if end else 0)
            elif not model_id or name in on_model:
                continue
            new[name, end.step] = Metric(name, end.value, end.timestamp, end.step, model_id=model_id)
        metrics = list(new.values())
        tags = [RunTag(name, value) for name, value in record.tags.items() if run.data.tags.get(name) != value]
        params = [Param(name, value[:6000]) for name, value in record.params.items() if name not in run.data.params]
        self._log(run, metrics, params, tags)
        for name in run.data.tags:
            if name == "live" or (name.startswith("question.") and name not in record.tags):
                self.client.delete_tag(run.info.run_id, name)

    def _log(self, run: Run, metrics: list[Metric], params: Sequence[Param] = (), tags: Sequence[RunTag] = ()) -> None:
        """In batches of at most 1,000 values, of which 100 may be parameters and 100 tags."""
        while metrics or params or tags:
            self.client.log_batch(run.info.run_id, metrics[:800], params[:100], tags[:100])
            metrics, params, tags = metrics[800:], params[100:], tags[100:]

    def _remove_pending(self, task: str) -> None:
        """Models that something which died has left behind, unless it may still be at work."""
        for model in self.models(task).values():
            if model.status == "PENDING" and model.creation_timestamp < 1000 * time.time() - HOUR:
                self.client.delete_logged_model(model.model_id)
                if target := _local(model.artifact_location):
                    shutil.rmtree(target, ignore_errors=True)


def _missing(points: Curves, logged: Logged) -> list[tuple[str, int, float]]:
    """Metric, step and value, the latter with the digits of single precision."""
    rows = {
        name: zip(curve.index.tolist(), curve.to_numpy().astype(str), strict=True) for name, curve in points.items()
    }
    return [
        (name, step, float(value)) for name in rows for step, value in rows[name] if step not in logged.get(name, {})
    ]


def _file_failures() -> tuple[type[Exception], ...]:
    """FAILURES, and those of the library that an artifact store on S3 needs, which MLflow passes on as they are."""
    try:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return FAILURES
    return (*FAILURES, Boto3Error, BotoCoreError, ClientError)


def _local(uri: str) -> Path | None:
    """The folder that artifacts are in, where it is one of this machine."""
    return Path(uri) if uri.startswith("/") else None


def _milliseconds(record: Record) -> int:
    """How long the training took, where that was measured."""
    return int(1000 * record.scores.get("train.seconds", 0))
