"""Statements that need no training: a function computes each from a seed and, where it counts data, a data folder.

A task's module `statements` has `STATEMENTS` by id, `DATA` (what the results page calls their data) and `FROM_DATA`
(whether they depend on the profile's data, so that those of the sample are no results).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Result:
    """Numbers by name, and the rows behind a figure where there is one."""

    values: dict[str, float]
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[Any, ...]] = ()


class Statement(NamedTuple):
    """`compute(seed, data)` is called with each seed from 0 up to `seeds`; what draws nothing at random has one.

    data: the folder of the task's prepared data · timed: whether the values are times, which no second run repeats.
    """

    compute: Callable[[int, Path], Result]
    seeds: int = 1
    timed: bool = False
