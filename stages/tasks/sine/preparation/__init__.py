"""Raw files of sine forecasting to tensors."""

from stages.tasks.sine.preparation.tensors import Settings, parse_sequence, prepare, read_sequences

__all__ = ["Settings", "parse_sequence", "prepare", "read_sequences"]
