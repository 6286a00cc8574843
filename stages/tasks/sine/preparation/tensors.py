"""The files of computed sine waves to tensors."""

from array import array
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from stages.lib.config_model import Strict
from stages.lib.errors import InputError
from stages.lib.task import Prepared

#: The last sequences of sine.csv are for testing.
TEST_SEQUENCES = 2
#: The second half is forecast, and scored in quarters.
FEWEST_POINTS = 8
LARGEST = torch.finfo(torch.float32).max


class Settings(Strict):
    pass


def prepare(raw: Mapping[str, Path], settings: Settings) -> Prepared:  # noqa: ARG001
    """Tensors train, validation, test and long_test [sequences, points], float32.

    Metadata: sequences in sine.csv, points of each, and how many of the sequences are for testing.
    """
    folder = raw["corpus"]
    points, validation, longer = (read_sequences(folder / f"{name}.csv") for name in ("sine", "validation", "longer"))
    if len(points) <= TEST_SEQUENCES or points.shape[1] != validation.shape[1] or points.shape[1] < FEWEST_POINTS:
        raise InputError(
            f"{folder}: at least {TEST_SEQUENCES + 1} sequences of at least {FEWEST_POINTS} points are needed, all"
            f" of one length; run `dvc repro -f download@{folder.name}`"
        )
    tensors = {
        "train": points[:-TEST_SEQUENCES],
        "validation": validation,
        "test": points[-TEST_SEQUENCES:],
        "long_test": longer,
    }
    metadata = {"sequences": len(points), "points": points.shape[1], "test_sequences": TEST_SEQUENCES}
    return Prepared(tensors, metadata)


def read_sequences(path: Path) -> Tensor:
    """Sequences [n, T] from a file with one a line, values separated by commas.

    Raises InputError, naming file and line, for a missing file, one that is not UTF-8 text or has no line, fewer than
    two points, another number of points than on line 1, and a value that is not a finite float32 number.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run `dvc repro -f download@{path.parent.name}`") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text from byte {error.start} on; download it again") from None
    # Python's numbers take four times as much memory, a tensor a line far more where lines are short.
    values, points = array("d"), 0
    for number, line in enumerate(lines, start=1):
        row = parse_sequence(line, f"{path}, line {number}")
        points = points or len(row)
        if len(row) != points:
            raise InputError(f"{path}, line {number}: {len(row)} points, but line 1 has {points}")
        values.extend(row)
    if not values:
        raise InputError(f"{path}: the file is empty; run `dvc repro -f download@{path.parent.name}`")
    return torch.frombuffer(values, dtype=torch.float64).reshape(-1, points).float()


def parse_sequence(text: str, where: str) -> list[float]:
    """At least two finite float32 numbers, separated by commas. Raises InputError, beginning with `where`."""
    values = []
    for field in text.split(","):
        try:
            value = float(field)
        except ValueError:
            value = float("nan")
        if not abs(value) <= LARGEST:
            raise InputError(
                f"{where}: {field.strip()[:50]!r} is not a finite number; give numbers separated by commas"
            )
        values.append(value)
    if len(values) < 2:
        raise InputError(f"{where}: a sequence needs at least two points")
    return values
