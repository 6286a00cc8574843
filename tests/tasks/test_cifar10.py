"""Image classification: what is prepared, how batches are augmented, what the scores mean."""

import io
import os
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import recall_score
from torch import Tensor

from stages.download.samples import cifar10 as sample
from stages.lib.errors import InputError
from stages.lib.task import AugmentContext, Batch, Prepared
from stages.tasks.cifar10 import scoring
from stages.tasks.cifar10.interaction import encode_input, format_prediction
from stages.tasks.cifar10.preparation import Settings, image_statistics, prepare
from stages.tasks.cifar10.training.augmentation import flip_and_crop, predict_augmented
from stages.tasks.cifar10.training.images import CLASSES, Images
from stages.tasks.cifar10.training.options import NETWORKS, Options, SimpleCNNOptions
from stages.tasks.cifar10.training.task import TASK


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("raw")
    sample.write(folder, 0)
    return folder


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample with six images of each class in each training batch, and with ten in the test batch."""
    folder = tmp_path_factory.mktemp("larger")
    sample.write(folder, 0, train=60, test=100)
    return folder


@pytest.fixture(scope="module")
def prepared(raw: Path) -> Prepared:
    tensors, metadata, vocabulary = prepare({"corpus": raw}, Settings())
    return Prepared(tensors, {"sample": True, **metadata}, vocabulary)


def splits_of(prepared: Prepared) -> dict[str, Any]:
    return TASK.load(prepared.tensors, prepared.metadata, Options())


def context(index: Tensor, step: int = 0, epoch: int = 0) -> AugmentContext:
    return AugmentContext(index, epoch, torch.Generator().manual_seed(step))


# ── Data ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_splits_have_equally_many_of_each_class(larger: Path) -> None:
    tensors, metadata, _ = prepare({"corpus": larger}, Settings())
    for name, count in (("train", 27), ("validation", 3), ("test", 10)):
        assert torch.bincount(tensors[f"{name}.labels"].long()).tolist() == [count] * 10
        assert tensors[f"{name}.images"].shape == (10 * count, 32, 32, 3)
        assert tensors[f"{name}.images"].dtype == torch.uint8
    assert metadata["images"] == {"train": 270, "validation": 30, "test": 100}


def test_each_class_has_one_validation_image_of_the_small_sample(prepared: Prepared) -> None:
    assert torch.bincount(prepared.tensors["validation.labels"].long()).tolist() == [1] * 10
    assert torch.bincount(prepared.tensors["test.labels"].long()).tolist() == [sample.TEST // 10] * 10
    assert prepared.metadata["images"] == {"train": 5 * sample.TRAIN - 10, "validation": 10, "test": sample.TEST}


def test_validation_has_the_last_images_of_each_class(larger: Path) -> None:
    three, _, _ = prepare({"corpus": larger}, Settings())
    one, metadata, _ = prepare({"corpus": larger}, Settings(validation_per_class=1))
    assert metadata["images"] == {"train": 290, "validation": 10, "test": 100}
    for label in range(10):
        fewer, more = (data["validation.images"][data["validation.labels"] == label] for data in (one, three))
        assert len(more) == 3
        assert torch.equal(fewer[0], more[-1])


def test_no_validation_image_is_trained_on(prepared: Prepared) -> None:
    train, validation = (prepared.tensors[f"{name}.images"].flatten(1) for name in ("train", "validation"))
    assert not any((train == image).all(1).any() for image in validation)


def test_training_images_come_with_mean_0_and_variance_1(prepared: Prepared) -> None:
    split = splits_of(prepared)["train"]
    batch = split.batch(torch.arange(len(split)))
    (images,) = batch.inputs
    assert images.shape == (5 * sample.TRAIN - 10, 3, 32, 32)
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(images.mean((0, 2, 3)), torch.zeros(3), atol=1e-4)
    assert torch.allclose(images.std((0, 2, 3)), torch.ones(3), atol=1e-3)
    assert batch.target.tolist() == split.targets


def test_the_patch_covariance_is_that_of_unfolded_images(prepared: Prepared) -> None:
    """By torch's own unfold, on every tenth training image in double precision."""
    images = prepared.tensors["train.images"][::10].permute(0, 3, 1, 2).double() / 255
    mean, std = (torch.tensor(prepared.metadata[name], dtype=torch.float64) for name in ("mean", "std"))
    normalized = (images - mean[:, None, None]) / std[:, None, None]
    patches = torch.nn.functional.unfold(normalized, 2).transpose(1, 2).reshape(-1, 12)
    expected = patches.T @ patches / len(patches)
    found = torch.tensor(prepared.metadata["patch_covariance"], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_statistics_do_not_depend_on_the_order_of_the_images() -> None:
    """Exact sums are the same in any order; sums of floating-point numbers are not, nor on another processor."""
    images = np.random.default_rng(0).integers(256, size=(1300, 32, 32, 3), dtype=np.uint8)
    shuffled = images.copy()
    shuffled[::10] = shuffled[::10][::-1]
    assert image_statistics(images) == image_statistics(shuffled)


def test_mean_and_std_are_correctly_rounded() -> None:
    images = np.zeros((3, 32, 32, 3), np.uint8)
    images[0, ..., 0] = 255
    found = image_statistics(images)
    assert found["mean"] == [float(f"{float(Fraction(1, 3)):.12g}"), 0, 0]
    assert found["std"][0] == pytest.approx(np.sqrt(2) / 3, rel=1e-11)
    # One color: the smallest standard deviation by which a channel can still be divided.
    assert found["std"][1:] == [1e-6, 1e-6]


def test_results_name_their_source(prepared: Prepared) -> None:
    assert TASK.data_label({"sample": True, "source": "CIFAR-10"}) == "sample data (generated)"
    for source in ("CIFAR-10", "CIFAR-10 (JPEG copy)"):
        assert TASK.data_label({"sample": False, "source": source}) == source
    assert prepared.metadata["source"] == "CIFAR-10"


# ── The sample ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_same_seed_gives_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    sample.write(tmp_path, 0)
    assert (tmp_path / sample.ARCHIVE).read_bytes() == (raw / sample.ARCHIVE).read_bytes()
    sample.write(tmp_path, 1)
    assert (tmp_path / sample.ARCHIVE).read_bytes() != (raw / sample.ARCHIVE).read_bytes()


def test_the_sample_has_the_official_classes_and_every_image_once(prepared: Prepared) -> None:
    assert tuple(sample.DRAWINGS) == CLASSES
    images = torch.cat([prepared.tensors[f"{name}.images"] for name in ("train", "validation", "test")])
    assert len({image.numpy().tobytes() for image in images}) == 5 * sample.TRAIN + sample.TEST


@pytest.mark.pipeline
def test_the_sample_is_hard_enough_to_tell_networks_apart() -> None:
    """Colors and a linear classifier do little better than guessing (0.1); convolutions do far better."""
    random = np.random.default_rng(0)
    names = list(CLASSES)

    def drawn(count: int) -> tuple[Tensor, Tensor]:
        labels = np.arange(count) % 10
        images = np.stack([sample.draw(names[label], random) for label in labels])
        return torch.from_numpy(images).permute(0, 3, 1, 2) / 127.5 - 1, torch.from_numpy(labels)

    (train, labels), (test, wanted) = drawn(1500), drawn(300)
    torch.manual_seed(0)
    accuracy = {}
    for name, network in {
        "linear": torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 10)),
        "convolutions": TASK.build(
            "simple_cnn", SimpleCNNOptions(widths=(16, 32, 64, 64, 64), hidden_size=64), {"classes": CLASSES}
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
    flips, shifts = torch.rand(40) < 0.5, torch.randint(7, (40, 2))
    changed = flip_and_crop(images, flips, shifts, 3)
    for image, found, flip, (row, column) in zip(images, changed, flips, shifts.tolist(), strict=True):
        padded = functional.pad(functional.horizontal_flip(image) if flip else image, [3], padding_mode="reflect")
        assert torch.equal(found, functional.crop(padded, row, column, 9, 12))
    assert changed.is_contiguous(memory_format=torch.channels_last)


def test_a_flip_happens_to_about_half_and_a_crop_goes_everywhere() -> None:
    columns = torch.arange(32.0).expand(2000, 3, 32, 32)
    batch = Batch((columns,), torch.zeros(2000))
    flipped = TASK.augment(batch, context(torch.arange(2000)), Options(flip="random"))
    fraction = (flipped.inputs[0][:, 0, 0, 0] == 31).float().mean().item()
    assert abs(fraction - 0.5) < 0.05
    shifted = TASK.augment(batch, context(torch.arange(2000)), Options(crop_padding=4))
    # The column in the middle tells by how much an image was shifted.
    shifts, counts = (shifted.inputs[0][:, 0, 0, 16] - 16).unique(return_counts=True)
    assert shifts.tolist() == [-4, -3, -2, -1, 0, 1, 2, 3, 4]
    assert counts.min() > 2000 / 9 * 0.7


def test_alternating_flips_show_each_image_both_ways_in_two_epochs() -> None:
    index = torch.arange(1000)
    columns = torch.arange(32.0).expand(1000, 3, 32, 32)

    def flipped(epoch: int) -> Tensor:
        batch = TASK.augment(Batch((columns,), index), context(index, epoch=epoch), Options(flip="alternating"))
        return batch.inputs[0][:, 0, 0, 0] == 31

    assert torch.equal(flipped(0), ~flipped(1))
    assert torch.equal(flipped(0), flipped(2))
    assert abs(flipped(0).float().mean().item() - 0.5) < 0.05
    assert abs(flipped(0)[:100].float().mean().item() - 0.5) < 0.2


def test_the_same_context_gives_the_same_batch_and_another_context_another(prepared: Prepared) -> None:
    split, options = splits_of(prepared)["train"], Options(flip="random", crop_padding=4)
    index = torch.arange(50)
    (one,), (same,), (other,) = (
        TASK.augment(split.batch(index), context(index, step), options).inputs for step in (7, 7, 8)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    (plain,) = TASK.augment(split.batch(index), context(index), Options()).inputs
    assert torch.equal(plain, split.batch(index).inputs[0])


def test_the_six_views_of_test_time_augmentation_by_torchs_own_padding() -> None:
    torch.manual_seed(5)
    images = torch.randn(4, 3, 32, 32)
    # One linear layer over all pixels tells every shift of an image from every other.
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    wide = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="reflect")
    with torch.no_grad():
        straight = [network(view) for view in (images, wide[:, :, :32, :32], wide[:, :, 2:, 2:])]
        mirrored = [network(view.flip(3)) for view in (images, wide[:, :, :32, :32], wide[:, :, 2:, 2:])]
        expected = sum(w * (a + b) / 2 for w, a, b in zip((0.5, 0.25, 0.25), straight, mirrored, strict=True))
        found = predict_augmented(network, Batch((images,), torch.zeros(4)))
    torch.testing.assert_close(torch.tensor(found), expected.softmax(1))
    assert TASK.extra_predictors(Options()) == {}
    assert TASK.extra_predictors(Options(test_time_augmentation=True)) == {"augmented": predict_augmented}


# ── Networks and the training step ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("model", list(NETWORKS))
def test_every_network_maps_images_to_ten_logits(model: str, prepared: Prepared) -> None:
    network = TASK.build(model, NETWORKS[model](), prepared.metadata).eval()
    batch = splits_of(prepared)["test"].batch(torch.arange(2))
    with torch.no_grad():
        assert network(*batch.inputs).shape == (2, 10)
    weights = [weight for weight in network.parameters() if weight.ndim == 4]
    assert weights
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)


