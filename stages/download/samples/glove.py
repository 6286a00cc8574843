"""Sample of GloVe 6B: vectors for the words of the sample corpora, and for other words.

A vector is the sum of random vectors for its word's class, kind, meaning and the word itself: synonyms are close
together, words of one kind further apart, words of different classes far apart.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.download.samples import Group, generator, grammar, rtpolarity, semeval2014

WIDTH = 50
#: Corpora whose words get vectors, in this order.
LEXICONS: tuple[Callable[[], Iterable[Group]], ...] = (grammar.lexicon, rtpolarity.lexicon, semeval2014.lexicon)
OTHERS = 1500
#: Standard deviations of the four summands; together about that of real vectors.
CLASS, KIND, MEANING, OWN = 0.25, 0.3, 0.5, 0.2
SYLLABLES = "ba ce di fo gu ha je ki lo mu na pe qui ro su ta ve wi xo za bren crol dunt flim grast plon strev"


def write(folder: Path, seed: int) -> None:
    """Write glove.6B.50d.txt: a word and 50 values a line, separated by spaces, five digits as in the real file."""
    with (folder / "glove.6B.50d.txt").open("w", encoding="utf-8", newline="\n") as file:
        for word, vector in _vectors(seed):
            file.write(word + " " + " ".join(f"{value:.5g}" for value in vector.tolist()) + "\n")


def _vectors(seed: int) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Each word once, with its vector [WIDTH]."""

    def part(scale: float, *names: str) -> NDArray[np.float64]:
        return generator(seed, "glove", *names).normal(0, scale, WIDTH)

    seen: set[str] = set()
    for lexicon in LEXICONS:
        for group in lexicon():
            meaning = (
                part(CLASS, "class", group.word_class)
                + part(KIND, "kind", group.word_class, group.kind)
                + part(MEANING, "meaning", group.word_class, group.words[0])
            )
            for word in group.words:
                if word not in seen:
                    seen.add(word)
                    yield word, meaning + part(OWN, "word", word)
    random = generator(seed, "glove", "others")
    syllables = SYLLABLES.split()
    for _ in range(OTHERS):
        word = "".join(random.choice(syllables, size=int(random.integers(2, 5))).tolist())
        vector = random.normal(0, 0.6, WIDTH)
        if word not in seen:
            seen.add(word)
            yield word, vector
