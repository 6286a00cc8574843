"""Recurrent cells written out from their equations, and the stack that runs them over a sequence.

Parameters are named, shaped and begun as those of `torch.nn.RNNCell`, `LSTMCell` and `GRUCell`, so that weights can be
carried over either way. In the equations x is the input and h the state before, both as rows [B, width]; σ is the
logistic function and ⊙ multiplies entry by entry.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: What a cell hands to its next step: the output h [B, hidden_size] first, then what else it remembers.
State = tuple[Tensor, ...]


class Cell(nn.Module):
    """One step of a recurrence. A subclass says how many blocks its weights hold and what a step computes."""

    #: Blocks of `hidden_size` rows in each weight.
    blocks: int
    #: Tensors in a state.
    memories = 1

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        rows = self.blocks * hidden_size
        self.weight_ih = nn.Parameter(torch.empty(rows, input_size))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.bias_hh = nn.Parameter(torch.empty(rows))
        bound = 1 / math.sqrt(hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def project(self, inputs: Tensor) -> Tensor:
        """The input's share W x + b in every block, [..., input_size] → [..., blocks · hidden_size].

        It does not depend on the state, so one matrix product serves all steps of a sequence.
        """
        return F.linear(inputs, self.weight_ih, self.bias_ih)

    def forward(self, projected: Tensor, state: State) -> State:
        """The next state, given one step's projected input [B, blocks · hidden_size]."""
        raise NotImplementedError

    def begin(self, like: Tensor) -> State:
        """The state before the first step, all zeros; batch size, type and device as `like` [B, ...]."""
        return tuple(like.new_zeros(len(like), self.hidden_size) for _ in range(self.memories))


class RNNCell(Cell):
    """h′ = tanh(W x + b + U h + c) (Elman 1990)."""

    blocks = 1

    def forward(self, projected: Tensor, state: State) -> State:
        (h,) = state
        return (torch.tanh(projected + F.linear(h, self.weight_hh, self.bias_hh)),)


class LSTMCell(Cell):
    """Hochreiter & Schmidhuber 1997 with the forget gate of Gers et al. 2000; blocks in the order i, f, g, o.

    i, f, o = σ(W x + b + U h + c), each with its own weights        g = tanh(W x + b + U h + c)
    memory′ = f ⊙ memory + i ⊙ g                                     h′ = o ⊙ tanh(memory′)
    """

    blocks, memories = 4, 2

    def forward(self, projected: Tensor, state: State) -> State:
        h, memory = state
        i, f, g, o = (projected + F.linear(h, self.weight_hh, self.bias_hh)).chunk(4, dim=1)
        memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(memory), memory


class GRUCell(Cell):
    """Cho et al. 2014, with the reset gate behind the product as in cuDNN; blocks in the order r, z, n.

    r, z = σ(W x + b + U h + c)        n = tanh(W x + b + r ⊙ (U h + c))        h′ = (1 − z) ⊙ n + z ⊙ h
    """

    blocks = 3

    def forward(self, projected: Tensor, state: State) -> State:
        (h,) = state
        of_input, of_state = projected.chunk(3, dim=1), F.linear(h, self.weight_hh, self.bias_hh).chunk(3, dim=1)
        r, z = (torch.sigmoid(of_input[block] + of_state[block]) for block in (0, 1))
        n = torch.tanh(of_input[2] + r * of_state[2])
        return (n + z * (h - n),)


CELLS: dict[str, type[Cell]] = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}


class Recurrent(nn.Module):
    """Cells of one kind over whole sequences: `layers` on top of one another, in one direction or both.

    With two directions a layer's output joins both, so the layer above reads 2 · hidden_size; dropout falls on what
    each layer but the first reads, as in `torch.nn.LSTM`.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        directions = 2 if bidirectional else 1
        self.width = directions * hidden_size
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            nn.ModuleList(CELLS[cell](self.width if layer else input_size, hidden_size) for _ in range(directions))
            for layer in range(layers)
        )

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, list[list[State]]]:
        """Outputs [B, T, width] of the top layer for `inputs` [B, T, input_size], and each cell's last state.

        lengths: [B], how many steps of each sequence are real; all by default. Beyond them outputs are 0 and states
        stay, so the last state is that of the last real step (for the backward direction: of the first one).
        """
        rows = inputs.transpose(0, 1)
        inside = None if lengths is None else (torch.arange(len(rows), device=rows.device).unsqueeze(1) < lengths)
        finals = []
        for number, directions in enumerate(self.layers):
            if number:
                rows = self.dropout(rows)
            passes = [_run(cell, rows, inside, backward=place == 1) for place, cell in enumerate(directions)]
            rows = torch.cat([outputs for outputs, _ in passes], dim=2)
            finals.append([state for _, state in passes])
        return rows.transpose(0, 1), finals

    def step(self, inputs: Tensor, states: Sequence[State]) -> tuple[Tensor, list[State]]:
        """One more step of a one-way stack: output [B, hidden_size] for `inputs` [B, input_size], and new states."""
        after = []
        for (cell,), state in zip(self.layers, states, strict=True):
            after.append(cell(cell.project(inputs), state))
            inputs = after[-1][0]
        return inputs, after


def _run(cell: Cell, rows: Tensor, inside: Tensor | None, backward: bool) -> tuple[Tensor, State]:
    """Outputs [T, B, hidden_size] and the last state of one cell over `rows` [T, B, width]; inside: [T, B] or None."""
    projected = cell.project(rows).unbind(0)
    masks = None if inside is None else inside.unsqueeze(2).unbind(0)
    state = cell.begin(rows[0])
    outputs: list[Tensor] = [state[0]] * len(projected)
    for step in reversed(range(len(projected))) if backward else range(len(projected)):
        after = cell(projected[step], state)
        if masks is None:
            state, outputs[step] = after, after[0]
        else:
            state = tuple(torch.where(masks[step], new, old) for new, old in zip(after, state, strict=True))
            outputs[step] = after[0] * masks[step]
    return torch.stack(outputs), state
