"""Report D's text CNN: a convolution over words, tanh, and a pool over the length (compare Kim 2014)."""

import torch
from torch import Tensor, nn

from stages.networks.layers.word_vectors import WordVectors, pooled


class TextCNN(nn.Module):
    """kernels: how many, each `kernel_width` words wide and as high as a word vector · pooling: "mean" (the report) or
    "max" · dropout: on word vectors and on the pooled values · embeddings: see `WordVectors`.
    """

    def __init__(
        self,
        vocabulary: int,
        input_size: int,
        kernels: int = 50,
        kernel_width: int = 3,
        pooling: str = "mean",
        dropout: float = 0.0,
        embeddings: str = "fixed",
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.words = WordVectors(vocabulary, input_size, embeddings)
        self.dropout = nn.Dropout(dropout)
        # The report's Conv2d of [kernel_width, input_size] over one channel is this convolution over the length.
        self.convolution = nn.Conv1d(input_size, kernels, kernel_width, padding=kernel_width // 2)
        self.head = nn.Linear(kernels, 1)

    def forward(self, numbers: Tensor, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B] of being positive; word numbers [B, T], given vectors [B, T, input_size], true lengths [B]."""
        rows = self.dropout(self.words(numbers, vectors))
        # Beyond a sentence's end nothing is read, so that its neighbours in the batch do not matter.
        inside = torch.arange(rows.shape[1], device=rows.device) < lengths.unsqueeze(1)
        maps = torch.tanh(self.convolution((rows * inside.unsqueeze(2)).transpose(1, 2))).transpose(1, 2)
        return self.head(self.dropout(pooled(maps[:, : rows.shape[1]], lengths, self.pooling))).squeeze(1)
