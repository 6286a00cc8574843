"""Raw files of keyword extraction to tensors."""

from stages.tasks.aspects.preparation.tensors import (
    FILES,
    SPLITS,
    TOKENIZERS,
    UNKNOWN,
    WORD_LENGTH,
    Settings,
    encode_corpus,
    encode_words,
    list_terms,
    prepare,
    read_corpus,
)

__all__ = [
    "FILES",
    "SPLITS",
    "TOKENIZERS",
    "UNKNOWN",
    "WORD_LENGTH",
    "Settings",
    "encode_corpus",
    "encode_words",
    "list_terms",
    "prepare",
    "read_corpus",
]
