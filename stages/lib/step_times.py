"""How long training steps take, side by side in one process."""

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn


def step_seconds(
    networks: Mapping[str, nn.Module], loss: Callable[[nn.Module], Tensor], repeats: int
) -> dict[str, float]:
    """Seconds of processor time of a training step (forward, backward, SGD) of each network: the median of `repeats`.

    Networks take turns, so that a processor that changes its pace changes it for all; the first turn, in which memory
    is allocated and kernels are chosen, does not count. Other programs on the machine add no time to the clock.
    """
    optimizers = {name: torch.optim.SGD(network.train().parameters(), lr=0.001) for name, network in networks.items()}
    taken: dict[str, list[float]] = {name: [] for name in networks}
    for turn in range(repeats + 1):
        for name, network in networks.items():
            started = time.process_time()
            optimizers[name].zero_grad()
            loss(network).backward()
            optimizers[name].step()
            if turn:
                taken[name].append(time.process_time() - started)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}
