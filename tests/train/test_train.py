"""The training loop: equal bytes every time, also after kills, and clear ends where it cannot go on."""

import csv
import hashlib
import itertools
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import PAIRS, SMALL, Call, one_error_line, small_run, write_sts_data
from lightning_fabric import Fabric
from pydantic import BaseModel
from torch import Tensor, nn

from stages.lib import tracking
from stages.lib.config import Run, Settings
from stages.lib.files import read_json
from stages.lib.task import Batch, Example, Prepared, Split, Task
from stages.lib.errors import InputError, TrainingError
from stages.train import train
from stages.train.loop import Trained, fit

ADAM = {
    "optimizer": "adam",
    "lr": 0.01,
    "keep_best": True,
    "network": {"hidden_size": 5, "head": "fully_connected", "head_sizes": [4], "dropout": 0.3},
}
WORDS = ["--profile", "sample", "--run", "r", "--group", "g", "--task", "sts", "--model", "siamese_lstm"]
OPTIONS = ["--batch_size", "16", "--optimizer", "sgd", "--network.hidden_size", "5"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def length(steps: int) -> dict[str, int]:
    return dict.fromkeys(("sample", "full", "paper"), steps)


# ── A task that is small enough to be reckoned by hand ────────────────────────────────────────────────────────────────


class Rows(Split):
    def __init__(self, features: Tensor, values: Tensor) -> None:
        self.features, self.values = features, values

    def __len__(self) -> int:
        return len(self.values)

    @property
    def targets(self) -> list[float]:
        return self.values.tolist()

    def batch(self, index: Tensor) -> Batch:
        return Batch((self.features[index],), self.values[index])


class Nothing(BaseModel):
    pass


class Line(Task):
    """Least squares with one linear layer; `script` replaces the validation's values, one after another."""

    monitor = ("gain", True)

    def __init__(self, script: Sequence[float] = ()) -> None:
        self.script = list(script)
        self.seen: list[dict[str, Tensor]] = []

    def prepare(self, raw: Mapping[str, Path], options: Any) -> Prepared:
        raise NotImplementedError

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], options: Any) -> dict[str, Split]:
        raise NotImplementedError

    def build(self, model: str, network: Any, facts: Mapping[str, Any]) -> nn.Module:
        raise NotImplementedError

    def loss(self, network: nn.Module, batch: Batch, options: Any) -> Tensor:  # noqa: ARG002
        return ((network(*batch.inputs).squeeze(1) - batch.target) ** 2).mean()

    def predict(self, network: nn.Module, batch: Batch) -> list[float]:
        self.seen.append({name: tensor.clone() for name, tensor in network.module.state_dict().items()})
        return network(*batch.inputs).squeeze(1).tolist()

    def example(
        self,
        given: Sequence[str],
        tensors: Mapping[str, Tensor],
        facts: Mapping[str, Any],
        words: Sequence[str],
        options: Any,
    ) -> Example:
        raise NotImplementedError

    def describe(self, prediction: Any, given: Sequence[str], facts: Mapping[str, Any]) -> str:
        raise NotImplementedError

    def metrics(self, predictions: Sequence[float], targets: Sequence[float]) -> dict[str, float]:  # noqa: ARG002
        return {"gain": self.script[len(self.seen) - 1] if self.script else 0.0}


def line_run(task: Task, **changes: Any) -> Run:
    given = {"optimizer": "sgd", "lr": 0.1, "batch_size": 8, "steps": length(5), "validate_every": length(1)} | changes
    settings = Settings.model_validate({key: value for key, value in given.items() if value is not None})
    return Run("line", "g", "sample", "line", task, "linear", Nothing(), Nothing(), settings, (0,))


