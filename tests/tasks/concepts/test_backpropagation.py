import torch

from stages.tasks.concepts import backpropagation


def test_formulas_agree_where_the_state_begins_at_zero() -> None:
    values = backpropagation.rnn_gradients(0).values
    assert all(values[f"d{name}_difference"] < 1e-12 for name in "WUbc")
    # The printed sum leaves out the term of h_0.
    assert values["dW_difference_nonzero_start"] > 0.01
    assert all(values[f"d{name}_difference_nonzero_start"] < 1e-12 for name in "Ubc")


def test_one_step_by_hand() -> None:
    """One step, one unit: ∂L/∂U = (1 − h²) v e x, and W has no part in it."""
    inputs, states, errors = torch.tensor([[2.0]]), torch.tensor([[0.5]]), torch.tensor([[0.25]])
    gradients = backpropagation.report_gradients(inputs, states, errors, torch.tensor([[3.0]]), torch.tensor([[4.0]]))
    assert {name: value.item() for name, value in gradients.items()} == {"W": 0, "U": 1.5, "b": 0.75, "c": 0.25}
