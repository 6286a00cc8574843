"""A bidirectional LSTM that tags every word, with a CRF output layer or without (report B; Huang et al. 2015)."""

import copy
from collections.abc import Mapping
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchcrf import CRF

from stages.networks.layers.packed_lstm import Packed, PackedLSTM, pack, unpack

TAGS = 3
OUTSIDE, INSIDE = 0, 2
#: Score of a transition that cannot occur: as good as probability 0, and far from overflow.
IMPOSSIBLE = -10_000.0
#: Shapes of a word: lower case, Capital first, ALL capitals, miXed, with a digit, a mark.
SHAPES, SHAPE_WIDTH = 6, 8
#: Tags of the Penn Treebank, and 0 for none of them.
PARTS_OF_SPEECH, PART_OF_SPEECH_WIDTH = 45, 12
CHARACTERS, CHARACTER_WIDTH = 128, 25


class Words(NamedTuple):
    """The words of B sentences, padded to T.

    token_ids: [B, T], 0 is padding · vectors: [B, T, width] · characters: [B, T, C], 0 is padding · shapes: [B, T] ·
    parts_of_speech: [B, T], 0 is none · encoding: [B, T, encoding_width], the target encoding · lengths: [B].
    """

    token_ids: Tensor
    vectors: Tensor
    characters: Tensor
    shapes: Tensor
    parts_of_speech: Tensor
    encoding: Tensor
    lengths: Tensor


class SequenceTagger(nn.Module):
    """Tags each word O, B or I.

    vocabulary_size: token ids · vector_widths: width of each kind of given vector, in the order in which they are
    concatenated · encoding_width: width of a word's target encoding · vectors: the kind that is read, "word2vec",
    "glove" or "both" · embeddings: "fixed", or "tuned" (the given vectors plus a learned change that starts at 0, which
    is the same as fine-tuning them) · characters: "none", or "cnn", a `CharacterCNN` of `character_size` kernels ·
    shapes, parts_of_speech: whether a word's capitals and digits, and its part of speech, are read · target_encoding:
    whether the target encoding is read; dropout spares it · hidden_size: units per direction · dropout: on the input of
    the LSTM and on its states · input_dropout: another rate for the input · variational: one dropout mask for all words
    of a sentence (Gal & Ghahramani 2016) · output: "crf" or "softmax" (each word for itself) · constrain_transitions:
    an I may neither follow an O nor start a sentence · ensemble_size: this many networks learn side by side from the
    same batches, and their emissions are averaged.
    """

    def __init__(
        self,
        vocabulary_size: int,
        vector_widths: Mapping[str, int],
        encoding_width: int = 0,
        vectors: str = "word2vec",
        embeddings: str = "fixed",
        characters: str = "none",
        character_size: int = 50,
        shapes: bool = False,
        parts_of_speech: bool = False,
        target_encoding: bool = False,
        hidden_size: int = 512,
        dropout: float = 0.0,
        input_dropout: float | None = None,
        variational: bool = False,
        output: str = "crf",
        constrain_transitions: bool = False,
        ensemble_size: int = 1,
    ) -> None:
        super().__init__()
        ends = dict(zip(vector_widths, accumulate(vector_widths.values()), strict=True))
        # The columns of the given vectors that are read.
        self.columns = (
            slice(None) if vectors == "both" else slice(ends[vectors] - vector_widths[vectors], ends[vectors])
        )
        width = sum(vector_widths.values()) if vectors == "both" else vector_widths[vectors]
        self.members = nn.ModuleList(
            EmissionNetwork(
                vocabulary_size=vocabulary_size,
                vector_width=width,
                embeddings=embeddings,
                character_size=character_size if characters == "cnn" else 0,
                shapes=shapes,
                parts_of_speech=parts_of_speech,
                encoding_width=encoding_width if target_encoding else 0,
                hidden_size=hidden_size,
                dropout=dropout,
                input_dropout=dropout if input_dropout is None else input_dropout,
                variational=variational,
            )
            for _ in range(ensemble_size)
        )
        outputs = {"crf": CRFOutput, "softmax": SoftmaxOutput}
        self.outputs = nn.ModuleList(outputs[output](constrain_transitions) for _ in range(ensemble_size))

    def forward(
        self,
        token_ids: Tensor,
        vectors: Tensor,
        characters: Tensor,
        shapes: Tensor,
        parts_of_speech: Tensor,
        encoding: Tensor,
        lengths: Tensor,
    ) -> Tensor:
        """Emissions [ensemble_size, B, T, 3] of the tags O, B, I; arguments are those of `Words`."""
        vectors = vectors[:, :, self.columns]
        words = Words(token_ids, vectors, characters, shapes, parts_of_speech, encoding, lengths)
        return torch.stack([member(words) for member in self.members])

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood (nats) of a sentence's tags [B, T] where mask [B, T], averaged over the batch."""
        losses = [output.loss(rows, tags, mask) for output, rows in zip(self.outputs, emissions, strict=True)]
        return torch.stack(losses).mean()

    def decode(self, emissions: Tensor, mask: Tensor) -> list[list[int]]:
        """The best tags of each sentence, one per True of mask [B, T]."""
        if len(self.outputs) == 1:
            return self.outputs[0].decode(emissions[0], mask)
        average = copy.deepcopy(self.outputs[0])
        for parameters in zip(average.parameters(), *(output.parameters() for output in self.outputs), strict=True):
            parameters[0].data = torch.stack([parameter.data for parameter in parameters[1:]]).mean(0)
        return average.decode(emissions.mean(0), mask)


