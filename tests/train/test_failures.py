"""Trainings that cannot go on: one line that says what to do, and nothing half written."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import BAD_IDS, PAIRS, Call, one_error_line, small_run, write_params, write_reports, write_sts_data
from torch import Tensor, nn

from stages.lib.errors import InputError, TrainingError
from stages.lib.task import Batch, Task
from stages.train.trainer import train


def temporary_files(root: Path) -> list[Path]:
    return [path for path in (root / "models").rglob(".*") if path.name != ".resume"]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_training(
    project: Path, monkeypatch: pytest.MonkeyPatch, loss: float
) -> None:
    run = small_run(lr=0.5, schedule="staircase", decay_rate=0.5, decay_steps=2)
    training_step, steps = type(run.task).training_step, []

    def diverging(task: Task, network: nn.Module, batch: Batch, options: Any) -> tuple[Tensor, dict[str, Tensor]]:
        steps.append(1)
        value, logged = training_step(task, network, batch, options)
        return value * (loss if len(steps) == 6 else 1), logged

    monkeypatch.setattr(type(run.task), "training_step", diverging)
    with pytest.raises(TrainingError) as error:
        train(run)
    message = str(error.value)
    # Two halvings by the sixth step.
    words = ["small, seed 0", str(loss), "step 6", "learning rate 0.125", "try lr 0.05", "clip_norm"]
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert not run.folder.exists()
    assert not temporary_files(project)


def test_weights_that_are_not_finite_after_the_last_step_are_no_result(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finite loss whose gradient is not: the last update is checked too."""
    run = small_run(steps=1)

    def step(task: Task, network: nn.Module, batch: Batch, options: Any) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG001
        weight = next(network.parameters())
        # d/dw √(w − w) is infinite times 0.
        return torch.sqrt(weight - weight.detach()).sum(), {}

    monkeypatch.setattr(type(run.task), "training_step", step)
    with pytest.raises(TrainingError, match=r"weights are not finite after a loss of 0\.0 at step 1"):
        train(run)
    assert not run.folder.exists()
    assert not temporary_files(project)


@pytest.mark.usefixtures("project")
def test_a_batch_larger_than_the_data_is_refused() -> None:
    run = small_run(batch_size=PAIRS["train"] + 1)
    with pytest.raises(
        InputError, match=rf"small: batch_size = {PAIRS['train'] + 1}: .* has {PAIRS['train']} examples"
    ):
        train(run)
    assert not run.folder.exists()
    train(small_run(batch_size=PAIRS["train"]))


def test_missing_data_are_named(project: Path) -> None:
    shutil.rmtree(project / "data")
    with pytest.raises(InputError, match=r"data/sample/sts/metadata\.json does not exist; `dvc repro` makes it"):
        train(small_run())


