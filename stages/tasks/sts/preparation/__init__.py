"""Raw files of sentence similarity to tensors."""

from stages.tasks.sts.preparation.tensors import (
    MAX_SIMILARITY,
    SPLIT_FILES,
    Settings,
    count_columns,
    encode_pairs,
    prepare,
    read_pairs,
    split_words,
)

__all__ = [
    "MAX_SIMILARITY",
    "SPLIT_FILES",
    "Settings",
    "count_columns",
    "encode_pairs",
    "prepare",
    "read_pairs",
    "split_words",
]
