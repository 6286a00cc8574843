"""The task: what it prepares, how batches are changed at random, what its scores mean."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import one_error_line
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from torch import Tensor

from stages.lib.config import make_run
from stages.lib.task import Batch, Place, Prepared
from stages.download.samples import cifar10 as sample
from stages.lib.errors import InputError
from stages.plot import plot
from stages.plot.figures import Sources, parse_entry
from stages.tasks.cifar10 import (
    CLASSES,
    TASK,
    Images,
    Options,
    Preparation,
    SimpleCNNOptions,
    calibration_error,
)
from stages.tasks.cifar10.augmentation import flip_and_crop, predict_augmented
from stages.train import _signature
from stages.train.loop import fit
from stages.train.optimizers import learning_rate_factor
from stages.train.precision import bfloat16_is_fast, resolve


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    sample.write(folder, 0)
    return folder


@pytest.fixture(scope="module")
def prepared(raw: Path) -> Prepared:
    made = TASK.prepare({"corpus": raw}, Preparation())
    return Prepared(made.tensors, {"sample": True, **made.facts})


def splits_of(prepared: Prepared) -> dict[str, Any]:
    return TASK.load(prepared.tensors, prepared.facts, Options())


def place(index: Tensor, step: int = 0, epoch: int = 0) -> Place:
    return Place(index, epoch, torch.Generator().manual_seed(step))


# ── Data ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_splits_hold_every_class_alike(prepared: Prepared) -> None:
    for name, count in (("train", 27), ("validation", 3), ("test", 10)):
        assert torch.bincount(prepared.tensors[f"{name}.labels"].long()).tolist() == [count] * 10
        assert prepared.tensors[f"{name}.images"].shape == (10 * count, 32, 32, 3)
        assert prepared.tensors[f"{name}.images"].dtype == torch.uint8
    assert prepared.facts["images"] == {"train": 270, "validation": 30, "test": 100}


def test_no_validation_image_is_trained_on(prepared: Prepared) -> None:
    train, validation = (prepared.tensors[f"{name}.images"].flatten(1) for name in ("train", "validation"))
    assert not any((train == image).all(1).any() for image in validation)


def test_training_images_come_with_mean_0_and_variance_1(prepared: Prepared) -> None:
    split = splits_of(prepared)["train"]
    batch = split.batch(torch.arange(len(split)))
    (images,) = batch.inputs
    assert images.shape == (270, 3, 32, 32)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(images.mean((0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(images.std((0, 2, 3)), torch.ones(3), atol=1e-3)
    assert batch.target.tolist() == split.targets


def test_results_name_their_source(prepared: Prepared) -> None:
    assert TASK.data_called({"sample": True, "source": "CIFAR-10"}) == "sample data (generated)"
    for source in ("CIFAR-10", "CIFAR-10 (JPEG copy)"):
        assert TASK.data_called({"sample": False, "source": source}) == source
    assert prepared.facts["source"] == "CIFAR-10"


# ── The sample ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_seed_gives_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    sample.write(tmp_path, 0)
    assert (tmp_path / sample.ARCHIVE).read_bytes() == (raw / sample.ARCHIVE).read_bytes()
    sample.write(tmp_path, 1)
    assert (tmp_path / sample.ARCHIVE).read_bytes() != (raw / sample.ARCHIVE).read_bytes()


def test_the_sample_has_the_official_classes_and_every_picture_once(prepared: Prepared) -> None:
    assert tuple(sample.DRAWINGS) == CLASSES
    images = torch.cat([prepared.tensors[f"{name}.images"] for name in ("train", "validation", "test")])
    assert len({image.numpy().tobytes() for image in images}) == 400


@pytest.mark.pipeline
def test_the_sample_is_hard_enough_to_tell_networks_apart() -> None:
    """Colours and a linear classifier do little better than guessing (0.1); convolutions do far better."""
    random = np.random.default_rng(0)
    names = list(CLASSES)

    def drawn(count: int) -> tuple[Tensor, Tensor]:
        labels = np.arange(count) % 10
        pictures = np.stack([sample.draw(names[label], random) for label in labels])
        return torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1, torch.from_numpy(labels)

    (train, labels), (test, wanted) = drawn(1500), drawn(300)
    torch.manual_seed(0)
    accuracy = {}
    for name, network in {
        "linear": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10)),
        "convolutions": TASK.build(
            "simple_cnn", TASK.networks["simple_cnn"](widths=(16, 32, 64, 64, 64), hidden_size=64), {}
        ),
    }.items():
        optimizer = torch.optim.Adam(network.parameters(), lr=0.002)
        for _ in range(8):
            for index in torch.randperm(1500).split(50):
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(network(train[index]), labels[index]).backward()
                optimizer.step()
        network.eval()
        accuracy[name] = (network(test).argmax(1) == wanted).float().mean().item()
    assert accuracy["linear"] < 0.35
    assert accuracy["linear"] + 0.15 < accuracy["convolutions"] < 0.97


# ── Augmentation ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_flip_and_crop_do_what_torchvision_does_image_by_image(layout: torch.memory_format) -> None:
    from torchvision.transforms.v2 import functional

    torch.manual_seed(0)
    images = torch.randn(40, 3, 9, 12).contiguous(memory_format=layout)
    flips, moves = torch.rand(40) < 0.5, torch.randint(7, (40, 2))
    changed = flip_and_crop(images, flips, moves, 3)
    for image, found, flip, (row, column) in zip(images, changed, flips, moves.tolist(), strict=True):
        padded = functional.pad(functional.horizontal_flip(image) if flip else image, [3], padding_mode="reflect")
        assert torch.equal(found, functional.crop(padded, row, column, 9, 12))
    assert changed.is_contiguous(memory_format=torch.channels_last)


def test_a_flip_happens_to_about_half_and_a_crop_goes_everywhere() -> None:
    columns = torch.arange(32.0).expand(2000, 3, 32, 32)
    flipped = TASK.augment(Batch((columns,), torch.zeros(2000)), place(torch.arange(2000)), Options(flip="random"))
    share = (flipped.inputs[0][:, 0, 0, 0] == 31).float().mean().item()
    assert abs(share - 0.5) < 0.05
    moved = TASK.augment(Batch((columns,), torch.zeros(2000)), place(torch.arange(2000)), Options(crop_padding=4))
    # The column in the middle tells by how much an image was moved.
    shifts, counts = (moved.inputs[0][:, 0, 0, 16] - 16).unique(return_counts=True)
    assert shifts.tolist() == [-4, -3, -2, -1, 0, 1, 2, 3, 4]
    assert counts.min() > 2000 / 9 * 0.7


def test_alternating_flips_show_each_image_both_ways_in_two_epochs() -> None:
    index = torch.arange(1000)
    columns = torch.arange(32.0).expand(1000, 3, 32, 32)

    def flipped(epoch: int) -> Tensor:
        batch = TASK.augment(Batch((columns,), index), place(index, epoch=epoch), Options(flip="alternating"))
        return batch.inputs[0][:, 0, 0, 0] == 31

    assert torch.equal(flipped(0), ~flipped(1))
    assert torch.equal(flipped(0), flipped(2))
    assert abs(flipped(0).float().mean().item() - 0.5) < 0.05
    assert abs(flipped(0)[:100].float().mean().item() - 0.5) < 0.2


def test_the_same_place_gives_the_same_batch_and_another_place_another(prepared: Prepared) -> None:
    split, options = splits_of(prepared)["train"], Options(flip="random", crop_padding=4)
    index = torch.arange(50)
    (one,), (same,), (other,) = (
        TASK.augment(split.batch(index), place(index, step), options).inputs for step in (7, 7, 8)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    (plain,) = TASK.augment(split.batch(index), place(index), Options()).inputs
    assert torch.equal(plain, split.batch(index).inputs[0])


# ── Training ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def small(**changes: Any) -> Any:
    settings = {
        "network": {"widths": [4, 8, 8, 16, 16], "hidden_size": 16},
        "options": {"flip": "random", "crop_padding": 2},
        "optimizer": "sgd",
        "momentum": 0.9,
        "lr": 0.05,
        "batch_size": 30,
        "epochs": {"sample": 2, "full": 2, "paper": 2},
    }
    return make_run("small", "g", "sample", "cifar10", "simple_cnn", settings | changes, "tests")


def train(run: Any, prepared: Prepared, folder: Path, precision: str = "32-true", seed: int = 0, **options: Any) -> Any:
    from lightning_fabric import Fabric

    torch.manual_seed(seed)
    network = TASK.build(run.model, run.network, prepared.facts)
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    return fit(run, seed, network, splits_of(prepared), fabric, folder / "state.pt", "print", **options)


def test_an_augmented_training_that_was_killed_ends_with_the_same_bytes(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(small(), prepared, tmp_path / "whole")

    class Killed(Exception):
        pass

    seen = 0
    augment = type(TASK).augment

    def killed(self: Any, batch: Batch, at: Place, options: Options) -> Batch:
        nonlocal seen
        seen += 1
        if seen == 12:
            raise Killed
        return augment(self, batch, at, options)

    with monkeypatch.context() as patch:
        patch.setattr(type(TASK), "augment", killed)
        with pytest.raises(Killed):
            train(small(), prepared, tmp_path / "again", checkpoint_seconds=0.0)
    resumed = train(small(), prepared, tmp_path / "again", checkpoint_seconds=0.0)
    assert resumed.history == whole.history
    assert all(torch.equal(resumed.weights[name], whole.weights[name]) for name in whole.weights)


def test_the_history_has_training_accuracy_and_test_accuracy(prepared: Prepared, tmp_path: Path) -> None:
    trained = train(small(), prepared, tmp_path)
    assert len(trained.history) == 3
    for row in trained.history[1:]:
        assert {"train_loss", "train_accuracy", "validation_accuracy", "test_accuracy"} <= row.keys()
        assert 0 <= row["train_accuracy"] <= 1
    assert all(weight.is_contiguous() for weight in trained.weights.values())


def test_label_smoothing_and_the_batch_accuracy_follow_their_definitions(prepared: Prepared) -> None:
    network = TASK.build("simple_cnn", small().network, prepared.facts).eval()
    batch = splits_of(prepared)["test"].batch(torch.arange(0, 100, 3))
    logits = network(*batch.inputs)
    log = logits.log_softmax(1)
    right = log.gather(1, batch.target.unsqueeze(1))[:, 0]
    loss, counted = TASK.learn(network, batch, Options(label_smoothing=0.2))
    assert torch.allclose(loss, -(0.8 * right + 0.2 * log.mean(1)).mean())
    assert counted["accuracy"] == (logits.argmax(1) == batch.target).float().mean()
    assert torch.allclose(TASK.loss(network, batch, Options()), -right.mean())


def test_one_cycle_rises_to_the_peak_and_falls_to_nothing() -> None:
    settings = small(schedule="one_cycle", peak=0.25).settings
    factors = [learning_rate_factor(settings, step, 400) for step in range(400)]
    assert factors.index(max(factors)) == 100
    assert max(factors) == 1
    assert 0 < factors[0] < 0.02
    assert 0 < factors[-1] < 0.01
    assert np.allclose(np.diff(factors[:100]), np.diff(factors[:100])[0])
    assert np.allclose(np.diff(factors[100:]), np.diff(factors[100:])[0])


def test_nesterov_wants_a_momentum() -> None:
    with pytest.raises(InputError, match="nesterov is a kind of momentum"):
        small(nesterov=True, momentum=0)
    assert small(nesterov=True).settings.nesterov


# ── Precision ─────────────────────────────────────────────────────────────────────────────────────────────────────────


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


@pytest.mark.pipeline
def test_bfloat16_and_float32_reach_the_same_accuracy_within_noise(tmp_path: Path) -> None:
    """On more of the sample's drawings, so that both learn: means of two seeds, within twice their standard error."""
    sample.write(tmp_path, 0, train=200, test=300)
    made = TASK.prepare({"corpus": tmp_path}, Preparation())
    drawings = Prepared(made.tensors, {"sample": True, **made.facts})
    run = small(
        network={"widths": [8, 16, 16, 32, 32], "hidden_size": 32},
        epochs={"sample": 6, "full": 6, "paper": 6},
        schedule="one_cycle",
        options={},
    )
    found: dict[str, list[float]] = {}
    for precision in ("32-true", "bf16-mixed"):
        for seed in range(2):
            trained = train(run, drawings, tmp_path / f"{precision}{seed}", precision, seed)
            found.setdefault(precision, []).append(trained.history[-1]["test_accuracy"])
    one, other = map(np.mean, found.values())
    # Two runs of 300 images each; 0.25 is the largest variance that a hit or miss can have.
    assert abs(one - other) <= 2 * np.sqrt(2 * 0.25 / (2 * 300))
    assert min(one, other) > 0.2


