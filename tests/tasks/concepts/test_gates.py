import pytest
import torch

from stages.tasks.concepts import gates


def test_largest_factor_is_where_its_derivative_is_zero() -> None:
    values = gates.gate_factor(0).values
    x = torch.tensor(values["argument_of_largest_value"], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(gates.factors(x, x), x)
    assert slope.abs() < 1e-6
    grid = torch.linspace(-20, 20, 100_001, dtype=torch.float64)
    assert values["largest_value"] == pytest.approx(gates.factors(grid, grid).max().item(), abs=1e-6)
    assert values["largest_value"] < 1 - gates.NEAR
    assert values["share_near_1_equal_arguments"] == 0


def test_shares_of_known_factors() -> None:
    argument, gate = torch.tensor([0.0, 0.0, 50.0]), torch.tensor([50.0, 0.0, 50.0])
    factors = gates.factors(argument, gate)
    assert factors.tolist() == pytest.approx([1, 0.5, 0])
    assert gates.shares(factors) == pytest.approx(
        dict.fromkeys(("share_near_0", "share_near_1", "share_between"), 1 / 3)
    )


def test_factor_is_the_derivative_of_the_reported_step() -> None:
    """Of s_j = tanh(f ⊙ s_{j−1} + i ⊙ x) with respect to s_{j−1}, gates held fixed."""
    before = torch.randn(6, dtype=torch.float64, requires_grad=True)
    gate, added = torch.randn(2, 6, dtype=torch.float64)
    argument = gate.sigmoid() * before + added
    (slope,) = torch.autograd.grad(argument.tanh().sum(), before)
    torch.testing.assert_close(gates.factors(argument.detach(), gate), slope)


def test_memory_of_a_constant_gate_is_a_geometric_series() -> None:
    steps, forget, addition = 30, 0.8, 0.5
    memory = gates.memories(torch.full((steps, 1), forget), torch.full((steps, 1), addition))
    expected = [addition * (1 - forget**step) / (1 - forget) for step in range(steps + 1)]
    assert memory.flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_memory_with_a_sigmoid_candidate_grows_only_without_forgetting() -> None:
    values = gates.sigmoid_candidate(0).values
    assert values["smallest_addition"] > 0
    assert values["share_of_steps_down_sigmoid_forget_1"] == 0
    assert values["smallest_state_sigmoid"] == 0  # where it begins
    assert values["share_of_steps_down_sigmoid"] > 0.1
    # A sum of symmetric terms goes up and down equally often.
    assert values["share_of_steps_down_tanh_forget_1"] == pytest.approx(0.5, abs=0.01)


def test_standard_form_is_the_frameworks_cell_where_the_reset_gate_commutes() -> None:
    values = gates.gru_as_written(0).values
    assert values["standard_difference_from_torch_diagonal"] < 1e-12
    assert values["standard_difference_from_torch"] > 0.01
    assert values["largest_difference"] > 0.1


def test_both_forms_agree_where_the_input_before_is_the_state_before() -> None:
    """In the first step both are 0; in the second they differ by (1 − z)(s₁ − x₁)."""
    torch.manual_seed(0)
    weights, inputs = torch.randn(6, 3, 3, dtype=torch.float64), torch.randn(2, 1, 3, dtype=torch.float64)
    written, standard = (gates.gru(inputs, weights, keeps_state=keeps) for keeps in (False, True))
    torch.testing.assert_close(written[0], standard[0])
    z = torch.sigmoid(inputs[1] @ weights[0] + standard[0] @ weights[1])
    torch.testing.assert_close(standard[1] - written[1], (1 - z) * (standard[0] - inputs[0]))
