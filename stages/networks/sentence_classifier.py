"""A recurrent network that classifies sentences as positive or negative (report C)."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from stages.networks.layers.packed_lstm import Packed, PackedLSTM, pack, unpack
from stages.networks.layers.ragged import pad_to
from stages.networks.layers.word_vectors import WordVectors, pool

CELLS = {"rnn": nn.RNN, "gru": nn.GRU}
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}


class SentenceClassifier(nn.Module):
    """cell: "rnn", "lstm" or "gru", of `hidden_size` units per direction, in `layers`, `bidirectional` or not ·
    pooling: "last" (the state at the last real word; of the backward direction, at the first), "mean" or "max" over the
    real words · padded_length: run over this many steps, the sentence padded with zero vectors, so that padding counts
    as words · head_sizes: widths of the linear layers before the last one, each followed by the activation "sigmoid" or
    "relu" · dropout: on word vectors, between recurrent layers, and on the input of each linear layer · embeddings: see
    `WordVectors`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        input_size: int,
        cell: str = "rnn",
        hidden_size: int = 128,
        layers: int = 1,
        bidirectional: bool = False,
        pooling: str = "last",
        padded_length: int | None = None,
        head_sizes: tuple[int, ...] = (),
        activation: str = "relu",
        dropout: float = 0.0,
        embeddings: str = "fixed",
    ) -> None:
        super().__init__()
        self.pooling, self.padded_length = pooling, padded_length
        self.words = WordVectors(vocabulary_size, input_size, embeddings)
        self.dropout = nn.Dropout(dropout)
        self.recurrent: nn.Module
        if cell == "lstm":
            self.recurrent = StackedLSTM(input_size, hidden_size, layers, bidirectional, dropout)
        else:
            self.recurrent = CELLS[cell](
                input_size,
                hidden_size,
                layers,
                batch_first=True,
                bidirectional=bidirectional,
                dropout=dropout if layers > 1 else 0.0,
            )
        self.directions = 2 if bidirectional else 1
        width = self.directions * hidden_size
        modules: list[nn.Module] = []
        for size in head_sizes:
            modules += [nn.Dropout(dropout), nn.Linear(width, size), ACTIVATIONS[activation]()]
            width = size
        self.head = nn.Sequential(*modules, nn.Dropout(dropout), nn.Linear(width, 1))

    def forward(self, token_ids: Tensor, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B] of a positive sentence: token ids [B, T], given vectors [B, T, input_size], true lengths [B].

        Raises ValueError where T exceeds `padded_length`.
        """
        rows = self.dropout(self.words(token_ids, vectors))
        if self.padded_length is not None:
            rows, lengths = pad_to(rows, self.padded_length)
        encode = self._encode_by_lstm if isinstance(self.recurrent, StackedLSTM) else self._encode
        return self.head(encode(rows, lengths)).squeeze(1)

    def _encode(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """One vector per sentence [B, directions · hidden_size] of word vectors [B, T, input_size]."""
        packed = pack_padded_sequence(rows, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.recurrent(packed)
        if self.pooling == "last":
            return state[-self.directions :].transpose(0, 1).flatten(1)
        return pool(pad_packed_sequence(outputs, batch_first=True)[0], lengths, self.pooling)

    def _encode_by_lstm(self, rows: Tensor, lengths: Tensor) -> Tensor:
        """As `_encode`."""
        packed = pack(rows, lengths)
        states = self.recurrent(packed)
        if self.pooling == "last":
            # The backward direction has read everything once it reaches the first word.
            ends = zip(states, (packed.last, packed.first), strict=False)
            return torch.cat([state[row] for state, row in ends], dim=1)
        return pool(unpack(packed, torch.cat(states, dim=1), rows.shape[1]), lengths, self.pooling)


class StackedLSTM(nn.Module):
    """`torch.nn.LSTM` with several layers, directions and dropout between layers, of `PackedLSTM`s.

    With two directions a layer's states concatenate both, so the next layer reads 2 · hidden_size.
    """

    def __init__(
        self, input_size: int, hidden_size: int, layers: int = 1, bidirectional: bool = False, dropout: float = 0.0
    ) -> None:
        super().__init__()
        directions = 2 if bidirectional else 1
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            nn.ModuleList(
                PackedLSTM(directions * hidden_size if layer else input_size, hidden_size) for _ in range(directions)
            )
            for layer in range(layers)
        )

    def forward(self, packed: Packed) -> list[Tensor]:
        """The top layer's states at each word of `packed`, [N, hidden_size] per direction."""
        states: list[Tensor] = []
        for layer in self.layers:
            words = self.dropout(torch.cat(states, dim=1)) if states else packed.words
            states = [layer[0](packed._replace(words=words))]
            if len(layer) == 2:
                # Mirrored again, row k is the state at word k after reading the sentence from its end.
                states.append(layer[1](packed._replace(words=words[packed.mirror]))[packed.mirror])
        return states
