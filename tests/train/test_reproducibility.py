"""The same bytes every time, also after kills; and a checkpoint that is used only by the training it belongs to."""

import csv
import hashlib
import json
import math
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import PAIRS, WIDTH, small_run, write_reports, write_sts_data

from stages.lib.files import ROOT, read_json
from stages.train import loop, trainer
from stages.train.trainer import train

#: Everything that has a state of its own: moments of the optimizer, random dropout, the best weights so far.
STATEFUL = {
    "optimizer": "adam",
    "lr": 0.01,
    "keep_best": True,
    "head": "fully_connected",
    "head_sizes": [4],
    "dropout": 0.3,
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("changes", [{}, STATEFUL])
def test_the_same_training_gives_the_same_bytes(project: Path, changes: dict[str, Any]) -> None:
    run = small_run(seeds=(0, 1), **changes)
    train(run)
    first = contents(run.folder)
    assert sorted(first) == sorted(
        ["run.json", *(f"seed-{seed}/{name}" for seed in (0, 1) for name in ("history.csv", "weights.safetensors"))]
    )
    assert first["seed-0/weights.safetensors"] != first["seed-1/weights.safetensors"]
    train(run)
    assert contents(run.folder) == first
    assert not any((project / "models" / ".resume").iterdir())
    # A seed's result does not depend on which seeds were trained before it.
    train(small_run(seeds=(1,), **changes))
    assert contents(run.folder)["seed-1/weights.safetensors"] == first["seed-1/weights.safetensors"]


@pytest.mark.usefixtures("project")
def test_a_job_of_slurm_around_it_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = small_run()
    train(run)
    first = contents(run.folder)
    capfd.readouterr()
    # As the second of two tasks has it: Fabric would wait for the first one, or refuse the number of tasks.
    job = {
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NAME": "train",
        "SLURM_NTASKS": "2",
        "SLURM_PROCID": "1",
        "SLURM_NNODES": "2",
    }
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    train(run)
    assert contents(run.folder) == first
    assert capfd.readouterr().err == ""


def test_the_folder_says_what_it_holds(project: Path) -> None:
    run = small_run()
    train(run)
    about = read_json(run.folder / "run.json")
    tensors = (project / "data/sample/sts/tensors.safetensors").read_bytes()
    assert about["data"]["sha256"] == hashlib.sha256(tensors).hexdigest()
    assert (about["data"]["bytes"], about["data"]["sample"]) == (len(tensors), True)
    assert about["config"] == json.loads(json.dumps(run.parameters()))
    # Four gates of five units: input weights, recurrent weights, two biases.
    assert about["parameters"] == 4 * 5 * (WIDTH + 5 + 2)
    assert about["seeds"] == {"0": {}}
    with (run.folder / "seed-0" / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = ["step", "epoch", "lr", "train_loss", "validation_mse", "validation_pearson", "train_state_distance"]
    assert list(rows[0]) == columns
    assert [int(row["step"]) for row in rows] == list(range(13))
    assert [row["step"] for row in rows if row["validation_mse"]] == ["0", "4", "8", "12"]
    assert all(math.isfinite(float(row["train_loss"])) for row in rows[1:])
    assert float(rows[5]["epoch"]) == pytest.approx(5 / (PAIRS["train"] // 16))


@pytest.mark.usefixtures("project")
def test_real_results_say_what_made_them_and_how_long_it_took() -> None:
    run = small_run(profile="full")
    train(run)
    (seed,) = read_json(run.folder / "run.json")["seeds"].values()
    assert seed["seconds"] >= 0
    head = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    assert seed["provenance"]["commit"] == head.stdout.strip()
    assert seed["provenance"]["threads"] == torch.get_num_threads()


class Interrupted(Exception):
    pass


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("changes", [{}, STATEFUL, {"epochs": 3, "steps": None, "schedule": "cosine"}])
@pytest.mark.parametrize("stop", [1, 4, 7, 11])
def test_a_stopped_training_resumes_to_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], stop: int
) -> None:
    run = small_run(**changes)
    train(run)
    undisturbed = contents(run.folder)
    shutil.rmtree(run.folder)

    save, saved = loop.save, []

    def save_some(*arguments: Any) -> None:
        save(*arguments)
        saved.append(arguments)
        if len(saved) == stop:
            raise Interrupted

    monkeypatch.setattr(loop, "save", save_some)
    with pytest.raises(Interrupted):
        train(run, checkpoint_seconds=0)
    assert not run.folder.exists()
    assert not list(run.folder.parent.glob(".*"))
    torch.rand(3)  # the state of torch's generator is part of the checkpoint
    train(run, checkpoint_seconds=0)
    assert f"resumes at step {stop} " in capsys.readouterr().out
    assert contents(run.folder) == undisturbed


@pytest.fixture
def leave_checkpoint(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Train a run, up to writing its folder: its checkpoint stays."""

    def leave(run: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(trainer, "_write_history", lambda *_: (_ for _ in ()).throw(Interrupted))
            with pytest.raises(Interrupted):
                train(run)
        assert Path(f"models/.resume/sample-{run.id}-0.pt").exists()

    return leave


@pytest.mark.usefixtures("project")
def test_a_checkpoint_of_other_settings_is_not_used(
    leave_checkpoint: Callable[[Any], None], capsys: pytest.CaptureFixture[str]
) -> None:
    run, other = small_run(lr=0.5), small_run(lr=0.25)
    train(run)
    expected = contents(run.folder)
    leave_checkpoint(other)
    capsys.readouterr()
    train(run)
    assert "made by other settings, data or code; training starts from the beginning" in capsys.readouterr().out
    assert contents(run.folder) == expected


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[:1000],
        lambda content: content[:-1],
        lambda _: random.Random(0).randbytes(5000),
    ],
    ids=["empty", "cut off", "one byte short", "random"],
)
def test_a_damaged_checkpoint_is_one_line_and_a_fresh_start(
    leave_checkpoint: Callable[[Any], None], capsys: pytest.CaptureFixture[str], damage: Callable[[bytes], bytes]
) -> None:
    run = small_run()
    train(run)
    expected = contents(run.folder)
    leave_checkpoint(run)
    checkpoint = Path(f"models/.resume/sample-{run.id}-0.pt")
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    capsys.readouterr()
    train(run)
    said = capsys.readouterr()
    assert f"{checkpoint} is damaged; training starts from the beginning" in said.out
    assert said.err == ""
    assert contents(run.folder) == expected


@pytest.mark.usefixtures("project")
def test_a_checkpoint_of_other_data_is_not_used(
    leave_checkpoint: Callable[[Any], None], capsys: pytest.CaptureFixture[str]
) -> None:
    run = small_run()
    leave_checkpoint(run)
    write_sts_data(run.data, seed=1)
    capsys.readouterr()
    train(run)
    assert "made by other settings, data or code" in capsys.readouterr().out
    resumed = contents(run.folder)
    train(run)
    assert contents(run.folder) == resumed


def test_settings_data_threads_and_code_are_in_the_fingerprint(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = small_run()
    fingerprints = [trainer._fingerprint(run, "a", 1), trainer._fingerprint(run, "b", 1)]
    fingerprints += [trainer._fingerprint(run, "a", 2), trainer._fingerprint(small_run(hidden_size=6), "a", 1)]
    fingerprints.append(trainer._fingerprint(small_run(profile="full"), "a", 1))
    files = trainer.code_files(run.task_name)
    changed = project / "changed.py"
    changed.write_text("# changed")
    for replaced in files:
        others = [path for path in files if path != replaced]
        monkeypatch.setattr(trainer, "code_files", lambda _, others=others: [*others, changed])
        fingerprints.append(trainer._fingerprint(run, "a", 1))
    assert len(set(fingerprints)) == len(fingerprints) > 20
    monkeypatch.setattr(trainer, "code_files", lambda _: files)
    assert trainer._fingerprint(run, "a", 1) == fingerprints[0]


def test_the_fingerprints_code_is_what_dvc_trains_again_for() -> None:
    """The folders of `train` in dvc.yaml, with all networks in place of the run's own."""
    files = {path.relative_to(ROOT / "stages").as_posix() for path in trainer.code_files("sts")}
    assert {"train/loop.py", "tasks/sts/training/task.py", "networks/siamese_lstm.py"} <= files
    assert "networks/layers/packed_lstm.py" in files
    assert not [path for path in files if not path.startswith(("train/", "tasks/sts/training/", "networks/"))]


KILLER = """
import json, os, random, signal, sys, time
import safetensors.torch, stages.lib.prediction, stages.tasks.sts.training.task
from stages.lib.config import load_reports
from stages.train.trainer import train

random.seed(7)

def start(run):
    child = os.fork()
    if not child:
        train(run, checkpoint_seconds=0)
        sys.stdout.flush()
        os._exit(0)
    return child

for name in sys.argv[1:]:
    run = load_reports().run(name, "full")
    began = time.monotonic()
    assert os.waitpid(start(run), 0)[1] == 0
    span = time.monotonic() - began
    os.rename("models", f"undisturbed {name}")
    for _ in range(8):
        child = start(run)
        time.sleep(random.uniform(0, span / 2))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert os.waitpid(start(run), 0)[1] == 0
    os.rename("models", f"killed {name}")
"""


@pytest.mark.pipeline
def test_trainings_killed_again_and_again_end_with_the_same_bytes(copy_of_the_code: Path) -> None:
    """SIGKILL at random moments, with a checkpoint written at every step; two seeds, so that a finished one is met."""
    write_sts_data(copy_of_the_code / "data/full/sts")
    write_reports(copy_of_the_code, {"sgd": {"steps": 40, "seeds": 2}, "adam": STATEFUL | {"steps": 40, "seeds": 2}})
    (copy_of_the_code / "killer.py").write_text(KILLER)
    command = [sys.executable, "killer.py", "sgd", "adam"]
    done = subprocess.run(command, cwd=copy_of_the_code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("resumes at step") > 2
    for name in ("sgd", "adam"):
        undisturbed, killed = (contents(copy_of_the_code / f"{how} {name}") for how in ("undisturbed", "killed"))
        assert len(undisturbed) == 5
        assert {path: content for path, content in killed.items() if not path.endswith("run.json")} == {
            path: content for path, content in undisturbed.items() if not path.endswith("run.json")
        }
