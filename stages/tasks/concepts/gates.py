"""Statements about the gates of LSTM and GRU."""

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from stages.lib.statements import Result

#: How near to 0 or to 1 a factor counts as one of them.
NEAR = 0.1


def gate_factor(seed: int) -> Result:
    """tanh′ · σ, the factor by which report D's LSTM carries a gradient on (D-theory-gate).

    The report draws it against one argument and says that most of its values are 0 or 1. There its largest value is
    0.53; most of (−5, 5) is near 0 and nothing near 1. It comes near 1 only where tanh's argument is near 0 and the
    gate's is large, so the shares are also taken for two independent arguments, drawn from N(0, 1) and N(0, 3²).
    """
    found = minimize_scalar(lambda x: -factors(*torch.tensor([[x], [x]], dtype=torch.float64)).item(), bracket=(0, 1))
    grid = torch.linspace(-5, 5, 10_001, dtype=torch.float64)
    curve = factors(grid, grid)
    values = {"largest_value": float(-found.fun), "argument_of_largest_value": float(found.x)}
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(2, 100_000, generator=generator, dtype=torch.float64)
    for name, sample in (
        ("equal_arguments", curve),
        ("independent_std_1", factors(*drawn)),
        ("independent_std_3", factors(*(3 * drawn))),
    ):
        values |= {f"{share}_{name}": value for share, value in shares(sample).items()}
    rows = [("tanh′(x) · σ(x)", x, y) for x, y in zip(grid[::50].tolist(), curve[::50].tolist(), strict=True)]
    return Result(values, ("series", "x", "y"), rows)


def factors(argument: Tensor, gate: Tensor) -> Tensor:
    """tanh′(argument) · σ(gate), entry by entry, for pre-activations of one shape.

    For report D's step s_j = tanh(f ⊙ s_{j−1} + i ⊙ x), `argument` is what tanh gets and `gate` what σ of the forget
    gate gets; in an LSTM, the memory c_j and the forget gate's pre-activation.
    """
    return (1 - argument.tanh().square()) * gate.sigmoid()


def shares(values: Tensor) -> dict[str, float]:
    """Shares of factors that are within `NEAR` of 0, within `NEAR` of 1, and between."""
    near_0, near_1 = (values < NEAR).double().mean().item(), (values > 1 - NEAR).double().mean().item()
    return {"share_near_0": near_0, "share_near_1": near_1, "share_between": 1 - near_0 - near_1}


def sigmoid_candidate(seed: int) -> Result:
    """An LSTM's memory whose candidate is σ in place of tanh (report E, E-theory-candidate).

    C_t = f C_{t−1} + i C*, simulated for 1,000 units over 200 steps from C = 0 with gates and candidates of standard
    normal pre-activations. The report says that the state can then only grow. What is added, i C*, is never negative
    and so is the state; yet the forget gate makes it smaller in many steps. It only grows where f = 1, as in the first
    LSTM, which had no forget gate (Hochreiter & Schmidhuber 1997).
    """
    generator = torch.Generator().manual_seed(seed)
    gates = torch.randn(3, 200, 1000, generator=generator, dtype=torch.float64)
    forget, add = gates[:2].sigmoid()
    values: dict[str, float] = {"smallest_addition": (add * gates[2].sigmoid()).min().item()}
    rows = []
    for name, candidate in (("sigmoid", gates[2].sigmoid()), ("tanh", gates[2].tanh())):
        for gate_name, gate in (("", forget), ("_forget_1", torch.ones_like(forget))):
            memory = memories(gate, add * candidate)
            values[f"share_of_steps_down_{name}{gate_name}"] = (memory.diff(dim=0) < 0).double().mean().item()
            values[f"smallest_state_{name}{gate_name}"] = memory.min().item()
            label = f"{name}, {'forget gate 1' if gate_name else 'forget gate σ'}"
            rows += [(label, step, value) for step, value in enumerate(memory[:50, 0].tolist())]
    return Result(values, ("series", "x", "y"), rows)


