"""What MLflow has after a sync is read back with MLflow's own client."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tracking_project import all_runs, approx, client, contents, files, history_of, points, write_verdicts

from stages.lib.files import ROOT
from stages.lib.tracking.connection import lacks_nothing
from stages.lib.tracking.records import POINTS

# MLflow's own advice and its use of old calls are not this project's to mend.
pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore::Warning:mlflow")]
Sync = Callable[..., int]


def test_a_run_carries_what_a_reviewer_looks_for(trained: Path, sync_here: Sync) -> None:
    write_verdicts()
    assert sync_here() == 3
    slow, wide, other = all_runs()
    assert [run.info.run_name for run in (slow, wide, other)] == ["slow seed 0", "wide seed 0", "wide seed 1"]
    assert {run.info.status for run in (slow, wide, other)} == {"FINISHED"}
    assert client().get_experiment(slow.info.experiment_id).name == "sts"
    about = json.loads(Path("models/full/g/slow/run.json").read_text())
    assert slow.info.end_time - slow.info.start_time == int(1000 * about["seeds"]["0"]["seconds"])

    # One name for one thing: curves end with the score of the same name, where the last weights were kept.
    scored = json.loads(Path("metrics/full/evaluations/g/scores.json").read_text())["runs"]
    history = history_of("wide", 1)
    assert points(other, "train.loss") == approx(history["train_loss"])
    assert points(other, "validation.mse") == approx(history["validation_mse"])
    for run, entry, seed in ((slow, "slow", "0"), (wide, "wide", "0"), (other, "wide", "1")):
        for name, value in scored[entry]["seeds"][seed]["scores"].items():
            assert run.data.metrics[name] == pytest.approx(value, rel=1e-6)
    assert not {"lr", "train.lr", "epoch", "validation_mse"} & set(slow.data.metrics)

    (data,) = slow.inputs.dataset_inputs
    assert about["data"]["sha256"].startswith(data.dataset.digest)
    assert json.loads(data.dataset.profile) == about["data"]
    assert files(slow) == ["figures/rates.svg", "history.csv"]
    found = Path(client().download_artifacts(slow.info.run_id, "history.csv"))
    assert found.read_bytes() == Path("models/full/g/slow/seed-0/history.csv").read_bytes()
    # The runs of a question, as one types it into the search field.
    query = "tags.`question.rate` = 'reproduced' and tags.profile = 'full'"
    assert len(client().search_runs([slow.info.experiment_id], query)) == 3
    assert (trained / "mlartifacts" / "sts").is_dir()


def test_kept_best_weights_have_their_score_after_the_curve(sync_here: Sync) -> None:
    path = Path("metrics/full/evaluations/g/scores.json")
    content = json.loads(path.read_text())
    content["runs"]["slow"]["seeds"]["0"]["scores"]["validation.mse"] = 0.125  # as of weights in the middle of training
    path.write_text(json.dumps(content))
    sync_here()
    slow = all_runs()[0]
    curve = history_of("slow")["validation_mse"]
    assert points(slow, "validation.mse") == approx(curve | {max(curve) + 1: 0.125})
    assert slow.data.metrics["validation.mse"] == 0.125


def test_syncing_again_writes_nothing(store: Path, sync_here: Sync) -> None:
    write_verdicts()
    assert sync_here() == 3
    before, tree = contents(), {path: path.stat().st_ctime_ns for path in store.parent.glob("mlartifacts/**/*")}
    del tree[store.parent / "mlartifacts" / ".lock"]
    database = store.read_bytes()
    assert sync_here() == 0
    assert store.read_bytes() == database
    assert all(path.stat().st_ctime_ns == changed for path, changed in tree.items())
    assert contents() == before


def test_that_there_is_nothing_new_is_found_without_importing_mlflow(trained: Path, sync_here: Sync) -> None:
    sync_here()
    code = """
import sys
from stages.sync import sync_profiles
assert sync_profiles(["full"]) == (0, [])
print([name for name in ("mlflow", "torch", "pandas") if name in sys.modules])
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    # With a run half written, or the best model not registered yet, there is something to do.
    database = trained / "mlflow.db"
    wanted = {run.data.tags["synced"] for run in all_runs()} | set(_states())
    assert lacks_nothing(database, wanted)
    for table, key in (("experiment_tags", "best.full"), ("tags", "synced")):
        shutil.copyfile(database, "changed.db")
        with sqlite3.connect("changed.db") as connection:
            connection.execute(f"DELETE FROM {table} WHERE key = '{key}'")
        assert not lacks_nothing(Path("changed.db"), wanted)


def _states() -> list[str]:
    return [value for name, value in client().get_experiment_by_name("sts").tags.items() if name == "best.full"]


def test_verdicts_come_after_the_report_and_change_with_it(sync_here: Sync) -> None:
    sync_here()
    assert {run.data.tags["question.rate"] for run in all_runs()} == {"no verdict"}
    for verdict in ("reproduced", "not reproduced"):
        write_verdicts(verdict)
        assert sync_here() == 3
        assert {run.data.tags["question.rate"] for run in all_runs()} == {verdict}
        assert all("figures/rates.svg" in files(run) for run in all_runs())
    reports = Path("reports/small.yaml")
    reports.write_text(reports.read_text().partition("  alone:")[0])
    sync_here()
    assert not any("question.alone" in run.data.tags for run in all_runs())
    assert all(len(points(run, "train.loss")) == 12 for run in all_runs())


