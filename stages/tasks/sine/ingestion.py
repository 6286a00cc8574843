"""Series of the user's own, from a table of numbers, to tensors."""

from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field

from stages.lib.errors import InputError
from stages.lib.own_data.source import Source, split_examples
from stages.lib.own_data.tables import TableFormat, read_numbers
from stages.lib.task import Prepared
from stages.tasks.sine.preparation import FEWEST_POINTS, Settings


class Format(TableFormat):
    """series: a series is a row or a column of the table · header: the first line has names · columns: those of the
    columns that are series, by name; by default all · window: cut series into pieces of so many points.
    """

    series: Literal["rows", "columns"] = "rows"
    header: bool = False
    columns: tuple[str, ...] = ()
    window: Annotated[int, Field(ge=FEWEST_POINTS)] | None = None


def ingest(source: Source, format: Format, settings: Settings) -> Prepared:  # noqa: ARG001
    """Tensors train, validation, test and long_test (the test series again) [series, points], float32, with mean 0 and
    standard deviation 1 over the training series.

    Metadata: sequences, points of each, mean and std in the file's units, examples by split, and how many points were
    dropped at the ends of series. Raises InputError, naming file and line.
    """
    parts, rest = {}, 0
    for split, path in source.files.items():
        parts[split], count = read_series(path, format)
        rest += count
    splits = {split: torch.tensor(found, dtype=torch.float64) for split, found in split_examples(parts, source).items()}
    if len({found.shape[1] for found in splits.values()}) > 1:
        raise InputError(f"{source.path}: series of the splits differ in length; give format.window")
    mean, std = splits["train"].mean().item(), splits["train"].std().item()
    if not std:
        raise InputError(
            f"{source.files.get('train', source.path)}: all values are {mean:g}; there is nothing to learn"
        )
    tensors = {split: ((found - mean) / std).float() for split, found in splits.items()}
    counts = {split: len(found) for split, found in splits.items()}
    metadata = {
        "sequences": sum(counts.values()),
        "points": tensors["train"].shape[1],
        "test_sequences": counts["test"],
        "mean": mean,
        "std": std,
        "examples": counts,
        "dropped": {"points after the last window": rest},
    }
    return Prepared(tensors | {"long_test": tensors["test"].clone()}, metadata)


def read_series(path: Path, format: Format) -> tuple[list[tuple[float, ...]], int]:
    """Series of one length from a file, or pieces of `window` points of them, and the number of points left over.

    Raises InputError for series of different lengths or of fewer than FEWEST_POINTS points.
    """
    if format.columns and (format.series == "rows" or not format.header):
        raise InputError(f"{path}: format.columns are names: give series: columns and header: true as well")
    lines, rows = read_numbers(path, format, format.header, format.columns)
    if format.series == "columns":
        rows = list(zip(*rows, strict=True))
    pieces, rest = [], 0
    for number, row in enumerate(rows):
        where = f"{path}, line {lines[number]}" if format.series == "rows" else f"{path}, column {number + 1}"
        length = format.window or len(row)
        if len(row) < max(length, FEWEST_POINTS):
            wanted = max(length, FEWEST_POINTS)
            raise InputError(
                f"{where}: {len(row)} points, where a series has at least {wanted}; is it series: columns?"
            )
        pieces += [row[start : start + length] for start in range(0, len(row) - length + 1, length)]
        rest += len(row) % length
    return pieces, rest
