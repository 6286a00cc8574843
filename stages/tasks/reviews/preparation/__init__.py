"""Raw files of review sentiment to tensors."""

from stages.tasks.reviews.preparation.tensors import (
    FILES,
    UNKNOWN,
    Settings,
    encode_reviews,
    prepare,
    read_reviews,
    split_words,
)

__all__ = ["FILES", "UNKNOWN", "Settings", "encode_reviews", "prepare", "read_reviews", "split_words"]
