"""Report A's FPN-style CNN: the simple CNN's five feature maps, merged from the smallest up, with a head on each."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import interpolate

from stages.networks.layers.convolution import conv_blocks

#: Sides of the five maps of 32 × 32 pixels, from the first block to the last.
SIDES = (16, 8, 4, 2, 1)


class FPNCNN(nn.Module):
    """Feature pyramid as in Lin et al. 2017, read by five fully connected heads whose logits are summed before the
    softmax.

    Maps must have the same channels to be added; as in the paper, 1×1 lateral convolutions bring all of them to
    `pyramid_width`. A head reads its whole map, as report A has it. Reading the map's global average would make the
    pyramid vanish: upsampling keeps a map's mean, so the logits would be a linear function of the five maps' means.
    widths, normalization: as for `SimpleCNN`.
    """

    def __init__(self, classes: int, widths: Sequence[int], pyramid_width: int, normalization: str = "batch") -> None:
        super().__init__()
        self.blocks = conv_blocks(widths, normalization)
        self.laterals = nn.ModuleList(nn.Conv2d(width, pyramid_width, 1) for width in widths)
        self.heads = nn.ModuleList(nn.Linear(pyramid_width * side**2, classes) for side in SIDES)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, 32, 32] → logits [B, classes]."""
        return sum(head(level.flatten(1)) for head, level in zip(self.heads, self.pyramid(images), strict=True))

    def pyramid(self, images: Tensor) -> list[Tensor]:
        """Five maps with sides from 16 down to 1, each [B, pyramid_width, side, side]."""
        maps = []
        for block in self.blocks:
            images = block(images)
            maps.append(images)
        levels = [self.laterals[-1](maps[-1])]
        for lateral, level in zip(reversed(self.laterals[:-1]), reversed(maps[:-1]), strict=True):
            upsampled = interpolate(levels[-1], scale_factor=2, mode="bilinear", align_corners=False)
            levels.append(lateral(level) + upsampled)
        return levels[::-1]