# ── Scores ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_six_views_of_test_time_augmentation_by_torchs_own_padding() -> None:
    torch.manual_seed(5)
    images = torch.randn(4, 3, 32, 32)
    # One linear layer over all pixels tells every move of an image from every other.
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    wide = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="reflect")
    with torch.no_grad():
        straight = [network(view) for view in (images, wide[:, :, :32, :32], wide[:, :, 2:, 2:])]
        mirrored = [network(view.flip(3)) for view in (images, wide[:, :, :32, :32], wide[:, :, 2:, 2:])]
        expected = sum(w * (a + b) / 2 for w, a, b in zip((0.5, 0.25, 0.25), straight, mirrored, strict=True))
        found = predict_augmented(network, Batch((images,), torch.zeros(4)))
    torch.testing.assert_close(torch.tensor(found), expected.softmax(1))


@pytest.fixture(scope="module")
def guesses() -> tuple[list[list[float]], list[int]]:
    random = np.random.default_rng(3)
    return random.dirichlet(np.ones(10), 400).tolist(), random.integers(10, size=400).tolist()


def test_scores_are_those_of_scikit_learn(guesses: tuple[list[list[float]], list[int]]) -> None:
    likely, wanted = guesses
    found = TASK.scores(likely, wanted)
    taken = np.argmax(likely, 1)
    assert found["accuracy"] == pytest.approx(accuracy_score(wanted, taken))
    assert found["loss"] == pytest.approx(log_loss(wanted, likely, labels=range(10)))
    counts = confusion_matrix(wanted, taken, labels=range(10))
    for label, name in enumerate(CLASSES):
        assert found[f"accuracy_{name}"] == pytest.approx(counts[label, label] / counts[label].sum())