def fit_line(tmp_path: Path, script: Sequence[float] = (), examples: int = 8, **changes: Any) -> tuple[Trained, Line]:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(examples, 3, generator=generator, dtype=torch.float64)
    split = Rows(features, torch.randn(examples, generator=generator, dtype=torch.float64))
    torch.manual_seed(0)
    network = nn.Linear(3, 1).double()
    task = Line(script)
    task.first = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    task.split = split
    fabric = Fabric(accelerator="cpu", devices=1)
    run = line_run(task, **changes)
    return fit(run, 0, network, {"train": split, "validation": split}, fabric, tmp_path / "c.pt", "same"), task


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_a_step_of_gradient_descent_equals_the_formula(
    tmp_path: Path, momentum: float, weight_decay: float, clip_norm: float | None
) -> None:
    """v ← momentum · v + (clipped gradient + weight decay · w), w ← w − lr · v; the batch is the whole data."""
    changes = {"momentum": momentum, "weight_decay": weight_decay, "clip_norm": clip_norm}
    trained, task = fit_line(tmp_path, **changes)
    inputs, values = task.split.features.numpy(), task.split.values.numpy()
    design = np.column_stack([inputs, np.ones(len(inputs))])
    w = np.append(task.first["weight"].numpy().ravel(), task.first["bias"].numpy())
    velocity, losses = np.zeros(4), []
    for _ in range(5):
        residual = design @ w - values
        losses.append((residual**2).mean())
        gradient = 2 * design.T @ residual / len(values)
        if clip_norm:
            gradient *= min(1, clip_norm / np.linalg.norm(gradient))
        velocity = momentum * velocity + gradient + weight_decay * w
        w = w - 0.1 * velocity
    got = np.append(trained.weights["weight"].numpy().ravel(), trained.weights["bias"].numpy())
    np.testing.assert_allclose(got, w, rtol=1e-5)
    np.testing.assert_allclose([row["train_loss"] for row in trained.history[1:]], losses, rtol=1e-5)


def test_lbfgs_reaches_the_least_squares_solution(tmp_path: Path) -> None:
    trained, task = fit_line(tmp_path, optimizer="lbfgs", lr=1.0)
    design = np.column_stack([task.split.features.numpy(), np.ones(8)])
    solution, *_ = np.linalg.lstsq(design, task.split.values.numpy(), rcond=None)
    got = np.append(trained.weights["weight"].numpy().ravel(), trained.weights["bias"].numpy())
    np.testing.assert_allclose(got, solution, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        ({"schedule": "constant"}, lambda optimizer: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)),
        (
            {"schedule": "staircase", "decay_rate": 0.7, "decay_steps": 4},
            lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.7),
        ),
        ({"schedule": "cosine"}, lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=23)),
    ],
)
def test_schedules_equal_torchs(tmp_path: Path, settings: dict[str, Any], make: Any) -> None:
    trained, _ = fit_line(tmp_path, steps=length(23), **settings)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler, rates = make(optimizer), []
    for _ in range(23):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert [row["lr"] for row in trained.history[1:]] == pytest.approx(rates)


def test_early_stopping_waits_for_patience_and_best_weights_are_the_best_validations(tmp_path: Path) -> None:
    # The first value is that of the untrained network, which no choice goes by.
    script = [9.0, 1.0, 3.0, 2.0, 3.0, 2.5, 8.0]
    trained, task = fit_line(tmp_path, script, steps=length(50), patience=3, keep_best=True)
    assert [row["step"] for row in trained.history] == [0, 1, 2, 3, 4, 5]
    assert all(torch.equal(trained.weights[name], task.seen[2][name]) for name in trained.weights)


def test_without_keep_best_the_last_weights_are_kept(tmp_path: Path) -> None:
    trained, task = fit_line(tmp_path, [0.0, 3.0, 2.0, 1.0], steps=length(3))
    assert all(torch.equal(trained.weights[name], task.seen[-1][name]) for name in trained.weights)


