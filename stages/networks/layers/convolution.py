"""The convolution blocks that the simple CNN and its FPN-style variant share (report A)."""

from collections.abc import Sequence

from torch import nn

#: Blocks that take a side of 32 pixels down to 1.
BLOCKS = 5


class ConvBlock(nn.Sequential):
    """3×3 convolution, batch norm or none, ReLU, 2×2 max pooling: [B, C, H, W] → [B, width, H/2, W/2]."""

    def __init__(self, channels: int, width: int, normalization: str) -> None:
        # Batch norm subtracts the mean, and with it any bias of the convolution.
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, padding=1, bias=normalization == "none")]
        if normalization == "batch":
            layers.append(nn.BatchNorm2d(width))
        super().__init__(*layers, nn.ReLU(inplace=True), nn.MaxPool2d(2))


def conv_blocks(widths: Sequence[int], normalization: str) -> nn.ModuleList:
    """Five blocks of these output channels; the first reads RGB. Raises ValueError for another number of widths."""
    if len(widths) != BLOCKS:
        raise ValueError(f"{BLOCKS} widths are needed, one per block; got {len(widths)}")
    return nn.ModuleList(
        ConvBlock(channels, width, normalization) for channels, width in zip((3, *widths), widths, strict=False)
    )