def test_the_calibration_error_of_known_cases() -> None:
    # Ten images, each given 0.8: eight right is calibrated, none right is off by 0.8.
    likely = torch.full((10, 2), 0.2, dtype=torch.float64)
    likely[:, 0] = 0.8
    assert calibration_error(likely, torch.tensor([0] * 8 + [1] * 2)) == pytest.approx(0, abs=1e-9)
    assert calibration_error(likely, torch.ones(10, dtype=torch.long)) == pytest.approx(0.8)
    # Errors of opposite sign in different bins do not cancel: 0.5·|1 − 0.6| + 0.5·|0 − 0.9|.
    mixed = torch.tensor([[0.6, 0.4], [0.1, 0.9]], dtype=torch.float64)
    assert calibration_error(mixed, torch.tensor([0, 0])) == pytest.approx(0.65)


def test_the_surest_mistakes_are_kept(prepared: Prepared, guesses: tuple[list[list[float]], list[int]]) -> None:
    split = splits_of(prepared)["test"]
    likely = guesses[0][:100]
    kept = TASK.exhibits(split, likely)
    wrong = [
        (max(row), place)
        for place, (row, label) in enumerate(zip(likely, split.targets, strict=True))
        if int(np.argmax(row)) != label
    ]
    wrong.sort(key=lambda pair: (-np.float32(pair[0]), pair[1]))
    assert kept["index"].tolist() == [place for _, place in wrong[:15]]
    assert torch.equal(kept["images"], split.images[kept["index"]])
    assert kept["target"].tolist() == [split.targets[place] for _, place in wrong[:15]]
    assert (kept["guess"] != kept["target"]).all()


