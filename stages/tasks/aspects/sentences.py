"""Sentences with their terms: as text, as tags of words, and as tensors (report B)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from stages.lib.task import Batch, Split, word_places

PADDING, UNKNOWN = 0, 1

Span = tuple[int, int]


@dataclass(frozen=True)
class Gold:
    """A sentence and where its terms stand; as text, the sentence with its terms ⟦marked⟧."""

    text: str
    spans: tuple[Span, ...]

    def __str__(self) -> str:
        return mark(self.text, self.spans)

    @cached_property
    def keywords(self) -> frozenset[str]:
        return keywords(self.text, self.spans)


def mark(text: str, spans: Sequence[Span]) -> str:
    """The text with ⟦ and ⟧ around each span, also where one lies in another."""
    marks = [(start, 1, "⟦") for start, _ in spans] + [(end, 0, "⟧") for _, end in spans]
    for place, _, sign in sorted(marks, reverse=True):
        text = text[:place] + sign + text[place:]
    return text


def spans_of(tags: Sequence[int], words: Sequence[Span]) -> list[Span]:
    """The terms that tags (0 outside, 1 begins, 2 goes on) name, from their first word's first character to their last
    word's last. A 2 behind a 0 begins a term, as in conlleval. A word without characters names none.
    """
    found: list[Span] = []
    before = 0
    for tag, (start, end) in zip(tags, words, strict=True):
        if tag == 2 and before:
            found[-1] = (found[-1][0], end)
        elif tag:
            found.append((start, end))
        before = tag
    return [(start, end) for start, end in found if start < end]


def keywords(text: str, spans: Sequence[Span]) -> frozenset[str]:
    """The distinct terms by the report's rule; capitals and the width of white space make no difference."""
    return frozenset(" ".join(text[start:end].lower().split()) for start, end in spans)


class Sentences(Split):
    """words: flat word numbers · offsets: [n + 1] where each sentence begins · spans: [words, 2] a word's characters ·
    tags, shapes, parts_of_speech: [words] · encoding: [words, ENCODING_WIDTH], the target encoding · vectors:
    [vocabulary, width] · characters: [vocabulary, WORD_LENGTH] · gold: n sentences.
    """

    def __init__(self, parts: Mapping[str, Tensor], vectors: Tensor, characters: Tensor, gold: Sequence[Gold]) -> None:
        self.words, self.spans, self.tags = (parts[name] for name in ("words", "spans", "tags"))
        self.shapes, self.parts_of_speech = parts["shapes"], parts["parts_of_speech"]
        self.starts, self.lengths = parts["offsets"][:-1], parts["offsets"].diff()
        self.encoding = parts["encoding"]
        self.vectors, self.characters, self.gold = vectors, characters, gold

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def targets(self) -> Sequence[Gold]:
        return self.gold

    def batch(self, index: Tensor) -> Batch:
        """Inputs: word numbers [B, T], vectors [B, T, width], characters [B, T, C], shapes [B, T], parts of
        speech [B, T], target encoding [B, T, ENCODING_WIDTH], T the batch's longest, and lengths [B]; target [B, T, 3]:
        the tag, first and last character (exclusive) of each word.
        """
        lengths = self.lengths[index]
        words, inside = word_places(self.starts[index], lengths)
        numbers = torch.where(inside, self.words[words].long(), PADDING)
        target = torch.cat([self.tags[words].unsqueeze(2), self.spans[words]], dim=2).long() * inside.unsqueeze(2)
        characters = self.characters[numbers].long()
        given = (self.shapes[words].long(), self.parts_of_speech[words].long(), self.encoding[words])
        return Batch((numbers, self.vectors[numbers], characters, *given, lengths), target)

    def parts(self, size: int) -> Iterator[Tensor]:
        return iter(torch.argsort(self.lengths, stable=True).split(size))


def tag_words(
    sentences: Sequence[Any], tokens: Sequence[Sequence[Span]], spelled: Sequence[Sequence[str]], number: dict[str, int]
) -> tuple[dict[str, Tensor], dict[str, list[str]]]:
    """The tensors of a split, and its terms that tags cannot give back, marked in their sentences, by reason.

    A sentence without a word keeps one that is unknown and has no characters, so that none is lost.
    """
    from stages.lib.text import spans
    from stages.lib.text.parts_of_speech import number_parts_of_speech

    lost: dict[str, list[str]] = {}
    rows: dict[str, list[Any]] = {"words": [], "spans": [], "tags": [], "shapes": [], "parts_of_speech": []}
    lengths = []
    for sentence, places, words in zip(sentences, tokens, spelled, strict=True):
        tags, without = spans.bio_tags(sentence.spans, places)
        for span, reason in without.items():
            lost.setdefault(reason, []).append(mark(sentence.text, [span]))
        rows["tags"] += tags or [spans.O]
        rows["words"] += [number.get(word, UNKNOWN) for word in words] or [UNKNOWN]
        seen = [sentence.text[start:end] for start, end in places]
        rows["shapes"] += [spans.shape(word) for word in seen] or [0]
        rows["parts_of_speech"] += number_parts_of_speech(["".join(word.split()) for word in seen]) or [0]
        rows["spans"] += places or [(0, 0)]
        lengths.append(max(len(places), 1))
    wide = ("words", "spans")
    tensors = {
        name: torch.tensor(row, dtype=torch.int32 if name in wide else torch.uint8) for name, row in rows.items()
    }
    return tensors | {"offsets": torch.tensor([0, *lengths]).cumsum(0)}, lost


def gold_tensors(sentences: Sequence[Any]) -> dict[str, Tensor]:
    """Texts (UTF-8) and spans of a split, each flat with the places where a sentence's begin."""
    texts = [sentence.text.encode() for sentence in sentences]
    return {
        "text": torch.frombuffer(bytearray(b"".join(texts)), dtype=torch.uint8),
        "text_offsets": torch.tensor([0, *map(len, texts)]).cumsum(0),
        "gold": torch.tensor([span for s in sentences for span in s.spans], dtype=torch.int32).reshape(-1, 2),
        "gold_offsets": torch.tensor([0, *(len(sentence.spans) for sentence in sentences)]).cumsum(0),
    }


def gold_of(tensors: Mapping[str, Tensor], key: str) -> list[Gold]:
    text = bytes(tensors[f"{key}.text"].numpy())
    spans = [tuple(span) for span in tensors[f"{key}.gold"].tolist()]
    texts, places = tensors[f"{key}.text_offsets"].tolist(), tensors[f"{key}.gold_offsets"].tolist()
    return [
        Gold(text[texts[n] : texts[n + 1]].decode(), tuple(spans[places[n] : places[n + 1]]))
        for n in range(len(texts) - 1)
    ]
