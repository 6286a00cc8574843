"""Word vectors trained on the task's own sentences (Mikolov et al. 2013)."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def train_word2vec(
    sentences: Sequence[Sequence[str]], width: int, epochs: int, seed: int = 0
) -> tuple[list[str], NDArray[np.float32]]:
    """The words of `sentences`, most frequent first, and their vectors [words, width].

    Skip-gram with gensim's defaults: a window of 5, negative sampling, learning rate from 0.025 to 0.0001. With one
    worker and a hash function that is the same in every process, the result depends on sentences and seed alone.
    """
    from gensim.models import Word2Vec

    model = Word2Vec(
        sentences,
        vector_size=width,
        sg=1,
        min_count=1,
        epochs=epochs,
        seed=seed,
        workers=1,
        hashfxn=lambda word: zlib.crc32(str(word).encode()),
    )
    return list(model.wv.index_to_key), np.asarray(model.wv.vectors, dtype=np.float32)
