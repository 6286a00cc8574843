"""Statements about training with batch norm (report E): experiments with small networks on drawn images."""

import math
from functools import cache, partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.lib.statements import Result
from stages.tasks.concepts.synthetic_images import CLASSES, SIDE, Setting, accuracies, draw_images, train

RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
STEPS, BATCH = 80, 16
#: A network has learned where its loss, as a mean over so many steps, is half of what guessing gives.
LEVEL, WINDOW = math.log(CLASSES) / 2, 5
NAMES = {True: "with", False: "without"}


class Sweep(NamedTuple):
    """One network for each of `RATES`: accuracy on unseen images, steps to the level, loss at the end."""

    accuracies: list[float]
    steps: list[int]
    final_losses: list[float]

    @property
    def largest_rate(self) -> float:
        """The largest rate with which a network has learned in the end; the smallest tried stands for none."""
        rates = [rate for rate, loss in zip(RATES, self.final_losses, strict=True) if loss < LEVEL]
        return max(rates, default=RATES[0])


@cache
def sweep(seed: int, batch_norm: bool) -> Sweep:
    settings = [Setting(lr) for lr in RATES]
    networks, losses = train(settings, batch_norm, partial(draw_images, BATCH), STEPS, seed)
    final = losses[-WINDOW:].mean(0).tolist()
    return Sweep(accuracies(networks, seed), [steps_to_level(curve) for curve in losses.T], final)


def steps_to_level(losses: Tensor) -> int:
    """Steps until the mean of the last `WINDOW` losses is below `LEVEL`; one more than there are if it never is."""
    below = losses.unfold(0, WINDOW, 1).mean(1) < LEVEL
    return int(below.nonzero()[0]) + WINDOW if below.any() else len(losses) + 1


def learning_rates(seed: int) -> Result:
    """A higher learning rate with batch norm, and harm at tiny batches (report E, E-theory-bn-lr).

    The report says that batch norm allows a higher rate, and that with too few images a batch it may have side
    effects. Rates: the largest at which the small CNN has learned after 80 steps of 16 drawn images. Side effects, a
    possibility, so one case is enough: a network of two hidden layers of 32 units, trained on two images at a time,
    320 steps at rate 0.003. Over two values batch norm's output is ±1, whatever the values were.
    """
    values: dict[str, float] = {}
    rows = []
    for batch_norm, name in NAMES.items():
        found = sweep(seed, batch_norm)
        rows += [(f"{name} batch norm", lr, value) for lr, value in zip(RATES, found.accuracies, strict=True)]
        values[f"largest_rate_{name}"] = found.largest_rate
        values[f"best_accuracy_{name}"] = max(found.accuracies)
        values[f"batch_2_accuracy_{name}"] = tiny_batch_accuracy(seed, batch_norm)
    values["log10_largest_rate_with_over_without"] = math.log10(
        values["largest_rate_with"] / values["largest_rate_without"]
    )
    values["batch_2_accuracy_with_minus_without"] = values["batch_2_accuracy_with"] - values["batch_2_accuracy_without"]
    torch.manual_seed(seed)
    of_two = nn.BatchNorm1d(32).double()(torch.randn(2, 32, dtype=torch.float64) * 1000)
    values["batch_2_largest_difference_from_1"] = (of_two.abs() - 1).abs().max().item()
    return Result(values, ("series", "x", "y"), rows)


def tiny_batch_accuracy(seed: int, batch_norm: bool, steps: int = 320) -> float:
    """Share of 400 unseen images named after training on two at a time."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    modules: list[nn.Module] = [nn.Flatten()]
    for inputs in (SIDE * SIDE, 32):
        modules.append(nn.Linear(inputs, 32))
        if batch_norm:
            modules.append(nn.BatchNorm1d(32))
        modules.append(nn.ReLU())
    network = nn.Sequential(*modules, nn.Linear(32, CLASSES))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.003, momentum=0.9)
    for _ in range(steps):
        images, labels = draw_images(2, generator)
        optimizer.zero_grad()
        F.cross_entropy(network(images), labels).backward()
        optimizer.step()
    network.eval()
    images, labels = draw_images(400, torch.Generator().manual_seed(seed + 1000))
    with torch.no_grad():
        return (network(images).argmax(1) == labels).double().mean().item()


def convergence(seed: int) -> Result:
    """Batch norm converges faster, allows a higher rate, needs less regularization (report E, E-bn-faster).

    The sweep of `learning_rates`: natural logarithm of the steps to half the loss of guessing, each network at its own
    best rate, and both at 0.03; never reached counts as one step more than there were, a lower bound. Regularization:
    what dropout of 0.5 and L2 of 0.01 each add to the accuracy on unseen images after training on only 24.
    """
    values: dict[str, float] = {}
    rows = []
    common = RATES.index(0.03)
    for batch_norm, name in NAMES.items():
        found = sweep(seed, batch_norm)
        rows += [(f"{name} batch norm", lr, steps) for lr, steps in zip(RATES, found.steps, strict=True)]
        values[f"log_steps_{name}"] = math.log(min(found.steps))
        values[f"log_steps_common_rate_{name}"] = math.log(found.steps[common])
        values[f"log10_largest_rate_{name}"] = math.log10(found.largest_rate)
        values[f"dropout_gain_{name}"], values[f"l2_gain_{name}"] = regularization_gains(seed, batch_norm)
    for quantity in ("log_steps", "log_steps_common_rate", "log10_largest_rate", "dropout_gain", "l2_gain"):
        values[f"{quantity}_with_minus_without"] = values[f"{quantity}_with"] - values[f"{quantity}_without"]
    return Result(values, ("series", "x", "y"), rows)


def regularization_gains(seed: int, batch_norm: bool) -> tuple[float, float]:
    """Accuracy on unseen images with dropout, and with L2, less that without any."""
    images, labels = draw_images(24, torch.Generator().manual_seed(seed + 500))

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(images), (BATCH,), generator=generator)
        return images[chosen], labels[chosen]

    settings = [Setting(0.03), Setting(0.03, dropout=0.5), Setting(0.03, weight_decay=0.01)]
    networks, _ = train(settings, batch_norm, draw, 200, seed)
    plain, dropout, l2 = accuracies(networks, seed)
    return dropout - plain, l2 - plain


def imbalance(seed: int) -> Result:
    """Batch norm on imbalanced data (report E, E-theory-imbalance).

    The report says that it may perform worse there, and make the imbalance more prominent. One experiment in which
    only batch norm and the training batches differ: one of four classes is as frequent as each of the others, 10 and
    100 times as frequent; accuracy on unseen images of which each class has a quarter; 150 steps of 16 at rate 0.03.
    """
    ratios = (1, 10, 100)
    values: dict[str, float] = {}
    rows = []

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        images, labels = zip(*(draw_images(BATCH, generator, [ratio, 1, 1, 1]) for ratio in ratios), strict=True)
        return torch.stack(images, 1), torch.stack(labels, 1)

    for batch_norm, name in NAMES.items():
        networks, _ = train([Setting(0.03)] * len(ratios), batch_norm, draw, 150, seed)
        for ratio, accuracy in zip(ratios, accuracies(networks, seed), strict=True):
            values[f"accuracy_{name}_ratio_{ratio}"] = accuracy
            rows.append((f"{name} batch norm", ratio, accuracy))
    for ratio in ratios:
        values[f"accuracy_with_minus_without_ratio_{ratio}"] = (
            values[f"accuracy_with_ratio_{ratio}"] - values[f"accuracy_without_ratio_{ratio}"]
        )
    return Result(values, ("series", "x", "y"), rows)
