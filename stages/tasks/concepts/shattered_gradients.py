"""Statements about gradients in deep networks (Balduzzi et al. 2017)."""

import torch
from scipy.stats import linregress
from torch import Tensor, nn

from stages.lib.statements import Result

WIDTH, POINTS, LAG = 100, 256, 1
DEPTHS = (2, 4, 8, 16, 32, 64)


class Layer(nn.Module):
    """Batch norm, ReLU, linear; with a shortcut around all three or without."""

    def __init__(self, shortcut: bool) -> None:
        super().__init__()
        self.shortcut = shortcut
        self.norm = nn.BatchNorm1d(WIDTH, momentum=None)
        self.linear = nn.Linear(WIDTH, WIDTH, bias=False)
        nn.init.kaiming_normal_(self.linear.weight, nonlinearity="relu")

    def forward(self, values: Tensor) -> Tensor:
        after = self.linear(self.norm(values).relu())
        return values + after if self.shortcut else after


def gradient_correlations(seed: int) -> Result:
    """Correlation of input gradients against depth, with and without shortcuts (report A, A-theory-shattered).

    The report, after Balduzzi et al. 2017: batch norm keeps the size of gradients, but their correlation decays with
    depth, and a ResNet slows this. As there, an untrained network maps a number to a number through layers of 100
    units with batch norm and ReLU, over 256 points in [−2, 2]; the gradient of its output is a curve over them, and
    the correlation of neighbouring points is measured: 1 for a smooth gradient, 0 for white noise. By least squares,
    what each doubling of the depth from 2 to 64 adds to it. The size of the gradient is not kept: without shortcuts
    it grows by about a fifth a layer (Yang et al. 2019).
    """
    values: dict[str, float] = {}
    rows = []
    for name, shortcut in (("plain", False), ("residual", True)):
        sizes = {}
        for depth in DEPTHS:
            gradients = input_gradients(depth, shortcut, seed)
            values[f"correlation_{name}_{depth}"] = autocorrelation(gradients, LAG)
            rows.append((name, depth, values[f"correlation_{name}_{depth}"]))
            sizes[depth] = gradients.square().mean().sqrt().log10().item()
        correlations = [values[f"correlation_{name}_{depth}"] for depth in DEPTHS]
        values[f"correlation_per_doubling_{name}"] = linregress(range(1, len(DEPTHS) + 1), correlations).slope.item()
        values[f"log10_gradient_{name}_64_over_2"] = sizes[64] - sizes[2]
    values["correlation_residual_minus_plain_64"] = values["correlation_residual_64"] - values["correlation_plain_64"]
    values["correlation_per_doubling_residual_minus_plain"] = (
        values["correlation_per_doubling_residual"] - values["correlation_per_doubling_plain"]
    )
    return Result(values, ("series", "x", "y"), rows)


def build(depth: int, shortcut: bool, seed: int) -> nn.Module:
    """An untrained network from one number to one number, [points, 1] → [points, 1], in float64."""
    torch.manual_seed(seed)
    first = nn.Linear(1, WIDTH)
    nn.init.normal_(first.weight)
    nn.init.normal_(first.bias)
    last = nn.Linear(WIDTH, 1)
    return nn.Sequential(first, *(Layer(shortcut) for _ in range(depth)), last).double()


def input_gradients(depth: int, shortcut: bool, seed: int) -> Tensor:
    """Gradient [points] of an untrained network's output at each point of the grid with respect to that point."""
    network = build(depth, shortcut, seed)
    points = torch.linspace(-2, 2, POINTS, dtype=torch.float64).unsqueeze(1)
    with torch.no_grad():
        network(points)  # batch norm's statistics are those of the grid from here on, and no point acts on another
    network.eval()
    points.requires_grad_()
    network(points).sum().backward()
    return points.grad.squeeze(1)


def autocorrelation(series: Tensor, lag: int) -> float:
    """Of a series [points], about its mean."""
    centred = series - series.mean()
    return ((centred[lag:] * centred[:-lag]).sum() / centred.square().sum()).item()
