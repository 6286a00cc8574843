"""The simple CNN of reports A and B: five convolution blocks, 32 → 16 → 8 → 4 → 2 → 1, then fully connected layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

#: What the blocks leave of a side of 32 pixels.
BLOCKS = 5


class Block(nn.Sequential):
    """3×3 convolution, batch norm or not, ReLU, 2×2 max pooling: [B, C, H, W] → [B, width, H/2, W/2]."""

    def __init__(self, channels: int, width: int, normalization: str) -> None:
        # Batch norm subtracts the mean, and with it any bias that the convolution would add.
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=normalization == "none")]
        if normalization == "batch":
            layers.append(nn.BatchNorm2d(width))
        super().__init__(*layers, nn.ReLU(inplace=True), nn.MaxPool2d(2))


class SimpleCNN(nn.Module):
    """widths: channels of the five blocks · hidden_size: units of the hidden fully connected layer ·
    normalization: "batch" (after every convolution) or "none".
    """

    def __init__(
        self, classes: int, widths: Sequence[int], hidden_size: int, normalization: str = "batch", dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.blocks = blocks(widths, normalization)
        self.head = nn.Sequential(
            nn.Linear(widths[-1], hidden_size),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, 32, 32] → logits [B, classes]."""
        for block in self.blocks:
            images = block(images)
        return self.head(torch.flatten(images, 1))


def blocks(widths: Sequence[int], normalization: str) -> nn.ModuleList:
    """The five blocks, from three colour channels on."""
    if len(widths) != BLOCKS:
        raise ValueError(f"{BLOCKS} widths are needed, one a block; got {len(widths)}")
    return nn.ModuleList(
        Block(channels, width, normalization) for channels, width in zip((3, *widths), widths, strict=False)
    )
