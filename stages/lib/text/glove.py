"""Reader of GloVe text files (Pennington et al. 2014)."""

import warnings
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.lib.errors import InputError

#: File of the catalogue's data set "glove".
FILE = "glove.6B.50d.txt"
#: The largest finite float32.
LARGEST = float(np.finfo(np.float32).max)


def read_vectors(path: Path, vocabulary: Collection[str]) -> tuple[list[str], NDArray[np.float32]]:
    """Vectors of the vocabulary's words in a GloVe text file: the words found, in file order, and [found, width].

    A line is a word and its values, separated by spaces. A word that occurs twice keeps its first vector. Lines of
    other words are skipped unread.

    Raises InputError, naming file and line, for a missing or empty file, a wrong number of values, and a value that is
    not a number or too large for float32.
    """
    wanted = {word.encode() for word in vocabulary}
    words: list[str] = []
    rows: list[bytes] = []
    numbers: list[int] = []
    width = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                word, _, row = line.partition(b" ")
                if number == 1 and (width := len(row.split())) == 0:
                    raise InputError(f"{path}, line 1: no values after the word: not a GloVe text file")
                if word in wanted:
                    wanted.remove(word)
                    words.append(word.decode())
                    rows.append(row)
                    numbers.append(number)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run `dvc repro -f download@{path.parent.name}`") from None
    if width == 0:
        raise InputError(f"{path}: the file is empty; download it again")
    return words, _parse(path, rows, numbers, width).astype(np.float32)


def _parse(path: Path, rows: list[bytes], numbers: list[int], width: int) -> NDArray[np.float64]:
    """Values [rows, width]; `numbers` are the rows' lines in the file."""
    if not rows:
        return np.empty((0, width))
    try:
        # NumPy warns of rows without values on standard error; they are refused below.
        with warnings.catch_warnings(action="ignore"):
            values = np.loadtxt(rows, dtype=np.float64, comments=None, ndmin=2)
    except ValueError:
        values = np.empty((0, width))
    if values.shape == (len(rows), width) and (np.abs(values) <= LARGEST).all():
        return values
    for row, number in zip(rows, numbers, strict=True):
        fields = row.split()
        if len(fields) != width:
            problem = f"{len(fields)} values, but line 1 has {width}"
        elif wrong := [field for field in fields if not _is_float32(field)]:
            problem = f"{wrong[0].decode('utf-8', 'replace')!r} is not a finite float32 number"
        else:
            continue
        raise InputError(f"{path}, line {number}: {problem}; download the file again")
    raise InputError(f"{path}: not a GloVe text file; download it again")


def _is_float32(field: bytes) -> bool:
    try:
        # float() also reads 1_000, which NumPy does not.
        return abs(float(field)) <= LARGEST and b"_" not in field
    except ValueError:
        return False