def memories(forget: Tensor, additions: Tensor) -> Tensor:
    """C_t = forget_t · C_{t−1} + additions_t from C = 0; [steps, units] each, and [steps + 1, units] with the start."""
    memory = [torch.zeros_like(additions[0])]
    for gate, addition in zip(forget, additions, strict=True):
        memory.append(gate * memory[-1] + addition)
    return torch.stack(memory)


def gru_as_written(seed: int) -> Result:
    """Report D's GRU, s_j = (1 − z) ⊙ x_{j−1} + z ⊙ s̃_j, beside (1 − z) ⊙ s_{j−1} + z ⊙ s̃_j (D-theory-gru-form).

    Cho et al. 2014 and every framework keep the state there, not the input before; as written the input must be as
    wide as the state, and nothing carries the state on. Both forms with the same weights, 32 wide, torch's initial
    range, no biases, as in the report: states apart over 100 steps, and norms of ∂s_T/∂x_{T−t}, relative to t = 0.
    torch applies the reset gate behind the candidate's matrix, and agrees with the standard form if that is diagonal.
    """
    torch.manual_seed(seed)
    width, steps, distance = 32, 100, 50
    weights = (torch.rand(6, width, width, dtype=torch.float64) * 2 - 1) / width**0.5
    inputs = torch.randn(steps, width, dtype=torch.float64)
    states, norms = {}, {}
    for name in ("written", "standard"):
        # One copy of the sequence for each unit of the last state: a single backward pass gives all their gradients.
        copies = inputs.unsqueeze(1).repeat(1, width, 1).requires_grad_()
        found = gru(copies, weights, keeps_state=name == "standard")
        found[-1].diagonal().sum().backward()
        norm = copies.grad.flatten(1).norm(dim=1)
        states[name], norms[name] = found[:, 0].detach(), norm / norm[-1]
    diagonal = weights.clone()
    diagonal[5] = weights[5].diag().diag()
    batch = inputs.unsqueeze(1)
    apart = (states["written"] - states["standard"]).abs()
    return Result(
        {
            "largest_difference": apart.max().item(),
            "mean_difference_over_mean_state": (apart.mean() / states["standard"].abs().mean()).item(),
            "standard_difference_from_torch": (
                (gru(batch, weights, keeps_state=True) - torch_gru(batch, weights)).abs().max().item()
            ),
            "standard_difference_from_torch_diagonal": (
                (gru(batch, diagonal, keeps_state=True) - torch_gru(batch, diagonal)).abs().max().item()
            ),
            "log10_gradient_standard_over_written_at_50": (
                norms["standard"][-1 - distance] / norms["written"][-1 - distance]
            )
            .log10()
            .item(),
        }
    )


def gru(inputs: Tensor, weights: Tensor, keeps_state: bool) -> Tensor:
    """States [T, B, width] of a GRU in report D's notation for inputs [T, B, width], from the state and input 0.

    weights: [6, width, width], those of x and of s for z, r and the candidate, for rows on the left of the product.
    keeps_state: s_{j−1} in the first term (the standard cell), else x_{j−1} (as the report writes).
    """
    xz, sz, xr, sr, xg, sg = weights
    state = before = torch.zeros_like(inputs[0])
    states = []
    for x in inputs:
        z, r = torch.sigmoid(x @ xz + state @ sz), torch.sigmoid(x @ xr + state @ sr)
        candidate = torch.tanh(x @ xg + (r * state) @ sg)
        state = (1 - z) * (state if keeps_state else before) + z * candidate
        before = x
        states.append(state)
    return torch.stack(states)


def torch_gru(inputs: Tensor, weights: Tensor) -> Tensor:
    """States of torch.nn.GRU with the weights of `gru`; torch's update gate multiplies the old state, so z is 1 − z."""
    xz, sz, xr, sr, xg, sg = weights
    layer = nn.GRU(len(xz), len(xz), bias=False, dtype=weights.dtype)
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.cat([xr.T, -xz.T, xg.T]))
        layer.weight_hh_l0.copy_(torch.cat([sr.T, -sz.T, sg.T]))
        return layer(inputs)[0]