def test_label_smoothing_and_the_batch_accuracy_follow_their_definitions(prepared: Prepared) -> None:
    network = TASK.build("simple_cnn", SimpleCNNOptions(), prepared.metadata).eval()
    batch = splits_of(prepared)["test"].batch(torch.arange(0, sample.TEST, 3))
    logits = network(*batch.inputs)
    log = logits.log_softmax(1)
    of_target = log.gather(1, batch.target.unsqueeze(1))[:, 0]
    loss, logged = TASK.training_step(network, batch, Options(label_smoothing=0.2))
    assert torch.allclose(loss, -(0.8 * of_target + 0.2 * log.mean(1)).mean())
    assert logged["accuracy"] == (logits.argmax(1) == batch.target).float().mean()
    assert torch.allclose(TASK.training_step(network, batch, Options())[0], -of_target.mean())


# ── Scores ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def guesses() -> tuple[list[list[float]], list[int]]:
    random = np.random.default_rng(3)
    return random.dirichlet(np.ones(10), 400).tolist(), random.integers(10, size=400).tolist()


def test_scores_follow_from_their_formulas(guesses: tuple[list[list[float]], list[int]]) -> None:
    predictions, targets = guesses
    found = scoring.scores(predictions, targets) | scoring.class_scores(predictions, targets, {"classes": CLASSES})
    predicted = np.argmax(predictions, 1)
    assert found["accuracy"] == pytest.approx(np.mean(predicted == targets))
    assert found["loss"] == pytest.approx(-np.mean(np.log(np.array(predictions)[np.arange(400), targets])))
    recalls = recall_score(targets, predicted, average=None)
    assert [found[f"accuracy_{name}"] for name in CLASSES] == pytest.approx(recalls.tolist())
    assert found.keys() == scoring.METRICS.keys()


