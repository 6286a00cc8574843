import time
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from stages.lib.step_times import step_seconds


class Clock:
    """A processor's clock that only moves when a network computes."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Costly(nn.Linear):
    """Each call takes the next of `costs`, in seconds."""

    def __init__(self, clock: Clock, costs: Iterator[float]) -> None:
        super().__init__(2, 1)
        self.clock, self.costs, self.calls = clock, costs, 0

    def forward(self, rows: Tensor) -> Tensor:
        self.clock.now += next(self.costs)
        self.calls += 1
        return super().forward(rows)


def test_the_median_of_all_turns_but_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(time, "process_time", clock)
    networks = {"a": Costly(clock, iter((90.0, 2.0, 50.0, 3.0))), "b": Costly(clock, iter((7.0, 1.0, 1.5, 1.0)))}
    before = {name: network.weight.clone() for name, network in networks.items()}
    rows = torch.ones(3, 2)
    taken = step_seconds(networks, lambda network: network(rows).square().mean(), repeats=3)
    assert taken == pytest.approx({"a": 3.0, "b": 1.0})
    for name, network in networks.items():
        assert network.calls == 4
        assert not torch.equal(network.weight, before[name])  # a whole step: the optimizer moves the weights
