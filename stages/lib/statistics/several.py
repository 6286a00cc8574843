"""Checks of several runs at once, and the correction over all checks of a claim and all looks at it."""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from stages.lib.statistics.checks import LEVEL, Finding, Outcome, equivalent, lower
from stages.lib.statistics.measurements import Measurements


def order(runs: Sequence[Measurements]) -> Finding:
    """The runs' means rise in this order.

    Supported if every adjacent pair is (intersection-union test, Berger 1982: each at its own level, no correction).
    Contradicted if any pair, adjacent or not, lies the other way round after Holm's correction over all pairs.
    `parts` are the findings on all pairs, in the order of itertools.combinations; `pair` in their information has the
    places of the two runs. `detectable` is that of the least sensitive adjacent pair; `flips_at`, of a supported order
    only, the smallest effect up to which every adjacent pair would still be supported.

    R. L. Berger, Technometrics 24 (1982) 295.
    """
    return _all_pairs(runs, lower, "order")


def all_equivalent(runs: Sequence[Measurements], margin: float) -> Finding:
    """All runs lie within the margin of one another: `equivalent` for every pair.

    Supported if every pair is (intersection-union test), contradicted if any pair is after Holm's correction over the
    pairs. `parts` as in `order`. `flips_at` is the smallest margin that would have been met, or, of a contradicted
    check, the largest that a pair exceeds (before Holm's correction).
    """
    return _all_pairs(runs, lambda a, b: equivalent(a, b, margin), "equivalent")


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p of each of m tests: for the k-th smallest p, the largest (m - j + 1) p_j with j ≤ k, at most 1.

    The same as statsmodels' multipletests, which collects garbage in every call: 0.1 s, of which a page makes hundreds.

    S. Holm, Scandinavian Journal of Statistics 6 (1979) 65.
    """
    p = np.asarray(p_values, dtype=float)
    rising = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[rising] = np.maximum.accumulate(p[rising] * np.arange(len(p), 0, -1)).clip(max=1)
    return adjusted.tolist()


def corrected(findings: Sequence[Finding], looks: int = 1) -> list[Finding]:
    """All findings of one claim, with Holm's correction over every contradiction that they could have come to.

    A check of several runs counts with each of its pairs. A contradiction whose adjusted p, `p_holm` in its
    information, is 0.05 or more becomes inconclusive. Findings without `p_contradicted` (exact, possible, undecided)
    stay as they are.

    `looks`: how often the claim has been judged, each time with more seeds. Every p counts that many times, so that
    each look has an equal part of the 5 % (Bonferroni); a support that is lost by this becomes inconclusive as well.
    Numbers that agree are no test of a difference, and keep their level.
    """
    tests = [_over_looks(test, looks) for finding in findings for test in (finding.parts or (finding,))]
    tried = [place for place, test in enumerate(tests) if "p_contradicted" in test.information]
    for place, p in zip(tried, holm([tests[place].information["p_contradicted"] for place in tried]), strict=True):
        tests[place] = _with_holm(tests[place], min(looks * p, 1.0))
    remaining = iter(tests)
    return [
        _combined(finding, list(itertools.islice(remaining, len(finding.parts)))) if finding.parts else next(remaining)
        for finding in findings
    ]


def _all_pairs(
    runs: Sequence[Measurements], check: Callable[[Measurements, Measurements], Finding], kind: str
) -> Finding:
    if len(runs) < 2:
        raise ValueError("a check of several runs needs at least two")
    parts = []
    for (i, a), (j, b) in itertools.combinations(enumerate(runs), 2):
        part = check(a, b)
        parts.append(replace(part, information={**part.information, "pair": (i, j)}))
    return corrected([Finding("inconclusive", None, "", information={"pairs": kind}, parts=tuple(parts))])[0]


def _over_looks(test: Finding, looks: int) -> Finding:
    if test.outcome == "supported" and looks * test.information.get("p_supported", 0.0) >= LEVEL:
        return replace(test, outcome="inconclusive", reason=f"supported by itself, not at {looks} looks")
    return test


def _with_holm(test: Finding, p: float) -> Finding:
    test = replace(test, information={**test.information, "p_holm": p})
    if test.outcome == "contradicted" and p >= LEVEL:
        return replace(test, outcome="inconclusive", reason="contradicted by itself, not after correction")
    return test


def _combined(whole: Finding, parts: Sequence[Finding]) -> Finding:
    """The finding on all pairs from those on each."""
    is_order = whole.information["pairs"] == "order"
    needed = [part for part in parts if not is_order or part.information["pair"][1] - part.information["pair"][0] == 1]
    open_parts = [part for part in needed if part.outcome != "supported"]
    against = [part for part in parts if part.outcome == "contradicted"]
    outcome: Outcome
    flips_at = None
    if against:
        outcome, reason = "contradicted", _of_pair(against[0])
        flips_at = None if is_order else max(_known(part.flips_at for part in against))
    elif open_parts:
        outcome, reason = "inconclusive", _of_pair(open_parts[0])
        known = [part.estimate for part in parts if part.estimate is not None and part.detectable is not None]
        if not is_order and len(known) == len(parts):
            flips_at = max(max(map(abs, estimate.limits(0.90))) for estimate in known)
    else:
        outcome, reason = "supported", "every pair is supported"
        flips_at = (min if is_order else max)(_known(part.flips_at for part in needed))
    sizes = _known(part.detectable for part in needed)
    return replace(
        whole,
        outcome=outcome,
        reason=reason,
        detectable=max(sizes) if len(sizes) == len(needed) else None,
        flips_at=flips_at,
        parts=tuple(parts),
    )


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _of_pair(part: Finding) -> str:
    first, second = (place + 1 for place in part.information["pair"])
    return f"runs {first} and {second}: {part.reason}"
