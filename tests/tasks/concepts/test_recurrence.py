import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.networks.layers.cells import RNNCell
from stages.tasks.concepts import recurrence


def test_cells_that_compute_something_else_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    values = recurrence.cells_and_framework(0).values
    assert values["forward_difference"] < 1e-5
    assert values["backward_difference"] < 1e-5

    def wrong(cell: RNNCell, projected: Tensor, state: tuple[Tensor]) -> tuple[Tensor]:
        return (torch.sigmoid(projected + F.linear(state[0], cell.weight_hh, cell.bias_hh)),)

    monkeypatch.setattr(RNNCell, "forward", wrong)
    values = recurrence.cells_and_framework(0).values
    assert values["forward_difference"] > 0.01
    assert values["backward_difference"] > 0.01


def test_product_of_factors_is_the_jacobian_of_nn_rnn() -> None:
    torch.manual_seed(0)
    cell, steps = RNNCell(2, 3).double(), 60
    rnn = nn.RNN(2, 3).double()
    rnn.load_state_dict({f"{name}_l0": parameter.detach() for name, parameter in cell.named_parameters()})
    inputs = torch.randn(steps, 2, dtype=torch.float64)
    states = rnn(inputs)[0].detach()
    # [unit, step, input] → [distance, unit, input]
    jacobians = torch.autograd.functional.jacobian(lambda x: rnn(x)[0][-1], inputs).movedim(1, 0).flip(0)
    assert recurrence.product_difference(cell, states, jacobians) < 1e-12
    assert recurrence.product_difference(cell, states, 1.01 * jacobians) == pytest.approx(0.01 / 1.01)
    swapped = jacobians.clone()
    swapped[[10, 11]] = swapped[[11, 10]]
    assert recurrence.product_difference(cell, states, swapped) > 0.1


@pytest.mark.filterwarnings("ignore:invalid value")  # the slope of log10 of 0
def test_gradient_of_a_cell_without_recurrence_ends_after_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    result = recurrence.gradient_by_distance(0)
    norms = {name: [y for series, _, y in result.rows if series == name] for name in {row[0] for row in result.rows}}
    assert {len(values) for values in norms.values()} == {recurrence.FARTHEST + 1}
    assert [values[0] for values in norms.values()] == pytest.approx([1] * 4)
    assert result.values["log10_lstm_over_rnn_at_50"] == pytest.approx(
        math.log10(result.values["lstm_gradient_at_50"] / result.values["rnn_gradient_at_50"])
    )

    slope = np.polyfit(range(1, 51), np.log10(norms["GRU"][1:51]), 1)[0]
    assert result.values["gru_log10_gradient_per_step"] == pytest.approx(slope)

    def forget_all(cell: nn.Module) -> None:
        cell.weight_hh.data.zero_()

    real = recurrence.Recurrent.double
    monkeypatch.setattr(recurrence.Recurrent, "double", lambda stack: (forget_all(stack.layers[0][0]), real(stack))[1])
    rnn = [y for series, _, y in recurrence.gradient_by_distance(0).rows if series == "RNN"]
    assert rnn[0] == pytest.approx(1)
    assert not any(rnn[1:])


def test_lstm_step_is_tanh_of_the_rnn_step() -> None:
    values = recurrence.lstm_and_rnn_step(0).values
    # |x − tanh x| grows with |x|, and an RNN's state stays within ±1.
    assert 0.2 < values["difference_from_rnn"] <= 1 - math.tanh(1)
    assert values["difference_from_tanh_of_rnn"] < 1e-12
