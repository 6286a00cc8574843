"""Forecasts a sequence of numbers point by point, from real points or from its own forecasts (report C)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from stages.networks.layers.cells import Recurrent

FRAMEWORK = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Forecaster(nn.Module):
    """A recurrent layer that reads a point a step, and linear layers that turn its output into the next point.

    cell: "rnn", "lstm" or "gru" · hidden_size: its units · head_sizes: widths of linear layers between it and the last
    one (report C: none behind the RNN, one behind the LSTM; nothing stands between linear layers) · implementation:
    "own", the cells of cells.py, or "torch", the framework's · dtype: of weights and arithmetic; in double precision a
    line search can still tell losses of 10⁻⁶ apart.
    """

    def __init__(
        self,
        cell: str = "rnn",
        hidden_size: int = 51,
        head_sizes: tuple[int, ...] = (),
        implementation: str = "own",
        dtype: str = "float64",
    ) -> None:
        super().__init__()
        self.own = implementation == "own"
        self.recurrent = Recurrent(cell, 1, hidden_size) if self.own else FRAMEWORK[cell](1, hidden_size)
        widths = (hidden_size, *head_sizes, 1)
        self.head = nn.Sequential(*(nn.Linear(before, after) for before, after in pairwise(widths)))
        self.to(getattr(torch, dtype))
        self.dtype = getattr(torch, dtype)

    def forward(self, points: Tensor, known: Tensor) -> Tensor:
        """Forecasts [B, T − 1] of points 1 to T − 1, given `points` [B, T], the first `known` [B] of which are read.

        Beyond them each forecast is read in place of the point. Where all are known this is one pass over the sequence.
        """
        given = points.to(self.dtype)[:, :-1]
        real = min(int(known.min()), given.shape[1])
        outputs, state = self._pass(given[:, :real])
        forecasts = [self.head(outputs).squeeze(2)]
        for place in range(real, given.shape[1]):
            read = torch.where(known > place, given[:, place], forecasts[-1][:, -1])
            output, state = self._step(read.unsqueeze(1), state)
            forecasts.append(self.head(output))
        return torch.cat(forecasts, dim=1)

    def _pass(self, points: Tensor) -> tuple[Tensor, list]:
        if self.own:
            outputs, finals = self.recurrent(points.unsqueeze(2))
            return outputs, [state for (state,) in finals]
        outputs, state = self.recurrent(points.t().unsqueeze(2))
        return outputs.transpose(0, 1), [state]

    def _step(self, point: Tensor, state: list) -> tuple[Tensor, list]:
        if self.own:
            return self.recurrent.step(point, state)
        output, after = self.recurrent(point.unsqueeze(0), state[0])
        return output[0], [after]