def test_every_example_is_seen_once_an_epoch_in_an_order_of_its_own(tmp_path: Path) -> None:
    batches: list[list[float]] = []

    class Watching(Rows):
        def batch(self, index: Tensor) -> Batch:
            batches.append(index.tolist())
            return super().batch(index)

    split = Watching(torch.randn(11, 3), torch.randn(11))
    small = Rows(torch.randn(2, 3), torch.randn(2))
    run = line_run(Line(), batch_size=3, steps=None, epochs=length(4))
    fabric = Fabric(accelerator="cpu", devices=1)
    trained = fit(run, 0, nn.Linear(3, 1), {"train": split, "validation": small}, fabric, tmp_path / "c.pt", "f")
    epochs = [[*itertools.chain(*batches[place : place + 3])] for place in range(0, 12, 3)]
    # Eleven examples in batches of three leave two out, other ones each time.
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert [(row["step"], row["epoch"]) for row in trained.history] == [(0, 0), (3, 1), (6, 2), (9, 3), (12, 4)]


@pytest.mark.parametrize("changes", [{"keep_best": True}, {"patience": 2}])
def test_what_goes_by_validation_is_refused_where_there_is_none(tmp_path: Path, changes: dict[str, Any]) -> None:
    split, fabric = Rows(torch.randn(8, 3), torch.randn(8)), Fabric(accelerator="cpu", devices=1)
    run = line_run(Line(), **changes)
    with pytest.raises(InputError, match="keep_best and patience go by validation"):
        fit(run, 0, nn.Linear(3, 1), {"train": split}, fabric, tmp_path / "c.pt", "f")
    trained = fit(line_run(Line()), 0, nn.Linear(3, 1), {"train": split}, fabric, tmp_path / "c.pt", "f")
    assert [set(row) & {"train_loss", "validation_gain"} for row in trained.history] == [set(), *[{"train_loss"}] * 5]


# ── The same bytes every time ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("changes", [{}, ADAM])
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


