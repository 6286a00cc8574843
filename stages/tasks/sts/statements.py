"""Statements of report A that are counted on the data."""

from pathlib import Path

from stages.lib.files import read_json
from stages.lib.statements import Result, Statement

DATA = "STS Benchmark"
FROM_DATA = True


def score_column(seed: int, data: Path) -> Result:  # noqa: ARG001
    """On how many lines the third column from the end is the score, and how many have extra columns (A-sts-column)."""
    columns = read_json(data / "metadata.json")["columns"]
    return Result(columns | {"share": columns["third_from_end_is_score"] / columns["lines"]})


STATEMENTS = {"A-sts-column": Statement(score_column)}
