"""The packed LSTM against torch's own."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks.reference_lstm import as_torch, padded, torch_states
from torch import Tensor, nn

from stages.networks.layers.packed_lstm import PackedLSTM, pack, unpack

WIDTH = 3
LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=6)
thorough = settings(max_examples=25, deadline=None)


@given(lengths=LENGTHS, hidden=st.integers(1, 5))
@thorough
def test_one_layer_equals_torch_forward_and_backward(lengths: list[int], hidden: int) -> None:
    torch.manual_seed(sum(lengths))
    ours = PackedLSTM(WIDTH, hidden).double()
    theirs = as_torch(nn.ModuleList([ours]), WIDTH, hidden)
    first, second = (padded(lengths).requires_grad_() for _ in range(2))
    packed = pack(first, torch.tensor(lengths))
    states = unpack(packed, ours(packed), max(lengths))
    expected, _ = torch_states(theirs, second, lengths)
    torch.testing.assert_close(states, expected)

    weights = torch.randn_like(expected)
    (states * weights).sum().backward()
    (expected * weights).sum().backward()
    torch.testing.assert_close(first.grad, second.grad)
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, getattr(theirs, name).grad, msg=name)


@given(lengths=LENGTHS, hidden=st.integers(1, 5))
@thorough
def test_the_gpu_path_computes_the_same_from_the_same_parameters(lengths: list[int], hidden: int) -> None:
    """It is torch's own recurrence, which also runs on a CPU."""
    torch.manual_seed(sum(lengths))
    lstm = PackedLSTM(WIDTH, hidden, "tensorflow").double()
    gradients = []
    packed = pack(padded(lengths), torch.tensor(lengths))
    weights = torch.randn(len(packed.words), hidden, dtype=torch.float64)
    rows = [path(packed) for path in (lstm.forward_cpu, lstm.forward_torch)]
    torch.testing.assert_close(*rows)
    for states in rows:
        lstm.zero_grad()
        (states * weights).sum().backward()
        gradients.append({name: parameter.grad.clone() for name, parameter in lstm.named_parameters()})
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("lengths", [[1], [1, 1, 1], [4, 4], [1, 5, 3, 3, 2]])
def test_gradients_equal_finite_differences(lengths: list[int]) -> None:
    torch.manual_seed(0)
    lstm = PackedLSTM(2, 3).double()
    names, parameters = zip(*lstm.named_parameters(), strict=True)

    def states(vectors: Tensor, *values: Tensor) -> Tensor:
        packed = pack(vectors, torch.tensor(lengths))
        return torch.func.functional_call(lstm, dict(zip(names, values, strict=True)), (packed,))

    inputs = (padded(lengths, 2, extra=1).requires_grad_(), *parameters)
    assert torch.autograd.gradcheck(states, inputs)


@given(lengths=LENGTHS, extra=st.integers(0, 3))
@thorough
def test_packing_and_unpacking_keep_every_word(lengths: list[int], extra: int) -> None:
    vectors = padded(lengths, extra=extra)
    steps = vectors.shape[1]
    packed = pack(vectors, torch.tensor(lengths))
    assert len(packed.words) == sum(lengths)
    assert packed.sizes == tuple(sum(length > step for length in lengths) for step in range(max(lengths)))
    again = unpack(packed, packed.words, steps, fill=7.0)
    backwards = unpack(packed, packed.words[packed.mirror], steps)
    for row, length in enumerate(lengths):
        assert torch.equal(again[row, :length], vectors[row, :length])
        assert (again[row, length:] == 7).all()
        assert torch.equal(backwards[row, :length], vectors[row, :length].flip(0))
        assert torch.equal(packed.words[packed.first[row]], vectors[row, 0])
        assert torch.equal(packed.words[packed.last[row]], vectors[row, length - 1])


@pytest.mark.parametrize(("width", "hidden"), [(50, 32), (7, 64)])
def test_tensorflow_initialization_is_glorot_with_a_forget_bias(width: int, hidden: int) -> None:
    """TensorFlow 1: one kernel [width + hidden, 4 · hidden], uniform within √(6 / (fan in + fan out)); bias 0, 1 added
    to the forget gate, which is the second of torch's four."""
    torch.manual_seed(0)
    lstm = PackedLSTM(width, hidden, "tensorflow")
    bound = math.sqrt(6 / ((width + hidden) + 4 * hidden))
    for weight in (lstm.weight_ih_l0, lstm.weight_hh_l0):
        assert 0.98 * bound < weight.abs().max() <= bound
        # A uniform distribution's standard deviation is bound/√3, its mean is 0.
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
        assert abs(weight.mean().item()) < 0.05 * bound
    forget = slice(hidden, 2 * hidden)
    bias = lstm.bias_ih_l0 + lstm.bias_hh_l0
    assert (bias[forget] == 1).all()
    assert bias.sum() == hidden


def test_torch_initialization_is_that_of_torch() -> None:
    """The same generator state gives the very weights of torch.nn.LSTM."""
    torch.manual_seed(3)
    theirs = nn.LSTM(6, 9)
    torch.manual_seed(3)
    ours = PackedLSTM(6, 9)
    for name, parameter in theirs.named_parameters():
        assert torch.equal(getattr(ours, name), parameter), name
