"""What a concept check returns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True)
class Finding:
    """Numbers by name, and the rows behind a figure where there is one."""

    scores: dict[str, float]
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[Any, ...]] = ()


class Check(NamedTuple):
    """`find(seed)` is called with each seed from 0 up to `seeds`."""

    find: Callable[[int], Finding]
    seeds: int = 1
