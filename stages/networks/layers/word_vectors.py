"""The input of a text network: given word vectors, fixed or fine-tuned, or an embedding of its own."""

import torch
from torch import Tensor, nn

from stages.networks.layers.ragged import length_mask


class WordVectors(nn.Module):
    """embeddings: "fixed" (the given vectors), "tuned" (the given vectors plus a learned change that starts at 0, which
    is the same as fine-tuning them) or "learned" (a random embedding of width `input_size`; given vectors are ignored).
    """

    def __init__(self, vocabulary_size: int, input_size: int, embeddings: str) -> None:
        super().__init__()
        self.embeddings = embeddings
        self.own = None
        if embeddings != "fixed":
            self.own = nn.Embedding(vocabulary_size, input_size, padding_idx=0)
        if embeddings == "tuned":
            nn.init.zeros_(self.own.weight)

    def forward(self, token_ids: Tensor, vectors: Tensor) -> Tensor:
        """[B, T, input_size] of token ids [B, T] (0 is padding) with given vectors [B, T, input_size]."""
        if self.own is None:
            return vectors
        own = self.own(token_ids)
        return vectors + own if self.embeddings == "tuned" else own


def pool(rows: Tensor, lengths: Tensor, pooling: str) -> Tensor:
    """Mean or max pooling of rows [B, T, width] over the first `lengths` [B] positions of each, [B, width]."""
    mask = length_mask(lengths, rows.shape[1]).unsqueeze(2)
    if pooling == "max":
        return rows.masked_fill(~mask, -torch.inf).amax(1)
    return (rows * mask).sum(1) / lengths.unsqueeze(1)
