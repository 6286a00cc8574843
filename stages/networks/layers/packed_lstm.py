"""An LSTM over sentences of unequal length whose backward pass is one matrix product per weight.

Equations and parameters are those of `torch.nn.LSTM` (Hochreiter & Schmidhuber 1997, with forget gates). On a CPU,
torch accumulates the gradient of the recurrent weight step by step, with a pass over the whole matrix for every word
position; here the gate gradients of all steps are kept and multiplied once. docs/performance.md has the timings. On a
GPU, cuDNN does the work.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence


class Packed(NamedTuple):
    """Sentences sorted by falling length, their words laid out step by step (time-major) without padding, as in
    `torch.nn.utils.rnn.PackedSequence`.

    words: [N, width], N = sum of lengths · sizes: sentences still running at each step · source: [N] flat position
    (sentence · T + step) in the padded batch · mirror: [N] row of the word in this position when each sentence is read
    backwards · first, last: [B] rows of each sentence's first and last word, in the batch's own order · lengths: [B].
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
    nonempty = tuple(size for size in sizes.tolist() if size)
    return Packed(words, nonempty, source, mirror, rank_of, starts[lengths - 1] + rank_of, lengths)


def unpack(packed: Packed, rows: Tensor, steps: int, fill: float = 0.0) -> Tensor:
    """Packed `rows` [N, H] as a padded [B, steps, H]; positions past a sentence's end hold `fill`."""
    flat = rows.new_full((len(packed.lengths) * steps, rows.shape[1]), fill)
    return flat.index_copy(0, packed.source, rows).view(len(packed.lengths), steps, -1)


class _Recurrence(torch.autograd.Function):
    """States [N, H] of an LSTM from packed input projections [N, 4H] (gates i, f, g, o) and W_hh [4H, H]."""

    @staticmethod
    def forward(ctx: Any, projected: Tensor, weight: Tensor, sizes: tuple[int, ...]) -> Tensor:
        rows, hidden = projected.shape[0], weight.shape[1]
        gates = torch.empty_like(projected)
        cells, tanh_cells, states = (projected.new_empty(rows, hidden) for _ in range(3))
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
            torch.tanh(cells[now], out=tanh_cells[now])
            torch.mul(o, tanh_cells[now], out=states[now])
            state, cell = states[now], cells[now]
            start += size
        ctx.save_for_backward(weight, gates, cells, tanh_cells, states)
        ctx.sizes = sizes
        return states

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad_states: Tensor) -> tuple[Tensor, Tensor, None]:
        weight, gates, cells, tanh_cells, states = ctx.saved_tensors
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
            tanh_cell = tanh_cells[now]
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


class PackedLSTM(nn.LSTM):
    """One layer in one direction, with the parameters of `torch.nn.LSTM`.

    initialization: "torch", every entry uniform within 1/√hidden_size, or "tensorflow", as TensorFlow 1's LSTMCell
    starts: one Glorot-uniform kernel over input and state, biases 0, and 1 added to the forget gate.
    """

    def __init__(self, input_size: int, hidden_size: int, initialization: str = "torch") -> None:
        # Set before torch's constructor, which draws the weights.
        self.initialization = initialization
        super().__init__(input_size, hidden_size)

    def reset_parameters(self) -> None:
        """Draw the weights."""
        if self.initialization == "torch":
            super().reset_parameters()
            return
        bound = math.sqrt(6 / (self.input_size + 5 * self.hidden_size))
        for weight in (self.weight_ih_l0, self.weight_hh_l0):
            nn.init.uniform_(weight, -bound, bound)
        for bias in (self.bias_ih_l0, self.bias_hh_l0):
            nn.init.zeros_(bias)
        nn.init.ones_(self.bias_ih_l0[self.hidden_size : 2 * self.hidden_size])

    def forward(self, packed: Packed) -> Tensor:
        """The state after each word of `packed`, as packed rows [N, hidden_size]."""
        return self.forward_torch(packed) if packed.words.is_cuda else self.forward_cpu(packed)

    def forward_cpu(self, packed: Packed) -> Tensor:
        """The recurrence of this module, with one matrix product per weight in the backward pass."""
        projected = torch.addmm(self.bias_ih_l0 + self.bias_hh_l0, packed.words, self.weight_ih_l0.t())
        return _Recurrence.apply(projected, self.weight_hh_l0, packed.sizes)

    def forward_torch(self, packed: Packed) -> Tensor:
        """The recurrence of `torch.nn.LSTM`, which is cuDNN's on a GPU."""
        states, _ = super().forward(PackedSequence(packed.words, torch.tensor(packed.sizes)))
        return states.data