def test_the_folder_says_what_it_holds(project: Path) -> None:
    run = small_run()
    train(run)
    made = read_json(run.folder / "run.json")
    tensors = (project / "data/sample/sts/tensors.safetensors").read_bytes()
    assert made["data"]["sha256"] == hashlib.sha256(tensors).hexdigest()
    assert (made["data"]["bytes"], made["data"]["sample"]) == (len(tensors), True)
    assert made["config"] == json.loads(json.dumps(run.parameters()))
    assert made["parameters"] == 4 * 5 * (6 + 5 + 2)
    with (run.folder / "seed-0" / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["step", "epoch", "lr", "train_loss", "validation_mse", "validation_pearson"]
    assert [int(row["step"]) for row in rows] == list(range(13))
    assert [row["step"] for row in rows if row["validation_mse"]] == ["0", "4", "8", "12"]
    assert all(math.isfinite(float(row["train_loss"])) for row in rows[1:])
    assert float(rows[5]["epoch"]) == pytest.approx(5 / (PAIRS["train"] // 16))


class Interrupted(Exception):
    pass


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("changes", [{}, ADAM, {"epochs": length(3), "steps": None, "schedule": "cosine"}])
@pytest.mark.parametrize("stop", [1, 4, 7, 11])
def test_a_stopped_training_goes_on_to_the_same_bytes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], stop: int
) -> None:
    run = small_run(**changes)
    train(run)
    undisturbed = contents(run.folder)
    shutil.rmtree(run.folder)

    from stages.train import loop

    monkeypatch.setattr(loop.fit, "__defaults__", (None, 0.0))
    saving, saved = loop.save, []

    def save_some(*arguments: Any) -> None:
        saving(*arguments)
        saved.append(arguments)
        if len(saved) == stop:
            raise Interrupted

    monkeypatch.setattr(loop, "save", save_some)
    with pytest.raises(Interrupted):
        train(run)
    assert not run.folder.exists()
    assert not list(run.folder.parent.glob(".*"))
    torch.rand(3)  # the state of the generator is part of the checkpoint
    train(run)
    assert f"goes on from step {stop} " in capsys.readouterr().out
    assert contents(run.folder) == undisturbed


def test_a_checkpoint_of_another_training_is_not_used(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = {lr: small_run(lr=lr) for lr in (0.5, 0.25)}
    wanted = {}
    for lr, run in runs.items():
        train(run)
        wanted[lr] = contents(run.folder)
    with monkeypatch.context() as patch:
        patch.setattr(tracking.Tracker, "finish", lambda *_: (_ for _ in ()).throw(Interrupted))
        with pytest.raises(Interrupted):
            train(runs[0.25])
    assert (project / "models/.resume/sample-small-0.pt").exists()
    capsys.readouterr()
    train(runs[0.5])
    assert "belongs to other settings, data or code; training starts afresh" in capsys.readouterr().out
    assert contents(runs[0.5].folder) == wanted[0.5] != wanted[0.25]


def test_other_data_threads_or_code_make_another_fingerprint(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.train import _fingerprint

    run = small_run()
    prints = [_fingerprint(run, "a", 1), _fingerprint(run, "b", 1), _fingerprint(run, "a", 2)]
    prints.append(_fingerprint(small_run(network={"hidden_size": 6}), "a", 1))
    code = project / "changed.py"
    code.write_text("# changed")
    monkeypatch.setattr(sys.modules["stages.train.loop"], "__file__", str(code))
    prints.append(_fingerprint(run, "a", 1))
    assert len(set(prints)) == len(prints)
    assert _fingerprint(run, "a", 1) == prints[-1]


KILLER = """
import json, os, random, signal, sys, time
import safetensors.torch, stages.train.loop, stages.lib.prediction, stages.lib.tracking
from stages.lib.config import make_run
from stages.train import train

stages.train.loop.fit.__defaults__ = (None, 0.0)
random.seed(7)

def start(run):
    child = os.fork()
    if not child:
        train(run)
        sys.stdout.flush()
        os._exit(0)
    return child

for name, settings in json.loads(sys.argv[1]).items():
    run = make_run("small", "g", "sample", "sts", "siamese_lstm", settings, "test", seeds=(0, 1))
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
    write_sts_data(copy_of_the_code / "data/sample/sts")
    (copy_of_the_code / "killer.py").write_text(KILLER)
    settings = {name: SMALL | {"steps": length(40)} | changes for name, changes in (("sgd", {}), ("adam", ADAM))}
    words = [sys.executable, "killer.py", json.dumps(settings)]
    done = subprocess.run(words, cwd=copy_of_the_code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("goes on from step") > len(settings)
    for name in settings:
        undisturbed = contents(copy_of_the_code / f"undisturbed {name}")
        assert len(undisturbed) == 5
        assert contents(copy_of_the_code / f"killed {name}") == undisturbed


@pytest.mark.usefixtures("project")
def test_tracking_does_not_touch_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.train import loop

    run = small_run(**ADAM)
    train(run)
    quiet = contents(run.folder)

    sends = []
    command = [sys.executable, "-c", 'print(\'{"sent": 1, "problem": null}\')']
    monkeypatch.setattr(tracking, "sender_command", lambda *_: sends.append(1) or command)
    eager = tracking.Tracker
    monkeypatch.setattr(tracking, "Tracker", lambda about: eager(about, interval=0.0))
    train(run)
    assert sends
    assert contents(run.folder) == quiet

    fitting = loop.fit
    monkeypatch.setattr(loop, "fit", lambda *arguments: fitting(*arguments[:-1]))
    train(run)
    assert contents(run.folder) == quiet


# ── Ends that are no results ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_training(
    project: Path, monkeypatch: pytest.MonkeyPatch, loss: float
) -> None:
    run = small_run(lr=0.5, schedule="staircase", decay_rate=0.5, decay_steps=2)
    computing, steps = type(run.task).loss, []

    def breaking(task: Task, network: nn.Module, batch: Batch, options: Any) -> Tensor:
        steps.append(1)
        return computing(task, network, batch, options) * (loss if len(steps) == 6 else 1)

    monkeypatch.setattr(type(run.task), "loss", breaking)
    with pytest.raises(TrainingError) as error:
        train(run)
    message = str(error.value)
    # Two halvings by the sixth step.
    words = ["small, seed 0", str(loss), "step 6", "learning rate 0.125", "try lr 0.05", "clip_norm"]
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert not run.folder.exists()
    assert not list(run.folder.parent.glob(".*"))
    (entry,) = (project / "outbox").glob("[0-9]*/entry.json")
    assert read_json(entry)["status"] == "FAILED"


@pytest.mark.usefixtures("project")
def test_a_batch_larger_than_the_data_is_refused() -> None:
    run = small_run(batch_size=PAIRS["train"] + 1)
    with pytest.raises(
        InputError, match=rf"small: batch_size = {PAIRS['train'] + 1}: .* has {PAIRS['train']} examples"
    ):
        train(run)
    assert not run.folder.exists()
    train(small_run(batch_size=PAIRS["train"]))


def test_missing_data_is_named(project: Path) -> None:
    shutil.rmtree(project / "data")
    with pytest.raises(InputError, match=r"data/sample/sts/facts\.json does not exist; `dvc repro` makes it"):
        train(small_run())


@pytest.mark.pipeline
def test_the_command_ends_with_one_line_and_code_1_where_training_diverges(call: Call, copy_of_the_code: Path) -> None:
    write_sts_data(copy_of_the_code / "data/sample/sts")
    steps = ["--steps.sample", "30", "--steps.full", "30", "--steps.paper", "30"]
    words = [*WORDS, *OPTIONS, *steps, "--network.head", "fully_connected", "--lr", "3e38", "--momentum", "0.99"]
    done = call("train", *words)
    one_error_line(done, 1, "r, seed 0: the loss is", "at step", "learning rate 3e+38", "try lr 3e+37")
    assert not list((copy_of_the_code / "models").rglob("*.safetensors"))


FULL_DISK = """
import importlib, json, os, subprocess, sys
from pathlib import Path
import safetensors.torch, stages.train.loop, stages.lib.prediction, stages.lib.tracking
from stages.download import make
from stages.lib.errors import run

os.mkdir("disk")
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", "disk"]).returncode:
    sys.exit(77)
os.chdir("disk")
for dataset in ("stsbenchmark", "glove"):
    make(dataset, Path("data/sample/raw", dataset), 0)

def files():
    return {str(path) for path in Path().rglob("*") if path.is_file()}

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
            run(importlib.import_module("stages." + words[0]).main)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.remove("filler")
    found.append((code, Path("../said").read_text(), sorted(files() - before)))
print(json.dumps(found))
"""


@pytest.mark.pipeline
def test_a_full_disk_gets_one_line_and_leaves_nothing_half_written(copy_of_the_code: Path) -> None:
    (copy_of_the_code / "full_disk.py").write_text(FULL_DISK)
    preprocess = [
        "preprocess",
        "--profile",
        "sample",
        "--task",
        "sts",
        "--corpus",
        "stsbenchmark",
        "--vectors",
        "glove",
    ]
    steps = ["--steps.sample", "2", "--steps.full", "2", "--steps.paper", "2", "--lr", "0.1"]
    train = ["train", *WORDS, *OPTIONS, "--network.hidden_size", "32", *steps]
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
    files = [f"data/sample/sts/{name}" for name in ("facts.json", "tensors.safetensors", "words.txt")]
    assert prepared == [0, "", files]
    resume = "models/.resume/sample-r-0.pt"
    for (code, said, left), name, kept in ((tensors, "tensors", []), (checkpoint, resume, []), (weights, "", [resume])):
        assert code == 1
        assert left == kept
        assert said.startswith("error: ")
        assert name in said
        assert said.endswith("no space left on the disk; free some and run the same command again\n")
        assert len(said.splitlines()) == 1
