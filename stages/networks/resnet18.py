"""ResNet-18 for 32×32 images: He et al. 2016 with a 3×3 stem and no stem pooling, as reports A and B describe it."""

import torch
from torch import Tensor, nn

#: Channels of the four stages, which have two basic blocks each.
STAGES = (64, 128, 256, 512)


def conv_bn(channels: int, width: int, kernel_size: int, stride: int = 1) -> nn.Sequential:
    """A padded convolution without bias, then batch norm: [B, channels, H, W] → [B, width, H/stride, W/stride]."""
    convolution = nn.Conv2d(channels, width, kernel_size, stride=stride, padding=kernel_size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width))


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut: the identity where shapes agree, else a 1×1 projection."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = conv_bn(channels, width, 3, stride)
        self.second = conv_bn(width, width, 3)
        same_shape = stride == 1 and channels == width
        self.shortcut = nn.Identity() if same_shape else conv_bn(channels, width, 1, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """[B, channels, H, W] → [B, width, H/stride, W/stride]."""
        residual = self.second(torch.relu_(self.first(maps)))
        return torch.relu_(residual + self.shortcut(maps))


class ResNet18(nn.Module):
    """Stem, four stages, global average pool, one linear layer; weights drawn as in He et al. 2015."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = conv_bn(3, STAGES[0], 3)
        self.stages = nn.Sequential()
        channels = STAGES[0]
        for stage, width in enumerate(STAGES):
            for block in range(2):
                self.stages.append(BasicBlock(channels, width, stride=2 if stage and not block else 1))
                channels = width
        self.head = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, 32, 32] → logits [B, classes]."""
        maps = self.stages(torch.relu_(self.stem(images)))
        return self.head(maps.mean((2, 3)))
