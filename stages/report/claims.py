"""Claims of reports.yaml and their verdicts, computed from metrics/<profile>/runs/<group>.json.

A metric is a score ("validation.mse") or a curve's summary ("validation_mse.final"). A run's value is the mean over its
seeds; its spread, a standard deviation, is the larger of
- the sample standard deviation over seeds, if there are two or more;
- the mean standard error over examples (bootstrap), if evaluation gives one;
and of a curve in a run of one seed also, for a level, that curve's swing, and for a swing its own standard error.

A check compares a margin, positive on the side of the claim, with the combined spread s = √(s₁² + s₂²): it is undecided
if |margin| ≤ 2 s and s > 0, and otherwise holds or fails by the margin's sign. Runs share their test examples, so s is
rather too large than too small: a check that is decided is decided with care.
"""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stages.lib.config import check as checked
from stages.lib.files import read_json
from stages.lib.errors import InputError

Outcome = Literal["holds", "fails", "undecided"]
Verdict = Literal["reproduced", "not reproduced", "undecided", "ran", "not run"]
LEVELS = ("first", "quarter", "half", "final", "best")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Check(_Strict):
    """One condition; exactly one of `order`, `close`, `at_most`, `at_least` and `near` says which.

    order     the runs' values rise strictly in this order
    close     largest and smallest value of these runs differ by at most `within`
    at_most, at_least, near (by at most `within`)   the value of `run` against a number
    """

    metric: str
    says: str = ""
    order: Annotated[list[str], Field(min_length=2)] | None = None
    close: Annotated[list[str], Field(min_length=2)] | None = None
    run: str | None = None
    at_most: float | None = None
    at_least: float | None = None
    near: float | None = None
    within: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        rules = [name for name in ("order", "close", "at_most", "at_least", "near") if getattr(self, name) is not None]
        if len(rules) != 1:
            raise ValueError(f"a check wants one of order, close, at_most, at_least and near; it has {len(rules)}")
        if (self.within is not None) != (rules[0] in ("close", "near")):
            raise ValueError("`within` goes with `close` and `near`, which need it")
        if (self.run is not None) != (rules[0] in ("at_most", "at_least", "near")):
            raise ValueError("`run` goes with `at_most`, `at_least` and `near`, which need it")
        return self

    @property
    def runs(self) -> list[str]:
        return self.order or self.close or [self.run or ""]


class Claim(_Strict):
    """What a report says (or, with the report "beyond", what we add), and what would confirm it.

    `runs` maps each run to the label that a reader sees.
    """

    report: str
    question: str
    reported: str = ""
    task: str | None = None
    figure: str | list[str] = []
    runs: Annotated[dict[str, str], Field(min_length=1)]
    metrics: Annotated[list[str], Field(min_length=1)]
    checks: Annotated[list[Check], Field(min_length=1)]
    note: str = ""

    @property
    def figures(self) -> list[str]:
        return [self.figure] if isinstance(self.figure, str) else self.figure


@dataclass(frozen=True)
class Value:
    """Mean over seeds with its spread. `value` is None where a score is undefined, as a constant's correlation is."""

    value: float | None
    spread: float
    seeds: int


def parse_claims(reports: Mapping[str, Any]) -> dict[str, Claim]:
    """The checked claims of reports.yaml, in its order. Raises InputError."""
    claims = {}
    for name, content in (reports.get("claims") or {}).items():
        where = f"reports.yaml: claims.{name}"
        claims[name] = claim = checked(Claim, content, where)
        for run in dict.fromkeys((*claim.runs, *(run for c in claim.checks for run in c.runs))):
            if run not in reports["runs"]:
                raise InputError(f"{where}: there is no run {run!r}")
        for figure in claim.figures:
            if figure not in (reports.get("figures") or {}):
                raise InputError(f"{where}.figure: there is no figure {figure!r}")
    return claims


