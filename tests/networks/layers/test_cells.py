import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from stages.networks.layers.cells import CELLS, Recurrent

FRAMEWORK = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
STEPS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}
SHAPES = [(1, False), (1, True), (2, False), (3, True)]


def copy_weights(own: Recurrent, framework: nn.RNNBase) -> dict[str, Tensor]:
    """Give the framework's module our weights; returns ours by the framework's names."""
    named = {}
    for layer, directions in enumerate(own.layers):
        for cell, suffix in zip(directions, ("", "_reverse"), strict=False):
            for name, parameter in cell.named_parameters():
                named[f"{name}_l{layer}{suffix}"] = parameter
    framework.load_state_dict({name: parameter.detach() for name, parameter in named.items()})
    return named


def pair(cell: str, layers: int, bidirectional: bool) -> tuple[Recurrent, nn.RNNBase, dict[str, Tensor]]:
    torch.manual_seed(0)
    own = Recurrent(cell, 5, 7, layers, bidirectional).double()
    framework = FRAMEWORK[cell](5, 7, layers, batch_first=True, bidirectional=bidirectional).double()
    return own, framework, copy_weights(own, framework)


def finals_of(own: list, part: int) -> Tensor:
    """Final states in the framework's order: [layers · directions, B, hidden_size]."""
    return torch.stack([state[part] for directions in own for state in directions])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("layers", "bidirectional"), SHAPES)
@pytest.mark.parametrize("cell", CELLS)
def test_outputs_states_and_gradients_are_the_frameworks(
    cell: str, layers: int, bidirectional: bool, masked: bool
) -> None:
    own, framework, named = pair(cell, layers, bidirectional)
    x = torch.randn(4, 9, 5, dtype=torch.float64)
    first, second = x.clone().requires_grad_(), x.clone().requires_grad_()
    lengths = torch.tensor([9, 1, 4, 7]) if masked else None

    outputs, finals = own(first, lengths)
    if masked:
        packed, states = framework(pack_padded_sequence(second, lengths, batch_first=True, enforce_sorted=False))
        wanted, _ = pad_packed_sequence(packed, batch_first=True, total_length=9)
    else:
        wanted, states = framework(second)
    torch.testing.assert_close(outputs, wanted)
    for part, state in enumerate(states if cell == "lstm" else (states,)):
        torch.testing.assert_close(finals_of(finals, part), state)

    weights = torch.randn_like(wanted)
    (outputs * weights).sum().backward()
    (wanted * weights).sum().backward()
    torch.testing.assert_close(first.grad, second.grad)
    for name, parameter in framework.named_parameters():
        torch.testing.assert_close(named[name].grad, parameter.grad)


@pytest.mark.parametrize("cell", CELLS)
def test_one_step_is_the_frameworks_cell(cell: str) -> None:
    torch.manual_seed(1)
    own, framework = CELLS[cell](3, 4), STEPS[cell](3, 4)
    framework.load_state_dict(own.state_dict())
    x, state = torch.randn(2, 3), tuple(torch.randn(2, 4) for _ in range(CELLS[cell].state_tensors))
    wanted = framework(x, state if cell == "lstm" else state[0])
    torch.testing.assert_close(own(own.project(x), state), wanted if cell == "lstm" else (wanted,))


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_finite_differences(cell: str) -> None:
    torch.manual_seed(2)
    own = Recurrent(cell, 2, 3, layers=2, bidirectional=True).double()
    x = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: own(x, torch.tensor([4, 2]))[0], (x,))


@pytest.mark.parametrize("cell", CELLS)
def test_what_lies_beyond_the_length_does_not_matter(cell: str) -> None:
    torch.manual_seed(4)
    own = Recurrent(cell, 2, 3, layers=2, bidirectional=True)
    x, lengths = torch.randn(3, 6, 2), torch.tensor([2, 6, 4])
    other = x.clone()
    other[0, 2:], other[2, 4:] = 1e3, -1e3
    torch.testing.assert_close(own(x, lengths)[0], own(other, lengths)[0])
