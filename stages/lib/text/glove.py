"""Reader of GloVe text files (Pennington et al. 2014)."""

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
    rows: list[NDArray[np.float64]] = []
    width = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                word, _, values = line.partition(b" ")
                if number == 1 and (width := len(values.split())) == 0:
                    raise InputError(f"{path}, line 1: no values after the word: not a GloVe text file")
                if word in wanted:
                    wanted.remove(word)
                    words.append(word.decode())
                    rows.append(_parse(values.split(), width, f"{path}, line {number}"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run `dvc repro -f download@{path.parent.name}`") from None
    if width == 0:
        raise InputError(f"{path}: the file is empty; download it again")
    return words, np.array(rows, dtype=np.float32).reshape(-1, width)


def _parse(fields: list[bytes], width: int, where: str) -> NDArray[np.float64]:
    if len(fields) != width:
        raise InputError(f"{where}: {len(fields)} values, but line 1 has {width}; download the file again")
    try:
        values = np.array(fields, dtype=np.float64)
    except ValueError:
        values = np.full(width, np.nan)
    # NumPy, like float(), also reads "nan", "inf" and "1_000", which no GloVe file has.
    if not (np.abs(values) <= LARGEST).all() or b"_" in b"".join(fields):
        field = next(field for field in fields if not _is_float32(field)).decode("utf-8", "replace")
        raise InputError(f"{where}: {field!r} is not a finite float32 number; download the file again")
    return values


def _is_float32(field: bytes) -> bool:
    try:
        return abs(float(field)) <= LARGEST and b"_" not in field
    except ValueError:
        return False
