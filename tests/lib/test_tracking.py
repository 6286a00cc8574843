"""What MLflow is told is read back with MLflow's own client; what it cannot be told waits in outbox/."""

import csv
import json
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stages.lib import tracking
from stages.lib.files import ROOT
from stages.lib.tracking import Tracker, Training, flat, outbox, record, record_plots, record_scores, send, study_key
from stages.lib.tracking.to_mlflow import POINTS, curves, thinned

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

# MLflow's own advice and its use of old calls are not this project's to mend.
pytestmark = pytest.mark.filterwarnings("ignore::Warning:mlflow")
WIDTH = 3
NETWORK = {"hidden_size": 4, "head": "cosine"}


def training(run: str = "A-sts-best", lr: float = 1.0, **changes: object) -> Training:
    about = {
        "run": run,
        "config": {"task": "sts", "model": "siamese_lstm", "lr": lr, "network": NETWORK},
        "data": {"name": "sample data (generated)", "sample": True, "sha256": "0123456789abcdef" * 4, "bytes": 4321},
        "parameters": 17,
    }
    signature = {
        "inputs": {"vectors": ("float32", (-1, -1, WIDTH)), "lengths": ("int64", (-1,))},
        "output": ("float32", (-1,)),
    }
    values = {
        "profile": "sample",
        "group": "A-sts",
        "run": run,
        "seed": 0,
        "about": about,
        "stage": f"train@{run}",
        "source": "data/sample/sts/tensors.safetensors",
        "facts": {"width": WIDTH},
        "signature": signature,
    }
    return Training(**{**values, **changes})


def rows(count: int, offset: float = 0.0) -> list[dict[str, float]]:
    """A validation every tenth step, as in a history.csv."""
    history = [{"step": s, "epoch": s / 10, "lr": 1.0, "train_loss": offset + 1 / s} for s in range(1, count + 1)]
    for row in history[9::10]:
        row["validation_mse"] = 2 / row["step"]
    return history


