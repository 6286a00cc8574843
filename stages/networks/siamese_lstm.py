"""Siamese LSTM: both sentences through one LSTM, then a similarity head (report A; Mueller & Thyagarajan 2016)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.networks.layers.packed_lstm import Packed, PackedLSTM, pack, unpack
from stages.networks.layers.ragged import length_mask, pad_to

MAX_SIMILARITY = 5.0
#: Before the softmax, cosines are multiplied by this: the same word outweighs one with cosine 0.5 by e⁵.
ALIGNMENT_SHARPNESS = 10.0


class SiameseLSTM(nn.Module):
    """Predicts the similarity of sentence pairs, from 0 to 5.

    input_size: width of a word vector · hidden_size: units per direction · layers: stacked LSTMs ·
    directions: "forward", or both directions joined by "sum" or "concat" · pooling: "last" (the state at the last real
    word), "mean" or "max" over the real words · head: "cosine", "manhattan", "pearson" or "fully_connected" with hidden
    layers of `head_sizes` · symmetric: the fully connected head reads |h₁ − h₂| (Tai et al. 2015) rather than h₁ − h₂
    (report A) beside h₁ · h₂ · dropout: on the input and the hidden layers of that head (before it, dropout would set
    the two sentences apart at random) · initialization: of the LSTM, see `PackedLSTM` · alignment: the LSTM reads each
    word beside its counterpart in the other sentence, see `align`.

    Readings of report A · towers: "shared", one LSTM for both sentences, or "separate", one for the first sentences of
    the pairs and one for the second · input_layer: "none", or "normal", a linear layer of `hidden_size` units before
    the LSTM, see `NormalInput` · padded_length: run over this many steps, the sentence padded with zero vectors, so
    that padding counts as words.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 512,
        layers: int = 1,
        directions: str = "forward",
        pooling: str = "last",
        head: str = "cosine",
        head_sizes: tuple[int, ...] = (),
        symmetric: bool = False,
        dropout: float = 0.0,
        initialization: str = "torch",
        alignment: bool = False,
        towers: str = "shared",
        input_layer: str = "none",
        padded_length: int | None = None,
    ) -> None:
        super().__init__()
        self.directions, self.pooling, self.alignment = directions, pooling, alignment
        self.padded_length = padded_length
        word_size = 3 * input_size if alignment else input_size
        passes = 1 if directions == "forward" else 2
        width = 2 * hidden_size if directions == "concat" else hidden_size

        def tower() -> nn.ModuleList:
            sizes = (hidden_size if input_layer == "normal" else word_size, *(layers - 1) * (width,))
            return nn.ModuleList(
                nn.ModuleList(PackedLSTM(size, hidden_size, initialization) for _ in range(passes)) for size in sizes
            )

        self.layers = tower()
        self.second_layers = tower() if towers == "separate" else None
        self.input_layer = NormalInput(word_size, hidden_size) if input_layer == "normal" else None
        self.head = FullyConnected(width, head_sizes, symmetric, dropout) if head == "fully_connected" else HEADS[head]

    def forward(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Similarities [B] of the pairs (i, B + i) of `vectors` [2B, T, input_size] with true `lengths` [2B].

        Raises ValueError where T exceeds `padded_length`.
        """
        return self.head(*self.encode_pairs(vectors, lengths))

    def encode_pairs(self, vectors: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The states of the first and of the second sentences, each [B, width]; arguments as for `forward`."""
        if self.alignment:
            vectors = align(vectors, lengths)
        if self.padded_length is not None:
            vectors, lengths = pad_to(vectors, self.padded_length)
        if self.second_layers is None:
            first, second = self._encode(self.layers, vectors, lengths).chunk(2)
            return first, second
        halves = zip((self.layers, self.second_layers), vectors.chunk(2), lengths.chunk(2), strict=True)
        first, second = (self._encode(*half) for half in halves)
        return first, second

    def _encode(self, layers: nn.ModuleList, vectors: Tensor, lengths: Tensor) -> Tensor:
        """One state [B, width] per sentence of `vectors` [B, T, input_size, or 3 · input_size if aligned]."""
        packed = pack(vectors, lengths)
        rows = packed.words if self.input_layer is None else self.input_layer(packed.words)
        for passes in layers:
            states = [passes[0](packed._replace(words=rows))]
            if len(passes) == 2:
                # Mirrored again, row k is the state at word k after reading the sentence from its end.
                states.append(passes[1](packed._replace(words=rows[packed.mirror]))[packed.mirror])
            rows = torch.cat(states, dim=1) if self.directions == "concat" else torch.stack(states).sum(0)
        return self._pool(packed, rows, states, vectors.shape[1])

    def _pool(self, packed: Packed, rows: Tensor, states: list[Tensor], steps: int) -> Tensor:
        if self.pooling == "max":
            return unpack(packed, rows, steps, fill=-torch.inf).amax(1)
        if self.pooling == "mean":
            return unpack(packed, rows, steps).sum(1) / packed.lengths.unsqueeze(1)
        # The backward direction has read everything once it reaches the first word.
        ends = [state[row] for state, row in zip(states, (packed.last, packed.first), strict=False)]
        return torch.cat(ends, dim=1) if self.directions == "concat" else torch.stack(ends).sum(0)


class NormalInput(nn.Linear):
    """A linear layer initialized with N(0, 1) weights and biases of 0.1, as in tutorials of TensorFlow 1."""

    def reset_parameters(self) -> None:
        """Draw the weights."""
        nn.init.normal_(self.weight)
        nn.init.constant_(self.bias, 0.1)


def align(vectors: Tensor, lengths: Tensor) -> Tensor:
    """Each word x of `vectors` [2B, T, W] with its counterpart x′ in the other sentence of the pair (i, B + i), as x,
    |x − x′|, x · x′: [2B, T, 3W].

    The counterpart is a mean of the other sentence's words, weighted by a softmax over ALIGNMENT_SHARPNESS times their
    cosines with x: the soft alignment of Parikh et al. 2016, without learned parameters.
    """
    others = vectors.roll(len(vectors) // 2, 0)
    mask = length_mask(lengths, vectors.shape[1]).roll(len(vectors) // 2, 0)
    words, keys = F.normalize(vectors, dim=2), F.normalize(others, dim=2)
    counterparts = F.scaled_dot_product_attention(
        words, keys, others, attn_mask=mask.unsqueeze(1), scale=ALIGNMENT_SHARPNESS
    )
    return torch.cat([vectors, (vectors - counterparts).abs(), vectors * counterparts], dim=2)


def cosine_similarity(first: Tensor, second: Tensor) -> Tensor:
    """(cos + 1) · 2.5: 0 for opposite states, 5 for equal directions (report A)."""
    return (F.cosine_similarity(first, second, dim=1) + 1) * (MAX_SIMILARITY / 2)


def manhattan_similarity(first: Tensor, second: Tensor) -> Tensor:
    """5 · exp(−‖h₁ − h₂‖₁) (Mueller & Thyagarajan 2016)."""
    return MAX_SIMILARITY * torch.exp(-(first - second).abs().sum(1))


def pearson_similarity(first: Tensor, second: Tensor) -> Tensor:
    """(r + 1) · 2.5 with r the correlation between the entries of the two states (report A)."""
    return cosine_similarity(first - first.mean(1, keepdim=True), second - second.mean(1, keepdim=True))


HEADS = {"cosine": cosine_similarity, "manhattan": manhattan_similarity, "pearson": pearson_similarity}


class FullyConnected(nn.Module):
    """Difference and product of two states through hidden layers to a sigmoid scaled to 0–5 (Tai et al. 2015)."""

    def __init__(self, width: int, hidden_sizes: tuple[int, ...], symmetric: bool, dropout: float) -> None:
        super().__init__()
        self.symmetric = symmetric
        modules: list[nn.Module] = [nn.Dropout(dropout)]
        before = 2 * width
        for size in hidden_sizes:
            modules += [nn.Linear(before, size), nn.Sigmoid(), nn.Dropout(dropout)]
            before = size
        self.layers = nn.Sequential(*modules, nn.Linear(before, 1))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        difference = first - second
        features = torch.cat([difference.abs() if self.symmetric else difference, first * second], dim=1)
        return MAX_SIMILARITY * torch.sigmoid(self.layers(features).squeeze(1))
