"""Time of a training step over 1,000 points with this project's cells (stages/networks/layers/cells.py), with torch's
cell called once a step, and with torch's fused recurrence: `python -m benchmarks.cells`.

98 sequences, 51 units, forward and backward, processor seconds on one thread. On a machine shared with other work (two
cores, AMX), the LSTM took 1.2 s with these cells, 1.1 s with torch.nn.LSTMCell and 0.63 s fused.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from stages.networks.layers.cells import Recurrent

BATCH, POINTS, UNITS = 98, 999, 51


def seconds(step: Callable[[], Tensor], repeats: int = 3) -> float:
    """Processor seconds of one forward and backward pass, the best of `repeats`."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        step().square().mean().backward()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    points = torch.randn(POINTS, BATCH, 1)
    print("cell  own    a call a step  fused")
    for name, cell, fused in (
        ("rnn", nn.RNNCell, nn.RNN),
        ("lstm", nn.LSTMCell, nn.LSTM),
        ("gru", nn.GRUCell, nn.GRU),
    ):
        own, single, whole = Recurrent(name, 1, UNITS), cell(1, UNITS), fused(1, UNITS)

        def stepwise(single: nn.Module = single) -> Tensor:
            state, outputs = None, []
            for point in points:
                state = single(point, state)
                outputs.append(state[0] if isinstance(state, tuple) else state)
            return torch.stack(outputs)

        times = (
            seconds(lambda own=own: own(points.transpose(0, 1))[0]),
            seconds(stepwise),
            seconds(lambda whole=whole: whole(points)[0]),
        )
        print(f"{name:5} {times[0]:.3f}  {times[1]:.3f}          {times[2]:.3f}", flush=True)


if __name__ == "__main__":
    main()
