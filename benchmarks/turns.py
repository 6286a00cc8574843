"""Alternatives timed side by side: they take turns, so that other load on the machine hits all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from torch import Tensor
from torch.optim import Optimizer

from stages.lib.errors import InputError
from stages.lib.files import ROOT
from stages.lib.task import Batch


def prepared(task: str, profile: str | None = None) -> Path:
    """The prepared data of a task: of one profile, or the real data where there are any, else the sample."""
    for candidate in (profile,) if profile else ("full", "sample"):
        if (folder := ROOT / "data" / candidate / task).is_dir():
            return folder
    raise InputError(f"data of {task} are not prepared; `dvc repro preprocess@{task}` prepares the sample")


def trainer(loss: Callable[[Batch], Tensor], optimizer: Optimizer, batches: Sequence[Batch]) -> Callable[[], None]:
    """A function that takes one training step a batch."""

    def work() -> None:
        for batch in batches:
            optimizer.zero_grad()
            loss(batch).backward()
            optimizer.step()

    return work


def take_turns(works: Mapping[str, Callable[[], None]], count: int, unit: str, rounds: int) -> dict[str, float]:
    """Call each of `works` once to warm up, then once a round; prints and returns the median of `count` per second."""
    speeds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            speeds[name].append(count / (time.perf_counter() - start))
    medians = {name: statistics.median(measured[1:]) for name, measured in speeds.items()}
    for name, median in medians.items():
        print(f"{name:9} median {median:8.2f} {unit}/s  best {max(speeds[name][1:]):8.2f}")
    return medians
