"""A recurrent network that says how likely a sentence is positive (report C)."""

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from stages.networks.layers.word_vectors import WordVectors, pooled

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}


class SentenceClassifier(nn.Module):
    """cell: "rnn", "lstm" or "gru", of `hidden_size` units, in `layers`, `bidirectional` or not · pooling: "last" (the
    state at the last real word; backward, the first), "mean" or "max" over the real words · head_sizes: widths of the
    linear layers before the last one, each with the activation "sigmoid" or "relu" · dropout: on word vectors, between
    recurrent layers, and on what each linear layer reads · embeddings: see `WordVectors`.
    """

    def __init__(
        self,
        vocabulary: int,
        input_size: int,
        cell: str = "rnn",
        hidden_size: int = 128,
        layers: int = 1,
        bidirectional: bool = False,
        pooling: str = "last",
        head_sizes: tuple[int, ...] = (),
        activation: str = "relu",
        dropout: float = 0.0,
        embeddings: str = "fixed",
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.words = WordVectors(vocabulary, input_size, embeddings)
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

    def forward(self, numbers: Tensor, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Logits [B] of being positive; word numbers [B, T], given vectors [B, T, input_size], true lengths [B]."""
        rows = self.dropout(self.words(numbers, vectors))
        packed = pack_padded_sequence(rows, lengths.cpu(), batch_first=True, enforce_sorted=False)
        outputs, state = self.recurrent(packed)
        if self.pooling == "last":
            last = (state[0] if isinstance(state, tuple) else state)[-self.directions :]
            sentence = last.transpose(0, 1).flatten(1)
        else:
            sentence = pooled(pad_packed_sequence(outputs, batch_first=True)[0], lengths, self.pooling)
        return self.head(sentence).squeeze(1)