# ── One picture ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_picture_gets_classes_with_probabilities(prepared: Prepared, tmp_path: Path) -> None:
    Image.new("P", (50, 80), 3).save(tmp_path / "cat.gif")
    example = TASK.example([str(tmp_path / "cat.gif")], {}, prepared.facts, (), Options())
    assert example.batch.inputs[0].shape == (1, 3, 32, 32)
    assert example.notes == ("50 × 80 pixels: the square in its middle, scaled to 32 × 32",)
    text = TASK.describe([0.05, 0.5, *[0.05625] * 8], ["cat.gif"], prepared.facts)
    lines = text.splitlines()
    assert len(lines) == 10
    assert lines[0].split() == ["automobile", "50.0%"]
    image = prepared.tensors["test.images"][4]
    Image.fromarray(image.numpy()).save(tmp_path / "own.png")
    again = TASK.example([str(tmp_path / "own.png")], {}, prepared.facts, (), Options())
    split: Images = splits_of(prepared)["test"]
    assert torch.equal(again.batch.inputs[0], split.batch(torch.tensor([4])).inputs[0])
    assert again.notes == ()


def test_bad_pictures_get_one_line(prepared: Prepared, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    for given, words in (
        ([str(tmp_path / "none.png")], "none.png: No such file"),
        ([str(tmp_path)], "Is a directory"),
        ([str(tmp_path / "broken.png")], "broken.png: not a picture, or a damaged one"),
        (["a.png", "b.png"], "one picture; these are 2"),
    ):
        with pytest.raises(InputError, match=words) as error:
            TASK.example(given, {}, prepared.facts, (), Options())
        assert "\n" not in str(error.value)


def test_mlflow_is_told_what_goes_in_and_what_comes_out(prepared: Prepared) -> None:
    network = TASK.build("simple_cnn", SimpleCNNOptions(), prepared.facts)
    assert _signature(network, splits_of(prepared)["train"]) == {
        "inputs": {"images": ("float32", (-1, 3, 32, 32))},
        "output": ("float32", (-1, len(CLASSES))),
    }


# ── The whole way ─────────────────────────────────────────────────────────────────────────────────────────────────────

CLASS_LIST = list(CLASSES)
RUN = {
    "group": "cnn",
    "task": "cifar10",
    "model": "simple_cnn",
    "built_on": "simple_cnn",
    "settings": {
        "network": {"widths": [4, 8, 8, 16, 16], "hidden_size": 16},
        "options": {"test_time_augmentation": True},
        "optimizer": "adam",
        "lr": 0.01,
        "batch_size": 50,
        "precision": "auto",
        "epochs": {"sample": 2, "full": 2, "paper": 2},
    },
}


@pytest.mark.pipeline
def test_from_archive_to_figures_and_a_prediction(copy_of_the_code: Path, call: Any, raw: Path) -> None:
    import json
    import shutil

    import yaml
    from safetensors.torch import load_file

    root = copy_of_the_code
    shutil.copytree(raw, root / "data/sample/raw/cifar10")
    base = {"group": "cnn", "baseline": "cnn", "runs": {"r": "small CNN"}, "x_label": "x", "y_label": "y", "title": "t"}
    figures = {
        "pair": base | {"kind": "curve_pair", "curves": ["train_loss", "train_accuracy"], "y_labels": ["loss", "acc"]},
        "batches": base | {"kind": "batch_accuracy", "batch_size": 10},
        "confusion": base | {"kind": "confusion", "classes": CLASS_LIST},
        "mistakes": base | {"kind": "mistakes", "classes": CLASS_LIST},
    }
    reports = {"title": "t", "runs": {"r": RUN}, "figures": figures, "groups": {"cnn": {}}}
    (root / "reports.yaml").write_text(yaml.safe_dump(reports))
    (root / "params.yaml").write_text("profile: sample\n")
    words = (
        "--profile sample --run r --group cnn --task cifar10 --model simple_cnn --network.widths 4 8 8 16 16"
        " --network.hidden_size 16 --options.test_time_augmentation --optimizer adam --lr 0.01 --batch_size 50"
        " --precision auto --epochs.sample 2 --epochs.full 2 --epochs.paper 2"
    )
    for stage, given in (
        ("preprocess", "--profile sample --task cifar10 --corpus cifar10"),
        ("train", words),
        ("evaluate", "--profile sample --group cnn"),
    ):
        done = call(stage, *given.split())
        assert done.returncode == 0, done.stderr
    made = json.loads((root / "models/sample/cnn/r/run.json").read_text())
    assert made["data"]["name"] == "sample data (generated)"
    assert made["precision"] == resolve("auto")
    assert made["memory_format"] == "channels_last"
    sources = Sources("sample", reports["runs"], root)
    for name in figures:
        kind, entry = parse_entry(name, reports)
        table = kind.read(entry, sources)
        assert table.columns[:2] == ("run", "seed")
        plot(name, "sample", reports, root)
        assert (root / f"metrics/sample/figures/{name}.png").read_bytes().startswith(b"\x89PNG")
    kind, entry = parse_entry("confusion", reports)
    rows = kind.read(entry, sources).rows
    assert sum(row[4] for row in rows) == 100
    for name in CLASSES:
        assert sum(row[5] for row in rows if row[2] == name) == pytest.approx(1)
    kind, entry = parse_entry("batches", reports)
    seed = json.loads((root / "metrics/sample/runs/cnn.json").read_text())["runs"]["r"]["seeds"]["0"]
    scores = seed["scores"]
    assert kind.read(entry, sources).rows[-1][-1] == pytest.approx(scores["test.accuracy"])
    # What is scored beside it are the predictions that the task gives for it.
    facts = json.loads((root / "data/sample/cifar10/facts.json").read_text())
    split = TASK.load(load_file(root / "data/sample/cifar10/tensors.safetensors"), facts, Options())["test"]
    network = TASK.build("simple_cnn", SimpleCNNOptions(**RUN["settings"]["network"]), facts).eval()
    network.load_state_dict(load_file(root / "models/sample/cnn/r/seed-0/weights.safetensors"))
    with torch.no_grad():
        likely = torch.tensor(predict_augmented(network, split.batch(torch.arange(len(split)))), dtype=torch.float64)
    assert scores["test.augmented_accuracy"] == pytest.approx(accuracy_score(split.targets, likely.argmax(1)))
    loss = -likely[torch.arange(len(split)), split.targets].log().mean()
    assert scores["test.augmented_loss"] == pytest.approx(loss.item(), abs=1e-6)
    assert scores["test.augmented_loss"] != pytest.approx(scores["test.loss"], abs=1e-5)
    assert seed["spread"]["test.augmented_accuracy"] > 0

    picture = io.BytesIO()
    Image.new("RGB", (60, 60), "red").save(picture, "PNG")
    (root / "red.png").write_bytes(picture.getvalue())
    said = call("predict", "--run", "r", "red.png")
    assert said.returncode == 0, said.stderr
    lines = said.stdout.splitlines()
    assert {line.split()[0] for line in lines[1:]} == set(CLASSES)
    assert sum(float(line.split()[1].rstrip("%")) for line in lines[1:]) == pytest.approx(100, abs=1)
    (root / "red.png").write_bytes(picture.getvalue()[:50])
    one_error_line(call("predict", "--run", "r", "red.png"), 2, "red.png", "not a picture")
