"""Forecasts a sequence of numbers point by point, from real points or from its own forecasts (report C)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Forecaster(nn.Module):
    """A recurrent layer that reads one point per step, and linear layers from its output to the next point.

    cell: "rnn", "lstm" or "gru", of `hidden_size` units · head_sizes: widths of the linear layers before the last one
    (report C: none after the RNN, one after the LSTM), with no activation in between · dtype: of weights and
    arithmetic; in double precision a line search can still tell losses of 10⁻⁶ apart.
    """

    def __init__(
        self, cell: str = "rnn", hidden_size: int = 51, head_sizes: tuple[int, ...] = (), dtype: str = "float64"
    ) -> None:
        super().__init__()
        self.recurrent = CELLS[cell](1, hidden_size)
        widths = (hidden_size, *head_sizes, 1)
        self.head = nn.Sequential(*(nn.Linear(before, after) for before, after in pairwise(widths)))
        self.dtype = getattr(torch, dtype)
        self.to(self.dtype)

    def forward(self, points: Tensor, known: Tensor) -> Tensor:
        """Forecasts [B, T − 1] of points 1 to T − 1 of `points` [B, T]; of each row the first `known` [B] are read.

        After them, each forecast is the next input. Where all points are known this is one pass over the sequence.
        """
        inputs = points.to(self.dtype)[:, :-1]
        read = min(int(known.min()), inputs.shape[1])
        outputs, state = self.recurrent(inputs[:, :read].t().unsqueeze(2))
        forecasts = [self.head(outputs.transpose(0, 1)).squeeze(2)]
        for step in range(read, inputs.shape[1]):
            point = torch.where(known > step, inputs[:, step], forecasts[-1][:, -1])
            output, state = self.recurrent(point.view(1, -1, 1), state)
            forecasts.append(self.head(output[0]))
        return torch.cat(forecasts, dim=1)
