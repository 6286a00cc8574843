"""Logged models are loaded as anyone would load them, and asked what a user types."""

import json
import os
import pickle
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from tracking_project import all_runs, client, closed_port, contents

from stages.lib.files import ROOT
from stages.lib.task import get_task, task_module, task_names
from stages.lib.tracking import model as model_module
from stages.lib.tracking.model import as_typed

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore::Warning:mlflow")]
Sync = Callable[..., int]

PAIR = {"first": "a man is playing the guitar", "second": "a dog sleeps"}


def quiet() -> dict[str, str]:
    """An environment that knows nothing of this project."""
    offline = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | offline


def answer(run: str, seed: int, *words: str) -> str:
    """What `python -m stages.predict` prints."""
    command = [sys.executable, "-m", "stages.predict", "--profile", "full", "--run", run, "--seed", str(seed), *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.rstrip("\n")


class Harmful:
    """Pickled as a call."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("called",)


@pytest.mark.parametrize("part", ["header", "content"])
def test_a_model_file_that_would_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if part == "header":
        Path("model.pth").write_bytes(pickle.dumps(Harmful()))
    else:
        torch.save(Harmful(), "model.pth", _use_new_zipfile_serialization=False)
    with pytest.raises(pickle.UnpicklingError, match=r"names posix\.mkdir"):
        torch.load("model.pth", pickle_module=model_module, weights_only=False)
    assert not Path("called").exists()


def test_a_model_answers_as_predict_does_far_from_the_project(sync_here: Sync, tmp_path: Path) -> None:
    sync_here()
    run = all_runs()[1]
    model = client().get_logged_model(run.outputs.model_outputs[0].model_id)
    assert (model.name, str(model.status)) == ("wide seed 0", "READY")
    code = f"""
import json, mlflow, pandas as pd
model = mlflow.pyfunc.load_model("models:/{model.model_id}")
pair = {PAIR!r}
print(json.dumps([model.predict(pair), model.predict(pd.DataFrame([pair, pair])), model.predict(model.input_example)]))
"""
    (tmp_path / "far").mkdir()
    far = {"cwd": tmp_path / "far", "env": quiet(), "capture_output": True, "text": True, "check": True}
    done = subprocess.run([sys.executable, "-c", code], **far)
    expected = answer("wide", 0, *PAIR.values())
    one, two, example = json.loads(done.stdout.splitlines()[-1])
    assert (one, two) == ([expected], [expected, expected])
    assert example == [answer("wide", 0, "A man is playing the guitar.", "A man is playing the piano.")]


def test_pytorch_gives_the_network(sync_here: Sync) -> None:
    import mlflow

    sync_here()
    for run, folder in zip(all_runs(), ("slow/seed-0", "wide/seed-0", "wide/seed-1"), strict=True):
        network = mlflow.pytorch.load_model(f"models:/{run.outputs.model_outputs[0].model_id}")
        assert isinstance(network, torch.nn.Module)
        assert not network.training
        weights = load_file(f"models/full/g/{folder}/weights.safetensors")
        assert network.state_dict().keys() == weights.keys()
        assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


def test_weights_are_on_the_disk_once_and_in_no_pickle(trained: Path, sync_here: Sync) -> None:
    sync_here()
    stored = {path.stat().st_ino for path in trained.glob("mlartifacts/**/weights.safetensors")}
    assert stored == {path.stat().st_ino for path in trained.glob("models/full/g/*/seed-*/weights.safetensors")}
    assert all(path.stat().st_size < 1000 for path in trained.glob("mlartifacts/**/*.pth"))
    assert not list(trained.glob("mlartifacts/**/*.pkl"))
    # A retrained run replaces its file; what MLflow has keeps its bytes.
    (weights,) = trained.glob("models/full/g/slow/seed-0/weights.safetensors")
    before = weights.read_bytes()
    weights.unlink()
    weights.write_bytes(b"other")
    assert before in {path.read_bytes() for path in trained.glob("mlartifacts/**/weights.safetensors")}


def test_the_best_run_by_validation_is_registered_and_follows_the_scores(sync_here: Sync) -> None:
    metric, higher = get_task("sts").monitor
    sync_here()
    path = Path("metrics/full/evaluations/g/scores.json")
    for winner, run, seed in (("wide seed 1", "wide", "1"), ("slow seed 0", "slow", "0"), ("wide seed 1", "wide", "1")):
        content = json.loads(path.read_text())
        for name, entry in content["runs"].items():
            for number, of_seed in entry["seeds"].items():
                of_seed["scores"][f"validation.{metric}"] = 2.5 if ((name, number) == (run, seed)) == higher else 0.5
        path.write_text(json.dumps(content))
        sync_here()
        version = client().get_model_version_by_alias("sts", "best")
        assert client().get_run(version.run_id).info.run_name == winner
        assert client().get_logged_model(version.source.removeprefix("models:/")).name == winner
    assert len(client().search_model_versions("name = 'sts'")) <= 3


def test_a_logged_model_has_its_scores(sync_here: Sync) -> None:
    sync_here()
    scores = json.loads(Path("metrics/full/evaluations/g/scores.json").read_text())["runs"]["slow"]["seeds"]["0"][
        "scores"
    ]
    (name, status, metrics) = contents()[0]["models"][0]
    assert (name, status) == ("slow seed 0", "READY")
    assert {metric: metrics[metric] for metric in scores} == pytest.approx(scores, rel=1e-6)


def test_pending_models_are_finished_or_removed(sync_here: Sync) -> None:
    sync_here()
    experiment = all_runs()[0].info.experiment_id
    old = client().create_logged_model(experiment, "left behind", "0" * 32)
    young = client().create_logged_model(experiment, "at work", "1" * 32)
    with sqlite3.connect("mlflow.db") as connection:
        two_hours_ago = int(1000 * time.time()) - 7_200_000
        query = "UPDATE logged_models SET creation_timestamp_ms = ? WHERE model_id = ?"
        connection.execute(query, (two_hours_ago, old.model_id))
    Path("models/full/g/slow/seed-0/history.csv").rename("history.csv")  # so that there is something to write
    table = pd.read_csv("history.csv")
    table.assign(train_loss=table["train_loss"] / 2).to_csv("models/full/g/slow/seed-0/history.csv", index=False)
    sync_here()
    found = {model.model_id for model in client().search_logged_models([experiment])}
    assert young.model_id in found
    assert old.model_id not in found


def test_without_the_data_of_its_training_a_run_is_sent_without_its_model(store: Path) -> None:
    from stages.sync import sync_profiles

    (store.parent / "data/full/sts/tensors.safetensors").unlink()
    sent, problems = sync_profiles(["full"])
    assert sent == 3
    assert len(problems) == 3
    assert "data/full/sts does not hold the data that slow was trained on" in problems[0]
    assert [run.info.status for run in all_runs()] == ["FINISHED"] * 3


@pytest.mark.parametrize("task", [name for name in task_names() if name != "concepts"])
def test_every_task_has_an_input_example(task: str) -> None:
    from mlflow.models import infer_signature

    example = task_module(task, "interaction").INPUT_EXAMPLE
    names = infer_signature(pd.DataFrame([example])).inputs.input_names()
    assert names == list(example)
    with as_typed(example.values()) as words:
        assert words
        assert all(isinstance(word, str) for word in words)
        for value, word in zip(example.values(), words, strict=False):
            if isinstance(value, bytes):
                assert Path(word).read_bytes() == value


def test_models_serve_answers_offline_on_loopback(sync_here: Sync, tmp_path: Path) -> None:
    sync_here()
    model = all_runs()[1].outputs.model_outputs[0].model_id
    port = closed_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{model}", "--env-manager", "local"]
    with (tmp_path / "log").open("w") as log:
        places = {"cwd": tmp_path, "env": quiet(), "stdout": log, "stderr": log, "start_new_session": True}
        process = subprocess.Popen([*command, "--host", "127.0.0.1", "--port", str(port)], **places)
        try:
            found = _ask(
                f"http://127.0.0.1:{port}/invocations", {"dataframe_records": [PAIR]}, process, tmp_path / "log"
            )
        finally:
            os.killpg(process.pid, 15)
            process.wait()
    assert found == {"predictions": [answer("wide", 0, *PAIR.values())]}


def _ask(url: str, content: Any, process: "subprocess.Popen[bytes]", log: Path) -> Any:
    data, headers = json.dumps(content).encode(), {"Content-Type": "application/json"}
    for _ in range(1200):
        if process.poll() is not None:
            pytest.fail(log.read_text())
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            pytest.fail(error.read().decode())
        except OSError:
            time.sleep(0.1)
    pytest.fail(log.read_text())
