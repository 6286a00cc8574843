"""Report A's text preprocessing, one function a step, and the reader of GloVe text files.

The order is the report's: tokenize, lower-case, clean, drop words without a vector, look vectors up, cut. Where the
report leaves the rules open, they follow how GloVe's own corpus was tokenized (Penn Treebank style): a word that is
spelled otherwise there has no vector here.
"""

import re
from collections.abc import Collection, Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stages.errors import InputError

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

_TOKEN = re.compile(
    r"""
    (?:[a-z]\.){2,}                      # abbreviations: u.s.
  | \d+(?:[.,:/]\d+)+                    # 1.5  3,000  10:30  9/11
  | [^\W_]+?(?=n't\b) | n't\b            # do n't, ca n't
  | '(?:s|m|d|re|ve|ll)\b                # man 's, they 're
  | [odl]'[^\W_]{2,}                     # o'clock, o'neill, d'etat
  | [^\W_]+(?:-[^\W_]+)*                 # words, also hyphenated
  | \S                                   # every other mark, by itself
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NO_WORD = re.compile(r"[^\w'.,:/-]|_")
_EDGES = re.compile(r"^[^\w']+|[^\w.']+$")
_LETTER_OR_DIGIT = re.compile(r"[^\W_]")


def tokenize(sentence: str) -> list[str]:
    """Words, numbers and marks in their order: "The U.S. isn't well-known." → The, U.S., is, n't, well-known, "."."""
    return _TOKEN.findall(sentence.replace("’", "'"))


def lower_case(tokens: Iterable[str]) -> list[str]:
    """GloVe 6B knows lower-case words only."""
    return [token.lower() for token in tokens]


def clean(tokens: Iterable[str]) -> list[str]:
    """Strip characters that build no English word, and tokens in which nothing is left.

    Letters and digits stay, and so does what stands within a word: hyphens, apostrophes, and the marks of
    abbreviations, times and numbers (u.s., 10:30, 3,000).
    """
    stripped = (_EDGES.sub("", _NO_WORD.sub("", token)) for token in tokens)
    return [token for token in stripped if _LETTER_OR_DIGIT.search(token)]


def drop_unknown(tokens: Iterable[str], known: Container[str]) -> tuple[list[str], list[str]]:
    """Split tokens into those that have a vector and those that are dropped, both in their order."""
    kept: list[str] = []
    dropped: list[str] = []
    for token in tokens:
        (kept if token in known else dropped).append(token)
    return kept, dropped


def cut(tokens: Sequence[str], max_length: int) -> list[str]:
    """The first `max_length` tokens (the report: 65)."""
    return list(tokens[:max_length])


_BLOCK = 1 << 19
_SPACE, _NEWLINE = 32, 10


def read_vectors(path: Path, vocabulary: Collection[str]) -> tuple[list[str], NDArray[np.float32]]:
    """Vectors of `vocabulary`'s words in a GloVe text file: the words found, in the file's order, and [found, width].

    A line is a word and its values, parted by single spaces. Only wanted lines are taken apart: a table of how wanted
    words begin rules out nearly all others without a Python object for each. A word that stands twice keeps its first
    vector.

    Raises InputError, naming file and line, for a missing or empty file, a wanted line with the wrong number of values
    or a value that is no finite number, and any line with the wrong number of values. (Of lines that are not wanted
    each half megabyte's sum is checked: errors that make up for each other within one go unseen, and harm nothing.)
    """
    wanted = {word.encode() for word in vocabulary}
    beginnings = np.zeros(1 << 20, dtype=bool)
    beginnings[_slots(np.array([(word + b" ")[:8] for word in wanted], dtype="S8").view("<u8"))] = True

    words: list[str] = []
    rows: list[str] = []
    numbers: list[int] = []
    width, seen = 0, 0
    scratch = np.empty(_BLOCK + 1, dtype=bool)
    for memory, end in _blocks(path):
        block = np.frombuffer(memory, np.uint8)[:end]
        ends = np.flatnonzero(np.equal(block, _NEWLINE, out=scratch[:end]))
        starts = np.concatenate([[0], ends[:-1] + 1])
        width = width or bytes(memory[: ends[0]]).count(b" ")
        if not width or np.count_nonzero(np.equal(block, _SPACE, out=scratch[:end])) != width * len(ends):
            raise InputError(_wrong_line(path, memory[:end], seen, width))
        # One (unaligned) number of eight bytes at each byte of the buffer; the lines' first ones are picked from them.
        eights = np.ndarray(len(memory) - 7, "<u8", memory, strides=1)[starts]
        for place in np.flatnonzero(beginnings[_slots(_up_to_space(eights))]).tolist():
            word, _, row = bytes(memory[starts[place] : ends[place]]).partition(b" ")
            if word in wanted:
                wanted.remove(word)
                words.append(word.decode())
                rows.append(row.decode("latin-1"))
                numbers.append(seen + place + 1)
        seen += len(ends)
    if not seen:
        raise InputError(f"{path}: the file is empty; fetch it again")
    return words, _values(path, rows, numbers, width)


def keyed_vectors(words: Sequence[str], vectors: NDArray[np.float32]) -> "KeyedVectors":
    """Wrap [n, width] vectors as gensim's KeyedVectors, for queries such as `.most_similar("king")`."""
    from gensim.models import KeyedVectors

    keyed = KeyedVectors(vectors.shape[1])
    keyed.add_vectors(list(words), vectors)
    return keyed


def _up_to_space(eights: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Zero the bytes behind the first space of each eight (first byte lowest), all at once with plain arithmetic."""
    apart = eights ^ np.uint64(0x2020202020202020)
    # The lowest set bit is the highest of the first byte that is zero in `apart`, that is, of the first space.
    spaces = (apart - np.uint64(0x0101010101010101)) & ~apart & np.uint64(0x8080808080808080)
    return eights & (spaces ^ (spaces - np.uint64(1)))


def _slots(eights: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Where in a table of 2²⁰ each number belongs (Fibonacci hashing)."""
    return (eights * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(44)


def _blocks(path: Path) -> Iterator[tuple[memoryview, int]]:
    """Yield a buffer and where its whole lines end. The buffer is used again, and is longer than the lines in it."""
    # Room for the eight bytes that begin at the last one, and for the line break that a file's last line may lack.
    buffer = bytearray(_BLOCK + 8)
    memory = memoryview(buffer)
    kept = 0
    try:
        with path.open("rb", buffering=0) as file:
            while got := file.readinto(memory[kept:_BLOCK]):
                filled = kept + got
                end = buffer.rfind(b"\n", 0, filled) + 1
                if end:
                    yield memory, end
                elif filled == _BLOCK:
                    raise InputError(f"{path}: no line break in {_BLOCK:,} bytes: not a GloVe text file")
                kept = filled - end
                memory[:kept] = memory[end:filled]
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; `dvc repro` fetches it") from None
    if kept:
        buffer[kept] = _NEWLINE
        yield memory, kept + 1


def _values(path: Path, rows: list[str], numbers: list[int], width: int) -> NDArray[np.float32]:
    """[rows, width] of the rows' values; `numbers` are their lines in the file."""
    try:
        values = (
            np.loadtxt(rows, dtype=np.float32, comments=None, ndmin=2) if rows else np.empty((0, width), np.float32)
        )
    except ValueError:
        values = None
    if values is not None and values.shape[1] == width and np.isfinite(values).all():
        return values
    for row, number in zip(rows, numbers, strict=True):
        fields = row.split()
        if len(fields) != width:
            raise InputError(_wrong_number(path, number, len(fields), width))
        for field in fields:
            if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", field, re.IGNORECASE | re.ASCII):
                raise InputError(f"{path}, line {number}: {field!r} is no number; fetch the file again")
    raise InputError(f"{path}: a value is too large for float32; fetch the file again")


def _wrong_line(path: Path, block: memoryview, seen: int, width: int) -> str:
    """Names the first line of a block whose number of values is not `width`."""
    lines = bytes(block).removesuffix(b"\n").split(b"\n")
    counts = ((number, line.count(b" ")) for number, line in enumerate(lines, start=seen + 1))
    number, found = next((number, found) for number, found in counts if found != width or not width)
    return _wrong_number(path, number, found, width)


def _wrong_number(path: Path, number: int, found: int, width: int) -> str:
    if not width:
        return f"{path}, line {number}: no values after the word: not a GloVe text file"
    return f"{path}, line {number}: {found} values where the first line has {width}; fetch the file again"