class Death(BaseException):
    """Nothing catches it: the process is gone."""


class Dying:
    """A client whose process dies with the call of a number, before or after the server has carried it out."""

    def __init__(self, real: Any, calls: int, after: bool) -> None:
        self.real, self.calls, self.after = real, calls, after

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.real, name)
        if name.startswith(("search", "get", "list")):
            return call

        def run(*words: Any, **named: Any) -> Any:
            self.calls -= 1
            if self.calls == 0 and not self.after:
                raise Death
            result = call(*words, **named)
            if self.calls == 0:
                raise Death
            return result

        return run


@pytest.mark.parametrize("after", [True, False])
def test_whatever_died_in_between_each_run_is_there_once(
    store: Path, sync_here: Sync, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    from stages.lib.tracking import store as module

    write_verdicts()
    shutil.rmtree("models/full/g/wide")
    scores = Path("metrics/full/evaluations/g/scores.json")
    content = json.loads(scores.read_text())
    del content["runs"]["wide"]
    scores.write_text(json.dumps(content))
    shutil.copyfile(store, "empty.db")
    sync_here()
    expected = contents()
    shutil.copyfile("empty.db", store)
    shutil.rmtree("mlartifacts")
    deaths, real = 0, module.MlflowClient
    while True:
        # Each pass gets one write further than the last; a death before the first write would never end.
        monkeypatch.setattr(module, "MlflowClient", lambda: Dying(real(), 1 if after else 2, after))
        try:
            sync_here()
            break
        except Death:
            deaths += 1
        assert deaths < 40, "no pass gets further than the one before"
    assert deaths >= 12
    assert contents() == expected
    models = client().search_logged_models([all_runs()[0].info.experiment_id])
    assert [str(model.status) for model in models] == ["READY"]


def test_a_training_with_other_settings_or_another_curve_is_another_run(sync_here: Sync) -> None:
    write_verdicts()
    sync_here()
    history = Path("models/full/g/slow/seed-0/history.csv")
    table = pd.read_csv(history)
    before = float(table["train_loss"].iloc[-1])
    history.unlink()
    table.assign(train_loss=[*table["train_loss"][:-1], 9.5]).to_csv(history, index=False)
    assert sync_here() == 1
    runs = {run.data.metrics["train.loss"]: run for run in all_runs() if run.info.run_name == "slow seed 0"}
    assert sorted(runs) == pytest.approx([before, 9.5], rel=1e-6)
    # The question is answered by the new one.
    assert "question.rate" in runs.pop(9.5).data.tags
    assert "question.rate" not in runs.popitem()[1].data.tags
    assert sync_here() == 0


def test_a_long_curve_is_thinned_and_its_file_is_whole(sync_here: Sync) -> None:
    history = Path("models/full/g/slow/seed-0/history.csv")
    rows = [f"{step},{step / 10},0.1,{1 / step},{2 / step if step % 10 == 0 else ''}" for step in range(1, 3001)]
    history.unlink()
    history.write_text("step,epoch,lr,train_loss,validation_mse\n" + "\n".join(rows) + "\n")
    sync_here()
    slow = all_runs()[0]
    curve = points(slow, "train.loss")
    assert POINTS / 2 < len(curve) <= POINTS
    assert {1, 3000} <= set(curve)
    assert curve == approx({step: 1 / step for step in curve})
    assert Path(client().download_artifacts(slow.info.run_id, "history.csv")).read_bytes() == history.read_bytes()


def test_published_results_are_synced_without_models_and_are_the_same_runs(trained: Path, sync_here: Sync) -> None:
    Path("docs/results").mkdir(parents=True)
    shutil.copytree("metrics/full/evaluations", "docs/results/evaluations")
    for folder in ("models", "metrics"):
        shutil.move(folder, trained.parent / folder)
    assert sync_here() == 3
    published = contents()
    assert all(run["models"] == [] for run in published)
    assert {"history.csv"} == {path for run in published for path in run["files"]}
    for folder in ("models", "metrics"):
        shutil.move(trained.parent / folder, folder)
    assert sync_here() == 3
    trained_here = contents()
    assert [run["metrics"] for run in trained_here] == [run["metrics"] for run in published]
    assert all(len(run["models"]) == 1 for run in trained_here)


def write_study(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree("models/full/g/slow", "models/full/study/study", dirs_exist_ok=True)
    path = Path("models/full/study/study/run.json")
    path.unlink()
    about = json.loads(Path("models/full/g/slow/run.json").read_text())
    about["config"]["lr"] = float(len(name))
    path.write_text(json.dumps(about))
    Path("metrics/full/study.json").write_text(
        json.dumps({"data": "x", "validation": {"mse": 1.5}, "test": {"mse": 2.5}})
    )
    monkeypatch.setenv("DVC_EXP_NAME", name)


def test_an_experiment_has_the_name_that_dvc_gave_it(sync_here: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("able-ants", "cosy-camel"):
        write_study(name, monkeypatch)
        assert sync_here(study=True) == 1
    monkeypatch.delenv("DVC_EXP_NAME")
    assert sync_here(study=True) == 0
    assert [run.info.run_name for run in all_runs()] == ["able-ants", "cosy-camel"]
    assert [run.data.metrics["test.mse"] for run in all_runs()] == [2.5, 2.5]
    assert "`dvc exp apply" in all_runs()[0].data.tags["mlflow.note.content"]


def test_a_live_curve_grows_into_the_finished_run(sync_here: Sync) -> None:
    import torch

    from stages.sync import sync_profiles
    from stages.train.checkpoint import State, save

    network = torch.nn.Linear(1, 1)
    history = pd.read_csv("models/full/g/slow/seed-0/history.csv")
    checkpoint = Path("models/.resume/full-slow-0.pt")
    checkpoint.parent.mkdir(exist_ok=True)
    shutil.move("models/full", "finished")
    shutil.move("metrics", "scored")
    for rows in (4, 9):
        state = State(history=[row.dropna().to_dict() for _, row in history[:rows].iterrows()])
        save(checkpoint, "", network, torch.optim.SGD(network.parameters()), state)
        for _ in range(2):
            assert sync_profiles(["full"], live=True) == (0, [])
        (run,) = all_runs()
        assert (run.info.run_name, run.info.status) == ("slow seed 0", "RUNNING")
        assert len(points(run, "train.loss")) == rows - 1  # the first row is the untrained network
    checkpoint.unlink()
    shutil.move("finished", "models/full")
    shutil.move("scored", "metrics")
    sync_here()
    slow, *others = all_runs()
    assert len(others) == 2
    assert (slow.info.run_id, slow.info.status) == (run.info.run_id, "FINISHED")
    assert points(slow, "train.loss") == approx(history_of("slow")["train_loss"])
    assert "live" not in slow.data.tags


def test_a_live_curve_of_another_training_ends_as_killed(sync_here: Sync) -> None:
    from stages.lib.tracking.store import Store

    store = Store(Path("mlartifacts").absolute(), Path("shared"), [])
    tags = {"profile": "full", "group": "g", "run": "slow"}
    store.send_live("sts", "sts/full/slow/seed-0", tags, pd.DataFrame({"step": [1, 2], "train_loss": [99.0, 98.0]}))
    sync_here()
    found = {run.info.status: run for run in all_runs() if run.info.run_name == "slow seed 0"}
    assert found.keys() == {"KILLED", "FINISHED"}
    assert points(found["FINISHED"], "train.loss") == approx(history_of("slow")["train_loss"])


@pytest.mark.usefixtures("store")
def test_a_damaged_history_is_one_line_and_the_others_are_sent() -> None:
    from stages.sync import sync_profiles

    path = Path("models/full/g/slow/seed-0/history.csv")
    path.unlink()
    path.write_text("step,train_loss\n1,0.5\n2,nonsense\n")
    sent, (problem,) = sync_profiles(["full"])
    assert sent == 2
    assert "slow/seed-0/history.csv: damaged (could not convert string to float: 'nonsense')" in problem
    assert [run.info.run_name for run in all_runs()] == ["wide seed 0", "wide seed 1"]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "stages.sync", "--profile", "full", *words]


def test_two_at_a_time_and_one_that_is_killed_send_each_run_once(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    first = subprocess.Popen(command(), stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not list(trained.glob("mlartifacts/sts/*/artifacts/history.csv")):
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    both = [subprocess.Popen(command(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        assert process.communicate()[1] == ""
    assert [run.info.run_name for run in all_runs()] == ["slow seed 0", "wide seed 0", "wide seed 1"]
    for run, entry in zip(contents(), all_runs(), strict=True):
        assert (run["status"], len(run["models"]), len(run["data"])) == ("FINISHED", 1, 1)
        assert len(points(entry, "train.loss")) == 12


def test_computed_statements_are_runs_without_curves_and_model(sync_here: Sync) -> None:
    folder = Path("metrics/full/evaluations/theory")
    folder.mkdir(parents=True)
    runs = {"alone": {"config": {"task": "concepts"}, "parameters": 0, "seeds": {"0": {"scores": {"counted": 225.0}}}}}
    content = {"group": "theory", "task": "concepts", "data": {"name": "no data", "sample": False}, "runs": runs}
    (folder / "scores.json").write_text(json.dumps(content))
    assert sync_here() == 4
    assert sync_here() == 0
    (run,) = [run for run in all_runs() if run.info.run_name == "alone seed 0"]
    assert client().get_experiment(run.info.experiment_id).name == "concepts"
    assert (run.info.status, run.data.metrics, run.data.params) == (
        "FINISHED",
        {"counted": 225.0},
        {"task": "concepts", "seed": "0"},
    )
    assert run.data.tags["question.alone"] == "no verdict"
    assert "`dvc repro full/dvc.yaml:compute@theory`" in run.data.tags["mlflow.note.content"]
    assert files(run) == []
