"""Waves with a starting point for the forecast, and how late a forecast comes."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from stages.lib.task import Batch, Split

#: Largest lag that is looked for, in points; half a period is 63.
LARGEST_LAG = 60


class Wave(NamedTuple):
    """A sequence of `points`, of which the first `start` are known and the others are to be forecast."""

    start: int
    points: list[float]


class Waves(Split):
    """Sequences `points` [n, T], each once for every entry of `starts`, the number of points that are known.

    observed [n, T]: what is read in place of the known points; by default the points themselves.
    """

    def __init__(self, points: Tensor, starts: Sequence[int], observed: Tensor | None = None) -> None:
        self.points = points.repeat(len(starts), 1)
        self.observed = self.points if observed is None else observed.repeat(len(starts), 1)
        self.start = torch.tensor(starts).repeat_interleave(len(points))

    def __len__(self) -> int:
        return len(self.points)

    @property
    def targets(self) -> list[Wave]:
        return [Wave(*pair) for pair in zip(self.start.tolist(), self.points.tolist(), strict=True)]

    def batch(self, index: Tensor) -> Batch:
        """Inputs: points [B, T] and how many of them are known [B]; target: points 1 to T − 1 [B, T − 1]."""
        return Batch((self.observed[index], self.start[index]), self.points[index, 1:])

    def eval_batches(self, size: int) -> Iterator[Tensor]:
        """Sequences with the same start share a batch, since known points take one pass and forecasts a step each."""
        for start in self.start.unique():
            yield from (self.start == start).nonzero()[:, 0].split(size)


def lag(forecast: Tensor, real: Tensor) -> int:
    """The shift in points, up to LARGEST_LAG either way, at which a forecast [T] has the lowest mean squared error;
    positive where the forecast is late.
    """

    def error(shift: int) -> float:
        late, early = max(shift, 0), max(-shift, 0)
        return (forecast[late : len(real) - early] - real[early : len(real) - late]).square().mean().item()

    largest = min(LARGEST_LAG, len(real) // 4)
    return min(range(-largest, largest + 1), key=lambda shift: (error(shift), abs(shift)))
