"""Report A's text preprocessing, one function a step.

The order is the report's: tokenize, lower-case, clean, drop words without a vector, look vectors up, cut. The report
leaves the tokenization rules open; these follow the Penn Treebank's, as GloVe's own corpus was tokenized, because a
word that GloVe spells differently has no vector.
"""

import re
from collections.abc import Container, Iterable, Sequence

_TOKEN = re.compile(
    r"""
    (?:[a-z]\.){2,}                      # abbreviations: u.s.
  | \d+(?:[.,:/]\d+)+                    # 1.5  3,000  10:30  9/11
  | [^\W_]+?(?=n't\b) | n't\b            # do n't, ca n't
  | '(?:s|m|d|re|ve|ll)\b                # man 's, they 're
  | [odl]'[^\W_]{2,}                     # o'clock, o'neill, d'etat
  | [^\W_]+(?:-[^\W_]+)*                 # words, also hyphenated
  | \S                                   # any other character, by itself
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NOT_WORD = re.compile(r"[^\w'.,:/-]|_")
_EDGES = re.compile(r"^[^\w']+|[^\w.']+$")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


def tokenize(sentence: str) -> list[str]:
    """Words, numbers and punctuation: "The U.S. isn't well-known." → The, U.S., is, n't, well-known, "."."""
    return _TOKEN.findall(sentence.replace("’", "'"))


def lower_case(tokens: Iterable[str]) -> list[str]:
    """Lower-case every token, since GloVe 6B has lower-case words only."""
    return [token.lower() for token in tokens]


def clean(tokens: Iterable[str]) -> list[str]:
    """Strip characters that are not part of English words, then drop tokens without a letter or digit.

    Hyphens, apostrophes and the marks of abbreviations, times and numbers stay inside a word (u.s., 10:30, 3,000).
    """
    stripped = (_EDGES.sub("", _NOT_WORD.sub("", token)) for token in tokens)
    return [token for token in stripped if _LETTER_OR_DIGIT.search(token)]


def drop_unknown(tokens: Iterable[str], known: Container[str]) -> tuple[list[str], list[str]]:
    """Split tokens into those in `known` and the others, each in their original order."""
    kept: list[str] = []
    dropped: list[str] = []
    for token in tokens:
        (kept if token in known else dropped).append(token)
    return kept, dropped


def cut(tokens: Sequence[str], max_length: int) -> list[str]:
    """The first `max_length` tokens (report A: 65)."""
    return list(tokens[:max_length])
