"""The stored evaluations of a profile: scores, histories and outcomes of every run and seed.

Nothing here reads models/: a run that was never trained on this machine is judged from metrics/<profile>/evaluations.
"""

import difflib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.errors import InputError
from stages.lib.questions.measures import Measure
from stages.lib.results import Group, MetricDefinition, group_folder, read_group
from stages.lib.task import task_module
from stages.report.measured import DID_NOT_LEARN, NOT_TRAINED, Unavailable

if TYPE_CHECKING:
    import pandas as pd

    from stages.lib.config import Profile, Reports


class Results:
    """The stored evaluations of a profile."""

    def __init__(self, profile: "Profile", reports: "Reports", root: Path = Path()) -> None:
        self.profile, self.reports, self.root = profile, reports, root
        self._groups: dict[str, Group | None] = {}
        self._histories: dict[tuple[str, int], pd.DataFrame] = {}
        self._checked: set[str] = set()

    def group(self, run: str) -> Group | None:
        """The evaluation that holds a run; None where there is none yet."""
        name = self.reports.group_of[run]
        if name not in self._groups:
            there = (group_folder(self.profile, name, self.root) / "scores.json").is_file()
            self._groups[name] = read_group(self.profile, name, self.root) if there else None
        group = self._groups[name]
        return group if group is not None and run in group.scores["runs"] else None

    def entry(self, run: str) -> dict[str, Any]:
        """What scores.json has of a run. Raises Unavailable where it is not trained, InputError where it was trained
        with other settings than reports/ has now.
        """
        group = self.group(run)
        if group is None:
            raise Unavailable(NOT_TRAINED)
        found: dict[str, Any] = group.scores["runs"][run]
        if run not in self._checked:
            self._check_settings(run, group, found)
            self._checked.add(run)
        return found

    def history(self, run: str, seed: int) -> "pd.DataFrame":
        """A seed's training history. Raises InputError where it is not stored."""
        group = self.group(run)
        if group is None:
            raise Unavailable(NOT_TRAINED)
        if (run, seed) not in self._histories:
            self._histories[run, seed] = group.history(run, seed)
        return self._histories[run, seed]

    def _check_settings(self, run: str, group: Group, found: dict[str, Any]) -> None:
        if group.folder.name in self.reports.computed:
            return
        wanted = self.reports.run(run, self.profile).parameters()
        for key in {**wanted, **found["config"]}:
            if wanted.get(key) != found["config"].get(key):
                raise InputError(
                    f"{group.folder}/scores.json: runs.{run}.config.{key} = {found['config'].get(key)!r}, while"
                    f" {self.reports.where('runs', run)} has {wanted.get(key)!r}: train and evaluate it again"
                )

    def seeds(self, run: str) -> list[int]:
        """The seeds that are stored; none of a run that is not trained."""
        try:
            return sorted(map(int, self.entry(run)["seeds"]))
        except Unavailable:
            return []

    def is_sample(self, run: str) -> bool:
        """Whether a run learned from generated data."""
        group = self.group(run)
        if group is None:
            return self.profile == "sample" and self.reports.group_of[run] not in self.reports.computed
        return bool(group.scores["data"]["sample"])

    def definition(self, run: str, metric: str) -> MetricDefinition | None:
        """How a metric follows from outcomes; None of a value of a computed statement."""
        group = self.reports.group_of[run]
        if group in self.reports.computed:
            return None
        known: dict[str, MetricDefinition] = task_module(self.reports.groups[group].task, "scoring").METRICS
        name = metric.partition(".")[2]
        if name in known:
            return known[name]
        return next((known[base] for base in known if name.endswith(f"_{base}")), None)

    def larger_is_better(self, run: str, measure: Measure) -> bool:
        """Whether a larger number of this measure is better, by the task's metric of that name."""
        if measure.metric is not None:
            definition = self.definition(run, measure.metric)
        elif measure.curve is not None:
            if measure.curve.rising is not None:
                return measure.curve.rising
            definition = self.definition(run, measure.curve.column.replace("_", ".", 1))
        else:
            definition = None
        return definition is not None and definition.larger_is_better

    def score(self, run: str, metric: str) -> dict[int, float]:
        """A score by seed. Raises InputError where the run was not scored by it."""
        found = {}
        for seed, entry in self.entry(run)["seeds"].items():
            if metric not in entry["scores"]:
                group = self.group(run)
                near = difflib.get_close_matches(metric, entry["scores"], n=3, cutoff=0)
                raise InputError(
                    f"{group.folder if group else ''}/scores.json: {run}, seed {seed} has no {metric!r}; near it are"
                    f" {', '.join(near) or 'none'}"
                )
            value = entry["scores"][metric]
            found[int(seed)] = math.nan if value is None else float(value)
        return dict(sorted(found.items()))

    def trivial(self, run: str, metric: str) -> float:
        """The trivial predictor's score. Raises Unavailable where it is not stored."""
        found = self.entry(run).get("trivial", {}).get(metric)
        if found is None:
            raise Unavailable(f"the trivial predictor's {metric} is not stored")
        return float(found)

    def not_learned(self, run: str) -> str | None:
        """What shows that a run did not learn: in some seed it does not beat the trivial predictor. None where it does.

        Decided by the task's first metric, and by a correlation above 0 where it has one, on the validation split, or
        on the test split of a run that has no other.
        """
        trivial: dict[str, float] = self.entry(run).get("trivial", {})
        split = "validation" if any(key.startswith("validation.") for key in trivial) else "test"
        metrics = [key for key in trivial if key.startswith(f"{split}.")]
        for place, metric in enumerate(metrics):
            definition = self.definition(run, metric)
            if definition is None or (place and definition.kind != "pearson"):
                continue
            sign = 1 if definition.larger_is_better else -1
            worse = [v for v in self.score(run, metric).values() if not sign * v > sign * trivial[metric]]
            if worse:
                count = len(self.seeds(run))
                of = "" if count == 1 else f" in {len(worse)} of {count} seeds"
                best = f"the trivial {trivial[metric]:.3g}"
                return f"{DID_NOT_LEARN}: {metric} {worse[0]:.3g} is no better than {best}{of}"
        return None

    def outcomes(self, run: str, metric: str) -> "list[pd.DataFrame] | None":
        """The outcomes of a run's seeds, in the order of a metric's split; None where they are not stored."""
        group = self.group(run)
        rows = None if group is None else group.outcomes
        if rows is None:
            return None
        split, _, name = metric.partition(".")
        known = task_module(group.scores["task"], "scoring").METRICS
        if name not in known:
            base = next(base for base in known if name.endswith(f"_{base}"))
            split = f"{split}+{name.removesuffix(f'_{base}')}"
        rows = rows[(rows["run"] == run) & (rows["split"] == split)]
        found = [part.sort_values("example") for _, part in rows.groupby("seed", sort=True)]
        return found if len(found) == len(self.seeds(run)) else None
