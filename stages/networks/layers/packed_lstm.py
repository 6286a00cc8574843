"""An LSTM over sentences of unequal length whose backward pass is one matrix product per weight.

The equations and the parameter layout are those of `torch.nn.LSTM` (Hochreiter & Schmidhuber 1997, with forget
gates). On a processor torch adds the recurrent weight's gradient up step by step, one pass over the whole matrix for
every word position; here the gate gradients of all steps are kept and multiplied once. docs/performance.md has the
figures.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn


class Packed(NamedTuple):
    """Sentences sorted by falling length, their words laid out step by step (time-major) without padding.

    words: [N, width], N = sum of lengths · sizes: sentences still running at each step · source: [N] flat position
    (sentence · T + step) in the padded batch · mirror: [N] the row of the word that takes this place when each sentence
    is read backwards · first, last: [B] rows of each sentence's first and last word, in the batch's own order ·
    lengths: [B].
    """

    words: Tensor
    sizes: tuple[int, ...]
    source: Tensor
    mirror: Tensor
    first: Tensor
    last: Tensor
    lengths: Tensor


def pack(padded: Tensor, lengths: Tensor) -> Packed:
    """Lay out `padded` [B, T, width] with true `lengths` [B] (int64, each at least 1) as a `Packed`."""
    batch, steps, width = padded.shape
    order = torch.argsort(lengths, descending=True, stable=True)
    running = lengths[order].unsqueeze(0) > torch.arange(steps, device=lengths.device).unsqueeze(1)  # [T, B]
    step, rank = running.nonzero(as_tuple=True)
    source = order[rank] * steps + step
    sizes = running.sum(1)
    starts = sizes.cumsum(0) - sizes
    rank_of = torch.empty_like(order)
    rank_of[order] = torch.arange(batch, device=order.device)
    words = padded.reshape(batch * steps, width)[source]
    mirror = starts[lengths[order[rank]] - 1 - step] + rank
    sizes_here = tuple(size for size in sizes.tolist() if size)
    return Packed(words, sizes_here, source, mirror, rank_of, starts[lengths - 1] + rank_of, lengths)


def unpack(packed: Packed, rows: Tensor, steps: int, filler: float = 0.0) -> Tensor:
    """Put packed `rows` [N, H] back into a padded [B, steps, H] whose other places hold `filler`."""
    flat = rows.new_full((len(packed.lengths) * steps, rows.shape[1]), filler)
    return flat.index_copy(0, packed.source, rows).view(len(packed.lengths), steps, -1)


class _Recurrence(torch.autograd.Function):
    """States of an LSTM given the packed input projections [N, 4H] (gates i, f, g, o) and W_hh [4H, H]."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor, sizes: tuple[int, ...]) -> Tensor:
        rows, hidden = projected.shape[0], weight.shape[1]
        gates = torch.empty_like(projected)
        cells, squashed, states = (projected.new_empty(rows, hidden) for _ in range(3))
        state, cell = (projected.new_zeros(sizes[0], hidden) for _ in range(2))
        start = 0
        for size in sizes:
            now = slice(start, start + size)
            gate = gates[now]
            torch.addmm(projected[now], state[:size], weight.t(), out=gate)
            gate[:, : 2 * hidden].sigmoid_()
            gate[:, 2 * hidden : 3 * hidden].tanh_()
            gate[:, 3 * hidden :].sigmoid_()
            i, f, g, o = gate.chunk(4, dim=1)
            torch.mul(f, cell[:size], out=cells[now])
            cells[now].addcmul_(i, g)
            torch.tanh(cells[now], out=squashed[now])
            torch.mul(o, squashed[now], out=states[now])
            state, cell = states[now], cells[now]
            start += size
        ctx.save_for_backward(weight, gates, cells, squashed, states)
        ctx.sizes = sizes
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_states: Tensor) -> tuple[Tensor, Tensor, None]:
        weight, gates, cells, squashed, states = ctx.saved_tensors
        rows, hidden = states.shape
        grad_gates = torch.empty_like(gates)
        previous = torch.zeros_like(states)
        grad_state, grad_cell = (states.new_zeros(ctx.sizes[0], hidden) for _ in range(2))
        end = rows
        for step in reversed(range(len(ctx.sizes))):
            size = ctx.sizes[step]
            now = slice(end - size, end)
            i, f, g, o = gates[now].chunk(4, dim=1)
            grad_i, grad_f, grad_g, grad_o = grad_gates[now].chunk(4, dim=1)
            tanh_cell = squashed[now]
            dh, dc = grad_state[:size], grad_cell[:size]
            dh += grad_states[now]
            dc.addcmul_(dh * o, 1 - tanh_cell * tanh_cell)
            torch.mul(dh, tanh_cell, out=grad_o).mul_(o - o * o)
            torch.mul(dc, g, out=grad_i).mul_(i - i * i)
            torch.mul(dc, i, out=grad_g).mul_(1 - g * g)
            if step:
                before = slice(end - size - ctx.sizes[step - 1], end - ctx.sizes[step - 1])
                torch.mul(dc, cells[before], out=grad_f).mul_(f - f * f)
                previous[now] = states[before]
                dc.mul_(f)
                torch.mm(grad_gates[now], weight, out=dh)
            else:
                grad_f.zero_()
            end -= size
        return grad_gates, grad_gates.t() @ previous, None


class PackedLSTM(nn.Module):
    """One layer and direction; parameters are named and shaped as in `torch.nn.LSTM`.

    initialization: "torch", every entry uniform within 1/√hidden_size, or "tensorflow", what TensorFlow 1's LSTMCell
    begins with: one Glorot-uniform kernel over input and state, biases 0, and 1 added to the forget gate.
    """

    def __init__(self, input_size: int, hidden_size: int, initialization: str = "torch") -> None:
        super().__init__()
        self.weight_ih_l0 = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh_l0 = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias_ih_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        self.bias_hh_l0 = nn.Parameter(torch.zeros(4 * hidden_size))
        glorot = initialization == "tensorflow"
        bound = math.sqrt(6 / (input_size + 5 * hidden_size)) if glorot else 1 / math.sqrt(hidden_size)
        with torch.no_grad():
            for parameter in self.parameters():
                if parameter.dim() == 2 or not glorot:
                    parameter.uniform_(-bound, bound)
            if glorot:
                self.bias_ih_l0[hidden_size : 2 * hidden_size] = 1

    def forward(self, packed: Packed) -> Tensor:
        """The state after each word of `packed`, as packed rows [N, hidden_size]."""
        projected = torch.addmm(self.bias_ih_l0 + self.bias_hh_l0, packed.words, self.weight_ih_l0.t())
        return _Recurrence.apply(projected, self.weight_hh_l0, packed.sizes)
