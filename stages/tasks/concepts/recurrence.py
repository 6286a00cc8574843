"""Statements about recurrent cells."""

import itertools

import torch
from scipy.stats import linregress
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from stages.lib.statements import Result
from stages.networks.layers.cells import CELLS, LSTMCell, Recurrent, RNNCell

#: Steps between an input and the state whose gradient is taken.
FARTHEST, FAR = 100, 50
UNITS = 64
#: Names in figures and in values.
KEYS = {"RNN": "rnn", "LSTM": "lstm", "LSTM, forget bias 1": "lstm_forget_bias_1", "GRU": "gru"}


def cells_and_framework(seed: int) -> Result:
    """Largest difference between our cells and torch's in float32, relative to the largest value (C-theory-cells).

    Report C writes its cells by hand; that they compute what the framework's do is our own check.

    Outputs, and gradients with respect to the inputs and every weight; one to three layers, one and two directions,
    with and without a mask.
    """
    torch.manual_seed(seed)
    found = dict.fromkeys(("forward_difference", "backward_difference"), 0.0)
    framework = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
    for cell, layers, both, masked in itertools.product(CELLS, (1, 2, 3), (False, True), (False, True)):
        own = Recurrent(cell, 6, 8, layers, both)
        other = framework[cell](6, 8, layers, batch_first=True, bidirectional=both)
        pairs = {
            f"{name}_l{layer}{suffix}": parameter
            for layer, directions in enumerate(own.layers)
            for module, suffix in zip(directions, ("", "_reverse"), strict=False)
            for name, parameter in module.named_parameters()
        }
        other.load_state_dict({name: parameter.detach() for name, parameter in pairs.items()})
        lengths = torch.tensor([12, 5, 1, 9]) if masked else torch.full((4,), 12)
        first, second = (torch.linspace(-2, 2, 4 * 12 * 6).sin().view(4, 12, 6).requires_grad_() for _ in range(2))
        outputs, _ = own(first, lengths if masked else None)
        packed, _ = other(pack_padded_sequence(second, lengths, batch_first=True, enforce_sorted=False))
        wanted, _ = pad_packed_sequence(packed, batch_first=True)
        outputs.square().sum().backward()
        wanted.square().sum().backward()
        gradients = [(first.grad, second.grad)]
        gradients += [(pairs[name].grad, parameter.grad) for name, parameter in other.named_parameters()]
        found["forward_difference"] = max(found["forward_difference"], _relative_difference(outputs, wanted))
        found["backward_difference"] = max(
            found["backward_difference"], *(_relative_difference(*pair) for pair in gradients)
        )
    return Result(found)


def _relative_difference(first: Tensor, second: Tensor) -> float:
    return ((first - second).abs().max() / second.abs().max()).item()


def gradient_by_distance(seed: int) -> Result:
    """Norm of ∂h_T/∂x_{T−t} (all entries) against t for untrained cells of 64 units (D-theory-vanish).

    torch's initialization, and the LSTM also with its forget gate's bias raised by 1, as TensorFlow and Keras begin
    (Jozefowicz et al. 2015). Norms are relative to the one at distance 0. For the plain RNN the same gradient is also
    multiplied out, factor by factor: diag(tanh′) U for each step between.
    """
    norms = {}
    for name, key in KEYS.items():
        cell = key.removesuffix("_forget_bias_1")
        torch.manual_seed(seed)
        stack = Recurrent(cell, 8, UNITS).double()
        if cell != key:
            with torch.no_grad():
                stack.layers[0][0].bias_ih[UNITS : 2 * UNITS] += 1
        # One copy of the sequence for each unit of h_T, so that a single backward pass gives every unit's gradient.
        inputs = torch.randn(1, FARTHEST + 20, 8, dtype=torch.float64).repeat(UNITS, 1, 1).requires_grad_()
        outputs, _ = stack(inputs)
        outputs[:, -1].diagonal().sum().backward()
        jacobians = inputs.grad.movedim(1, 0).flip(0)  # [distance, unit, input]
        norms[name] = (jacobians.flatten(1).norm(dim=1) / jacobians[0].norm())[: FARTHEST + 1]
        if cell == "rnn":
            difference = product_difference(stack.layers[0][0], outputs[0].detach(), jacobians)
    values = {"rnn_difference_from_product": difference}
    for name, key in KEYS.items():
        log_norms = norms[name].log10()
        values[f"{key}_gradient_at_50"] = norms[name][FAR].item()
        values[f"{key}_log10_gradient_per_step"] = linregress(range(1, FAR + 1), log_norms[1 : FAR + 1]).slope.item()
        if key != "rnn":
            values[f"log10_{key}_over_rnn_at_50"] = (log_norms[FAR] - norms["RNN"][FAR].log10()).item()
    rows = [(name, distance, value) for name, series in norms.items() for distance, value in enumerate(series.tolist())]
    return Result(values, ("series", "x", "y"), rows)


def product_difference(cell: RNNCell, states: Tensor, jacobians: Tensor) -> float:
    """Largest relative difference between autograd's Jacobians and the product of tanh′ · U factors."""
    slope = 1 - states.square()  # tanh′ at each step
    product, worst = torch.eye(cell.hidden_size, dtype=states.dtype), 0.0
    for distance in range(FAR + 1):
        place = len(states) - 1 - distance
        local = slope[place].unsqueeze(1)
        worst = max(worst, _relative_difference(product @ (local * cell.weight_ih.detach()), jacobians[distance]))
        product = product @ (local * cell.weight_hh.detach())
    return worst


def lstm_and_rnn_step(seed: int) -> Result:
    """An LSTM step with forget 0, input 1, output 1 beside an RNN step of the same weights (E-theory-lstm-rnn).

    The gates are fixed by weights of 0 and biases of ∓100, where σ is 0 and 1 to the last digit.
    """
    torch.manual_seed(seed)
    rnn, lstm = RNNCell(6, 32).double(), LSTMCell(6, 32).double()
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.zero_()
        # Blocks i, f, g, o of 32 rows each.
        lstm.bias_ih.copy_(torch.tensor([100.0, -100.0, 0.0, 100.0]).repeat_interleave(32))
        for name, parameter in rnn.named_parameters():
            lstm.get_parameter(name)[64:96] = parameter
    inputs, h = 3 * torch.randn(1000, 6, dtype=torch.float64), torch.rand(1000, 32, dtype=torch.float64) * 2 - 1
    (of_rnn,) = rnn(rnn.project(inputs), (h,))
    of_lstm, _ = lstm(lstm.project(inputs), (h, torch.randn_like(h)))
    order = of_rnn.flatten().argsort()[:: of_rnn.numel() // 60]
    pairs = [(state.flatten()[order].tolist(), name) for state, name in ((of_rnn, "RNN"), (of_lstm, "LSTM"))]
    return Result(
        {
            "difference_from_rnn": (of_lstm - of_rnn).abs().max().item(),
            "difference_from_tanh_of_rnn": (of_lstm - of_rnn.tanh()).abs().max().item(),
        },
        ("series", "x", "y"),
        [(name, x, y) for values, name in pairs for x, y in zip(pairs[0][0], values, strict=True)],
    )
