"""Drawn images and small CNNs, for experiments with batch norm that need no data set."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE, CLASSES = 12, 4
MOMENTUM = 0.9


class Setting(NamedTuple):
    """How one network is trained: SGD with momentum 0.9; dropout falls on what the last layer reads."""

    lr: float
    weight_decay: float = 0.0
    dropout: float = 0.0


class ParallelCNN(nn.Module):
    """Small CNNs of one architecture and one initialization side by side, one for each setting.

    Three blocks of 3 × 3 convolution, batch norm or not, ReLU and 2 × 2 max pooling, then one linear layer. The n-th
    network is the n-th group of every convolution, so that one pass trains all of them and none acts on another.
    """

    def __init__(self, settings: Sequence[Setting], batch_norm: bool) -> None:
        super().__init__()
        count = len(settings)
        self.settings = settings
        modules: list[nn.Module] = []
        for before, after in ((1, 8), (8, 8), (8, 16)):
            modules.append(nn.Conv2d(count * before, count * after, 3, padding=1, groups=count))
            if batch_norm:
                modules.append(nn.BatchNorm2d(count * after))
            modules += [nn.ReLU(), nn.MaxPool2d(2)]
        self.features = nn.Sequential(*modules)
        # A linear layer for each group: the features are 1 × 1 by now.
        self.linear = nn.Conv2d(count * 16, count * CLASSES, 1, groups=count)
        with torch.no_grad():
            for parameter in self.parameters():
                first = parameter[: len(parameter) // count]
                parameter.copy_(first.repeat(count, *[1] * (parameter.ndim - 1)))

    def forward(self, images: Tensor) -> Tensor:
        """Logits [B, networks, classes] for images [B, 12, 12] that all networks see, or [B, networks, 12, 12]."""
        if images.ndim == 3:
            images = images.unsqueeze(1).expand(-1, len(self.settings), -1, -1)
        features = self.features(images)
        if self.training and any(setting.dropout for setting in self.settings):
            kept = 1 - self._by_row([setting.dropout for setting in self.settings], features[0])
            features = features * torch.bernoulli(kept.expand_as(features)) / kept
        return self.linear(features).view(len(images), len(self.settings), CLASSES)

    def scale_gradients(self) -> None:
        """Add each network's weight decay to its gradients, and multiply them by its learning rate."""
        rates = [setting.lr for setting in self.settings]
        decays = [setting.weight_decay for setting in self.settings]
        for parameter in self.parameters():
            parameter.grad.add_(self._by_row(decays, parameter) * parameter.detach())
            parameter.grad.mul_(self._by_row(rates, parameter))

    def _by_row(self, values: Sequence[float], like: Tensor) -> Tensor:
        """One value a network, repeated for the rows that the network has in a tensor."""
        rows = torch.tensor(values).repeat_interleave(len(like) // len(values))
        return rows.view(-1, *[1] * (like.ndim - 1))


def draw_images(count: int, generator: torch.Generator, shares: Sequence[float] | None = None) -> tuple[Tensor, Tensor]:
    """Images [count, 12, 12] and classes [count]: stripes of four directions in noise.

    shares: how often each class is drawn, relative to the others; equally often by default.
    """
    weights = torch.ones(CLASSES) if shares is None else torch.tensor(shares, dtype=torch.float32)
    labels = torch.multinomial(weights, count, replacement=True, generator=generator)
    y, x = torch.meshgrid(torch.arange(float(SIDE)), torch.arange(float(SIDE)), indexing="ij")
    along = torch.stack([x, y, (x + y) / math.sqrt(2), (x - y) / math.sqrt(2)])[labels]
    phase, frequency = torch.rand(2, count, 1, 1, generator=generator)
    stripes = torch.sin(along * (0.6 + frequency) + 2 * math.pi * phase)
    return stripes + 0.5 * torch.randn(count, SIDE, SIDE, generator=generator), labels


def train(
    settings: Sequence[Setting],
    batch_norm: bool,
    draw: Callable[[torch.Generator], tuple[Tensor, Tensor]],
    steps: int,
    seed: int,
) -> tuple[ParallelCNN, Tensor]:
    """The trained networks, and each one's loss at every step [steps, networks].

    draw: a batch of images (see `ParallelCNN.forward`) and classes [B] or [B, networks].
    """
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    networks = ParallelCNN(settings, batch_norm)
    # The rate is already in the gradients; with a constant one, momentum makes no difference of the order.
    optimizer = torch.optim.SGD(networks.parameters(), lr=1.0, momentum=MOMENTUM)
    losses = []
    for _ in range(steps):
        images, labels = draw(generator)
        logits = networks(images)
        if labels.ndim == 1:
            labels = labels.unsqueeze(1).expand(-1, len(settings))
        loss = F.cross_entropy(logits.transpose(1, 2), labels, reduction="none").mean(0)
        optimizer.zero_grad()
        loss.sum().backward()
        networks.scale_gradients()
        optimizer.step()
        losses.append(loss.detach())
    return networks, torch.stack(losses)


def accuracies(networks: ParallelCNN, seed: int) -> list[float]:
    """Each network's share of 400 unseen images, equally many of each class on average, that it names."""
    images, labels = draw_images(400, torch.Generator().manual_seed(seed + 1000))
    networks.eval()
    with torch.no_grad():
        named = networks(images).argmax(2) == labels.unsqueeze(1)
    return named.double().mean(0).tolist()
