"""A recurrent network that classifies sentences as positive or negative (report C)."""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from stages.networks.layers.ragged import pad_to
from stages.networks.layers.word_vectors import WordVectors, pool

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
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
        packed = pack_padded_sequence(rows, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.recurrent(packed)
        if self.pooling == "last":
            last = (state[0] if isinstance(state, tuple) else state)[-self.directions :]
            sentence = last.transpose(0, 1).flatten(1)
        else:
            sentence = pool(pad_packed_sequence(outputs, batch_first=True)[0], lengths, self.pooling)
        return self.head(sentence).squeeze(1)
