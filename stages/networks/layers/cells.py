"""Recurrent cells written out from their equations, and a stack of them over whole sequences.

Parameters are named, shaped and initialized like those of `torch.nn.RNNCell`, `LSTMCell` and `GRUCell`, so that weights
can be copied either way. In the equations x is the input and h the previous state, both as rows [B, width]; σ is the
logistic function and ⊙ multiplies entry by entry.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: What a cell hands to its next step: the output h [B, hidden_size], then the LSTM's memory.
State = tuple[Tensor, ...]


class Cell(nn.Module):
    """One step of a recurrence. A subclass sets the number of weight blocks and computes the step."""

    #: Blocks of `hidden_size` rows in each weight.
    blocks: int
    #: Tensors in a state.
    state_tensors = 1

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
        """W x + b in every block, [..., input_size] → [..., blocks · hidden_size].

        It does not depend on the state, so one matrix product serves all steps of a sequence.
        """
        return F.linear(inputs, self.weight_ih, self.bias_ih)

    def forward(self, projected: Tensor, state: State) -> State:
        """The next state, given one step's projected input [B, blocks · hidden_size]."""
        raise NotImplementedError

    def initial_state(self, like: Tensor) -> State:
        """Zeros, with the batch size, type and device of `like` [B, ...]."""
        return tuple(like.new_zeros(len(like), self.hidden_size) for _ in range(self.state_tensors))


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

    blocks, state_tensors = 4, 2

    def forward(self, projected: Tensor, state: State) -> State:
        h, memory = state
        i, f, g, o = (projected + F.linear(h, self.weight_hh, self.bias_hh)).chunk(4, dim=1)
        memory = torch.sigmoid(f) * memory + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(memory), memory


class GRUCell(Cell):
    """Cho et al. 2014, with the reset gate after the matrix product, as in cuDNN; blocks in the order r, z, n.

    r, z = σ(W x + b + U h + c)        n = tanh(W x + b + r ⊙ (U h + c))        h′ = (1 − z) ⊙ n + z ⊙ h
    """

    blocks = 3

    def forward(self, projected: Tensor, state: State) -> State:
        (h,) = state
        from_input, from_state = projected.chunk(3, dim=1), F.linear(h, self.weight_hh, self.bias_hh).chunk(3, dim=1)
        r, z = (torch.sigmoid(from_input[block] + from_state[block]) for block in (0, 1))
        n = torch.tanh(from_input[2] + r * from_state[2])
        return (n + z * (h - n),)


CELLS: dict[str, type[Cell]] = {"rnn": RNNCell, "lstm": LSTMCell, "gru": GRUCell}


class Recurrent(nn.Module):
    """Cells of one kind over whole sequences: `layers` of them stacked, in one direction or both.

    With two directions a layer's output concatenates both, so the next layer reads 2 · hidden_size.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int,
        layers: int = 1,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        directions = 2 if bidirectional else 1
        self.width = directions * hidden_size
        self.layers = nn.ModuleList(
            nn.ModuleList(CELLS[cell](self.width if layer else input_size, hidden_size) for _ in range(directions))
            for layer in range(layers)
        )

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, list[list[State]]]:
        """Outputs [B, T, width] of the top layer for `inputs` [B, T, input_size], and the final state of each cell, by
        layer and direction.

        lengths: [B], the real steps of each sequence; all by default. Past them outputs are 0 and states stay as they
        are, so the final state is that of the last real step (of the first one in the backward direction).
        """
        rows = inputs.transpose(0, 1)
        mask = None if lengths is None else (torch.arange(len(rows), device=rows.device).unsqueeze(1) < lengths)
        finals = []
        for cells in self.layers:
            passes = [_run(cell, rows, mask, backward=direction == 1) for direction, cell in enumerate(cells)]
            rows = torch.cat([outputs for outputs, _ in passes], dim=2)
            finals.append([state for _, state in passes])
        return rows.transpose(0, 1), finals


def _run(cell: Cell, rows: Tensor, mask: Tensor | None, backward: bool) -> tuple[Tensor, State]:
    """Outputs [T, B, hidden_size] and the final state of one cell over `rows` [T, B, width]; mask: [T, B] or None."""
    projected = cell.project(rows).unbind(0)
    masks = None if mask is None else mask.unsqueeze(2).unbind(0)
    state = cell.initial_state(rows[0])
    outputs: list[Tensor] = [state[0]] * len(projected)
    for step in reversed(range(len(projected))) if backward else range(len(projected)):
        after = cell(projected[step], state)
        if masks is None:
            state, outputs[step] = after, after[0]
        else:
            state = tuple(torch.where(masks[step], new, old) for new, old in zip(after, state, strict=True))
            outputs[step] = after[0] * masks[step]
    return torch.stack(outputs), state
