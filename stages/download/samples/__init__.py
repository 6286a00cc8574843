"""Small data made by the project itself, in the real files' own formats: what profile `sample` reads.

One module per data set of the catalogue (a hyphen becomes an underscore), with one function, `write(folder, seed)`; the
same seed gives the same bytes. A corpus whose words need vectors also has `lexicon()`, listed in glove.py.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Group(NamedTuple):
    """Words that mean the same: near one another in the made vectors, further from others of their kind and class."""

    word_class: str
    kind: str
    words: tuple[str, ...]


def generator(seed: int, *names: str) -> np.random.Generator:
    """A random generator of its own for each name, so that adding one thing leaves all others as they were."""
    return np.random.default_rng([seed, *"/".join(names).encode()])


def groups(word_class: str, table: dict[str, str]) -> Iterator[Group]:
    """Groups of a table from kinds to their words: synonyms parted by slashes, meanings by spaces."""
    for kind, meanings in table.items():
        for meaning in meanings.split():
            yield Group(word_class, kind, tuple(meaning.split("/")))
