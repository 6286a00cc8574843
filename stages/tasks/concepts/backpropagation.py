"""Statements about backpropagation through time."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.lib.statements import Result

STEPS, INPUTS, HIDDEN, CLASSES = 12, 5, 7, 4


def rnn_gradients(seed: int) -> Result:
    """Report B's gradients of an RNN (B-theory-bptt) against autograd through nn.RNN; relative, float64.

    h_t = tanh(U x_t + W h_{t−1} + b), softmax and cross-entropy at every step, summed over the steps. With
    δ_t = ∂L/∂h_t, the report writes ∂L/∂W as the sum of diag(1 − h_{t+1}²) δ_{t+1} h_tᵀ for t = 1 … τ. Its last term
    lies behind the sequence's end, where δ is 0, and the term of h_0 is missing, which matters unless h_0 = 0, where
    sequences begin by default: both are measured. The report does not print δ; it is the sum of what comes from
    the step's own output and from the next step, as its text says.
    """
    torch.manual_seed(seed)
    rnn, head = nn.RNN(INPUTS, HIDDEN).double(), nn.Linear(HIDDEN, CLASSES).double()
    inputs = torch.randn(STEPS, INPUTS, dtype=torch.float64)
    targets = torch.randint(CLASSES, (STEPS,))
    random_start = torch.rand(1, HIDDEN, dtype=torch.float64) * 2 - 1
    values: dict[str, float] = {}
    for suffix, start in (("", torch.zeros_like(random_start)), ("_nonzero_start", random_start)):
        rnn.zero_grad()
        head.zero_grad()
        states, _ = rnn(inputs, start)
        logits = head(states)
        F.cross_entropy(logits, targets, reduction="sum").backward()
        with torch.no_grad():
            errors = logits.softmax(1) - F.one_hot(targets, CLASSES)
            of_report = report_gradients(inputs, states, errors, rnn.weight_hh_l0, head.weight)
        autograd = {"W": rnn.weight_hh_l0, "U": rnn.weight_ih_l0, "b": rnn.bias_ih_l0, "c": head.bias}
        for name, parameter in autograd.items():
            difference = (of_report[name] - parameter.grad).abs().max() / parameter.grad.abs().max()
            values[f"d{name}_difference{suffix}"] = difference.item()
    return Result(values)


def report_gradients(inputs: Tensor, states: Tensor, errors: Tensor, w: Tensor, v: Tensor) -> dict[str, Tensor]:
    """The report's sums over the steps.

    inputs: x_t [T, inputs] · states: h_1 … h_T [T, hidden] · errors: ŷ_t − y_t [T, classes] · w: [hidden, hidden] ·
    v: [classes, hidden]. Returns the gradients of W, U, b and of the output's bias c.
    """
    slopes = 1 - states.square()  # tanh′
    deltas = torch.zeros_like(states)
    following = torch.zeros_like(states[0])
    for step in reversed(range(len(states))):
        deltas[step] = v.T @ errors[step] + following
        following = w.T @ (slopes[step] * deltas[step])
    scaled = slopes * deltas
    return {"W": scaled[1:].T @ states[:-1], "U": scaled.T @ inputs, "b": scaled.sum(0), "c": errors.sum(0)}
