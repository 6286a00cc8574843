"""Statements about how many inputs and weights there are: counted on tensors and modules that have them."""

import torch
from torch import Tensor, nn

from stages.networks.layers.cells import GRUCell, LSTMCell
from stages.tasks.concepts.finding import Finding


def weights(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def patches(height: int, width: int, size: int) -> Tensor:
    """Which pixels each unit of a grid sees: [units, pixels], a `size` × `size` patch apiece, cut at the border."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    near = [(axis.reshape(-1, 1) - axis.reshape(1, -1)).abs() <= (size - 1) // 2 for axis in (rows, columns)]
    return near[0] & near[1]


def own_weights_or_shared(seed: int) -> Finding:  # noqa: ARG001
    """32 × 32 × 3 inputs, as many hidden units: all connected, 5 × 5 each, or a 5 × 5 convolution (A-theory-params).

    The report's heading is weight sharing, and it says that 76,800 is what remains "after using convolution".
    """
    inputs = torch.zeros(1, 3, 32, 32)
    count = inputs.numel()
    window = nn.Unfold(kernel_size=5, padding=2)(inputs[:, :1])  # [1, values seen in one channel, positions]
    seen_in_one_channel, seen_in_all = window.shape[1], nn.Unfold(5, padding=2)(inputs).shape[1]
    return Finding(
        {
            "fully_connected": weights(nn.Linear(count, count, bias=False)),
            "five_by_five_each": count * seen_in_one_channel,
            "five_by_five_each_without_padding": 3 * int(patches(32, 32, 5).sum()),
            "five_by_five_colour_pixels_each": count * seen_in_all,
            "five_by_five_convolution": weights(nn.Conv2d(3, 3, 5, padding=2, bias=False)),
        }
    )


def local_and_shared(seed: int) -> Finding:  # noqa: ARG001
    """100 × 100 inputs, ten units without bias: full, a 10 × 10 patch each, one shared kernel (E-theory-params)."""
    image = torch.zeros(1, 1, 100, 100)
    units = 10
    # The first ten positions of a 10 × 10 window: each unit has its own weights for what it sees.
    own = nn.Unfold(kernel_size=10, stride=10)(image)[:, :, :units]
    return Finding(
        {
            "fully_connected": weights(nn.Linear(image.numel(), units, bias=False)),
            "own_patch_each": own.numel(),
            "one_shared_kernel": weights(nn.Conv2d(1, 1, 10, bias=False)),
        }
    )


def image_inputs(seed: int) -> Finding:  # noqa: ARG001
    """Inputs of a network that reads a 1000 × 1000 RGB image (B-theory-input)."""
    return Finding({"inputs": nn.Flatten()(torch.zeros(1, 3, 1000, 1000)).shape[1]})


def lstm_weights(seed: int) -> Finding:  # noqa: ARG001
    """150 units on 100 inputs (E-theory-lstm-params). torch keeps two bias vectors where the report's Keras has one."""
    cell = LSTMCell(100, 150)
    return Finding(
        {
            "one_bias_per_gate": weights(cell) - cell.bias_hh.numel(),
            "two_biases_per_gate_as_in_torch": weights(nn.LSTM(100, 150)),
        }
    )


def gru_to_lstm(seed: int) -> Finding:  # noqa: ARG001
    """Weights of a GRU over those of an LSTM, own cells and the framework's, at many widths (D-theory-gru)."""
    widths = [(inputs, hidden) for inputs in (1, 3, 50, 300) for hidden in (1, 8, 51, 512)]
    ratios = [
        weights(gru(*width)) / weights(lstm(*width))
        for width in widths
        for gru, lstm in ((GRUCell, LSTMCell), (nn.GRU, nn.LSTM))
    ]
    return Finding({"lowest_ratio": min(ratios), "highest_ratio": max(ratios)})
