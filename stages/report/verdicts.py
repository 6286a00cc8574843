"""Two answers and the word for both.

Evidence: what the numbers say about the statement (supported, contradicted, inconclusive). Fidelity: under whose
conditions (as reported, with departures). A claim never says more than its weakest part.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

Evidence = Literal["supported", "contradicted", "inconclusive", "not judged"]
Fidelity = Literal["as reported", "with departures", "sample data"]

#: Words of a report's statement, and of an addition of ours.
WORDS = (
    "reproduced",
    "reproduced, with departures",
    "contradicted",
    "not comparable",
    "inconclusive",
    "reached",
    "not reached",
    "ran",
)


def evidence(outcomes: Sequence[str]) -> Evidence:
    """Of the checks of one statement, after Holm's correction: contradicted if one is, supported if all are."""
    if "contradicted" in outcomes:
        return "contradicted"
    return "supported" if outcomes and set(outcomes) == {"supported"} else "inconclusive"


def evidence_of_alternatives(found: Sequence[Evidence]) -> Evidence:
    """Of choices that a report leaves open: supported if one is, contradicted if all are."""
    if "supported" in found:
        return "supported"
    return "contradicted" if set(found) == {"contradicted"} else "inconclusive"


def fidelity(found: Evidence, checks: Iterable[tuple[str, Sequence[str]]]) -> Fidelity:
    """From each judged check's outcome and the departures that bear on it.

    A contradiction is under the report's conditions if one contradicted check is; support, only if every check is.
    """
    checks = list(checks)
    if found == "contradicted":
        against = [departures for outcome, departures in checks if outcome == "contradicted"]
        return "with departures" if all(against) else "as reported"
    return "with departures" if any(departures for _, departures in checks) else "as reported"


def verdict(found: Evidence, under: Fidelity, ours: bool) -> str:
    """The word for both answers."""
    if found == "not judged":
        return "ran"
    if found == "inconclusive":
        return "inconclusive"
    if ours:
        return "reached" if found == "supported" else "not reached"
    if found == "supported":
        return "reproduced" if under == "as reported" else "reproduced, with departures"
    return "contradicted" if under == "as reported" else "not comparable"


def is_waiting(claim: Mapping[str, Any]) -> bool:
    """Whether a claim of claims.json is inconclusive while one of its runs has no result yet."""
    return claim["verdict"] == "inconclusive" and any(not run["seeds"] for run in claim["runs"].values())
