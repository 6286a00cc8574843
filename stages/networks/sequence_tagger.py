"""A bidirectional LSTM that tags every word, with a CRF on top or without (report B; Huang et al. 2015)."""

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torchcrf import CRF

from stages.networks.layers.packed_lstm import Packed, PackedLSTM, pack, unpack

TAGS = 3
OUTSIDE, INSIDE = 0, 2
#: Score of a step that cannot be; small enough to count as probability 0, large enough to stay clear of overflow.
IMPOSSIBLE = -10_000.0
#: What a word looks like: lower case, Capital first, ALL capitals, miXed, with a digit, a mark.
SHAPES, SHAPE_WIDTH = 6, 8
#: Tags of the Penn Treebank, and 0 for none of them.
PARTS_OF_SPEECH, PART_OF_SPEECH_WIDTH = 45, 12
CHARACTERS, CHARACTER_WIDTH = 128, 25


class SequenceTagger(nn.Module):
    """Scores of the tags O, B, I for each word.

    vocabulary, widths: number of words, and the width of each kind of given vector in the order that they come in ·
    vectors: which of them is read, "word2vec", "glove" or "both" · embeddings: "fixed", or "tuned" (the given
    vectors plus a learned change that begins at 0, which is the same as going on training them) · characters: what
    spells a word, "none", "cnn" (Ma & Hovy 2016) or "lstm" (Lample et al. 2016), `character_size` values wide · shapes,
    parts_of_speech: whether a word's capitals and digits, and its part of speech, are seen · encoding_width: how many
    values the target encoding of a word has · target_encoding: whether it is read, and never dropped · hidden_size:
    units a direction · dropout: on what the LSTM reads and on its states · input_dropout: another share for what the
    LSTM reads · variational: a sentence's words all lose the same values (Gal & Ghahramani 2016) · word_dropout: share
    of words whose vector is hidden in training · output: "crf", or "softmax" (every word for itself) · forbid: an I may
    not follow an O or begin a sentence · members: so many networks of this kind learn side by side from the same
    batches, and what they say is averaged.
    """

    def __init__(
        self,
        vocabulary: int,
        widths: dict[str, int],
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
        word_dropout: float = 0.0,
        output: str = "crf",
        forbid: bool = False,
        members: int = 1,
    ) -> None:
        super().__init__()
        starts = dict(zip(widths, [0, *torch.tensor(list(widths.values())).cumsum(0).tolist()], strict=False))
        first, width = (0, sum(widths.values())) if vectors == "both" else (starts[vectors], widths[vectors])
        self.part = slice(first, first + width)
        self.members = nn.ModuleList(
            _Member(
                vocabulary,
                width,
                embeddings,
                characters,
                character_size,
                shapes,
                parts_of_speech,
                encoding_width if target_encoding else 0,
                hidden_size,
                dropout,
                dropout if input_dropout is None else input_dropout,
                variational,
                word_dropout,
            )
            for _ in range(members)
        )
        kinds = {"crf": CRFOutput, "softmax": SoftmaxOutput}
        self.outputs = nn.ModuleList(kinds[output](forbid) for _ in range(members))

    def forward(
        self,
        numbers: Tensor,
        vectors: Tensor,
        characters: Tensor,
        shapes: Tensor,
        parts_of_speech: Tensor,
        encoding: Tensor,
        lengths: Tensor,
    ) -> Tensor:
        """Scores [members, B, T, 3].

        Word numbers [B, T] (0 is padding), given vectors [B, T, width], characters [B, T, C] (0 is padding), shapes
        [B, T], parts of speech [B, T] (0 is none), target encoding [B, T, encoding_width], true lengths [B].
        """
        given = _Sentences(numbers, vectors[:, :, self.part], characters, shapes, parts_of_speech, encoding, lengths)
        return torch.stack([member(given) for member in self.members])

    def loss(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood (nats) of tags [B, T] where mask [B, T], a sentence, averaged over the batch."""
        losses = [output.loss(rows, tags, mask) for output, rows in zip(self.outputs, scores, strict=True)]
        return torch.stack(losses).mean()

    def decode(self, scores: Tensor, mask: Tensor) -> list[list[int]]:
        """The best tags of each sentence, as many as mask [B, T] has places."""
        if len(self.outputs) == 1:
            return self.outputs[0].decode(scores[0], mask)
        average = copy.deepcopy(self.outputs[0])
        for parameters in zip(average.parameters(), *(output.parameters() for output in self.outputs), strict=True):
            parameters[0].data = torch.stack([parameter.data for parameter in parameters[1:]]).mean(0)
        return average.decode(scores.mean(0), mask)


class _Sentences(NamedTuple):
    """What a member reads, as `SequenceTagger.forward` gets it; of the vectors only those that are read."""

    numbers: Tensor
    vectors: Tensor
    characters: Tensor
    shapes: Tensor
    parts_of_speech: Tensor
    encoding: Tensor
    lengths: Tensor


class _Member(nn.Module):
    """One network: words in, scores out."""

    def __init__(
        self,
        vocabulary: int,
        width: int,
        embeddings: str,
        characters: str,
        character_size: int,
        shapes: bool,
        parts_of_speech: bool,
        encoding_width: int,
        hidden_size: int,
        dropout: float,
        input_dropout: float,
        variational: bool,
        word_dropout: float,
    ) -> None:
        super().__init__()
        self.dropout, self.input_dropout, self.word_dropout = dropout, input_dropout, word_dropout
        self.variational, self.encoding_width = variational, encoding_width
        self.change = nn.Embedding(vocabulary, width, padding_idx=0) if embeddings == "tuned" else None
        if self.change is not None:
            nn.init.zeros_(self.change.weight)
        spellings = {"cnn": CharacterCNN, "lstm": CharacterLSTM}
        self.spelling = spellings[characters](character_size) if characters in spellings else None
        self.shapes = nn.Embedding(SHAPES, SHAPE_WIDTH) if shapes else None
        self.parts_of_speech = nn.Embedding(PARTS_OF_SPEECH, PART_OF_SPEECH_WIDTH) if parts_of_speech else None
        width += character_size * (self.spelling is not None) + SHAPE_WIDTH * shapes
        width += PART_OF_SPEECH_WIDTH * parts_of_speech + encoding_width
        self.ahead, self.back = (PackedLSTM(width, hidden_size) for _ in range(2))
        self.scores = nn.Linear(2 * hidden_size, TAGS)

    def forward(self, given: _Sentences) -> Tensor:
        """Scores [B, T, 3]; those of padding are 0. Only real words are read."""
        packed, steps = pack(given.vectors, given.lengths), given.numbers.shape[1]
        words = packed.words
        if self.change is not None:
            words = words + self.change(given.numbers.flatten()[packed.source])
        if self.training and self.word_dropout:
            words = words * (torch.rand(len(words), 1, device=words.device) >= self.word_dropout)
        parts = [words]
        if self.spelling is not None:
            parts.append(self.spelling(given.characters.flatten(0, 1)[packed.source]))
        if self.shapes is not None:
            parts.append(self.shapes(given.shapes.flatten()[packed.source]))
        if self.parts_of_speech is not None:
            parts.append(self.parts_of_speech(given.parts_of_speech.flatten()[packed.source]))
        read = self._drop(torch.cat(parts, dim=1), self.input_dropout, packed, steps)
        if self.encoding_width:
            read = torch.cat([read, given.encoding.flatten(0, 1)[packed.source]], dim=1)
        states = self._drop(self._states(packed._replace(words=read)), self.dropout, packed, steps)
        return unpack(packed, self.scores(states), steps)

    def _drop(self, rows: Tensor, share: float, packed: Packed, steps: int) -> Tensor:
        """`rows` [N, width] with a share of the values 0 in training, and the others the larger for it."""
        if not (self.variational and self.training):
            return nn.functional.dropout(rows, share, self.training)
        kept = nn.functional.dropout(rows.new_ones(len(packed.lengths), rows.shape[1]), share)
        return rows * kept[packed.source // steps]

    def _states(self, packed: Packed) -> Tensor:
        """Both directions' states [N, 2 · hidden_size]."""
        back = self.back(packed._replace(words=packed.words[packed.mirror]))[packed.mirror]
        return torch.cat([self.ahead(packed), back], dim=1)


class CharacterCNN(nn.Module):
    """A convolution of width 3 over a word's characters, the largest value of each of `size` kernels."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(CHARACTERS, CHARACTER_WIDTH, padding_idx=0)
        self.convolution = nn.Conv1d(CHARACTER_WIDTH, size, 3, padding=1)

    def forward(self, characters: Tensor) -> Tensor:
        """[N, size], given characters [N, C]."""
        rows = self.convolution(self.characters(characters).transpose(1, 2))
        return rows.masked_fill((characters == 0).unsqueeze(1), -torch.inf).amax(2).relu()


class CharacterLSTM(nn.Module):
    """The last states of an LSTM that reads a word's characters ahead and of one that reads them back, side by side."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(CHARACTERS, CHARACTER_WIDTH, padding_idx=0)
        self.ahead = PackedLSTM(CHARACTER_WIDTH, size - size // 2)
        self.back = PackedLSTM(CHARACTER_WIDTH, size // 2)

    def forward(self, characters: Tensor) -> Tensor:
        """[N, size], given characters [N, C]."""
        packed = pack(self.characters(characters), (characters != 0).sum(1).clamp(min=1))
        back = self.back(packed._replace(words=packed.words[packed.mirror]))[packed.mirror]
        return torch.cat([self.ahead(packed)[packed.last], back[packed.first]], dim=1)


class CRFOutput(nn.Module):
    """A linear-chain conditional random field over the tags (Lafferty et al. 2001), by pytorch-crf."""

    def __init__(self, forbid: bool) -> None:
        super().__init__()
        self.forbid = forbid
        self.crf = CRF(TAGS, batch_first=True)

    def loss(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        self._bar()
        return -self.crf(scores, tags, mask, reduction="mean")

    def decode(self, scores: Tensor, mask: Tensor) -> list[list[int]]:
        self._bar()
        return self.crf.decode(scores, mask)

    def _bar(self) -> None:
        """Set again each time: its gradient is 0, but weight decay would draw it to 0."""
        if self.forbid:
            with torch.no_grad():
                self.crf.start_transitions[INSIDE] = IMPOSSIBLE
                self.crf.transitions[OUTSIDE, INSIDE] = IMPOSSIBLE


class SoftmaxOutput(nn.Module):
    """Each word's tag for itself. With `forbid`, the likeliest of the sequences that can be (Viterbi 1967)."""

    def __init__(self, forbid: bool) -> None:
        super().__init__()
        self.forbid = forbid

    def loss(self, scores: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        return nn.functional.cross_entropy(scores[mask], tags[mask], reduction="sum") / len(tags)

    def decode(self, scores: Tensor, mask: Tensor) -> list[list[int]]:
        if self.forbid:
            # Without scores for steps, the CRF's search is over sums of the words' own log-probabilities.
            steps = CRFOutput(forbid=True).to(scores.device)
            for parameter in steps.parameters():
                nn.init.zeros_(parameter)
            return steps.decode(scores, mask)
        rows = scores.argmax(2).tolist()
        return [row[:length] for row, length in zip(rows, mask.sum(1).tolist(), strict=True)]
