"""Statements of report C that are counted on the data."""

from pathlib import Path

from stages.lib.files import read_json
from stages.lib.statements import Result, Statement
from stages.tasks.reviews.preparation import FILES

DATA = "rt-polarity"
FROM_DATA = True


def longest_reviews(seed: int, data: Path) -> Result:  # noqa: ARG001
    """Tokens of the longest review of each class, under several tokenizations (C-rev-lengths).

    Values: positive_<tokenization> and negative_<tokenization>.
    """
    files = read_json(data / "metadata.json")["files"]
    rows = [
        ("positive" if label else "negative", tokenization, longest)
        for name, label in FILES.items()
        for tokenization, longest in files[name]["longest_review"].items()
    ]
    values = {f"{label}_{tokenization}": longest for label, tokenization, longest in rows}
    return Result(values, ("class", "tokenization", "longest_review"), rows)


STATEMENTS = {"C-rev-lengths": Statement(longest_reviews)}
