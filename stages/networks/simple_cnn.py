"""The simple CNN of reports A and B: five convolution blocks, 32 → 16 → 8 → 4 → 2 → 1, then fully connected layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from stages.networks.layers.convolution import conv_blocks


class SimpleCNN(nn.Module):
    """widths: output channels of the five blocks · hidden_size: units of the hidden fully connected layer ·
    normalization: "batch" (batch norm after every convolution) or "none".
    """

    def __init__(self, classes: int, widths: Sequence[int], hidden_size: int, normalization: str = "batch") -> None:
        super().__init__()
        self.blocks = conv_blocks(widths, normalization)
        self.head = nn.Sequential(
            nn.Linear(widths[-1], hidden_size),
            nn.ReLU(inplace=True),
            # Keeps the last layer's name in weights files, head.3.
            nn.Identity(),
            nn.Linear(hidden_size, classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, 32, 32] → logits [B, classes]."""
        maps = images
        for block in self.blocks:
            maps = block(maps)
        return self.head(torch.flatten(maps, 1))
