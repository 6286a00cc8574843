"""Reviews in memory."""

from collections.abc import Iterator

import torch
from torch import Tensor

from stages.lib.task import Batch, Split
from stages.networks.layers.ragged import Ragged, batches_by_length


class Reviews(Split):
    """sentences: token ids of n reviews, 0 is padding · labels: [n], 1 positive · vectors: [vocabulary, width]."""

    def __init__(self, sentences: Ragged, labels: Tensor, vectors: Tensor) -> None:
        self.sentences, self.labels, self.vectors = sentences, labels, vectors

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def targets(self) -> list[float]:
        """1 for a positive review, 0 for a negative one."""
        return self.labels.tolist()

    def batch(self, index: Tensor) -> Batch:
        """Inputs: token ids [B, T], vectors [B, T, width] and lengths [B], T the longest review; target: labels [B]."""
        token_ids = self.sentences.padded(index).long()
        return Batch((token_ids, self.vectors[token_ids], self.sentences.lengths[index]), self.labels[index])

    def eval_batches(self, size: int) -> Iterator[Tensor]:
        """Reviews of about the same length go together."""
        return batches_by_length(self.sentences.lengths, size)

    def sample(self, size: int) -> "Reviews":
        """Evenly spaced reviews, `size` of them at most."""
        index = torch.linspace(0, len(self) - 1, min(size, len(self))).long()
        return Reviews(self.sentences.select(index), self.labels[index], self.vectors)
