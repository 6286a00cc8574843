"""What figures read of their runs: the evaluations of the figure's group and of its baseline."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.errors import InputError
from stages.lib.figures import Figure
from stages.lib.results import Group, read_group, remedy

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


@dataclass(frozen=True)
class Evaluations:
    """groups: of each run, the evaluation that holds it, in the figure's order of runs. remedy: the command that makes
    what is missing.
    """

    groups: dict[str, Group]
    remedy: str

    @classmethod
    def of(cls, figure_id: str, figure: Figure, profile: str, root: Path = Path()) -> "Evaluations":
        """Raises InputError where a group was not evaluated or a run is in neither."""
        groups = [read_group(profile, name, root) for name in dict.fromkeys((figure.group, figure.baseline))]
        command = remedy(profile, f"figure@{figure_id}")
        found = {}
        for run in figure.runs:
            holding = [group for group in groups if run in group.scores["runs"]]
            if not holding:
                raise InputError(f"{groups[0].folder}/scores.json has no run {run!r}; {command} makes it anew")
            found[run] = holding[0]
        return cls(found, command)

    @property
    def data_names(self) -> list[str]:
        return list(dict.fromkeys(group.scores["data"]["name"] for group in self.groups.values()))

    @property
    def sample(self) -> bool:
        """Whether any of the data is generated."""
        return any(group.scores["data"]["sample"] for group in self.groups.values())

    def config(self, run: str) -> dict[str, Any]:
        """The settings of a run as it was trained."""
        return self.groups[run].scores["runs"][run]["config"]

    def scores(self, run: str, metric: str) -> dict[int, float]:
        """One metric, such as test.accuracy, by seed. Raises InputError where the run was not scored by it."""
        group, found = self.groups[run], {}
        for seed, entry in group.scores["runs"][run]["seeds"].items():
            if entry["scores"].get(metric) is None:
                known = ", ".join(sorted(entry["scores"])) or "none"
                raise InputError(f"{group.folder}/scores.json: {run}, seed {seed} has no {metric!r}; it has {known}")
            found[int(seed)] = entry["scores"][metric]
        return dict(sorted(found.items()))

    def curves(self, run: str, x: str, y: str) -> "Iterator[tuple[int, np.ndarray, np.ndarray]]":
        """Seed, and the columns x and y of its history where y has a finite value."""
        import numpy as np

        for seed, rows in self._by_seed(run, "histories"):
            for name in (x, y):
                if name not in rows or rows[name].isna().all():
                    known = ", ".join(rows.columns[rows.notna().any()].drop(["run", "seed"]))
                    raise InputError(
                        f"{self.groups[run].folder}/histories.parquet: {run}, seed {seed} has no column {name!r};"
                        f" it has {known}"
                    )
            rows = rows[np.isfinite(rows[y].astype(float))]
            if rows.empty:
                raise InputError(
                    f"{self.groups[run].folder}/histories.parquet: {run}, seed {seed}: {y} has no finite value"
                )
            yield seed, rows[x].to_numpy(float), rows[y].to_numpy(float)

    def outcomes(self, run: str, split: str, *columns: str) -> "Iterator[tuple[int, pd.DataFrame]]":
        """Seed, and its outcomes on one split in the split's order. `columns`: those that must be there."""
        for seed, rows in self._by_seed(run, "outcomes", *columns):
            rows = rows[rows["split"] == split]
            if rows.empty:
                raise InputError(
                    f"{self.groups[run].folder}/outcomes.parquet: {run}, seed {seed} has no outcomes on {split!r}"
                )
            yield seed, rows.sort_values("example")

    def tables(self, run: str, *columns: str) -> "Iterator[tuple[int, pd.DataFrame]]":
        """Seed, and the rows of a computed statement."""
        return self._by_seed(run, "tables", *columns)

    def plot_samples(self, run: str) -> "dict[int, dict[str, np.ndarray]]":
        return self.groups[run].plot_samples(run)

    def _by_seed(self, run: str, name: str, *columns: str) -> "Iterator[tuple[int, pd.DataFrame]]":
        group = self.groups[run]
        path, table = group.folder / f"{name}.parquet", getattr(group, name)
        if table is None:
            raise InputError(f"{path} does not exist; {self.remedy} makes it")
        rows = table[table["run"] == run]
        if rows.empty:
            raise InputError(f"{path} has no rows of {run}; {self.remedy} makes it anew")
        for column in columns:
            if column not in rows or rows[column].isna().all():
                raise InputError(f"{path} has no {column!r} of {run}; {self.remedy} makes it anew")
        for seed, part in rows.groupby("seed", sort=True):
            yield int(seed), part
