"""Tokens of a sentence with their positions in it, and BIO tags for its terms.

BIO (Ramshaw & Marcus 1995): B begins a term, I continues it, O is outside. Of terms that overlap, the longest is
tagged, the first among equally long ones.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jieba

    from stages.lib.text.semeval import Span

O, B, I = 0, 1, 2  # noqa: E741 - the names of the tags

_TOKEN = re.compile(
    r"""
    (?:[a-z]\.){2,}                      # abbreviations: u.s.
  | \d+(?:[.,:/]\d+)+                    # 1.5  3,000  10:30  9/11
  | [^\W_]+?(?=n['’]t\b) | n['’]t\b      # do n't, ca n't
  | ['’](?:s|m|d|re|ve|ll)\b             # man 's, they 're
  | [^\W_]+                              # words; the parts of hyphenated ones are words
  | \S                                   # any other character, by itself
    """,
    re.VERBOSE | re.IGNORECASE,
)

#: Function words; report B names "the", "a" and "and" and leaves the rest open.
_STOP_WORDS = """
a an the this that these those i me my mine we us our ours you your yours he him his she her hers it its they them their
theirs who whom whose which what myself yourself himself herself itself ourselves themselves and or but nor so yet if
then than because as while although though of in on at by to from for with without into onto over under about after
before between during until through above below up down out off again am is are was were be been being do does did doing
done have has had having can could will would shall should may might must not no there here when where why how all any
both each few more most other some such only own same too very just also ever even still much many get got
s t m d re ve ll don didn doesn isn wasn aren won couldn wouldn
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


def tokenize(sentence: str) -> "list[Span]":
    """Spans of words and other characters, in order; they cover everything but white space."""
    return [match.span() for match in _TOKEN.finditer(sentence)]


def segment(sentence: str) -> "list[Span]":
    """Spans of jieba's words without STOP_WORDS, in order, as in report B."""
    return [
        (start, end)
        for word, start, end in _segmenter().tokenize(sentence)
        if word.strip() and word.lower() not in STOP_WORDS
    ]


def spell(sentence: str, tokens: "Iterable[Span]") -> list[str]:
    """The tokens as word vectors spell them: lower case, straight apostrophes."""
    return [sentence[start:end].lower().replace("’", "'") for start, end in tokens]


def bio_tags(spans: "Iterable[Span]", tokens: "Sequence[Span]") -> "tuple[list[int], dict[Span, str]]":
    """A tag for each of the `tokens` (in order), and the terms that the tags do not represent exactly, with the reason.

    A term takes every token that it overlaps, unless a longer term has one of them. Reasons: "overlapping", another
    term has a token of it · "no token", its words were all left out · "borders", it begins or ends inside a token or
    with a word that was left out.
    """
    tags = [O] * len(tokens)
    starts, ends = [first for first, _ in tokens], [last for _, last in tokens]
    lost = {}
    for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span)):
        touched = range(bisect_right(ends, start), bisect_left(starts, end))
        if not touched:
            lost[start, end] = "no token"
        elif any(tags[i] for i in touched):
            lost[start, end] = "overlapping"
        else:
            for i in touched:
                tags[i] = I
            tags[touched[0]] = B
            if (starts[touched[0]], ends[touched[-1]]) != (start, end):
                lost[start, end] = "borders"
    return tags, lost


def shape(word: str) -> int:
    """Shape of a word: 0 lower case, 1 Capitalized, 2 UPPER case, 3 miXed, 4 with a digit, 5 without a letter."""
    if any(letter.isdigit() for letter in word):
        return 4
    if not any(letter.isalpha() for letter in word):
        return 5
    if word == word.lower():
        return 0
    if len(word) > 1 and word == word.upper():
        return 2
    return 1 if word[1:] == word[1:].lower() else 3


def character_codes(word: str, length: int) -> list[int]:
    """ASCII codes of a word's first `length` characters, 127 for characters outside ASCII, padded with 0."""
    codes = [ord(letter) if 0 < ord(letter) < 127 else 127 for letter in word[:length]]
    return codes + [0] * (length - len(codes))


@cache
def _segmenter() -> "jieba.Tokenizer":
    import logging
    from tempfile import TemporaryDirectory

    import jieba

    jieba.setLogLevel(logging.WARNING)
    segmenter = jieba.Tokenizer()
    # By default jieba caches its dictionary in the shared temporary folder and trusts what it finds there.
    with TemporaryDirectory() as folder:
        segmenter.tmp_dir = folder
        segmenter.initialize()
    return segmenter
