"""Small made-up data in the published files' formats, for profile `sample`.

One module per data set of the catalogue (a hyphen becomes an underscore) with a function `write(folder, seed)`; equal
seeds give equal bytes. A corpus whose words need vectors also has `lexicon()`, listed in glove.py.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Group(NamedTuple):
    """Synonyms, whose vectors are close together and further from those of other words of their kind and class."""

    word_class: str
    kind: str
    words: tuple[str, ...]


def generator(seed: int, *names: str) -> np.random.Generator:
    """A separate random generator for each name, so that adding one leaves the others unchanged."""
    return np.random.default_rng([seed, *"/".join(names).encode()])


def groups(word_class: str, table: dict[str, str]) -> Iterator[Group]:
    """Groups from a table of kinds to words: slashes separate synonyms, spaces separate meanings."""
    for kind, meanings in table.items():
        for meaning in meanings.split():
            yield Group(word_class, kind, tuple(meaning.split("/")))