class Metrics:
    """The metric files of a profile, read when first asked for."""

    def __init__(self, profile: str, runs: Mapping[str, Mapping[str, Any]], root: Path = Path()) -> None:
        self._folder = root / "metrics" / profile / "runs"
        self._runs = runs
        self._groups: dict[str, dict[str, Any]] = {}

    def has(self, run: str) -> bool:
        """Whether this run has results."""
        path = self._folder / f"{self._runs[run].get('group', run)}.json"
        return path.is_file() and run in self.group(run)["runs"]

    def group(self, run: str) -> dict[str, Any]:
        """The content of the metric file that holds this run."""
        name = str(self._runs[run].get("group", run))
        if name not in self._groups:
            path = self._folder / f"{name}.json"
            if not path.is_file():
                raise InputError(f"{path} does not exist; `dvc repro evaluate@{name}` makes it")
            self._groups[name] = read_json(path)
        return self._groups[name]

    def run(self, run: str, claim: str) -> dict[str, Any]:
        runs = self.group(run)["runs"]
        if run not in runs:
            raise InputError(f"claims.{claim}: the run {run!r} is not in its group's metrics; it has {', '.join(runs)}")
        return runs[run]

    def value(self, run: str, metric: str, claim: str) -> Value:
        """Value and spread of a metric, as the head of this module tells. Raises InputError naming claim and key."""
        seeds = list(self.run(run, claim)["seeds"].values())
        values = [self._one(seed, run, metric, claim) for seed in seeds]
        if any(value is None for value in values):
            return Value(None, 0.0, len(seeds))
        spreads = [0.0]
        if len(values) > 1:
            spreads.append(statistics.stdev(values))
        errors = [error for seed in seeds if (error := (seed.get("spread") or {}).get(metric)) is not None]
        if errors:
            spreads.append(statistics.fmean(errors))
        curve, _, summary = metric.partition(".")
        if len(seeds) == 1 and curve in seeds[0].get("curves", {}):
            spreads.append(seeds[0]["curves"][curve].get("swing" if summary in LEVELS else f"{summary}_error") or 0.0)
        return Value(statistics.fmean(values), max(spreads), len(values))

    @staticmethod
    def _one(seed: Mapping[str, Any], run: str, metric: str, claim: str) -> float | None:
        scores, curves = seed.get("scores", {}), seed.get("curves", {})
        curve, _, summary = metric.partition(".")
        if metric in scores:
            return scores[metric]
        if summary in curves.get(curve, {}):
            return curves[curve][summary]
        known = [*scores, *(f"{name}.{key}" for name, summaries in curves.items() for key in summaries)]
        raise InputError(f"claims.{claim}: the run {run!r} has no metric {metric!r}; it has {', '.join(known)}")


def outcome(margin: float, spread: float, strict: bool = False) -> Outcome:
    """Whether a margin is on the side of the claim beyond doubt; with `strict`, a margin of exactly 0 is not."""
    if spread > 0 and abs(margin) <= 2 * spread:
        return "undecided"
    return "holds" if margin > 0 or (margin == 0 and not strict) else "fails"


def judge(check: Check, values: Mapping[str, Value]) -> Outcome:
    """The outcome of one check, given the value of each of its runs. An undefined value leaves it undecided."""
    if any(values[run].value is None for run in check.runs):
        return "undecided"
    chosen = [values[run] for run in check.runs]
    if check.order:
        return _rises(chosen)
    if check.close:
        low, high = min(chosen, key=_level), max(chosen, key=_level)
        # A range over several runs is never below 0, so noise alone widens it; the spread of its two ends covers that.
        return outcome(check.within - (high.value - low.value), math.hypot(low.spread, high.spread))
    (value,) = chosen
    if check.at_most is not None:
        margin = check.at_most - value.value
    elif check.at_least is not None:
        margin = value.value - check.at_least
    else:
        margin = check.within - abs(value.value - check.near)
    return outcome(margin, value.spread)


def _level(value: Value) -> float:
    return value.value


def _rises(values: Sequence[Value]) -> Outcome:
    """Neighbours must all rise beyond doubt; one pair, however far apart, that falls beyond doubt refutes the order."""

    def pair(low: Value, high: Value) -> Outcome:
        return outcome(high.value - low.value, math.hypot(low.spread, high.spread), strict=True)

    if any(pair(low, high) == "fails" for i, low in enumerate(values) for high in values[i + 1 :]):
        return "fails"
    neighbours = [pair(low, high) for low, high in itertools.pairwise(values)]
    return "holds" if all(result == "holds" for result in neighbours) else "undecided"


def verdict(outcomes: Sequence[Outcome], sample: bool) -> Verdict:
    """One failed check refutes a claim, all must hold to confirm it. Sample data shows only that the pipeline ran."""
    if sample:
        return "ran"
    if "fails" in outcomes:
        return "not reproduced"
    return "reproduced" if all(result == "holds" for result in outcomes) else "undecided"
