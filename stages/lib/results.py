"""What evaluation leaves for figures, verdicts and MLflow: metrics/<profile>/evaluations/<group>.

- scores.json: what trained and scored each run, and by seed its scores and the SHA-256 of its weights
- outcomes.parquet: one row an example, run and seed, with what its metrics are computed from
- examples.parquet: split, example and a hash of the input, so that outcomes can be told to belong to other data
- histories.parquet: the training histories, one row a step or epoch, run and seed
- tables.parquet: rows of computed statements
- plot_samples/<run>-seed-<n>.safetensors: tensors that figures show

Nothing here needs models/, so that verdicts, figures and the page can be made again where nothing was trained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stages.lib.errors import InputError
from stages.lib.files import atomic_folder, read_json, read_tensors, write_json

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

KEYS = ["run", "seed", "split", "example"]
#: Values in a table, and bytes once it is unpacked: a file of 5 MB can hold a hundred times as many.
MOST_VALUES, MOST_BYTES = 50_000_000, 400_000_000


@dataclass(frozen=True)
class MetricDefinition:
    """How a metric follows from columns of the outcomes.

    mean: of one column over the examples · ratio metrics from true positives, false positives and false negatives
    (columns in this order): precision, recall, f1 · pearson, spearman: of two columns (prediction, target) ·
    seed: no function of single examples; one number a seed, from scores.json.
    """

    kind: Literal["mean", "precision", "recall", "f1", "pearson", "spearman", "seed"]
    columns: tuple[str, ...] = ()
    larger_is_better: bool = False


@dataclass
class Group:
    """The evaluation of one group of runs, read lazily from its folder."""

    folder: Path
    scores: dict[str, Any] = field(repr=False)

    @cached_property
    def outcomes(self) -> "pd.DataFrame | None":
        """Columns run, seed, split, example and the task's; None where examples were not stored."""
        return self._table("outcomes")

    @cached_property
    def examples(self) -> "pd.DataFrame | None":
        return self._table("examples")

    @cached_property
    def histories(self) -> "pd.DataFrame | None":
        """Columns run, seed, step, epoch, lr and the curves; NaN where a step has no value."""
        return self._table("histories")

    @cached_property
    def tables(self) -> "pd.DataFrame | None":
        """Rows of computed statements: run, seed and each statement's own columns."""
        return self._table("tables")

    def history(self, run: str, seed: int) -> "pd.DataFrame":
        """One training's history. Raises InputError where it was not stored."""
        rows = self.histories
        if rows is not None:
            rows = rows[(rows["run"] == run) & (rows["seed"] == seed)]
        if rows is None or rows.empty:
            raise InputError(f"{self.folder}/histories.parquet has no history of {run}, seed {seed}; evaluate it again")
        return rows.dropna(axis="columns", how="all").reset_index(drop=True)

    def plot_samples(self, run: str) -> "dict[int, dict[str, np.ndarray]]":
        """Tensors that figures show, by seed. Raises InputError where there are none."""
        paths = {
            int(path.stem.rpartition("-seed-")[2]): path for path in self.folder.glob(f"plot_samples/{run}-seed-*")
        }
        if not paths:
            again = f"`dvc repro -f -s evaluate@{self.folder.name}`"
            raise InputError(f"{self.folder}/plot_samples has none of {run}, as no figure showed them; {again}")
        return {seed: read_tensors(paths[seed], "numpy") for seed in sorted(paths)}

    def _table(self, name: str) -> "pd.DataFrame | None":
        path = self.folder / f"{name}.parquet"
        return read_table(path) if path.is_file() else None


def group_folder(profile: str, group: str, root: Path = Path()) -> Path:
    """Where the evaluation of a group is kept."""
    return root / "metrics" / profile / "evaluations" / group


def read_group(profile: str, group: str, root: Path = Path()) -> Group:
    """The evaluation of a group. Raises InputError where it has not been evaluated."""
    folder = group_folder(profile, group, root)
    if not (folder / "scores.json").is_file():
        raise InputError(f"{folder}/scores.json does not exist; {remedy(profile, f'evaluate@{group}')} makes it")
    return Group(folder, read_json(folder / "scores.json"))


def remedy(profile: str, target: str) -> str:
    """The command that makes what is missing."""
    if profile == "sample":
        return f"`dvc repro {target}`"
    folder = "own/reports" if profile == "own" and not target.endswith("-study") else profile
    return f"`dvc repro {folder}/dvc.yaml:{target}`"


def write_group(
    folder: Path,
    scores: Mapping[str, Any],
    tables: "Mapping[str, Sequence[pd.DataFrame]]",
    plot_samples: Mapping[str, bytes] | None = None,
) -> None:
    """Write a group's evaluation in one step. `tables`: by file name without ending, frames to be stacked; empty ones
    leave no file. `plot_samples`: content of safetensors files by `<run>-seed-<n>`.
    """
    import pandas as pd

    with atomic_folder(folder) as temporary:
        for name, frames in tables.items():
            if frames:
                write_table(temporary / f"{name}.parquet", pd.concat(frames, ignore_index=True))
        for name, content in (plot_samples or {}).items():
            (temporary / "plot_samples").mkdir(exist_ok=True)
            (temporary / "plot_samples" / f"{name}.safetensors").write_bytes(content)
        write_json(temporary / "scores.json", scores)


def write_table(path: Path, table: "pd.DataFrame") -> None:
    """A Parquet file of the same bytes for the same table: floats in single precision, text as dictionaries."""
    import numpy as np

    slim = {}
    for name, column in table.items():
        if column.dtype == np.float64:
            slim[name] = column.astype(np.float32)
        elif column.dtype == np.int64 and len(column) and abs(column).max() < 2**31:
            slim[name] = column.astype(np.int32)
    table.assign(**slim).to_parquet(path, engine="pyarrow", compression="zstd", compression_level=9, index=False)


def read_table(path: Path) -> "pd.DataFrame":
    """A Parquet file. Raises InputError where it is damaged, and where it would fill the memory."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            about = file.metadata
            groups = [about.row_group(number) for number in range(about.num_row_groups)]
            # Each row has a value or more in each column.
            _refuse_large(path, about.num_rows * len(about.schema), sum(group.total_byte_size for group in groups))
            # Raises for what is damaged; pyarrow would end the process if a damaged column were asked for its length.
            file.scan_contents()
            # A list of numbers becomes an array, whose header takes as much as ten of them.
            weights = [10 if column.max_repetition_level else 1 for column in about.schema]
            values = sum(
                group.column(number).num_values * weight for group in groups for number, weight in enumerate(weights)
            )
            _refuse_large(path, values)
            return file.read().to_pandas()
    except (pyarrow.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        reason = " ".join(str(error).splitlines()[:1])
        raise InputError(f"{path}: damaged ({reason}); delete it and evaluate the group again") from None


def _refuse_large(path: Path, values: int, size: int = 0) -> None:
    if values > MOST_VALUES or size > MOST_BYTES:
        raise InputError(f"{path}: {values:,} values, more than any evaluation has; evaluate the group again")
