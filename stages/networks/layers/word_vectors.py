"""What a text network reads for a word: a given vector, a given one that training may move, or one of its own."""

import torch
from torch import Tensor, nn


class WordVectors(nn.Module):
    """embeddings: "fixed" (the given vectors), "tuned" (the given vectors plus a learned change that begins at 0, which
    is the same as going on training them) or "learned" (of width `input_size`, begun at random, the given ones unused).
    """

    def __init__(self, vocabulary: int, input_size: int, embeddings: str) -> None:
        super().__init__()
        self.given = embeddings != "learned"
        if embeddings == "fixed":
            self.own = None
        else:
            self.own = nn.Embedding(vocabulary, input_size, padding_idx=0)
            if self.given:
                nn.init.zeros_(self.own.weight)

    def forward(self, numbers: Tensor, vectors: Tensor) -> Tensor:
        """[B, T, input_size], given word numbers [B, T] (0 is padding) and given vectors [B, T, input_size]."""
        if self.own is None:
            return vectors
        return vectors + self.own(numbers) if self.given else self.own(numbers)


def pooled(rows: Tensor, lengths: Tensor, how: str) -> Tensor:
    """Mean or max of rows [B, T, width] over the first `lengths` [B] of each, [B, width]."""
    inside = torch.arange(rows.shape[1], device=rows.device).unsqueeze(0) < lengths.unsqueeze(1)
    if how == "max":
        return rows.masked_fill(~inside.unsqueeze(2), -torch.inf).amax(1)
    return (rows * inside.unsqueeze(2)).sum(1) / lengths.unsqueeze(1)
