"""CIFAR-10's archive to tensors."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import PositiveInt

from stages.lib.config_model import Strict
from stages.lib.task import Prepared
from stages.tasks.cifar10.preparation.archives import read_cifar10
from stages.tasks.cifar10.training.images import CLASSES

#: Significant digits of the statistics in metadata.json.
DIGITS = 12
#: Every tenth image is enough for the 144 numbers of the patch covariance.
PATCH_STRIDE = 10
#: Side of the patches.
PATCH = 2


class Settings(Strict):
    #: The last training images of each class, at most a tenth of them. The reports train on these too.
    validation_per_class: PositiveInt = 250


def prepare(raw: Mapping[str, Path], settings: Settings) -> Prepared:
    """Tensors <split>.images [n, 32, 32, 3] and <split>.labels [n], both uint8, of train, validation and test.

    Metadata: source (name of the data set), classes, images in each split, and of the training images mean and std of
    each channel and the second moments [12, 12] of normalized 2×2 patches (channel, row, column).
    """
    source, splits = read_cifar10(raw["corpus"])
    images, labels = splits["train"]
    count = min(settings.validation_per_class, len(labels) // len(CLASSES) // 10)
    held_out = _last_of_each_class(labels, count)
    parts = {
        "train": (images[~held_out], labels[~held_out]),
        "validation": (images[held_out], labels[held_out]),
        "test": splits["test"],
    }
    tensors = {}
    for name, (split_images, split_labels) in parts.items():
        tensors[f"{name}.images"] = torch.from_numpy(split_images)
        tensors[f"{name}.labels"] = torch.from_numpy(split_labels)
    metadata = {
        "source": source,
        "classes": list(CLASSES),
        "images": {name: len(split_labels) for name, (_, split_labels) in parts.items()},
    }
    return Prepared(tensors, metadata | image_statistics(parts["train"][0]))


def image_statistics(images: NDArray[np.uint8]) -> dict[str, Any]:
    """Of images [n, H, W, 3] the mean and std [3] of each channel, for pixel values from 0 to 1, and patch_covariance
    [12, 12].

    Sums are exact and divisions and roots correctly rounded, so the numbers are the same on every processor.
    """
    levels = np.arange(256)
    histograms = [sum(np.bincount(chunk[..., c].ravel(), minlength=256) for chunk in _chunks(images)) for c in range(3)]
    pixels = images[..., 0].size
    means = [Fraction(int(histogram @ levels), 255 * pixels) for histogram in histograms]
    squares = [Fraction(int(histogram @ levels**2), 255**2 * pixels) for histogram in histograms]
    stds = [sqrt(max(square - mean**2, 1e-12)) for mean, square in zip(means, squares, strict=True)]
    covariance = _patch_covariance(images[::PATCH_STRIDE], means, stds)
    return {
        "mean": [_rounded(mean) for mean in means],
        "std": [_rounded(std) for std in stds],
        "patch_covariance": [[_rounded(value) for value in row] for row in covariance],
    }


def _patch_covariance(images: NDArray[np.uint8], means: list[Fraction], stds: list[float]) -> list[list[float]]:
    """Mean products of the entries of normalized patches, in the order of a convolution's weights."""
    entries = 3 * PATCH**2
    total, sums, products = 0, np.zeros(entries, np.int64), np.zeros((entries, entries), np.int64)
    for chunk in _chunks(images):
        windows = np.lib.stride_tricks.sliding_window_view(chunk, (PATCH, PATCH), axis=(1, 2))
        # A product of float64 matrices is fast, and exact for integers below 2⁵³.
        patches = windows.reshape(-1, entries).astype(np.float64)
        total += len(patches)
        sums += patches.sum(0).astype(np.int64)
        products += (patches.T @ patches).astype(np.int64)
    channel = [entry // PATCH**2 for entry in range(entries)]
    mean = [Fraction(int(value), 255 * total) for value in sums]

    def moment(i: int, j: int) -> float:
        """E[(x_i − m_i) (x_j − m_j)] / (s_i s_j), with the channels' means m and standard deviations s."""
        product = Fraction(int(products[i, j]), 255**2 * total)
        m_i, m_j = means[channel[i]], means[channel[j]]
        return float(product - m_i * mean[j] - m_j * mean[i] + m_i * m_j) / (stds[channel[i]] * stds[channel[j]])

    return [[moment(i, j) for j in range(entries)] for i in range(entries)]


def _chunks(images: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """A few images at a time, since sums need them as larger numbers."""
    return (images[start : start + 500] for start in range(0, len(images), 500))


def _rounded(value: float | Fraction) -> float:
    return float(f"{float(value):.{DIGITS}g}")


def _last_of_each_class(labels: NDArray[np.uint8], count: int) -> NDArray[np.bool_]:
    """Which of the labels [n] are among the last `count` of their class."""
    chosen = np.zeros(len(labels), dtype=bool)
    for label in range(len(CLASSES)):
        chosen[np.flatnonzero(labels == label)[-count:]] = True
    return chosen