def test_the_result_of_an_earlier_training_stays_where_a_new_one_fails(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = small_run()
    train(run)
    before = (project / run.folder / "seed-0/weights.safetensors").read_bytes()
    shutil.rmtree(project / "models/.resume")

    def fail(*_: Any) -> None:
        raise TrainingError("stopped")

    monkeypatch.setattr("stages.train.trainer._write_history", fail)
    with pytest.raises(TrainingError):
        train(run)
    assert (project / run.folder / "seed-0/weights.safetensors").read_bytes() == before
    assert not temporary_files(project)


@pytest.mark.pipeline
def test_the_command_ends_with_one_line(call: Call, copy_of_the_code: Path) -> None:
    write_sts_data(copy_of_the_code / "data/sample/sts")
    diverging = {"head": "fully_connected", "lr": 3e38, "momentum": 0.99}
    write_reports(copy_of_the_code, {"r": diverging, "negative": {"lr": -1}})
    write_params(copy_of_the_code, lr=-2)
    command = ["--profile", "sample", "--run"]
    one_error_line(call("train", *command, "r"), 1, "r, seed 0: ", "learning rate 3e+38", "try lr 3e+37")
    one_error_line(call("train", *command, "negative"), 2, "reports/small.yaml: runs.negative: lr = -1")
    one_error_line(call("train", *command, "study"), 2, "params.yaml: lr = -2", "greater than 0")
    one_error_line(call("train", *command, "rr"), 2, "no run 'rr'", "near it are r")
    assert not list((copy_of_the_code / "models").rglob("*.safetensors"))


@pytest.mark.pipeline
def test_an_id_that_is_no_plain_name_is_refused(call: Call, copy_of_the_code: Path) -> None:
    write_sts_data(copy_of_the_code / "data/sample/sts")
    write_reports(copy_of_the_code, {"r": {}})
    before = sorted(copy_of_the_code.rglob("*"))
    for name in ("parent", "shell", "newline", "long"):
        done = call("train", "--profile", "sample", f"--run={BAD_IDS[name]}", PYTHONDONTWRITEBYTECODE="1")
        one_error_line(done, 2, "an id has letters, digits")
    assert sorted(copy_of_the_code.rglob("*")) == before


FULL_DISK = """
import importlib, json, os, subprocess, sys
from pathlib import Path
import safetensors.torch, stages.train.trainer, stages.lib.prediction, stages.tasks.sts.training.task
from stages.lib.entry_point import run_stage

os.mkdir("disk")
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", "disk"]).returncode:
    sys.exit(77)
os.chdir("disk")
os.symlink("../reports", "reports")
os.symlink("../params.yaml", "params.yaml")
for dataset in ("stsbenchmark", "glove"):
    raw = Path("data/sample/raw", dataset)
    raw.mkdir(parents=True)
    importlib.import_module("stages.download.samples." + dataset).write(raw, 0)

def files():
    return {str(path) for path in Path().rglob("*") if path.is_file() and path.parts[0] in ("data", "models")}

found = []
for room, words in json.loads(sys.argv[1]):
    before = files()
    with open("filler", "wb") as filler:
        state = os.statvfs(".")
        if room is not None:
            os.posix_fallocate(filler.fileno(), 0, state.f_bavail * state.f_frsize - room * 1024)
    with open("../said", "w") as said:
        child = os.fork()
        if not child:
            os.dup2(said.fileno(), 2)
            sys.argv = words
            stage = importlib.import_module("stages." + words[0])
            main = stage if hasattr(stage, "main") else importlib.import_module(f"stages.{words[0]}.__main__")
            run_stage(main.main)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.remove("filler")
    found.append((code, Path("../said").read_text(), sorted(files() - before)))
print(json.dumps(found))
"""


@pytest.mark.pipeline
def test_a_full_disk_gets_one_line_and_leaves_nothing_half_written(copy_of_the_code: Path) -> None:
    (copy_of_the_code / "full_disk.py").write_text(FULL_DISK)
    write_reports(copy_of_the_code, {"r": {"hidden_size": 32, "lr": 0.1, "steps": 2}})
    preprocess = ["preprocess", "--profile", "sample", "--task", "sts"]
    train = ["train", "--profile", "sample", "--run", "r"]
    # The tensors do not fit; they do; a checkpoint of 60 kB does not; it fits, but not the weights of 44 kB beside it.
    work = [(16, preprocess), (None, preprocess), (24, train), (88, train)]
    namespaces = ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*namespaces, "true"], check=False).returncode:
        pytest.skip("no file system can be mounted here")
    command = [*namespaces, sys.executable, str(copy_of_the_code / "full_disk.py"), json.dumps(work)]
    done = subprocess.run(command, cwd=copy_of_the_code, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("no file system can be mounted here")
    assert done.returncode == 0, done.stderr
    (tensors, prepared, checkpoint, weights) = json.loads(done.stdout.splitlines()[-1])
    files = [f"data/sample/sts/{name}" for name in ("metadata.json", "tensors.safetensors", "vocabulary.txt")]
    assert prepared == [0, "", files]
    resume = "models/.resume/sample-r-0.pt"
    for (code, said, left), name, kept in ((tensors, "tensors", []), (checkpoint, resume, []), (weights, "", [resume])):
        assert code == 1, said
        assert left == kept
        assert said.startswith("error: ")
        assert name in said
        assert said.endswith("no space left on the disk; free some and run the same command again\n")
        assert len(said.splitlines()) == 1