def test_a_class_without_examples_has_no_accuracy() -> None:
    found = scoring.class_scores([[0.1] * 10, [0.1] * 10], [0, 3], {"classes": CLASSES})
    assert found.keys() == {"accuracy_airplane", "accuracy_cat"}


def test_classes_of_ones_own_have_their_own_names_and_too_many_have_none() -> None:
    found = scoring.class_scores([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], [0, 1, 1], {"classes": ["cat", "dog/puppy"]})
    assert found == {"accuracy_cat": 1.0, "accuracy_dog_puppy": 0.5}
    assert scoring.class_scores([[0.5, 0.5]], [0], {"classes": [str(number) for number in range(10_000)]}) == {}


def test_the_curves_are_the_scores_of_the_same_names(guesses: tuple[list[list[float]], list[int]]) -> None:
    predictions, targets = guesses
    # A probability of 0 for the true class: the loss stays finite, and the same.
    predictions = [*predictions, [0.0, 1.0, *[0.0] * 8]]
    targets = [*targets, 0]
    curves, scores = TASK.curve_metrics(predictions, targets), scoring.scores(predictions, targets)
    assert curves.keys() == {"accuracy", "loss"}
    assert curves == pytest.approx({name: scores[name] for name in curves})


def test_outcomes_give_the_scores_back(guesses: tuple[list[list[float]], list[int]]) -> None:
    predictions, targets = guesses
    rows, scores = scoring.outcomes(predictions, targets), scoring.scores(predictions, targets)
    assert rows["target"].tolist() == targets
    assert rows["prediction"].tolist() == np.argmax(predictions, 1).tolist()
    assert rows["confidence"].tolist() == pytest.approx(np.max(predictions, 1).tolist())
    for name, definition in scoring.METRICS.items():
        if definition.kind == "mean":
            assert rows[definition.columns[0]].mean() == pytest.approx(scores[name])


