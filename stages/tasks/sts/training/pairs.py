"""Sentence pairs in memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

from stages.lib.task import Batch, Split
from stages.networks.layers.ragged import Ragged, batches_by_length


class SentencePairs(Split):
    """sentences: token ids of 2n sentences, of which i and n + i are pair i; id 0 is padding · similarity: [n] ·
    vectors: [vocabulary + 1, width], row 0 all zeros.
    """

    def __init__(self, sentences: Ragged, similarity: Tensor, vectors: Tensor) -> None:
        self.sentences, self.similarity, self.vectors = sentences, similarity, vectors

    def __len__(self) -> int:
        return len(self.similarity)

    @property
    def targets(self) -> list[float]:
        """The similarities, from 0 to 5."""
        return self.similarity.tolist()

    def batch(self, index: Tensor) -> Batch:
        """Inputs: vectors [2B, T, width] and lengths [2B], T the longest sentence; target: similarities [B]."""
        rows = torch.cat([index, index + len(self)])
        token_ids = self.sentences.padded(rows).long()
        return Batch((self.vectors[token_ids], self.sentences.lengths[rows]), self.similarity[index])

    def eval_batches(self, size: int) -> Iterator[Tensor]:
        """Pairs whose longer sentences are about as long go together."""
        return batches_by_length(torch.maximum(*self.sentences.lengths.chunk(2)), size)