class EmissionNetwork(nn.Module):
    """From words to emissions: features of each word, a bidirectional LSTM, one linear layer.

    character_size, encoding_width: 0 leaves the feature out; the other arguments are as for `SequenceTagger`.
    """

    def __init__(
        self,
        *,
        vocabulary_size: int,
        vector_width: int,
        embeddings: str,
        character_size: int,
        shapes: bool,
        parts_of_speech: bool,
        encoding_width: int,
        hidden_size: int,
        dropout: float,
        input_dropout: float,
        variational: bool,
    ) -> None:
        super().__init__()
        self.dropout, self.input_dropout, self.variational = dropout, input_dropout, variational
        self.encoding_width = encoding_width
        self.change = nn.Embedding(vocabulary_size, vector_width, padding_idx=0) if embeddings == "tuned" else None
        if self.change is not None:
            nn.init.zeros_(self.change.weight)
        self.spelling = CharacterCNN(character_size) if character_size else None
        self.shapes = nn.Embedding(SHAPES, SHAPE_WIDTH) if shapes else None
        self.parts_of_speech = nn.Embedding(PARTS_OF_SPEECH, PART_OF_SPEECH_WIDTH) if parts_of_speech else None
        width = vector_width + character_size + SHAPE_WIDTH * shapes
        width += PART_OF_SPEECH_WIDTH * parts_of_speech + encoding_width
        self.ahead, self.back = (PackedLSTM(width, hidden_size) for _ in range(2))
        self.scores = nn.Linear(2 * hidden_size, TAGS)

    def forward(self, words: Words) -> Tensor:
        """Emissions [B, T, 3], 0 at padding."""
        packed, steps = pack(words.vectors, words.lengths), words.token_ids.shape[1]
        features = [packed.words]
        if self.change is not None:
            features = [packed.words + self.change(words.token_ids.flatten()[packed.source])]
        if self.spelling is not None:
            features.append(self.spelling(words.characters.flatten(0, 1)[packed.source]))
        if self.shapes is not None:
            features.append(self.shapes(words.shapes.flatten()[packed.source]))
        if self.parts_of_speech is not None:
            features.append(self.parts_of_speech(words.parts_of_speech.flatten()[packed.source]))
        inputs = self._drop(torch.cat(features, dim=1), self.input_dropout, packed, steps)
        if self.encoding_width:
            inputs = torch.cat([inputs, words.encoding.flatten(0, 1)[packed.source]], dim=1)
        states = self._drop(self._states(packed._replace(words=inputs)), self.dropout, packed, steps)
        return unpack(packed, self.scores(states), steps)

    def _drop(self, rows: Tensor, rate: float, packed: Packed, steps: int) -> Tensor:
        """Dropout on `rows` [N, width]."""
        if not (self.variational and self.training):
            return nn.functional.dropout(rows, rate, self.training)
        mask = nn.functional.dropout(rows.new_ones(len(packed.lengths), rows.shape[1]), rate)
        return rows * mask[packed.source // steps]

    def _states(self, packed: Packed) -> Tensor:
        """The states of both directions [N, 2 · hidden_size]."""
        back = self.back(packed._replace(words=packed.words[packed.mirror]))[packed.mirror]
        return torch.cat([self.ahead(packed), back], dim=1)


class CharacterCNN(nn.Module):
    """A convolution of width 3 over the characters of a word, max-pooled over them (Ma & Hovy 2016)."""

    def __init__(self, kernels: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(CHARACTERS, CHARACTER_WIDTH, padding_idx=0)
        self.convolution = nn.Conv1d(CHARACTER_WIDTH, kernels, 3, padding=1)

    def forward(self, characters: Tensor) -> Tensor:
        """[N, kernels], given characters [N, C]; 0 is padding."""
        rows = self.convolution(self.characters(characters).transpose(1, 2))
        return rows.masked_fill((characters == 0).unsqueeze(1), -torch.inf).amax(2).relu()


class CRFOutput(nn.Module):
    """A linear-chain conditional random field over the tags (Lafferty et al. 2001), by pytorch-crf.

    constrain_transitions: an I may neither follow an O nor start a sentence.
    """

    def __init__(self, constrain_transitions: bool) -> None:
        super().__init__()
        self.constrain_transitions = constrain_transitions
        self.crf = CRF(TAGS, batch_first=True)

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood (nats) per sentence: emissions [B, T, 3], tags [B, T], mask [B, T]."""
        self._constrain()
        return -self.crf(emissions, tags, mask, reduction="mean")

    def decode(self, emissions: Tensor, mask: Tensor) -> list[list[int]]:
        """The most likely tags of each sentence (Viterbi 1967)."""
        self._constrain()
        return self.crf.decode(emissions, mask)

    def _constrain(self) -> None:
        """Set each time: these parameters get no gradient, but weight decay would pull them to 0."""
        if self.constrain_transitions:
            with torch.no_grad():
                self.crf.start_transitions[INSIDE] = IMPOSSIBLE
                self.crf.transitions[OUTSIDE, INSIDE] = IMPOSSIBLE


class SoftmaxOutput(nn.Module):
    """Tags each word for itself. With `constrain_transitions`, decodes the most likely of the allowed sequences."""

    def __init__(self, constrain_transitions: bool) -> None:
        super().__init__()
        self.constrain_transitions = constrain_transitions

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Cross-entropy (nats) per sentence: emissions [B, T, 3], tags [B, T], mask [B, T]."""
        return nn.functional.cross_entropy(emissions[mask], tags[mask], reduction="sum") / len(tags)

    def decode(self, emissions: Tensor, mask: Tensor) -> list[list[int]]:
        """The most likely tags of each sentence."""
        if self.constrain_transitions:
            # A CRF without transition scores: the Viterbi search over the words' own log-probabilities.
            search = CRFOutput(constrain_transitions=True).to(emissions.device)
            for parameter in search.parameters():
                nn.init.zeros_(parameter)
            return search.decode(emissions, mask)
        rows = emissions.argmax(2).tolist()
        return [row[:length] for row, length in zip(rows, mask.sum(1).tolist(), strict=True)]
