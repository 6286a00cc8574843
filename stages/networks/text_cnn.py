"""Report D's text CNN: a convolution over the words, tanh, and pooling over the length (compare Kim 2014)."""

import torch
from torch import Tensor, nn

from stages.networks.layers.ragged import length_mask
from stages.networks.layers.word_vectors import WordVectors, pool


class TextCNN(nn.Module):
    """kernels: number of kernels, each `kernel_width` words wide and as high as a word vector · pooling: "mean" (the
    report) or "max" · dropout: on word vectors and on the pooled values · embeddings: see `WordVectors`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        input_size: int,
        kernels: int = 50,
        kernel_width: int = 3,
        pooling: str = "mean",
        dropout: float = 0.0,
        embeddings: str = "fixed",
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.words = WordVectors(vocabulary_size, input_size, embeddings)
        self.dropout = nn.Dropout(dropout)
        # The report's Conv2d of [kernel_width, input_size] over one channel is this convolution over the length.
        self.convolution = nn.Conv1d(input_size, kernels, kernel_width, padding=kernel_width // 2)
        self.head = nn.Linear(kernels, 1)

    def forward(self, token_ids: Tensor, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B] of a positive sentence: token ids [B, T], given vectors [B, T, input_size], true lengths [B]."""
        rows = self.dropout(self.words(token_ids, vectors))
        # Padding reads as zeros, so that a sentence does not depend on its neighbours in the batch.
        rows = rows * length_mask(lengths, rows.shape[1]).unsqueeze(2)
        maps = torch.tanh(self.convolution(rows.transpose(1, 2))).transpose(1, 2)
        return self.head(self.dropout(pool(maps[:, : rows.shape[1]], lengths, self.pooling))).squeeze(1)
