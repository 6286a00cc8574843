"""Training the image networks: augmentation survives a kill, bfloat16 learns as float32 does; and the stages around."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Call, one_error_line, write_reports
from lightning_fabric import Fabric
from PIL import Image

from stages.download.samples import cifar10 as sample
from stages.lib.config_entries import Limits
from stages.lib.config_run import Run, make_run
from stages.lib.errors import InputError
from stages.lib.prediction import store_data
from stages.lib.results import read_group
from stages.lib.task import AugmentContext, Batch, Prepared
from stages.tasks.cifar10 import statements
from stages.tasks.cifar10.preparation import Settings, prepare
from stages.tasks.cifar10.training.images import CLASSES
from stages.tasks.cifar10.training.options import Options
from stages.tasks.cifar10.training.task import TASK
from stages.train.loop import Trained, train_seed
from stages.train.precision import bfloat16_is_fast, resolve


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("raw")
    sample.write(folder, 0)
    return prepare({"corpus": folder}, Settings())


def small(**changes: Any) -> Run:
    settings = {
        "widths": [4, 8, 8, 16, 16],
        "hidden_size": 16,
        "flip": "random",
        "crop_padding": 2,
        "optimizer": "sgd",
        "momentum": 0.9,
        "lr": 0.05,
        "batch_size": 10,
        "epochs": 2,
    }
    return make_run("small", "g", "sample", "cifar10", "simple_cnn", settings | changes, "tests", limits=Limits())


def train(
    run: Run, prepared: Prepared, folder: Path, precision: Any = "32-true", seed: int = 0, seconds: float = 20.0
) -> Trained:
    torch.manual_seed(seed)
    network = TASK.build(run.model, run.network, prepared.metadata)
    splits = TASK.load(prepared.tensors, prepared.metadata, run.options)
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    return train_seed(run, seed, network, splits, fabric, folder / "state.pt", "print", seconds)


def test_an_augmented_training_that_was_killed_ends_with_the_same_bytes(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(small(), prepared, tmp_path / "whole")

    class Killed(Exception):
        pass

    seen = 0
    steps = prepared.metadata["images"]["train"] // small().settings.batch_size
    augment = type(TASK).augment

    def killed(self: Any, batch: Batch, context: AugmentContext, options: Options) -> Batch:
        nonlocal seen
        seen += 1
        # In the middle of the second of two epochs.
        if seen == steps + 3:
            raise Killed
        return augment(self, batch, context, options)

    with monkeypatch.context() as patch:
        patch.setattr(type(TASK), "augment", killed)
        with pytest.raises(Killed):
            train(small(), prepared, tmp_path / "again", seconds=0.0)
    resumed = train(small(), prepared, tmp_path / "again", seconds=0.0)
    assert resumed.history == whole.history
    assert all(torch.equal(resumed.weights[name], whole.weights[name]) for name in whole.weights)


def test_a_step_of_both_networks_is_timed_on_the_same_images(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_data(tmp_path / "cifar10", prepared, {})
    classes = {}

    def timed(networks: dict[str, Any], loss: Any, repeats: int) -> dict[str, float]:  # noqa: ARG001
        assert all(loss(network).isfinite() for network in networks.values())
        classes.update({name: type(network).__name__ for name, network in networks.items()})
        return {"seconds_resnet18": 6.0, "seconds_simple_cnn": 0.5}

    monkeypatch.setattr(statements, "step_seconds", timed)
    values = statements.STATEMENTS["B-resnet-slow"].compute(0, tmp_path / "cifar10").values
    assert classes == {"seconds_resnet18": "ResNet18", "seconds_simple_cnn": "SimpleCNN"}
    assert values["seconds_resnet18_over_simple_cnn"] == 12.0


def test_the_history_has_training_accuracy_and_test_accuracy(prepared: Prepared, tmp_path: Path) -> None:
    trained = train(small(), prepared, tmp_path)
    assert len(trained.history) == 3
    for row in trained.history[1:]:
        assert {"train_loss", "train_accuracy", "validation_accuracy", "test_accuracy"} <= row.keys()
        assert 0 <= row["train_accuracy"] <= 1
    assert all(weight.is_contiguous() for weight in trained.weights.values())


def test_auto_means_bfloat16_where_the_device_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for capabilities, fast in (
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_f": True}, False),
        ({}, False),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capabilities: found)
        assert bfloat16_is_fast() is fast
        assert resolve("auto") == ("bf16-mixed" if fast else "32-true")
        assert resolve("32-true") == "32-true"
        assert resolve("bf16-mixed") == "bf16-mixed"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for version, fast in (((7, 5), False), ((8, 0), True), ((9, 0), True)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda found=version: found)
        assert bfloat16_is_fast() is fast


def test_bfloat16_learns_as_float32_does(tmp_path: Path) -> None:
    """bfloat16 has 8 significant bits: over a few steps the losses differ by some 2⁻⁸ of their value, but not more."""
    sample.write(tmp_path, 0, train=24, test=10)
    drawings = prepare({"corpus": tmp_path}, Settings())
    plain = {"flip": "none", "crop_padding": 0, "batch_size": 32}
    # oneDNN has no fast bfloat16 convolution for fewer channels.
    run = small(widths=[32, 32, 32, 32, 32], hidden_size=32, lr=0.01, epochs=None, steps=8, validate_every=1, **plain)
    losses, weights = [], []
    for precision in ("32-true", "bf16-mixed"):
        trained = train(run, drawings, tmp_path / precision, precision)
        losses.append([row["train_loss"] for row in trained.history[1:]])
        weights.append(trained.weights)
    assert losses[1] == pytest.approx(losses[0], rel=4 * 2**-8)
    assert losses[0] != losses[1]
    assert all(tensor.dtype == torch.float32 for tensor in weights[1].values() if tensor.is_floating_point())


@pytest.mark.pipeline
def test_from_the_archive_to_outcomes_and_a_prediction(copy_of_the_code: Path, call: Call) -> None:
    root = copy_of_the_code
    (root / "data/sample/raw/cifar10").mkdir(parents=True)
    sample.write(root / "data/sample/raw/cifar10", 0)
    identity = {"group": "cnn", "task": "cifar10", "model": "simple_cnn"}
    run = identity | {"widths": [4, 8, 8, 16, 16], "hidden_size": 16, "test_time_augmentation": True, "batch_size": 50}
    mistakes = {"kind": "mistakes", "group": "cnn", "baseline": "cnn", "title": "Most confident mistakes"}
    mistakes |= {"runs": {"small-cnn": "small"}, "classes": list(CLASSES), "x_label": "image", "y_label": "confidence"}
    write_reports(
        root,
        {"small-cnn": run, "unseen-cnn": run},
        figures={"mistakes": mistakes},
        datasets=["cifar10"],
        tasks={"cifar10": {"corpus": "cifar10", "vectors": "cifar10"}},
        groups={"cnn": {key: identity[key] for key in ("task", "model")}},
    )
    for stage, *words in (
        ("preprocess", "--task", "cifar10"),
        ("train", "--run", "small-cnn"),
        ("train", "--run", "unseen-cnn"),
        ("evaluate", "--group", "cnn"),
    ):
        done = call(stage, "--profile", "sample", *words)
        assert done.returncode == 0, done.stderr
    group = read_group("sample", "cnn", root)
    assert group.scores["data"]["name"] == "sample data (generated)"
    scores = group.scores["runs"]["small-cnn"]["seeds"]["0"]["scores"]
    for split, name in (("test", "test."), ("test+augmented", "test.augmented_"), ("validation", "validation.")):
        rows = group.outcomes[(group.outcomes["split"] == split) & (group.outcomes["run"] == "small-cnn")]
        assert len(rows) == (10 if split == "validation" else sample.TEST)
        assert scores[f"{name}accuracy"] == pytest.approx((rows["prediction"] == rows["target"]).mean())
        assert scores[f"{name}loss"] == pytest.approx(rows["loss"].mean(), rel=1e-5)
    assert scores["test.augmented_loss"] != pytest.approx(scores["test.loss"], rel=1e-7)
    assert len(group.plot_samples("small-cnn")[0]["images"]) == 15
    with pytest.raises(InputError, match="no figure showed them"):
        group.plot_samples("unseen-cnn")

    content = io.BytesIO()
    Image.new("RGB", (60, 60), "red").save(content, "PNG")
    (root / "red.png").write_bytes(content.getvalue())
    done = call("predict", "--run", "small-cnn", "red.png")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()[-10:]
    assert {line.split()[0] for line in lines} == set(CLASSES)
    assert sum(float(line.split()[1].rstrip("%")) for line in lines) == pytest.approx(100, abs=1)
    (root / "red.png").write_bytes(content.getvalue()[:50])
    one_error_line(call("predict", "--run", "small-cnn", "red.png"), 2, "red.png", "not an image")
