"""One check: what was measured of its runs, and the finding of stages/lib/statistics."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from stages.lib import statistics
from stages.lib.questions.checks import (
    Agrees,
    BaseCheck,
    Combined,
    Comparison,
    Directed,
    Equivalent,
    Exact,
    MeasuredCheck,
    NotBetter,
    Number,
    Possible,
    Proportion,
    Reaches,
    Rising,
    Shown,
)
from stages.lib.questions.measures import Side, weights
from stages.lib.statistics import Finding
from stages.report.curves import spread_around
from stages.report.measured import SCALES, Measured, Unavailable, constant, same_examples
from stages.report.measurements import measure
from stages.report.stored import Results

if TYPE_CHECKING:
    from stages.lib.questions import Question

#: Curve numbers that are a lower bound where a seed never got there.
BOUNDED = ("steps_to", "plateau")


@dataclass(frozen=True)
class Checked:
    """A check with its finding.

    measured: what was measured of each side, in order; None where there was nothing. parts: of any and all.
    bound: the number that the finding is about, on the check's scale: margin, effect, threshold, reported number.
    """

    check: BaseCheck
    finding: Finding
    measured: list[tuple[Side, Measured | None]] = field(default_factory=list)
    bound: float | None = None
    parts: tuple["Checked", ...] = ()


def check_each(results: Results, question: "Question", check: BaseCheck, labels: Mapping[str, str]) -> list[Checked]:
    """A check's findings, one for each of its other sides. `labels`: what reasons call the runs."""
    if isinstance(check, Combined):
        parts = tuple(one for part in check.checks for one in check_each(results, question, part, labels))
        return [combined(Checked(check, Finding("inconclusive", None, ""), parts=parts))]
    if isinstance(check, Exact):
        return [_exact(results, question, check)]
    if isinstance(check, Comparison) and check.against_each is not None:
        each = [check.model_copy(update={"against": other, "against_each": None}) for other in check.against_each]
        return [one for single in each for one in check_each(results, question, single, labels)]
    return [_measured(results, question, check, labels)]


def combined(whole: Checked) -> Checked:
    """any: supported if one part is, contradicted if all are; all: the other way round."""
    outcomes = [part.finding.outcome for part in whole.parts]
    one, every = ("supported", "contradicted") if whole.check.kind == "any" else ("contradicted", "supported")
    if one in outcomes:
        outcome = one
    elif set(outcomes) == {every}:
        outcome = every
    else:
        outcome = "inconclusive"
    count = outcomes.count("supported")
    return replace(whole, finding=Finding(outcome, None, f"{count} of {len(outcomes)} parts supported"))


def _measured(results: Results, question: "Question", check: MeasuredCheck, labels: Mapping[str, str]) -> Checked:
    """Measure every side; where one is missing, or a run did not learn, the check is inconclusive and says why."""
    sides = _sides(check)
    measured: list[tuple[Side, Measured | None]] = []
    reasons = []
    for side in sides:
        try:
            measured.append((side, measure(results, question, check, side)))
        except Unavailable as missing:
            measured.append((side, None))
            reasons.append((side, str(missing)))
    if check.gate and check.kind != "shown":
        reasons += _not_learned(results, check)
    bound = None
    try:
        bound = bound_of(results, question, check)
        if not reasons:
            finding = decide(results, question, check, [one for _, one in measured])
            return Checked(check, finding, measured, bound)
    except Unavailable as missing:
        reasons.append(("", str(missing)))
    return Checked(check, Finding("inconclusive", None, _joined(reasons, labels)), measured, bound)


def _sides(check: MeasuredCheck) -> list[Side]:
    if isinstance(check, Possible) and check.pairs:
        return list(dict.fromkeys(run for pair in check.pairs for run in pair))
    return check.sides


def _not_learned(results: Results, check: MeasuredCheck) -> list[tuple[Side, str]]:
    found = []
    for run in check.runs:
        try:
            reason = results.not_learned(run)
        except Unavailable:
            continue
        if reason is not None:
            found.append((run, reason))
    return found


def _joined(reasons: list[tuple[Side, str]], labels: Mapping[str, str]) -> str:
    """Reasons, each once, with the runs that it holds for."""
    runs: dict[str, list[str]] = {}
    for side, reason in reasons:
        runs.setdefault(reason, [])
        if side:
            names = (labels.get(run, run) for run in weights(side))
            runs[reason] += [name for name in names if name not in runs[reason]]
    return "; ".join(f"{reason} ({', '.join(who)})" if who else reason for reason, who in runs.items())


def bound_of(results: Results, question: "Question", check: BaseCheck) -> float | None:
    """The number that a check is about, on its scale."""
    if isinstance(check, Directed):
        return check.smallest_effect
    if isinstance(check, Equivalent | NotBetter):
        return check.margin
    if isinstance(check, Agrees):
        return SCALES[check.scale](question.numbers[check.reported].number)
    if isinstance(check, Reaches):
        return SCALES[check.scale](_number(results, question, check, check.bound))
    if isinstance(check, Proportion):
        return _number(results, question, check, check.bound)
    return None


def _number(results: Results, question: "Question", check: MeasuredCheck, value: Number) -> float:
    if value != "trivial":
        return question.number(value)
    metric = check.metric or check.curve.column.replace("_", ".", 1)
    return results.trivial(check.runs[0], metric)


