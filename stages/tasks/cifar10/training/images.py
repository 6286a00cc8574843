"""CIFAR-10's classes, and a split of its images held in memory."""

from collections.abc import Sequence

import torch
from torch import Tensor

from stages.lib.task import Batch, Split

#: In the official order: a label is an index into this tuple.
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
#: Height and width of an image in pixels.
SIDE = 32


class Images(Split):
    """images: [n, 32, 32, 3] uint8 · labels: [n] uint8 · mean, std: of each channel over the training images, for
    pixel values from 0 to 1.
    """

    def __init__(self, images: Tensor, labels: Tensor, mean: Sequence[float], std: Sequence[float]) -> None:
        self.images, self.labels = images, labels.long()
        self.scale = 1 / (255 * torch.tensor(std))
        self.shift = -torch.tensor(mean) / torch.tensor(std)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def targets(self) -> list[int]:
        """Labels from 0 to 9."""
        return self.labels.tolist()

    def batch(self, index: Tensor) -> Batch:
        """Input: images [B, 3, 32, 32], each channel with mean 0 and variance 1 over the training images; target:
        labels [B].

        Images keep the file's memory layout, channels_last, in which convolutions are fastest.
        """
        images = torch.addcmul(self.shift, self.images[index].float(), self.scale)
        return Batch((images.permute(0, 3, 1, 2),), self.labels[index])