def test_the_trivial_prediction_is_the_largest_class() -> None:
    found = scoring.trivial([0] * 2 + [4] * 5 + [9] * 3)
    assert found["accuracy"] == pytest.approx(0.5)
    # Entropy of the class frequencies.
    assert found["loss"] == pytest.approx(-sum(p * np.log(p) for p in (0.2, 0.5, 0.3)))


def test_the_calibration_error_of_known_cases() -> None:
    # Ten images, each given 0.8: eight right is calibrated, none right is off by 0.8.
    probabilities = np.full((10, 2), 0.2)
    probabilities[:, 0] = 0.8
    assert scoring.calibration_error(probabilities, np.array([0] * 8 + [1] * 2)) == pytest.approx(0, abs=1e-9)
    assert scoring.calibration_error(probabilities, np.ones(10, dtype=int)) == pytest.approx(0.8)
    # Errors of opposite sign in different bins do not cancel: 0.5·|1 − 0.6| + 0.5·|0 − 0.9|.
    mixed = np.array([[0.6, 0.4], [0.1, 0.9]])
    assert scoring.calibration_error(mixed, np.array([0, 0])) == pytest.approx(0.65)
    assert scoring.calibration_error(np.array([[1.0, 0.0]]), np.array([0])) == 0


def test_the_most_confident_mistakes_are_kept(prepared: Prepared, guesses: tuple[list[list[float]], list[int]]) -> None:
    split = splits_of(prepared)["test"]
    predictions = guesses[0][: sample.TEST]
    kept = scoring.plot_samples(split, predictions)
    wrong = [
        (max(row), index)
        for index, (row, label) in enumerate(zip(predictions, split.targets, strict=True))
        if int(np.argmax(row)) != label
    ]
    wrong.sort(key=lambda pair: (-np.float32(pair[0]), pair[1]))
    assert kept["index"].tolist() == [index for _, index in wrong[:15]]
    assert torch.equal(kept["images"], split.images[kept["index"]])
    assert kept["target"].tolist() == [split.targets[index] for _, index in wrong[:15]]
    assert (kept["prediction"] != kept["target"]).all()


