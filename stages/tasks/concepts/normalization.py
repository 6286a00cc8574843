"""Statements about batch normalization (Ioffe & Szegedy 2015)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.tasks.concepts.finding import Finding

LEARNING_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
STEPS, BATCH = 32, 32
#: Two images at a time, at rates that suit such steps.
TINY_RATES, TINY_STEPS, TINY_BATCH = (0.003, 0.01), 100, 2
#: A network has learned where it names at least this share of unseen images; guessing gives 0.25.
LEARNED = 0.9


def output_distribution(seed: int) -> Finding:
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
    scores = {
        "largest_mean": normal.mean((0, 2, 3)).abs().max().item(),
        "largest_variance_error": (normal.var((0, 2, 3), unbiased=False) - 1).abs().max().item(),
        "difference_from_batch_height_width": (by_hand - normal).abs().max().item(),
    }
    for name, values in outputs.items():
        scores[f"share_within_2_{name}"] = (values.abs() < 2).float().mean().item()
        scores[f"share_above_0_{name}"] = (values > 0).float().mean().item()
    rows = []
    for name, values in outputs.items():
        density, edges = torch.histogram(values.flatten(), bins=60, range=(-4.0, 4.0), density=True)
        rows += [(name, x, y) for x, y in zip(((edges[:-1] + edges[1:]) / 2).tolist(), density.tolist(), strict=True)]
    return Finding(scores, ("series", "x", "y"), rows)


def learning_rates(seed: int) -> Finding:
    """Test accuracy of a small CNN against learning rate, with and without batch norm (E-theory-bn-lr).

    Images are drawn here (see `images`), so that the check needs no data set. SGD with momentum 0.9; for the batch of
    two, the better of two rates counts.
    """
    rows, scores = [], {}
    for name in ("with", "without"):
        found = {lr: accuracy(seed, name == "with", lr, BATCH, STEPS) for lr in LEARNING_RATES}
        rows += [(f"{name} batch norm", lr, value) for lr, value in found.items()]
        scores[f"best_accuracy_{name}"] = max(found.values())
        scores[f"largest_rate_{name}"] = max((lr for lr in found if found[lr] >= LEARNED), default=0.0)
        scores[f"tiny_batch_accuracy_{name}"] = max(
            accuracy(seed, name == "with", lr, TINY_BATCH, TINY_STEPS) for lr in TINY_RATES
        )
    scores["largest_rate_gain"] = scores["largest_rate_with"] - scores["largest_rate_without"]
    scores["tiny_batch_gain"] = scores["tiny_batch_accuracy_with"] - scores["tiny_batch_accuracy_without"]
    return Finding(scores, ("series", "x", "y"), rows)


def images(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Drawn images [count, 1, 16, 16] and classes [count]: stripes of four directions in noise."""
    labels = torch.randint(4, (count,), generator=generator)
    y, x = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
    along = torch.stack([x, y, (x + y) / math.sqrt(2), (x - y) / math.sqrt(2)])[labels]
    phase, width = torch.rand(2, count, 1, 1, generator=generator)
    stripes = torch.sin(along * (0.6 + width) + 2 * math.pi * phase)
    return (stripes + 0.8 * torch.randn(count, 16, 16, generator=generator)).unsqueeze(1), labels


def simple_cnn(batch_norm: bool) -> nn.Sequential:
    """Three blocks of 3 × 3 convolution, batch norm or not, ReLU and 2 × 2 max pooling, then one linear layer."""
    modules: list[nn.Module] = []
    for before, after in ((1, 8), (8, 16), (16, 16)):
        modules.append(nn.Conv2d(before, after, 3, padding=1))
        if batch_norm:
            modules.append(nn.BatchNorm2d(after))
        modules += [nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*modules, nn.Flatten(), nn.Linear(16 * 2 * 2, 4))


def accuracy(seed: int, batch_norm: bool, lr: float, batch_size: int, steps: int) -> float:
    """Share of 400 unseen images that the trained network names; one that diverged scores as it does."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = simple_cnn(batch_norm)
    optimizer = torch.optim.SGD(network.parameters(), lr=lr, momentum=0.9)
    for _ in range(steps):
        inputs, labels = images(batch_size, generator)
        optimizer.zero_grad()
        F.cross_entropy(network(inputs), labels).backward()
        optimizer.step()
    network.eval()
    inputs, labels = images(400, torch.Generator().manual_seed(seed + 1000))
    with torch.no_grad():
        return (network(inputs).argmax(1) == labels).float().mean().item()
