"""From a sentence and its terms to tokens and BIO tags, and back to the very characters of the sentence.

BIO (Ramshaw & Marcus 1995): B begins a term, I goes on with it, O is outside. Which terms are tagged where several
compete: of terms that share characters or tokens the longest, among equally long ones the first. A term that stands
twice in a sentence is tagged twice.
"""

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jieba

    from stages.lib.text.semeval import Span

O, B, I = 0, 1, 2  # noqa: E741 - the tags' own names
TAGS = ("O", "B-keyword", "I-keyword")

_TOKEN = re.compile(
    r"""
    (?:[a-z]\.){2,}                      # abbreviations: u.s.
  | \d+(?:[.,:/]\d+)+                    # 1.5  3,000  10:30  9/11
  | [^\W_]+?(?=n['’]t\b) | n['’]t\b      # do n't, ca n't
  | ['’](?:s|m|d|re|ve|ll)\b             # man 's, they 're
  | [^\W_]+                              # words, the parts of hyphenated ones apart
  | \S                                   # every other mark, by itself
    """,
    re.VERBOSE | re.IGNORECASE,
)

#: English words that hold a sentence together; the report names "the", "a" and "and" and leaves the rest open.
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
    """Where each word and mark stands; together they hold every character but white space."""
    return [match.span() for match in _TOKEN.finditer(sentence)]


def segment(sentence: str) -> "list[Span]":
    """Where jieba's words stand, without those of STOP_WORDS: the report's route."""
    return [
        (start, end)
        for word, start, end in _segmenter().tokenize(sentence)
        if word.strip() and word.lower() not in STOP_WORDS
    ]


def spell(sentence: str, tokens: "Iterable[Span]") -> list[str]:
    """The tokens' words as vectors know them: lower case, straight apostrophes."""
    return [sentence[start:end].lower().replace("’", "'") for start, end in tokens]


def bio_tags(spans: "Iterable[Span]", tokens: "Sequence[Span]") -> "tuple[list[int], dict[Span, str]]":
    """A tag for each token, and the terms that the tags cannot give back, each with the reason.

    A term takes every token that it touches, and none where a longer one was there first. Reasons: overlapping, one
    that was there first · no token, all its words were left out · borders, it begins or ends within a token, or with a
    word that was left out.
    """
    tags = [O] * len(tokens)
    lost = {}
    for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span)):
        touched = [place for place, (first, last) in enumerate(tokens) if first < end and start < last]
        if not touched:
            lost[start, end] = "no token"
        elif any(tags[place] for place in touched):
            lost[start, end] = "overlapping"
        else:
            for place in touched:
                tags[place] = I
            tags[touched[0]] = B
            if (tokens[touched[0]][0], tokens[touched[-1]][1]) != (start, end):
                lost[start, end] = "borders"
    return tags, lost


def shape(word: str) -> int:
    """What a word looks like: 0 lower case, 1 Capital first, 2 ALL capitals, 3 miXed, 4 with a digit, 5 a mark."""
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
    """A word's first `length` characters by their ASCII codes, 127 for all others, 0 behind the last."""
    codes = [ord(letter) if 0 < ord(letter) < 127 else 127 for letter in word[:length]]
    return codes + [0] * (length - len(codes))


@cache
def _segmenter() -> "jieba.Tokenizer":
    import logging
    from tempfile import TemporaryDirectory

    import jieba

    jieba.setLogLevel(logging.WARNING)
    segmenter = jieba.Tokenizer()
    # Left to itself it keeps a cache in the machine's common temporary folder, and trusts what it finds there.
    with TemporaryDirectory() as folder:
        segmenter.tmp_dir = folder
        segmenter.initialize()
    return segmenter