# ── An image from the user ────────────────────────────────────────────────────────────────────────────────────────────


def encode(prepared: Prepared, *words: str) -> Any:
    return encode_input(words, {}, prepared.metadata, (), Options())


def test_an_image_gets_classes_with_probabilities(prepared: Prepared, tmp_path: Path) -> None:
    Image.new("P", (50, 80), 3).save(tmp_path / "cat.gif")
    found = encode(prepared, str(tmp_path / "cat.gif"))
    assert found.batch.inputs[0].shape == (1, 3, 32, 32)
    assert found.notes == ("50 × 80 pixels: cropped to its centered square, resized to 32 × 32",)
    lines = format_prediction([0.05, 0.5, *[0.05625] * 8], ["cat.gif"], prepared.metadata).splitlines()
    assert len(lines) == 10
    assert lines[0].split() == ["automobile", "50.0%"]


def test_an_image_of_the_right_size_is_read_as_the_data_sets_own(prepared: Prepared, tmp_path: Path) -> None:
    image = prepared.tensors["test.images"][4]
    Image.fromarray(image.numpy()).save(tmp_path / "own.png")
    found = encode(prepared, str(tmp_path / "own.png"))
    split: Images = splits_of(prepared)["test"]
    assert torch.equal(found.batch.inputs[0], split.batch(torch.tensor([4])).inputs[0])
    assert found.notes == ()


def test_bad_images_get_one_line(prepared: Prepared, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(200_000_000)
    for words, message in (
        ([str(tmp_path / "none.png")], "none.png: No such file"),
        ([str(tmp_path)], "not a regular file"),
        ([str(tmp_path / "pipe")], "pipe: not a regular file"),
        ([str(tmp_path / "large.png")], "200,000,000 bytes"),
        ([str(tmp_path / "broken.png")], "broken.png: not an image, or damaged"),
        (["a" * 300], "File name too long"),
        (["a\0b"], "embedded null byte"),
        (["a.png", "b.png"], "one image, not 2"),
        ([], "one image, not 0"),
    ):
        with pytest.raises(InputError, match=message) as error:
            encode(prepared, *words)
        assert "\n" not in str(error.value)


@pytest.mark.pipeline
def test_an_image_of_the_most_pixels_takes_less_than_a_gigabyte(tmp_path: Path) -> None:
    """In a process of its own, whose largest memory is that of the decoder alone."""
    import subprocess
    import sys

    code = (
        "import resource, sys; from pathlib import Path\n"
        "from stages.tasks.cifar10.preparation.image_files import decode\n"
        "def most(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before = most(); decode(Path(sys.argv[1]).read_bytes(), 'here'); print(most() - before)"
    )
    for mode, color in (("RGBA", (255, 0, 0, 90)), ("I;16", 900)):
        path = tmp_path / f"{mode}.png"
        content = io.BytesIO()
        Image.new(mode, (6300, 6300), color).save(content, "PNG", compress_level=1)
        path.write_bytes(content.getvalue())
        assert path.stat().st_size < 5_000_000
        done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
        assert int(done.stdout) < 1_000_000_000
