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

from stages.lib.errors import InputError

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
_ROWS = 256
_SPACE, _NEWLINE = 32, 10
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_FIRST_BYTES = np.array([(1 << 8 * count) - 1 for count in range(9)], dtype=np.uint64)


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
    rows: list[bytes] = []
    numbers: list[int] = []
    width, spaces, seen = 0, 0, 0
    scratch = np.empty(_BLOCK + 1, dtype=bool)
    for memory, end in _blocks(path):
        block = np.frombuffer(memory, np.uint8)[:end]
        ends = np.flatnonzero(np.equal(block, _NEWLINE, out=scratch[:end]))
        starts = np.concatenate([[0], ends[:-1] + 1])
        if not seen:
            first = bytes(memory[: ends[0]])
            width, spaces = len(first.split()) - 1, first.count(b" ")
        if width < 1 or np.count_nonzero(np.equal(block, _SPACE, out=scratch[:end])) != spaces * len(ends):
            raise InputError(_wrong_line(path, memory[:end], seen, width, spaces))
        # One (unaligned) number of eight bytes at each byte of the buffer; the lines' first ones are picked from them.
        eights = np.ndarray(len(memory) - 7, "<u8", memory, strides=1)[starts]
        hits = np.flatnonzero(beginnings[_slots(_up_to_space(eights))])
        for place, start, stop in zip(hits.tolist(), starts[hits].tolist(), ends[hits].tolist(), strict=True):
            word, _, row = bytes(memory[start:stop]).partition(b" ")
            if word in wanted:
                wanted.remove(word)
                words.append(word.decode())
                rows.append(row.rstrip())
                numbers.append(seen + place + 1)
        seen += len(ends)
    if not seen:
        raise InputError(f"{path}: the file is empty; fetch it again")
    values = np.empty((len(rows), width), np.float32)
    # A few hundred rows at a time stay in the processor's cache.
    for part in (slice(first, first + _ROWS) for first in range(0, len(rows), _ROWS)):
        values[part] = _values(path, rows[part], numbers[part], width)
    return words, values


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


def _values(path: Path, rows: list[bytes], numbers: list[int], width: int) -> NDArray[np.float64]:
    """[rows, width] of the rows' values; `numbers` are their lines in the file."""
    # Behind the last value a space like behind each other, and room for the eight bytes that begin there.
    content = b" ".join(rows) + b" " * 16
    ends = np.flatnonzero(np.frombuffer(content, np.uint8)[:-15] == _SPACE)
    row_ends = np.cumsum([len(row) + 1 for row in rows]) - 1
    if len(ends) != width * len(rows) or (ends[width - 1 :: width] != row_ends).any():
        counts = [row.count(b" ") + 1 for row in rows]
        number, found = next(pair for pair in zip(numbers, counts, strict=True) if pair[1] != width)
        raise InputError(_wrong_number(path, number, found, width))
    starts = np.concatenate([[0], ends[:-1] + 1])
    values, plain = _decimals(content, starts, ends)
    for place in np.flatnonzero(~plain).tolist():
        field = content[starts[place] : ends[place]].decode("utf-8", "replace")
        if not _NUMBER.fullmatch(field):
            raise InputError(f"{path}, line {numbers[place // width]}: {field!r} is no number; fetch the file again")
        values[place] = float(field)
        if abs(values[place]) > np.finfo(np.float32).max:
            raise InputError(f"{path}, line {numbers[place // width]}: {field} is too large for float32")
    return values.reshape(-1, width)


def _decimals(
    content: bytes, starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values of the fields content[start:end], and which of them are plain: a digit, a point, one to eight digits.

    All fields at once: the digits behind the point are eight bytes of one integer, so that three multiplications turn
    them into a number (Lemire 2022, "Parsing series of integers with SIMD"). The result is float()'s: an integer below
    2⁵³ over a power of ten rounds once. Fields that are not plain have no meaningful value here.
    """
    codes = np.frombuffer(content, np.uint8)
    negative = codes[starts] == ord("-")
    point = starts + negative + 1
    whole = codes[point - 1] - np.uint8(ord("0"))
    count = ends - point - 1
    eights = np.ndarray(len(content) - 7, "<u8", content, strides=1)
    digits = (eights[point + 1] ^ np.uint64(0x3030303030303030)) & _FIRST_BYTES[np.clip(count, 0, 8)]
    above_nine = ((digits + np.uint64(0x7676767676767676)) | digits) & np.uint64(0x8080808080808080)
    plain = (whole <= 9) & (codes[point] == ord(".")) & (count >= 1) & (count <= 8) & (above_nine == 0)

    pairs = digits * np.uint64(10) + (digits >> np.uint64(8))
    odd, even = pairs & np.uint64(0x000000FF000000FF), (pairs >> np.uint64(16)) & np.uint64(0x000000FF000000FF)
    fraction = (odd * np.uint64(0x000F424000000064) + even * np.uint64(0x0000271000000001)) >> np.uint64(32)
    values = (whole * 1e8 + fraction) / 1e8
    np.negative(values, out=values, where=negative)
    return values, plain


def _wrong_line(path: Path, block: memoryview, seen: int, width: int, spaces: int) -> str:
    """Names the first line of a block that has another number of values than the file's first line."""
    lines = bytes(block).removesuffix(b"\n").split(b"\n")
    number, line = next(
        (number, line) for number, line in enumerate(lines, start=seen + 1) if width < 1 or line.count(b" ") != spaces
    )
    return _wrong_number(path, number, max(len(line.split()) - 1, 0), width)


def _wrong_number(path: Path, number: int, found: int, width: int) -> str:
    if width < 1:
        return f"{path}, line {number}: no values after the word: not a GloVe text file"
    return f"{path}, line {number}: {found} values where the first line has {width}; fetch the file again"
