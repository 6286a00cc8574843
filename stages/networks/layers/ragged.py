"""Sequences of unequal length: stored one after another, and padded batch by batch."""

import copy
from collections.abc import Iterator, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor


class Ragged:
    """n rows of unequal length; row i is values[offsets[i]:offsets[i + 1]].

    values: [N, ...], all rows end to end · offsets: [n + 1] int64, from 0 to N.
    """

    def __init__(self, values: Tensor, offsets: Tensor) -> None:
        self.values = values
        self.starts, self.lengths = offsets[:-1], offsets.diff()

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int]]) -> Self:
        """Rows of whole numbers."""
        offsets = torch.tensor([0, *map(len, rows)]).cumsum(0)
        return cls(torch.tensor([value for row in rows for value in row]), offsets)

    def __len__(self) -> int:
        return len(self.lengths)

    def padded(self, index: Tensor) -> Tensor:
        """The rows at `index` [B] as [B, T, ...], T the longest of them; positions past a row's end hold 0."""
        mask = length_mask(self.lengths[index])
        positions = self.starts[index].unsqueeze(1) + torch.arange(mask.shape[1])
        # Positions past a row's end may lie past the last value as well.
        rows = self.values[positions * mask]
        return rows * mask.view(*mask.shape, *[1] * (rows.dim() - 2))

    def with_values(self, values: Tensor) -> Self:
        """Rows of the same lengths of other values [N, ...]."""
        other = copy.copy(self)
        other.values = values
        return other

    def select(self, index: Tensor) -> Self:
        """The rows at `index` [m], which share the values of these."""
        chosen = copy.copy(self)
        chosen.starts, chosen.lengths = self.starts[index], self.lengths[index]
        return chosen


def length_mask(lengths: Tensor, steps: int | None = None) -> Tensor:
    """[B, T] bool: whether a position is within the row, for rows of these lengths [B]; T defaults to the longest."""
    positions = torch.arange(int(lengths.max()) if steps is None else steps, device=lengths.device)
    return positions < lengths.unsqueeze(1)


def batches_by_length(lengths: Tensor, size: int) -> Iterator[Tensor]:
    """Indices of all rows in batches of `size`, the shortest rows first, so that a batch has little padding."""
    return iter(torch.argsort(lengths, stable=True).split(size))


def pad_to(vectors: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """`vectors` [B, T, W] followed by zero vectors up to [B, steps, W], and the lengths [B], all `steps`.

    For networks that read the padding, as in implementations without a mask. Raises ValueError where T > steps.
    """
    if vectors.shape[1] > steps:
        raise ValueError(f"sentences of {vectors.shape[1]} words do not fit into {steps} steps")
    padded = F.pad(vectors, (0, 0, 0, steps - vectors.shape[1]))
    return padded, torch.full((len(vectors),), steps, device=vectors.device)
