"""A CNN that learns CIFAR-10 in few epochs, after airbench94 (Jordan 2024, "94% on CIFAR-10 in 3.29 seconds").

Taken from there: a fixed first layer that whitens 2×2 patches, three groups of two convolutions, batch norms without a
scale whose shifts learn 64 times as fast as the weights, identity initialization, and scaled-down logits. Left out: the
optimizer's look-ahead, and the short running averages of batch norm that go with it.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, max_pool2d
from torch.nn.utils.parametrize import register_parametrization

#: Side of the whitened patches, and what is added to the variances of their principal components.
PATCH, EPSILON = 2, 5e-4
#: Scaling a parameter by 8 multiplies its effective learning rate by 64.
SHIFT_SCALE = 8
#: The logits are divided by this.
LOGIT_DIVISOR = 9


class _Scaled(nn.Module):
    """A parametrization: SHIFT_SCALE times the stored parameter."""

    def forward(self, parameter: Tensor) -> Tensor:
        return SHIFT_SCALE * parameter


class Group(nn.Module):
    """[B, channels, H, W] → [B, width, H/2, W/2]; pooling comes first, so that most work is on the small map."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(2))
        for norm in self.norms:
            norm.weight.requires_grad_(False)
            register_parametrization(norm, "bias", _Scaled())
        for layer in (self.first, self.second):
            nn.init.dirac_(layer.weight[: layer.in_channels])

    def forward(self, maps: Tensor) -> Tensor:
        maps = gelu(self.norms[0](max_pool2d(self.first(maps), 2)))
        return gelu(self.norms[1](self.second(maps)))


class FastCNN(nn.Module):
    """widths: output channels of the groups · patch_covariance: [12, 12] of 2×2 patches of the normalized training
    images, entries in the order channel, row, column.
    """

    def __init__(self, classes: int, widths: Sequence[int], patch_covariance: Sequence[Sequence[float]]) -> None:
        super().__init__()
        filters = whitening(torch.tensor(patch_covariance, dtype=torch.float64))
        self.whiten = nn.Conv2d(3, len(filters), PATCH)
        self.whiten.weight.data = filters.float()
        self.whiten.weight.requires_grad_(False)
        nn.init.zeros_(self.whiten.bias)
        pairs = zip((len(filters), *widths), widths, strict=False)
        self.groups = nn.Sequential(*(Group(channels, width) for channels, width in pairs))
        self.head = nn.Linear(widths[-1], classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, 32, 32] → logits [B, classes]."""
        maps = self.groups(gelu(self.whiten(images)))
        return self.head(maps.amax((2, 3))) / LOGIT_DIVISOR


def whitening(covariance: Tensor) -> Tensor:
    """Filters [24, 3, 2, 2]: twelve whose outputs are uncorrelated with variance 1 over the patches, and their
    negatives.
    """
    variances, directions = torch.linalg.eigh(covariance)
    filters = (directions / (variances + EPSILON).sqrt()).T.flip(0).reshape(-1, 3, PATCH, PATCH)
    return torch.cat([filters, -filters])
