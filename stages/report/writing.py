"""What claims.json keeps of a check and of a run."""

import math
from typing import TYPE_CHECKING, Any

from stages.lib import statistics
from stages.lib.questions.checks import BaseCheck, Comparison, Equivalent, Exact, MeasuredCheck, NotBetter, Reaches
from stages.lib.questions.measures import Side, weights
from stages.lib.statistics import Estimate, Finding
from stages.report.checking import Checked
from stages.report.measured import DID_NOT_LEARN, NO_OUTCOMES, NOT_TRAINED, Measured, Unavailable
from stages.report.numbers import unscaled
from stages.report.stored import Results
from stages.report.wording import measure_name, rule, scale_of, side_name

if TYPE_CHECKING:
    from collections.abc import Mapping

DIGITS = 6


def rounded(value: Any) -> Any:
    """Numbers to six significant digits, which is more than any of them bears; what is not finite becomes None."""
    if isinstance(value, bool) or not isinstance(value, float | dict | list | tuple):
        return value
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item) for item in value]
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def describe(results: Results, one: Checked, labels: "Mapping[str, str]", sample: bool) -> dict[str, Any]:
    """A check's entry: what it asks, of which runs, and what was found. On sample data it is not judged."""
    check, finding = one.check, one.finding
    entry: dict[str, Any] = {
        "kind": check.kind,
        "statement": check.statement,
        "because": check.because,
        "measure": measure_name(check) if isinstance(check, MeasuredCheck | Exact) else "",
        "scale": scale_of(check),
        "rule": rule(check, one.bound, labels),
        "outcome": "not judged" if sample else finding.outcome,
        "reason": "" if sample else _reason(finding, check, labels),
        "bound": one.bound,
        "limit": limit_of(check),
        "larger_is_better": _larger(results, check),
        "runs": {
            run: {"label": labels.get(run, run), "seeds": len(results.seeds(run)), "state": _state(results, run, one)}
            for run in check.runs
        },
        "sides": [_side(side, measured, check, labels) for side, measured in one.measured],
        "estimate": None if sample else _estimate(finding.estimate, _level(check)),
        "detectable": None if sample else finding.detectable,
        "flips_at": None if sample else finding.flips_at,
        "information": {} if sample else _information(finding),
        "parts": [describe(results, part, labels, sample) for part in one.parts],
    }
    if finding.parts and not sample:
        entry["pairs"] = [_pair(part, check, labels) for part in finding.parts]
    return entry


def limit_of(check: BaseCheck) -> str | None:
    """On which side of its bound a check wants the number to be."""
    if getattr(check, "at_least", None) is not None:
        return "at_least"
    return "at_most" if getattr(check, "at_most", None) is not None else None


def _larger(results: Results, check: BaseCheck) -> bool | None:
    """Which way is better, where a check asks that."""
    if not isinstance(check, NotBetter):
        return None
    given = check.larger_is_better
    return results.larger_is_better(check.runs[0], check.measure) if given is None else given


def describe_run(results: Results, run: str, label: str, metrics: list[str]) -> dict[str, Any]:
    """A run's row: seeds, parameters, and each metric's mean and spread over seeds."""
    entry: dict[str, Any] = {"label": label, "group": results.reports.group_of[run], "seeds": len(results.seeds(run))}
    try:
        stored = results.entry(run)
    except Unavailable:
        return entry | {"parameters": None, "metrics": {}, "data": None, "provenance": []}
    values: dict[str, Any] = {}
    for metric in metrics:
        numbers = list(results.score(run, metric).values())
        values[metric] = {"values": numbers, "mean": math.fsum(numbers) / len(numbers)}
    made = [stored.get("scored") or {}, *(seed.get("provenance") or {} for seed in stored["seeds"].values())]
    group = results.group(run)
    return entry | {
        "parameters": stored.get("parameters"),
        "metrics": values,
        "data": None if group is None else group.scores["data"]["name"],
        "provenance": [one for place, one in enumerate(made) if one and one not in made[:place]],
    }


def _state(results: Results, run: str, one: Checked) -> str:
    """What a check rests on in a run, or why it cannot rest on it."""
    if not results.seeds(run):
        return NOT_TRAINED
    if isinstance(one.check, MeasuredCheck) and one.check.gate and results.not_learned(run):
        return DID_NOT_LEARN
    if NO_OUTCOMES in one.finding.reason:
        return NO_OUTCOMES
    examples = any(m is not None and m.by_example for side, m in one.measured if run in weights(side))
    return "seeds and examples" if examples else "seeds"


def _side(side: Side, measured: Measured | None, check: BaseCheck, labels: "Mapping[str, str]") -> dict[str, Any]:
    entry: dict[str, Any] = {"label": side_name(side, labels), "values": [], "estimate": None}
    if measured is None:
        return entry
    m = measured.measurements
    found = statistics.mean(m)
    if isinstance(check, Comparison) and isinstance(check.against, float):
        entry["against"] = check.against
    return (
        entry
        | {"values": m.seeds.tolist(), "examples": m.size, "complete": measured.complete}
        | {"estimate": _estimate(found)}
    )


def _level(check: BaseCheck) -> float:
    """The level of the interval that supports a check: one-sided tests at 5 % go by the 90 % interval."""
    return 0.90 if isinstance(check, Equivalent | Reaches) else 0.95


def _estimate(found: Estimate | None, level: float = 0.95) -> dict[str, Any] | None:
    if found is None or found.value is None:
        return None
    known = level != 0.95 and found.standard_error is not None and found.degrees is not None
    low, high = found.limits(level) if known else (found.low, found.high)
    return {
        "level": level,
        "decides": [low, high],
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "standard_error": found.standard_error,
        "degrees": found.degrees,
        "over": found.over,
    }


def _information(finding: Finding) -> dict[str, Any]:
    return {key: value for key, value in finding.information.items() if isinstance(value, float | int | bool)}


def _pair(part: Finding, check: BaseCheck, labels: "Mapping[str, str]") -> dict[str, Any]:
    first, second = part.information["pair"]
    names = [labels.get(run, run) for run in check.runs]
    return {
        "label": f"{names[first]} {'−' if scale_of(check) == 'linear' else '÷'} {names[second]}",
        "adjacent": second - first == 1,
        "outcome": part.outcome,
        "estimate": _estimate(part.estimate, _level(check)),
        "detectable": part.detectable,
        "information": _information(part),
    }


def _reason(finding: Finding, check: BaseCheck, labels: "Mapping[str, str]") -> str:
    """Why, in words of a reader: two of several runs by their labels, and logarithms as ratios."""
    if finding.estimate is None and not finding.parts:
        return finding.reason
    pair, colon, rest = finding.reason.rpartition(": ")
    rest = unscaled(rest, scale_of(check))
    if pair.startswith("runs "):
        places = [int(place) - 1 for place in pair.removeprefix("runs ").split(" and ")]
        pair = " and ".join(labels.get(check.runs[place], check.runs[place]) for place in places)
    return f"{pair}{colon}{rest}"
