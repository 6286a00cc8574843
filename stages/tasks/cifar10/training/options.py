"""Options of the image task and of its networks, with their defaults."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from stages.lib.config_model import Strict

Normalization = Literal["batch", "none"]
#: Channels of the simple CNN's five blocks.
BlockWidths = Annotated[tuple[PositiveInt, ...], Field(min_length=5, max_length=5)]


class Options(Strict):
    """Data augmentation, the loss, and how the trained network is evaluated."""

    #: random: half of the images of each batch · alternating: each image in every second epoch (Jordan 2024).
    flip: Literal["none", "random", "alternating"] = "none"
    #: Largest shift of an image in pixels, each way; its border is padded by reflection.
    crop_padding: NonNegativeInt = 0
    #: Fraction of the target distribution spread evenly over all classes (Szegedy et al. 2016).
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    #: Also evaluate the mean over six views of each image (Jordan 2024). Does not affect training.
    test_time_augmentation: bool = False


class SimpleCNNOptions(Strict):
    widths: BlockWidths = (32, 64, 128, 256, 512)
    hidden_size: PositiveInt = 256
    #: After every convolution.
    normalization: Normalization = "batch"


class FPNCNNOptions(Strict):
    widths: BlockWidths = (32, 64, 128, 256, 512)
    pyramid_width: PositiveInt = 128
    #: After every convolution.
    normalization: Normalization = "batch"


class ResNet18Options(Strict):
    pass


class ResNet18At224Options(Strict):
    #: Side in pixels to which images are enlarged.
    side: PositiveInt = 224


class FastCNNOptions(Strict):
    widths: Annotated[tuple[PositiveInt, ...], Field(min_length=1, max_length=4)] = (64, 256, 256)


NETWORKS: Mapping[str, type[Strict]] = {
    "simple_cnn": SimpleCNNOptions,
    "fpn_cnn": FPNCNNOptions,
    "resnet18": ResNet18Options,
    "resnet18_224": ResNet18At224Options,
    "fast_cnn": FastCNNOptions,
}
