"""The training loop on a problem small enough to work out by hand: one linear layer, least squares."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from stages.lib.config_model import Strict
from stages.lib.config_run import Run
from stages.lib.errors import InputError
from stages.lib.task import Batch, Split, Task
from stages.train.loop import Trained, train_seed
from stages.train.optimizers import learning_rate_factor
from stages.train.settings import Settings

STEPS = 5


class Rows(Split):
    """Features [n, d] and values [n]; remembers which examples were asked for."""

    def __init__(self, features: Tensor, values: Tensor) -> None:
        self.features, self.values = features, values
        self.batches: list[list[int]] = []

    def __len__(self) -> int:
        return len(self.values)

    @property
    def targets(self) -> list[float]:
        return self.values.tolist()

    def batch(self, index: Tensor) -> Batch:
        self.batches.append(index.tolist())
        return Batch((self.features[index],), self.values[index])


class LeastSquares(Task):
    """`script` gives the values of the validation metric, one after another; `validated` keeps the weights of each."""

    monitor = ("gain", True)

    def __init__(self, script: Sequence[float] = (), gain_is_better: bool = True) -> None:
        self.script = list(script)
        self.monitor = ("gain", gain_is_better)
        self.validated: list[dict[str, Tensor]] = []

    def load(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], options: Any) -> dict[str, Split]:
        raise NotImplementedError

    def build(self, model: str, network: Any, metadata: Mapping[str, Any]) -> nn.Module:
        raise NotImplementedError

    def training_step(self, network: nn.Module, batch: Batch, options: Any) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        residual = network(*batch.inputs).squeeze(1) - batch.target
        return (residual**2).mean(), {"largest": residual.detach().abs().max()}

    def predict(self, network: nn.Module, batch: Batch) -> list[float]:
        self.validated.append({name: tensor.clone() for name, tensor in network.module.state_dict().items()})
        return network(*batch.inputs).squeeze(1).tolist()

    def curve_metrics(self, predictions: Sequence[float], targets: Sequence[float]) -> dict[str, float]:  # noqa: ARG002
        return {"gain": self.script[len(self.validated) - 1] if self.script else 0.0}


@dataclass(frozen=True, kw_only=True)
class LeastSquaresRun(Run):
    least_squares: Task

    @property
    def task(self) -> Task:
        return self.least_squares


@dataclass
class Problem:
    """A training of a linear layer, and what it started from."""

    trained: Trained
    task: LeastSquares
    data: Rows
    first: np.ndarray

    @property
    def design(self) -> np.ndarray:
        return np.column_stack([self.data.features.numpy(), np.ones(len(self.data))])

    @property
    def values(self) -> np.ndarray:
        return self.data.values.numpy()

    @property
    def solution(self) -> np.ndarray:
        return flat(self.trained.weights)


def flat(weights: Mapping[str, Tensor]) -> np.ndarray:
    return np.append(weights["weight"].numpy().ravel(), weights["bias"].numpy())


def solve(
    folder: Path,
    script: Sequence[float] = (),
    examples: int = 8,
    gain_is_better: bool = True,
    validation: bool = True,
    **changes: Any,
) -> Problem:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(examples, 3, generator=generator, dtype=torch.float64)
    data = Rows(features, torch.randn(examples, generator=generator, dtype=torch.float64))
    torch.manual_seed(0)
    network = nn.Linear(3, 1).double()
    first = flat({name: tensor.clone() for name, tensor in network.state_dict().items()})
    task = LeastSquares(script, gain_is_better)
    given = {"optimizer": "sgd", "lr": 0.1, "batch_size": 8, "steps": STEPS, "validate_every": 1} | changes
    settings = Settings.model_validate({key: value for key, value in given.items() if value is not None})
    run = LeastSquaresRun(
        "line", "g", "sample", "line", "linear", Strict(), Strict(), settings, (0,), least_squares=task
    )
    splits = {"train": data, "validation": Rows(features, data.values)} if validation else {"train": data}
    fabric = Fabric(accelerator="cpu", devices=1)
    trained = train_seed(run, 0, network, splits, fabric, folder / "checkpoint.pt", "fingerprint", 20.0)
    return Problem(trained, task, data, first)


def losses(problem: Problem) -> list[float]:
    return [row["train_loss"] for row in problem.trained.history[1:]]


@pytest.mark.parametrize(
    ("momentum", "dampening", "nesterov"), [(0, 0, False), (0.9, 0, False), (0.9, 0.9, False), (0.9, 0, True)]
)
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_gradient_descent_follows_its_formula(
    tmp_path: Path, momentum: float, dampening: float, nesterov: bool, weight_decay: float, clip_norm: float | None
) -> None:
    """v ← momentum · v + (1 − dampening) · g with g the clipped gradient + weight decay · w, v starting at the first g;
    w ← w − lr · v, or w − lr · (g + momentum · v) with Nesterov's momentum. The batch is the whole data.
    """
    problem = solve(
        tmp_path,
        momentum=momentum,
        dampening=dampening,
        nesterov=nesterov,
        weight_decay=weight_decay,
        clip_norm=clip_norm,
    )
    w, velocity, expected = problem.first, None, []
    for _ in range(STEPS):
        residual = problem.design @ w - problem.values
        expected.append((residual**2).mean())
        gradient = 2 * problem.design.T @ residual / len(residual)
        if clip_norm:
            gradient *= min(1, clip_norm / np.linalg.norm(gradient))
        gradient = gradient + weight_decay * w
        velocity = gradient if velocity is None else momentum * velocity + (1 - dampening) * gradient
        w = w - 0.1 * (gradient + momentum * velocity if nesterov else velocity)
    np.testing.assert_allclose(problem.solution, w, rtol=1e-5)
    np.testing.assert_allclose(losses(problem), expected, rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adam_follows_its_formula(tmp_path: Path, optimizer: str, decay: float) -> None:
    """Kingma and Ba 2015, algorithm 1; the decay is part of the gradient, or in AdamW of the step (Loshchilov 2019)."""
    problem = solve(tmp_path, optimizer=optimizer, weight_decay=decay)
    w, m, v = problem.first, np.zeros(4), np.zeros(4)
    for step in range(1, STEPS + 1):
        gradient = 2 * problem.design.T @ (problem.design @ w - problem.values) / len(problem.values)
        if optimizer == "adam":
            gradient = gradient + decay * w
        else:
            w = w - 0.1 * decay * w
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        w = w - 0.1 * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8)
    np.testing.assert_allclose(problem.solution, w, rtol=1e-6)


def test_lbfgs_reaches_the_least_squares_solution(tmp_path: Path) -> None:
    problem = solve(tmp_path, optimizer="lbfgs", lr=1.0)
    solution, *_ = np.linalg.lstsq(problem.design, problem.values, rcond=None)
    np.testing.assert_allclose(problem.solution, solution, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "make"),
    [
        ({"schedule": "constant"}, lambda optimizer: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)),
        (
            {"schedule": "staircase", "decay_rate": 0.7, "decay_steps": 4},
            lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, step_size=4, gamma=0.7),
        ),
        ({"schedule": "cosine"}, lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=23)),
    ],
)
def test_schedules_equal_torchs(tmp_path: Path, settings: dict[str, Any], make: Callable[[Any], Any]) -> None:
    problem = solve(tmp_path, steps=23, **settings)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler, rates = make(optimizer), []
    for _ in range(23):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert [row["lr"] for row in problem.trained.history[1:]] == pytest.approx(rates)


@pytest.mark.parametrize("pct_start", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("total", [40, 41, 1000])
def test_one_cycle_is_a_triangle(pct_start: float, total: int) -> None:
    """Straight from 0 before the first step to 1 at the peak, and straight to 0 after the last step."""
    given = {"optimizer": "sgd", "lr": 1, "batch_size": 1, "steps": total}
    settings = Settings(**given, schedule="one_cycle", pct_start=pct_start)
    found = [learning_rate_factor(settings, step, total) for step in range(total)]
    assert found == pytest.approx(np.interp(range(total), [-1, pct_start * total, total], [0, 1, 0]))
    assert min(found) > 0


@pytest.mark.parametrize("gain_is_better", [True, False])
def test_keep_best_ends_with_the_weights_of_the_best_validation(tmp_path: Path, gain_is_better: bool) -> None:
    # The first value is that of the untrained network, which is never chosen.
    sign = 1 if gain_is_better else -1
    script = [sign * value for value in (9.0, 1.0, 3.0, 2.0, 3.0, 2.5)]
    problem = solve(tmp_path, script, gain_is_better=gain_is_better, keep_best=True)
    assert np.array_equal(problem.solution, flat(problem.task.validated[2]))


def test_without_keep_best_the_last_weights_are_kept(tmp_path: Path) -> None:
    problem = solve(tmp_path, [0.0, 3.0, 2.0, 1.0], steps=3)
    assert np.array_equal(problem.solution, flat(problem.task.validated[-1]))


def test_every_example_is_seen_once_an_epoch_in_a_new_order(tmp_path: Path) -> None:
    problem = solve(tmp_path, examples=11, batch_size=3, steps=None, epochs=4)
    epochs = [[*itertools.chain(*problem.data.batches[first : first + 3])] for first in range(0, 12, 3)]
    # Eleven examples in batches of three leave two out, other ones each time.
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    history = problem.trained.history
    assert [(row["step"], row["epoch"]) for row in history] == [(0, 0), (3, 1), (6, 2), (9, 3), (12, 4)]


def test_a_row_of_the_history_averages_the_steps_since_the_last_one(tmp_path: Path) -> None:
    data = {"examples": 11, "batch_size": 3}
    by_epoch = solve(tmp_path / "epochs", **data, steps=None, epochs=2).trained.history
    by_step = solve(tmp_path / "steps", **data, steps=6, validate_every=3).trained.history
    assert [row["step"] for row in by_step] == list(range(7))
    assert [row["step"] for row in by_step if "validation_gain" in row] == [0, 3, 6]
    for column in ("train_loss", "train_largest"):
        steps = [row[column] for row in by_step[1:]]
        assert [row[column] for row in by_epoch[1:]] == pytest.approx([np.mean(steps[:3]), np.mean(steps[3:])])


def test_keep_best_is_refused_where_there_is_no_validation(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="line: keep_best needs a validation split"):
        solve(tmp_path, validation=False, keep_best=True)
    history = solve(tmp_path, validation=False).trained.history
    assert [set(row) & {"train_loss", "validation_gain"} for row in history] == [set(), *[{"train_loss"}] * STEPS]