def decide(results: Results, question: "Question", check: MeasuredCheck, sides: list[Measured]) -> Finding:
    """The finding on what was measured of each side."""
    runs = [side.measurements for side in sides]
    match check:
        case Directed() | NotBetter():
            other = _other(check, sides)
            _paired(sides[0], other)
            a, b = sides[0].measurements, other.measurements
            if isinstance(check, NotBetter):
                larger = check.larger_is_better
                if larger is None:
                    larger = results.larger_is_better(check.runs[0], check.measure)
                return _bounded(check, statistics.not_better(a, b, check.margin, larger), sides)
            compare = statistics.higher if check.kind == "higher" else statistics.lower
            return _bounded(check, compare(a, b, check.smallest_effect), [sides[0], other])
        case Rising():
            for first, second in itertools.pairwise(sides):
                _paired(first, second)
            return _bounded(check, statistics.order(runs), sides)
        case Equivalent():
            if check.of is not None:
                number = SCALES[check.scale](question.number(check.of))
                finding = statistics.equivalent(runs[0], constant(number, sides[0]).measurements, check.margin)
                return _bounded(check, finding, sides)
            for side in sides[1:]:
                _paired(sides[0], side)
            if len(runs) == 2:
                return _bounded(check, statistics.equivalent(*runs, check.margin), sides)
            return _bounded(check, statistics.all_equivalent(runs, check.margin), sides)
        case Agrees():
            return _bounded(check, _agrees(results, question, check, sides[0]), sides)
        case Reaches():
            threshold = SCALES[check.scale](_number(results, question, check, check.bound))
            return _bounded(check, statistics.reaches(runs[0], threshold, check.at_least is not None), sides)
        case Proportion():
            hits = _hits(check, runs[0].seeds)
            return statistics.proportion(hits, len(runs[0].seeds), at_least=check.at_least, at_most=check.at_most)
        case Possible():
            return _possible(check, dict(zip(map(str, _sides(check)), sides, strict=True)))
        case Shown():
            return Finding("inconclusive", None, "shown, not judged")
    raise TypeError(f"no rule for a check of the kind {check.kind!r}")


def _other(check: Comparison, sides: list[Measured]) -> Measured:
    return constant(check.against, sides[0]) if isinstance(check.against, float) else sides[1]


def _paired(a: Measured, b: Measured) -> None:
    if not same_examples(a, b):
        raise Unavailable("the runs were not scored on the same examples")


def _agrees(results: Results, question: "Question", check: Agrees, side: Measured) -> Finding:
    number = question.numbers[check.reported]
    error = number.error
    if check.reported_error is not None:
        log = check.scale != "linear"
        found = [
            spread_around(results, check.curve, run, check.reported_error.points_around, log) for run in check.runs
        ]
        error = max(found) / (
            1.0 if check.scale in ("linear", "log") else math.log({"log2": 2, "log10": 10}[check.scale])
        )
    return statistics.agrees(side.measurements, SCALES[check.scale](number.number), error, check.smallest_effect)


def _hits(check: Proportion | Possible, values: np.ndarray) -> int:
    """In how many seeds the number is beyond the limit; one that is not finite is beyond."""
    limit = SCALES[check.scale](check.above if check.above is not None else check.below)
    beyond = values > limit if check.above is not None else values < limit
    return int((beyond | ~np.isfinite(values)).sum())


def _possible(check: Possible, sides: dict[str, Measured]) -> Finding:
    if check.among:
        values = np.concatenate([side.measurements.seeds for side in sides.values()])
        return statistics.possible(_hits(check, values), len(values))
    compare = statistics.higher if check.first_is == "higher" else statistics.lower
    findings = []
    for first, second in check.pairs:
        _paired(sides[first], sides[second])
        findings.append(compare(sides[first].measurements, sides[second].measurements))
    # A case is a pair that differs by more than chance, after Holm's correction over the pairs.
    p_values = statistics.holm([finding.information.get("p_supported", 1.0) for finding in findings])
    cases = sum(f.outcome == "supported" and p < 0.05 for f, p in zip(findings, p_values, strict=True))
    return replace(statistics.possible(cases, len(findings)), parts=())


def _bounded(check: MeasuredCheck, finding: Finding, sides: list[Measured]) -> Finding:
    """A number that is a lower bound, since the curve never got there, may only make a verdict more careful.

    For "A is lower than B" B may be a lower bound and A may not; for a contradiction it is the other way round.
    """
    if all(side.complete for side in sides):
        return finding
    reason = "a run did not get there, so its number is a lower bound"
    if not isinstance(check, Directed) or len(sides) != 2 or finding.outcome == "inconclusive":
        return Finding("inconclusive", finding.estimate, reason)
    smaller_is_a = (finding.outcome == "supported") == (check.kind == "lower")
    smaller = sides[0] if smaller_is_a else sides[1]
    return finding if smaller.complete else Finding("inconclusive", finding.estimate, reason)


def _exact(results: Results, question: "Question", check: Exact) -> Checked:
    run = check.run or ""
    wanted = question.number(check.wanted)
    try:
        values = list(results.score(run, check.metric).values())
    except Unavailable as missing:
        return Checked(check, Finding("inconclusive", None, str(missing)), [(run, None)], wanted)
    # Of several seeds the one that fits worst.
    gaps = [_gap(check, value, wanted) for value in values]
    worst = values[int(np.argmax(np.nan_to_num(gaps, nan=np.inf)))]
    finding = statistics.exact(worst if _gap(check, worst, wanted) else wanted, wanted, check.tolerance)
    measured = Measured(statistics.Measurements(np.array(values)))
    return Checked(check, replace(finding, reason=""), [(run, measured)], wanted)


def _gap(check: Exact, value: float, wanted: float) -> float:
    if check.at_least is not None:
        return max(wanted - value, 0.0)
    return max(value - wanted, 0.0) if check.at_most is not None else abs(value - wanted)
