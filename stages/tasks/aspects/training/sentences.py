"""Sentences and their terms in memory, and the way from tags back to terms."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from stages.lib.task import Batch, Split
from stages.networks.layers.ragged import Ragged, batches_by_length

#: First and last character (exclusive) of a term or word.
Span = tuple[int, int]
BEGIN, INSIDE = 1, 2


@dataclass(frozen=True)
class GoldSentence:
    """A sentence and where its annotated terms are."""

    text: str
    spans: tuple[Span, ...]

    @cached_property
    def keywords(self) -> frozenset[str]:
        """Its distinct terms."""
        return keywords(self.text, self.spans)


def keywords(text: str, spans: Sequence[Span]) -> frozenset[str]:
    """The distinct terms, as report B counts them; case and the width of white space make no difference."""
    return frozenset(" ".join(text[start:end].lower().split()) for start, end in spans)


def term_spans(tags: Sequence[int], words: Sequence[Span]) -> list[Span]:
    """The terms that tags (0 outside, 1 begin, 2 inside) mark, from the first character of their first word to the last
    of their last. An inside tag after an outside one begins a term, as in conlleval. A word without characters, which
    stands for an empty sentence, is no term.
    """
    found: list[Span] = []
    previous = 0
    for tag, (start, end) in zip(tags, words, strict=True):
        if tag == INSIDE and previous:
            found[-1] = (found[-1][0], end)
        elif tag:
            found.append((start, end))
        previous = tag
    return [(start, end) for start, end in found if start < end]


class Sentences(Split):
    """words: of n sentences, by name: token_ids, spans (two columns), tags, shapes, parts_of_speech, and encoding
    (ENCODING_WIDTH columns) · vectors: [vocabulary, width] · characters: [vocabulary, C] · gold: the n sentences.
    """

    def __init__(
        self, words: Mapping[str, Ragged], vectors: Tensor, characters: Tensor, gold: Sequence[GoldSentence]
    ) -> None:
        self.words, self.vectors, self.characters, self.gold = words, vectors, characters, gold
        self.lengths = words["token_ids"].lengths

    def __len__(self) -> int:
        return len(self.gold)

    @property
    def targets(self) -> Sequence[GoldSentence]:
        """The sentences with their terms."""
        return self.gold

    def batch(self, index: Tensor) -> Batch:
        """Inputs: token ids [B, T], vectors [B, T, width], characters [B, T, C], shapes [B, T], parts of speech [B, T],
        target encoding [B, T, ENCODING_WIDTH] and lengths [B], T the longest sentence; target [B, T, 3]: tag, first and
        last character (exclusive) of each word.
        """
        words = {name: rows.padded(index) for name, rows in self.words.items()}
        token_ids = words["token_ids"].long()
        features = (words["shapes"].long(), words["parts_of_speech"].long(), words["encoding"])
        target = torch.cat([words["tags"].unsqueeze(2), words["spans"]], dim=2).long()
        characters = self.characters[token_ids].long()
        return Batch((token_ids, self.vectors[token_ids], characters, *features, self.lengths[index]), target)

    def eval_batches(self, size: int) -> Iterator[Tensor]:
        """Sentences of about the same length go together."""
        return batches_by_length(self.lengths, size)