def write_history(path: Path, history: list[dict[str, float]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["step", "epoch", "lr", "train_loss", "validation_mse"], restval="")
        writer.writeheader()
        writer.writerows(history)
    return path


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with an outbox of its own."""
    monkeypatch.setattr(outbox, "project_root", lambda: tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables; making one takes seconds."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    folder = tmp_path_factory.mktemp("store")
    SqlAlchemyStore(f"sqlite:///{folder / 'mlflow.db'}", str(folder / "artifacts"))
    return folder / "mlflow.db"


@pytest.fixture
def store(root: Path, empty_store: Path) -> Path:
    shutil.copyfile(empty_store, root / "mlflow.db")
    return root


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return write_history(tmp_path / "history.csv", rows(60))


@pytest.fixture
def network() -> torch.nn.Module:
    from stages.lib.task import get

    task = get("sts")
    torch.manual_seed(1)
    options = task.networks["siamese_lstm"].model_validate(NETWORK)
    return task.build("siamese_lstm", options, {"width": WIDTH}).eval()


@pytest.fixture
def weights(tmp_path: Path, network: torch.nn.Module) -> Path:
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def client_of(root: Path) -> "MlflowClient":
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{root / 'mlflow.db'}")


def runs_of(root: Path) -> "list[Run]":
    client = client_of(root)
    found = client.search_runs([e.experiment_id for e in client.search_experiments()])
    return [client.get_run(run.info.run_id) for run in found]


def points_of(root: Path, run: "Run", name: str) -> dict[int, float]:
    found = client_of(root).get_metric_history(run.info.run_id, name)
    steps = [metric.step for metric in found]
    assert len(steps) == len(set(steps)), "a point stands twice"
    return {metric.step: metric.value for metric in found}


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# ---- without MLflow


@pytest.mark.parametrize("rows_", [1, 2, 60, 199, 200, 201, 1500, 99_999])
@pytest.mark.parametrize("every", [1, 7])
def test_a_thinned_curve_keeps_its_ends_and_spans_the_whole(rows_: int, every: int) -> None:
    points = [(row, row + 1, float(row)) for row in range(0, rows_, every)]
    kept = thinned(points, rows_, complete=True)
    assert len(kept) <= POINTS
    assert kept[0] == points[0]
    assert kept[-1] == points[-1]
    assert kept == sorted(set(kept))
    assert set(kept) <= set(points)
    gap = max((b[0] - a[0] for a, b in pairwise(kept)), default=0)
    assert gap <= 2 * math.ceil(rows_ / (POINTS - 1)) + every
    if len(points) < POINTS and every == 1:
        assert kept == points


def test_a_growing_curve_only_gains_points() -> None:
    points = [(row, row, 1.0) for row in range(1000)]
    final = thinned(points, 1000, complete=True)
    for count in (1, 10, 333, 999):
        assert set(thinned(points[:count], 1000, complete=False)) <= set(final)


def test_curves_leave_out_empty_cells_and_what_is_no_number() -> None:
    found = curves([["step", "epoch", "train_loss", "validation_mse"], ["0", "0.0", "", "nan"], ["5", "1", ".5", "2"]])
    assert found == {"train_loss": [(1, 5, 0.5)], "validation_mse": [(1, 5, 2.0)]}


def test_parameters_are_flat_text() -> None:
    assert flat({"lr": 0.1, "network": {"head": "cosine", "sizes": [1, 2]}}) == {
        "lr": "0.1",
        "network.head": "cosine",
        "network.sizes": "[1, 2]",
    }


def test_the_key_tells_trainings_apart_by_all_that_shapes_them() -> None:
    about = training().about
    other_data = {**about, "data": {**about["data"], "sha256": "f" * 64}}
    keys = [
        study_key("sample", "a", 0, about),
        study_key("full", "a", 0, about),
        study_key("sample", "b", 0, about),
        study_key("sample", "a", 1, about),
        study_key("sample", "a", 0, training(lr=0.5).about),
        study_key("sample", "a", 0, other_data),
    ]
    assert len(set(keys)) == len(keys)
    again = json.loads(json.dumps({**about, "threads": 7}))
    again["config"] = dict(reversed(again["config"].items()))
    assert study_key("sample", "a", 0, again) == keys[0]


def test_recording_imports_neither_mlflow_nor_torch_and_outlives_its_files(root: Path, history: Path) -> None:
    code = f"""
import sys
from pathlib import Path
from stages.lib import tracking
from stages.lib.tracking import outbox
outbox.project_root = lambda: Path({str(root)!r})
about = {training().about!r}
one = tracking.Training("sample", "g", "r", 0, about, "train@r", facts={{}}, signature={{}})
tracking.Tracker(one).finish(Path({str(history)!r}), Path({str(history)!r}))
tracking.record_scores(one.key, {{"test.mse": 1.0, "test.pearson": float("nan")}})
print([name for name in ("mlflow", "torch", "numpy", "pandas") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    first, second = outbox.waiting()
    text = history.read_text()
    history.unlink()
    assert (first / "history.csv").read_text() == text
    assert (first / "model" / "weights.safetensors").read_text() == text
    assert json.loads((second / "entry.json").read_text())["scores"] == {"test.mse": 1.0}


def test_an_outbox_that_cannot_be_written_is_a_warning(
    root: Path, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "outbox").write_text("a file where the folder should be")
    record(training(), history)
    error = capsys.readouterr().err
    assert error.startswith("warning: ")
    assert error.count("\n") == 1


def test_nothing_is_started_for_an_empty_outbox(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))
    send()
    assert list(root.iterdir()) == []


def test_the_environment_is_quiet_by_default_and_the_users_own_settings_win(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    found = outbox.environment()
    assert found["MLFLOW_DISABLE_TELEMETRY"] == found["DO_NOT_TRACK"] == "true"
    assert found["MLFLOW_TRACKING_URI"] == f"sqlite:///{root}/mlflow.db"
    assert found["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://user:secret@host:1/x")
    assert outbox.environment()["MLFLOW_TRACKING_URI"] == "https://user:secret@host:1/x"
    assert outbox.shown_uri() == "https://host:1/x"


def test_a_short_training_starts_no_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    tracker = Tracker(training())
    for count in range(1, 100):
        tracker.update(rows(count), 100)
    assert list(root.iterdir()) == []


# ---- servers that do not answer


@pytest.mark.usefixtures("root")
def test_an_unreachable_server_is_one_warning_and_what_waits_stays(
    history: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = f"http://127.0.0.1:{closed_port()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    one, other = training(), training("A-sts-lr")
    record(one, history)
    record(other, history)
    record_scores(one.key, {"test.mse": 1.5})
    before = outbox.waiting()
    send()
    error = capsys.readouterr().err
    assert error.startswith(f"warning: MLflow at {uri} cannot be reached (")
    assert error.endswith("; 2 runs wait in outbox/ and are sent by the next stage\n")
    assert error.count("\n") == 1
    assert outbox.waiting() == before


@pytest.mark.usefixtures("root")
def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up(
    history: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{silent.getsockname()[1]}")
        record(training(), history)
        send()
    assert "cannot be reached (timed out); 1 run waits in outbox/ and is sent by" in capsys.readouterr().err
    assert len(outbox.waiting()) == 1


def test_a_store_without_a_folder_is_one_warning(
    root: Path, history: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root}/absent/mlflow.db")
    record(training(), history)
    send()
    assert f"MLflow at sqlite:///{root}/absent/mlflow.db cannot be reached ({root}/absent" in capsys.readouterr().err


# ---- with a database


@pytest.mark.pipeline
def test_a_run_carries_all_that_the_design_promises(
    store: Path, history: Path, weights: Path, network: torch.nn.Module
) -> None:
    plot = store / "A-sts-lr.svg"
    plot.write_text("<svg/>")
    one = training()
    record(one, history, weights)
    record_scores(one.key, {"validation.mse": 1.25, "test.pearson": 0.5})
    record_plots(one.key, [plot, store / "absent.svg"])
    for path in (plot, weights):
        path.unlink()
    send()
    assert outbox.waiting() == []

    client = client_of(store)
    (run,) = runs_of(store)
    assert client.get_experiment(run.info.experiment_id).name == "sts"
    assert (run.info.run_name, run.info.status) == ("A-sts-best seed 0", "FINISHED")
    expected = {"lr": "1.0", "network.hidden_size": "4", "seed": "0", "profile": "sample", "parameters": "17"}
    assert expected.items() <= run.data.params.items()

    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    tags = {
        "study.key": one.key,
        "study.profile": "sample",
        "study.group": "A-sts",
        "study.data": "sample data (generated)",
        "dvc.stage": "train@A-sts-best",
    }
    assert tags.items() <= run.data.tags.items()
    assert run.data.tags.get("mlflow.source.git.commit", "") == commit

    assert points_of(store, run, "train_loss") == {row["step"]: row["train_loss"] for row in rows(60)}
    assert points_of(store, run, "validation_mse") == {step: 2 / step for step in range(10, 61, 10)}
    assert run.data.metrics["validation.mse"] == 1.25
    assert run.data.metrics["test.pearson"] == 0.5

    (data,) = run.inputs.dataset_inputs
    assert data.dataset.name == "sample data (generated)"
    assert one.about["data"]["sha256"].startswith(data.dataset.digest)
    assert json.loads(data.dataset.profile) == {"bytes": 4321, "sample": True, "sha256": "0123456789abcdef" * 4}

    assert Path(client.download_artifacts(run.info.run_id, "history.csv")).read_bytes() == history.read_bytes()
    assert [item.path for item in client.list_artifacts(run.info.run_id, "plots")] == ["plots/A-sts-lr.svg"]
    assert (store / "mlartifacts" / "sts").is_dir()
    _check_model(store, run.outputs.model_outputs[0].model_id, network)


def _check_model(store: Path, model_id: str, network: torch.nn.Module) -> None:
    """It is loaded far from the project, by a process that knows nothing of it."""
    from mlflow.models import Model

    model = client_of(store).get_logged_model(model_id)
    assert model.status == "READY"
    signature = Model.load(model.artifact_location).signature
    assert {spec.name: (spec.type, spec.shape) for spec in signature.inputs} == {
        "vectors": (np.dtype("float32"), (-1, -1, WIDTH)),
        "lengths": (np.dtype("int64"), (-1,)),
    }
    files = [path.name for path in store.glob(f"mlartifacts/sts/models/{model_id}/**/*")]
    assert "weights.safetensors" in files
    assert not [name for name in files if name.endswith((".pkl", ".pt", ".pyc"))]

    vectors, lengths = torch.randn(6, 5, WIDTH), torch.tensor([5, 2, 1, 3, 4, 5])
    np.savez(store / "inputs.npz", vectors=vectors.numpy(), lengths=lengths.numpy())
    code = f"""
import mlflow, numpy as np
inputs = dict(np.load("inputs.npz"))
np.save("output.npy", mlflow.pyfunc.load_model("models:/{model_id}").predict(inputs))
"""
    environment = {name: value for name, value in outbox.environment().items() if name != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", code], cwd=store, env=environment, check=True, capture_output=True)
    with torch.no_grad():
        np.testing.assert_allclose(np.load(store / "output.npy"), network(vectors, lengths).numpy(), rtol=1e-6)


@pytest.fixture
def send_here(store: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str | None]:
    """Sends in the tests' own process, which has imported mlflow already."""
    from stages.lib.tracking.sender import send_all

    for name, value in outbox.environment().items():
        monkeypatch.setenv(name, value)

    def sending() -> str | None:
        sent, problem = send_all(store, time.monotonic() + 100)
        assert sent or problem
        return problem

    return sending


@pytest.mark.pipeline
def test_what_a_dead_server_did_not_get_is_sent_later(
    store: Path, history: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    record(training(), history)
    record_scores(training().key, {"test.mse": 1.5})
    send()
    assert "warning" in capsys.readouterr().err
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    send()
    assert capsys.readouterr().err == ""
    (run,) = runs_of(store)
    assert len(points_of(store, run, "train_loss")) == 60
    assert run.data.metrics["test.mse"] == 1.5
    assert outbox.waiting() == []


@pytest.mark.pipeline
def test_sending_twice_changes_nothing(store: Path, history: Path, weights: Path, send_here: Callable) -> None:
    for _ in range(2):
        record(training(), history, weights)
        record_scores(training().key, {"test.mse": 1.5})
        assert send_here() is None
    (run,) = runs_of(store)
    assert len(points_of(store, run, "train_loss")) == 60
    assert len(points_of(store, run, "test.mse")) == 1
    assert len(run.inputs.dataset_inputs) == len(run.outputs.model_outputs) == 1
    assert len(list((store / "mlartifacts" / "sts" / "models").iterdir())) == 1


@pytest.mark.pipeline
def test_another_curve_is_another_run_and_scores_go_to_the_newest(
    store: Path, history: Path, send_here: Callable
) -> None:
    record(training(), history, started=1000.0)
    record(training(), write_history(store / "other.csv", rows(60, offset=1.0)), started=2000.0)
    record_scores(training().key, {"test.mse": 1.5})
    assert send_here() is None
    new, old = sorted(runs_of(store), key=lambda run: -run.info.start_time)
    assert new.data.metrics["train_loss"] == pytest.approx(1 + 1 / 60)
    assert old.data.metrics["train_loss"] == pytest.approx(1 / 60)
    assert ("test.mse" in new.data.metrics, "test.mse" in old.data.metrics) == (True, False)


@pytest.mark.pipeline
def test_a_long_curve_is_thinned_and_its_file_is_whole(store: Path, send_here: Callable) -> None:
    path = write_history(store / "long.csv", rows(3000))
    record(training(), path)
    assert send_here() is None
    (run,) = runs_of(store)
    points = points_of(store, run, "train_loss")
    assert POINTS / 2 < len(points) <= POINTS
    assert {1, 3000} <= set(points)
    assert all(value == 1 / step for step, value in points.items())
    found = Path(client_of(store).download_artifacts(run.info.run_id, "history.csv"))
    assert found.read_bytes() == path.read_bytes()


@pytest.mark.pipeline
def test_a_refused_entry_waits_with_what_belongs_to_it_and_others_go_out(
    store: Path, history: Path, send_here: Callable
) -> None:
    record(training("bad"), history)
    (bad,) = outbox.waiting()
    (bad / "entry.json").write_text("{")
    record_scores(training("bad").key, {"test.mse": 1.5})
    record(training("good"), history)
    problem = send_here()
    assert problem is not None
    assert f"outbox/{bad.name}" in problem
    assert [run.info.run_name for run in runs_of(store)] == ["good seed 0"]
    assert len(outbox.waiting()) == 2


@pytest.mark.pipeline
def test_scores_of_a_run_that_was_never_trained_here_are_let_go(store: Path, send_here: Callable) -> None:
    record_scores(training().key, {"test.mse": 1.5})
    assert send_here() is None
    assert runs_of(store) == []
    assert outbox.waiting() == []


@pytest.mark.pipeline
def test_a_live_curve_grows_into_the_finished_run(
    store: Path, history: Path, weights: Path, send_here: Callable
) -> None:
    tracker = Tracker(training(), interval=0.0)
    tracker.interval = 60.0  # the first curve at once, and time for it to arrive
    tracker.update(rows(30), 60)
    assert tracker._sender is not None
    assert json.loads(tracker._sender.communicate()[0]) == {"sent": 1, "problem": None}
    (run,) = runs_of(store)
    assert run.info.status == "RUNNING"
    assert set(points_of(store, run, "train_loss")) == set(range(1, 31))
    tracker._sender = None
    tracker.finish(history, weights)
    assert send_here() is None
    (run,) = runs_of(store)
    assert run.info.status == "FINISHED"
    assert set(points_of(store, run, "train_loss")) == set(range(1, 61))


@pytest.mark.pipeline
def test_a_training_that_fails_keeps_its_curve(store: Path, send_here: Callable) -> None:
    Tracker(training()).fail([*rows(7), {"step": 8, "epoch": 0.8, "lr": 1.0, "train_loss": math.inf}])
    assert send_here() is None
    (run,) = runs_of(store)
    assert run.info.status == "FAILED"
    assert set(points_of(store, run, "train_loss")) == set(range(1, 8))


@pytest.mark.pipeline
@pytest.mark.usefixtures("root")
def test_a_dead_server_costs_a_live_training_one_warning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    tracker = Tracker(training(), interval=0.0)
    for count in range(1, 4):
        tracker.update(rows(count), 10)
        assert tracker._sender is not None
        tracker._sender.wait()
    assert capsys.readouterr().err.count("warning: MLflow") == 1
    assert len(outbox.waiting()) == 1
    tracker.fail(rows(4))


@pytest.mark.pipeline
def test_random_numbers_are_the_same_with_and_without_tracking(store: Path, history: Path, weights: Path) -> None:
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    tracker = Tracker(training(), interval=0.0)
    tracker.update(rows(30), 60)
    tracker.finish(history, weights)
    record_scores(training().key, {"test.mse": 1.5})
    send()
    assert len(runs_of(store)) == 1
    drawn = random.random(), np.random.random(), torch.rand(1).item()
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    assert drawn == (random.random(), np.random.random(), torch.rand(1).item())


def _start_sender() -> subprocess.Popen[str]:
    command = outbox.sender_command(100)
    environment = outbox.environment()
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE)


@pytest.mark.pipeline
def test_two_senders_at_a_time_send_each_run_once_even_into_a_new_database(root: Path, history: Path) -> None:
    names = [f"run-{number}" for number in range(6)]
    for name in names:
        record(training(name), history)
    senders = [_start_sender() for _ in range(2)]
    answers = [json.loads(sender.communicate()[0]) for sender in senders]
    assert sum(answer["sent"] for answer in answers) == 6
    assert [answer["problem"] for answer in answers] == [None, None]
    assert sorted(run.info.run_name for run in runs_of(root)) == [f"{name} seed 0" for name in names]


@pytest.mark.pipeline
def test_a_sender_that_is_killed_leaves_nothing_half_sent(store: Path, history: Path, weights: Path) -> None:
    for number in range(8):
        record(training(f"run-{number}"), history, weights)
    sender = _start_sender()
    while len(outbox.waiting()) > 6 and sender.poll() is None:
        time.sleep(0.01)
    sender.send_signal(signal.SIGKILL)
    sender.communicate()
    assert outbox.waiting()
    send()
    assert outbox.waiting() == []
    runs = runs_of(store)
    assert len(runs) == 8
    for run in runs:
        assert run.info.status == "FINISHED"
        assert len(points_of(store, run, "train_loss")) == 60
        assert len(run.outputs.model_outputs) == len(run.inputs.dataset_inputs) == 1


@pytest.fixture
def server(tmp_path: Path, empty_store: Path) -> Iterator[str]:
    """A real `mlflow server` on the loopback interface."""
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copyfile(empty_store, folder / "mlflow.db")
    port = closed_port()
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    places = ["--backend-store-uri", "sqlite:///mlflow.db", "--artifacts-destination", "artifacts"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, *places],
            cwd=folder,
            env=outbox.environment(),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            for _ in range(600):
                if process.poll() is not None:
                    pytest.fail((folder / "log").read_text())
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


@pytest.mark.pipeline
def test_a_real_server_gets_the_run_its_files_and_its_model(
    root: Path, server: str, history: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    record(training(), history, weights)
    send()
    assert outbox.waiting() == []
    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("sts")
    (found,) = client.search_runs([experiment.experiment_id])
    run = client.get_run(found.info.run_id)
    assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 60
    assert [item.path for item in client.list_artifacts(run.info.run_id)] == ["history.csv"]
    assert client.get_logged_model(run.outputs.model_outputs[0].model_id).status == "READY"
    assert list(root.glob("server/artifacts/**/weights.safetensors"))
    assert not (root / "mlflow.db").exists()
    assert tracking.waiting() == []
