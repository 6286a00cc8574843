"""Image classification on CIFAR-10 (reports A and B): which of ten things does a picture of 32×32 pixels show?

Two data sets serve: the official archive, and a JPEG copy of it, which is lossy and lowers accuracy by some points.
Which of them made a result stands beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from stages.lib.task import Batch, Example, Place, Prepared, Split, Task
from stages.lib.errors import InputError
from stages.tasks.cifar10.augmentation import flip_and_crop, predict_augmented

#: In the official order: a label is a place in this list.
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
#: Bins of confidence for the calibration error, as in Guo et al. 2017.
BINS = 15
#: How many of the most confidently wrong test images are kept to be shown.
SHOWN = 15

Share = Annotated[float, Field(ge=0, lt=1)]
Widths = Annotated[tuple[PositiveInt, ...], Field(min_length=5, max_length=5)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preparation(_Strict):
    #: Of each class; the last ones of the training images, which the reports train on. A tenth where there are few.
    validation: PositiveInt = 250


class Options(_Strict):
    """Augmentation, all of it on whole batches, and the loss."""

    #: alternating: each image flipped in every other epoch, half of them in the first (Jordan 2024).
    flip: Literal["none", "random", "alternating"] = "none"
    #: Pixels by which an image may be moved each way; its border is mirrored.
    crop_padding: NonNegativeInt = 0
    #: Share of the target that goes to all classes alike (Szegedy et al. 2016).
    label_smoothing: Share = 0.0
    #: Score also the mean logits of several views of each image (Jordan 2024); training does not see it.
    test_time_augmentation: bool = False


class SimpleCNNOptions(_Strict):
    widths: Widths = (32, 64, 128, 256, 512)
    hidden_size: PositiveInt = 256
    #: After every convolution.
    normalization: Literal["batch", "none"] = "batch"
    dropout: Share = 0.0


class FPNCNNOptions(_Strict):
    widths: Widths = (32, 64, 128, 256, 512)
    pyramid_width: PositiveInt = 128
    #: After every convolution.
    normalization: Literal["batch", "none"] = "batch"


class ResNet18Options(_Strict):
    pass


class ResNet18At224Options(_Strict):
    side: PositiveInt = 224


class FastCNNOptions(_Strict):
    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1, max_length=4)] = (64, 256, 256)


class Images(Split):
    """images: [n, 32, 32, 3] uint8 · labels: [n] uint8 · mean, deviation: of each colour over the training images."""

    def __init__(self, images: Tensor, labels: Tensor, mean: Sequence[float], deviation: Sequence[float]) -> None:
        self.images, self.labels = images, labels.long()
        self.scale = 1 / (255 * torch.tensor(deviation))
        self.shift = -torch.tensor(mean) / torch.tensor(deviation)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def targets(self) -> list[int]:
        return self.labels.tolist()

    def batch(self, index: Tensor) -> Batch:
        """Input: images [B, 3, 32, 32], each colour with mean 0 and variance 1 in training; target: labels [B].

        Colours lie innermost in memory (channels_last), as they do in the file and as convolutions are fastest.
        """
        images = torch.addcmul(self.shift, self.images[index].float(), self.scale)
        return Batch((images.permute(0, 3, 1, 2),), self.labels[index])


class ImageClassification(Task):
    data_name = {"real": "CIFAR-10", "sample": "sample data (generated)"}
    Preparation = Preparation
    Options = Options
    networks = {
        "simple_cnn": SimpleCNNOptions,
        "fpn_cnn": FPNCNNOptions,
        "resnet18": ResNet18Options,
        "resnet18_224": ResNet18At224Options,
        "fast_cnn": FastCNNOptions,
    }
    watched = ("validation", "test")
    monitor = ("accuracy", True)
    rising = frozenset({"train_accuracy", "validation_accuracy", "test_accuracy"})

    def data_called(self, facts: Mapping[str, Any]) -> str:
        """Sample data, or which of the two sources."""
        return self.data_name["sample"] if facts["sample"] else facts["source"]

    def prepare(self, raw: Mapping[str, Path], options: Preparation) -> Prepared:
        """Facts: source (the data set's name), mean and deviation of each colour and the covariance [12, 12] of
        normalized 2×2 patches (channel, row, column), all of the training images; images a split.
        """
        from stages.tasks.cifar10 import pictures

        source, splits = pictures.read_cifar10(raw["corpus"])
        images, labels = (torch.from_numpy(part) for part in splits["train"])
        held = _last_of_each_class(labels, min(options.validation, len(labels) // len(CLASSES) // 10))
        parts = {
            "train": (images[~held], labels[~held]),
            "validation": (images[held], labels[held]),
            "test": tuple(torch.from_numpy(part) for part in splits["test"]),
        }
        tensors = {f"{name}.images": pair[0] for name, pair in parts.items()}
        tensors |= {f"{name}.labels": pair[1] for name, pair in parts.items()}
        # A histogram is exact, and needs no floating-point copy of all images.
        levels = torch.arange(256, dtype=torch.float64) / 255
        counts = torch.stack(
            [torch.bincount(parts["train"][0][..., colour].flatten(), minlength=256) for colour in range(3)]
        )
        mean = (counts * levels).sum(1) / counts.sum(1)
        deviation = ((counts * levels**2).sum(1) / counts.sum(1) - mean**2).clamp(min=1e-12).sqrt()
        facts = {
            "source": source,
            "classes": list(CLASSES),
            "mean": mean.tolist(),
            "deviation": deviation.tolist(),
            "images": {name: len(pair[1]) for name, pair in parts.items()},
        }
        # Every tenth image is enough for 144 numbers.
        some = Images(parts["train"][0][::10], parts["train"][1][::10], facts["mean"], facts["deviation"])
        facts["patch_covariance"] = _patch_covariance(some.batch(torch.arange(len(some))).inputs[0])
        return Prepared(tensors, facts)

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], options: Options) -> dict[str, Split]:  # noqa: ARG002
        """Three splits of images."""
        return {
            name: Images(tensors[f"{name}.images"], tensors[f"{name}.labels"], facts["mean"], facts["deviation"])
            for name in ("train", "validation", "test")
        }

    def build(self, model: str, network: BaseModel, facts: Mapping[str, Any]) -> nn.Module:
        """The network in channels_last, which oneDNN and cuDNN compute fastest with (docs/image-classification.md)."""
        settings = network.model_dump()
        match model:
            case "simple_cnn":
                from stages.networks.simple_cnn import SimpleCNN

                built: nn.Module = SimpleCNN(len(CLASSES), **settings)
            case "fpn_cnn":
                from stages.networks.fpn_cnn import FPNCNN

                built = FPNCNN(len(CLASSES), **settings)
            case "resnet18":
                from stages.networks.resnet18 import ResNet18

                built = ResNet18(len(CLASSES))
            case "resnet18_224":
                from stages.networks.resnet18_224 import ResNet18At224

                built = ResNet18At224(len(CLASSES), **settings)
            case "fast_cnn":
                from stages.networks.fast_cnn import FastCNN

                built = FastCNN(len(CLASSES), patch_covariance=facts["patch_covariance"], **settings)
        return built.to(memory_format=torch.channels_last)

    def augment(self, batch: Batch, place: Place, options: Options) -> Batch:
        """Flipped left to right, and moved; the same batch at the same place gives the same images."""
        (images,) = batch.inputs
        flips = None
        if options.flip == "random":
            flips = torch.rand(len(images), generator=place.generator) < 0.5
        elif options.flip == "alternating":
            # Which half begins must not hang on the class, by which the images are sorted.
            flips = (place.index * 2654435761 >> 16) % 2 == place.epoch % 2
        moves = None
        if options.crop_padding:
            moves = torch.randint(2 * options.crop_padding + 1, (len(images), 2), generator=place.generator)
        return Batch((flip_and_crop(images, flips, moves, options.crop_padding),), batch.target)

    def loss(self, network: nn.Module, batch: Batch, options: Options) -> Tensor:
        return self.learn(network, batch, options)[0]

    def learn(self, network: nn.Module, batch: Batch, options: Options) -> tuple[Tensor, dict[str, Tensor]]:
        """Cross-entropy, and the accuracy on the batch while it is learned from."""
        logits = network(*batch.inputs)
        loss = nn.functional.cross_entropy(logits, batch.target, label_smoothing=options.label_smoothing)
        return loss, {"accuracy": (logits.detach().argmax(1) == batch.target).float().mean()}

    def predict(self, network: nn.Module, batch: Batch) -> list[list[float]]:
        """Ten probabilities an image."""
        return network(*batch.inputs).float().softmax(1).tolist()

    def further_predictions(self, options: Options) -> Mapping[str, Callable[[nn.Module, Batch], list[list[float]]]]:
        """With test-time augmentation, as "augmented"."""
        return {"augmented": predict_augmented} if options.test_time_augmentation else {}

    def example(
        self,
        given: Sequence[str],
        tensors: Mapping[str, Tensor],  # noqa: ARG002
        facts: Mapping[str, Any],
        words: Sequence[str],  # noqa: ARG002
        options: Options,  # noqa: ARG002
    ) -> Example:
        """One picture file, of any size, mode and kind; the square in its middle is scaled to 32×32."""
        from stages.tasks.cifar10 import pictures

        if len(given) != 1:
            raise InputError(f"give the path of one picture; these are {len(given)}")
        try:
            content = Path(given[0]).read_bytes()
        except OSError as error:
            raise InputError(f"{given[0]}: {error.strerror}; give the path of a picture") from None
        picture = pictures.decode(content, given[0])
        height, width = picture.shape[:2]
        fitted = torch.tensor(pictures.fit(picture))
        one = Images(fitted.unsqueeze(0), torch.zeros(1), facts["mean"], facts["deviation"])
        square = " the square in its middle," if height != width else ""
        note = f"{width} × {height} pixels:{square} scaled to {fitted.shape[1]} × {fitted.shape[0]}"
        return Example(one.batch(torch.tensor([0])), (note,) if fitted.shape[:2] != (height, width) else ())

    def describe(self, prediction: Sequence[float], given: Sequence[str], facts: Mapping[str, Any]) -> str:  # noqa: ARG002
        """The classes from the likeliest on, a line each."""
        order = sorted(range(len(CLASSES)), key=lambda label: -prediction[label])
        return "\n".join(f"{CLASSES[label]:<11}{prediction[label]:6.1%}" for label in order)

    def metrics(self, predictions: Sequence[Sequence[float]], targets: Sequence[int]) -> dict[str, float]:
        """Accuracy, and the cross-entropy in nats."""
        likely, wanted = torch.tensor(predictions, dtype=torch.float64), torch.tensor(targets)
        right = likely.gather(1, wanted.unsqueeze(1)).clamp(min=1e-30)
        return {
            "accuracy": (likely.argmax(1) == wanted).double().mean().item(),
            "loss": -right.log().mean().item(),
        }

    def scores(self, predictions: Sequence[Sequence[float]], targets: Sequence[int]) -> dict[str, float]:
        """The metrics, the calibration error, and the share of each class's images that are recognised."""
        likely, wanted = torch.tensor(predictions, dtype=torch.float64), torch.tensor(targets)
        found = self.metrics(predictions, targets) | {"calibration_error": calibration_error(likely, wanted)}
        hits = likely.argmax(1) == wanted
        for label, name in enumerate(CLASSES):
            if (wanted == label).any():
                found[f"accuracy_{name}"] = hits[wanted == label].double().mean().item()
        return found

    def exhibits(self, split: Split, predictions: Sequence[Sequence[float]]) -> dict[str, Tensor]:
        """The test images whose wrong class got the highest probability, the most confident mistake first."""
        likely, wanted = torch.tensor(predictions), torch.tensor(split.targets)
        confidence, guessed = likely.max(1)
        wrong = (guessed != wanted).nonzero()[:, 0]
        order = wrong[confidence[wrong].argsort(descending=True, stable=True)][:SHOWN]
        return {
            "images": split.images[order],
            "index": order,
            "target": wanted[order],
            "guess": guessed[order],
            "confidence": confidence[order],
        }


def calibration_error(likely: Tensor, wanted: Tensor) -> float:
    """Expected calibration error (Naeini et al. 2015): how far accuracy is from confidence, over BINS equal bins.

    likely: [n, classes] probabilities · wanted: [n] labels.
    """
    confidence, guessed = likely.max(1)
    right = (guessed == wanted).double()
    edges = torch.linspace(0, 1, BINS + 1, dtype=confidence.dtype)[1:-1]
    bins = torch.bucketize(confidence, edges)
    gaps = torch.zeros(BINS, dtype=torch.float64).index_add_(0, bins, right - confidence.double())
    return (gaps.abs().sum() / len(wanted)).item()


def _last_of_each_class(labels: Tensor, count: int) -> Tensor:
    """Which of the labels [n] are among the last `count` of their class."""
    held = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(len(CLASSES)):
        held[(labels == label).nonzero()[:, 0][-count:]] = True
    return held


def _patch_covariance(images: Tensor) -> list[list[float]]:
    """Covariance of the 2×2 patches of images [n, 3, H, W], in the order of a convolution's weights."""
    patches = images.unfold(2, 2, 1).unfold(3, 2, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 12).double()
    return (patches.T @ patches / len(patches)).tolist()


TASK = ImageClassification()
