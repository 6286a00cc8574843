"""Training steps with freed memory kept (stages/lib/memory.py) and given back to the system: `python -m
benchmarks.freed_memory`. Processor time on one thread, in turns; each measurement is a process of its own, as malloc's
settings last as long as it.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from stages.lib.memory import keep_freed_memory
from stages.networks.forecaster import Forecaster
from stages.networks.siamese_lstm import SiameseLSTM
from stages.networks.simple_cnn import SimpleCNN

ROUNDS, STEPS = 3, 6


def forecasting() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    """An LSTM of 51 units over 1,000 points, report C's."""
    points, known = torch.randn(98, 1000), torch.full((98,), 1000)
    return Forecaster("lstm", 51, dtype="float32"), lambda network: network(points, known).square().mean()


def similarity() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    """Two LSTMs of 512 units over 35 pairs of sentences, report A's."""
    vectors, lengths = torch.randn(70, 30, 50), torch.randint(4, 31, (70,))
    return SiameseLSTM(50, 512, towers="separate"), lambda network: network(vectors, lengths).square().mean()


def images() -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    """The simple CNN over 50 images."""
    batch = torch.randn(50, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    network = SimpleCNN(10, [32, 64, 128, 256, 512], 256).to(memory_format=torch.channels_last)
    return network, lambda network: network(batch).square().mean()


def seconds(make: Callable[[], tuple[nn.Module, Callable[[nn.Module], Tensor]]], keep: bool) -> float:
    """Processor time of a step, after two to warm up."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if keep:
        keep_freed_memory()
    network, loss = make()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001)
    start = 0.0
    for step in range(STEPS + 2):
        if step == 2:
            start = time.process_time()
        optimizer.zero_grad()
        loss(network).backward()
        optimizer.step()
    return (time.process_time() - start) / STEPS


def main() -> None:
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for make in (forecasting, similarity, images):
            rounds = [[pool.apply(seconds, (make, keep)) for keep in (False, True)] for _ in range(ROUNDS)]
            given_back, kept = map(statistics.median, zip(*rounds, strict=True))
            print(
                f"{make.__name__:12} given back {given_back:.3f} s, kept {kept:.3f} s: {given_back / kept:.2f} ×",
                flush=True,
            )


if __name__ == "__main__":
    main()
