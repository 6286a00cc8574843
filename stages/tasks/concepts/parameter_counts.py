"""Statements about how many inputs and weights there are: counted on tensors and modules that have them."""

import torch
from torch import Tensor, nn

from stages.lib.statements import Result
from stages.networks.layers.cells import GRUCell, LSTMCell


def count(module: nn.Module) -> int:
    """Learned parameters of a module."""
    return sum(parameter.numel() for parameter in module.parameters())


def receptive_fields(height: int, width: int, size: int) -> Tensor:
    """Which pixels each unit of a grid sees: [units, pixels], `size` × `size` around it, cut off at the border."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    near = [(axis.reshape(-1, 1) - axis.reshape(1, -1)).abs() <= (size - 1) // 2 for axis in (rows, columns)]
    return near[0] & near[1]


def hidden_layer(_seed: int) -> Result:
    """Weights from 32 × 32 × 3 inputs to as many hidden units (report A, A-theory-params).

    The report's 76,800 gives each unit 25 weights of its own, that is, a locally connected layer on one channel. Its
    heading is weight sharing; a convolution, which shares its weights, has far fewer.
    """
    inputs = torch.zeros(1, 3, 32, 32)
    units = inputs.numel()
    one_channel, all_channels = (nn.Unfold(5, padding=2)(part).shape[1] for part in (inputs[:, :1], inputs))
    return Result(
        {
            "fully_connected": count(nn.Linear(units, units, bias=False)),
            "locally_connected_5x5": units * one_channel,
            "locally_connected_5x5_without_padding": 3 * int(receptive_fields(32, 32, 5).sum()),
            "locally_connected_5x5_all_channels": units * all_channels,
            "convolution_5x5": count(nn.Conv2d(3, 3, 5, padding=2, bias=False)),
        }
    )


def image_inputs(_seed: int) -> Result:
    """Inputs of a network that reads a 1000 × 1000 RGB image (report B, B-theory-input)."""
    return Result({"inputs": nn.Flatten()(torch.zeros(1, 3, 1000, 1000)).shape[1]})


def gru_and_lstm(_seed: int) -> Result:
    """Gates and states of GRU and LSTM, and the ratio of their parameters at 16 widths (D-theory-gru).

    Report D says that a GRU has fewer gates and no memory beside its state; the ratio 3 : 4 is ours. Own cells and the
    framework's.
    """
    widths = [(inputs, hidden) for inputs in (1, 3, 50, 300) for hidden in (1, 8, 51, 512)]
    ratios = [
        count(gru(*width)) / count(lstm(*width))
        for width in widths
        for gru, lstm in ((GRUCell, LSTMCell), (nn.GRU, nn.LSTM))
    ]
    return Result(
        {
            # Blocks of weights but for the candidate's, which is no gate.
            "gru_gates": GRUCell.blocks - 1,
            "lstm_gates": LSTMCell.blocks - 1,
            "gru_states": GRUCell.state_tensors,
            "lstm_states": LSTMCell.state_tensors,
            "smallest_ratio": min(ratios),
            "largest_ratio": max(ratios),
        }
    )


def local_and_shared(_seed: int) -> Result:
    """Weights of ten units on 100 × 100 inputs, no bias: full, local, shared (report E, E-theory-params)."""
    image = torch.zeros(1, 1, 100, 100)
    units = 10
    # The first ten positions of a 10 × 10 window: each unit has its own weights for what it sees.
    windows = nn.Unfold(kernel_size=10, stride=10)(image)[:, :, :units]
    return Result(
        {
            "fully_connected": count(nn.Linear(image.numel(), units, bias=False)),
            "locally_connected_10x10": windows.numel(),
            "one_shared_10x10_kernel": count(nn.Conv2d(1, 1, 10, bias=False)),
        }
    )


def lstm_layer(_seed: int) -> Result:
    """Parameters of an LSTM of 150 units on 100 inputs (report E, E-theory-lstm-params).

    The report counts as Keras does, with one bias a gate; torch keeps two.
    """
    cell = LSTMCell(100, 150)
    return Result(
        {
            "one_bias_per_gate": count(cell) - cell.bias_hh.numel(),
            "two_biases_per_gate": count(nn.LSTM(100, 150)),
        }
    )


def batch_norm_layer(_seed: int) -> Result:
    """Learned parameters of batch norm for each feature map, γ and β, at several widths (report E, E-theory-bn-params).

    Beside them what is kept but not learned for each map: the running mean and the running variance.
    """
    layers = [nn.BatchNorm2d(maps) for maps in (1, 3, 64, 512)]
    learned = [count(layer) / layer.num_features for layer in layers]
    running = [(layer.running_mean.numel() + layer.running_var.numel()) / layer.num_features for layer in layers]
    return Result(
        {
            "fewest_parameters_per_map": min(learned),
            "most_parameters_per_map": max(learned),
            "running_statistics_per_map": max(running),
        }
    )
