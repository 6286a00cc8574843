"""Sentence pairs of the user's own, from tables, to tensors."""

from pathlib import Path
from typing import NamedTuple

from stages.lib.errors import InputError
from stages.lib.own_data.source import Source, split_examples, without_duplicates
from stages.lib.own_data.tables import Column, TableFormat, number, read_table
from stages.lib.task import Prepared
from stages.tasks.sts.preparation import MAX_SIMILARITY, Settings, encode_pairs

COLUMNS = ("first", "second", "score")


class Format(TableFormat):
    """first, second, score: the columns of a pair · scale: the lowest score, unrelated, and the highest, equivalent."""

    first: Column = "sentence1"
    second: Column = "sentence2"
    score: Column = "score"
    scale: tuple[float, float] = (0.0, MAX_SIMILARITY)


class Pair(NamedTuple):
    sentence1: str
    sentence2: str
    score: float


def ingest(source: Source, format: Format, settings: Settings) -> Prepared:
    """See `encode_pairs`; scores are moved to the scale from 0 to 5. Metadata also have examples by split, and how many
    records were dropped. Raises InputError, naming file and line.
    """
    import pandas as pd

    dropped = {"blank lines": 0, "pairs without a sentence": 0, "duplicates": 0}
    parts = {}
    for split, path in source.files.items():
        parts[split], counts = read_own_pairs(path, format)
        if source.is_drawn:
            parts[split], counts["duplicates"] = without_duplicates(parts[split])
        dropped = {reason: dropped[reason] + counts.get(reason, 0) for reason in dropped}
    splits = {split: pd.DataFrame(pairs) for split, pairs in split_examples(parts, source).items()}
    facts = {"examples": {split: len(pairs) for split, pairs in splits.items()}, "dropped": dropped}
    return encode_pairs(splits, source.vectors, settings, facts)


def read_own_pairs(path: Path, format: Format) -> tuple[list[Pair], dict[str, int]]:
    """The pairs of a table, scores from 0 to 5, and how many records were dropped, by reason. Raises InputError."""
    low, high = format.scale
    if not low < high:
        raise InputError(f"{path}: format.scale = [{low:g}, {high:g}]: give the lowest score, then the highest")
    rows, blank = read_table(path, {name: getattr(format, name) for name in COLUMNS}, format)
    pairs = []
    for line, values in rows:
        where = f"{path}, line {line}"
        score = number(values["score"], f"{where}: score")
        if not low <= score <= high:
            raise InputError(
                f"{where}: score {values['score']} is not from {low:g} to {high:g}; correct it, or give format.scale"
            )
        if values["first"] and values["second"]:
            scaled = MAX_SIMILARITY * (score - low) / (high - low)
            pairs.append(Pair(values["first"], values["second"], scaled))
    if not pairs:
        raise InputError(f"{path}: no pair has two sentences")
    return pairs, {"blank lines": blank, "pairs without a sentence": len(rows) - len(pairs)}
