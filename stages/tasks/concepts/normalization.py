"""Statements about batch normalization (Ioffe & Szegedy 2015)."""

import torch
from torch import nn

from stages.lib.statements import Result


def output_distribution(seed: int) -> Result:
    """Mean, variance, share within (−2, 2) and share above 0 of what batch norm puts out (E-theory-bn).

    The inputs are normally distributed, with another mean and scale in every channel; the shares are also taken for
    uniform and for exponentially distributed ones, because batch norm moves and scales a distribution and leaves its
    shape as it is.
    """
    torch.manual_seed(seed)
    shape = (64, 8, 28, 28)
    shift, scale = torch.randn(2, 1, 8, 1, 1) * 5
    drawn = {
        "normal": torch.randn(shape),
        "uniform": torch.rand(shape),
        "exponential": torch.distributions.Exponential(1.0).sample(shape),
    }
    norm = nn.BatchNorm2d(8, affine=False)
    outputs = {name: norm(values * (1 + scale.abs()) + shift) for name, values in drawn.items()}
    normal = outputs["normal"].double()
    inputs = drawn["normal"] * (1 + scale.abs()) + shift
    by_hand = (inputs - inputs.mean((0, 2, 3), keepdim=True)) / (
        inputs.var((0, 2, 3), unbiased=False, keepdim=True) + norm.eps
    ).sqrt()
    results = {
        "largest_absolute_mean": normal.mean((0, 2, 3)).abs().max().item(),
        "largest_difference_of_variance_from_1": (normal.var((0, 2, 3), unbiased=False) - 1).abs().max().item(),
        "difference_from_statistics_over_batch_height_width": (by_hand - normal).abs().max().item(),
    }
    for name, values in outputs.items():
        results[f"share_within_2_{name}"] = (values.abs() < 2).float().mean().item()
        results[f"share_above_0_{name}"] = (values > 0).float().mean().item()
    rows = []
    for name, values in outputs.items():
        density, edges = torch.histogram(values.flatten(), bins=60, range=(-4.0, 4.0), density=True)
        rows += [(name, x, y) for x, y in zip(((edges[:-1] + edges[1:]) / 2).tolist(), density.tolist(), strict=True)]
    return Result(results, ("series", "x", "y"), rows)
