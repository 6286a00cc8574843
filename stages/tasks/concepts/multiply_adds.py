"""Statements about the cost of a forward pass."""

from functools import cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet

from stages.lib.statements import Result

DEPTHS = (18, 34, 50, 101, 152)


@cache
def resnets(_seed: int) -> Result:
    """Multiply–adds of a 224 × 224 RGB image through each ResNet of the table (A-theory-flops, B-theory-flops).

    Reports A and B print the table of He et al. 2016, whose FLOPs count one multiplication and the addition that goes
    with it as one. Counted are convolutions and the linear layer, as in the paper; batch norm, ReLU, pooling and the
    additions of shortcuts are left out. The paper halves the resolution in the first 1 × 1 convolution of a
    bottleneck; torchvision halves it in the 3 × 3 one, which costs more: its counts stand beside the paper's.
    """
    values: dict[str, float] = {}
    for depth in DEPTHS:
        network = build(depth)
        values[f"multiply_adds_resnet{depth}_torchvision"] = multiply_adds(network)
        for module in network.modules():
            if isinstance(module, resnet.Bottleneck):
                module.conv1.stride, module.conv2.stride = module.conv2.stride, module.conv1.stride
        values[f"multiply_adds_resnet{depth}"] = multiply_adds(network)
        values[f"layers_resnet{depth}"] = weighted_layers(network)
    return Result(values)


def build(depth: int) -> nn.Module:
    """The ResNet of that depth as torchvision has it, for inference, without memory for its weights."""
    with torch.device("meta"):
        return getattr(resnet, f"resnet{depth}")(weights=None).eval()


def multiply_adds(network: nn.Module) -> int:
    """Of one forward pass on [1, 3, 224, 224]. Shapes are enough to count, so nothing is allocated or multiplied."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.empty(1, 3, 224, 224, device="meta"))
    return counter.get_total_flops() // 2  # the counter takes the multiplication and the addition as two


def weighted_layers(network: nn.Module) -> int:
    """Layers with weights from input to output, as in a ResNet's name: projections on shortcuts do not count."""
    return sum(
        isinstance(module, nn.Conv2d | nn.Linear) and "downsample" not in name
        for name, module in network.named_modules()
    )
