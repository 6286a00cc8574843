"""Raw files of sine forecasting to tensors."""

from stages.tasks.sine.preparation.tensors import FEWEST_POINTS, Settings, parse_sequence, prepare, read_sequences

__all__ = ["FEWEST_POINTS", "Settings", "parse_sequence", "prepare", "read_sequences"]
