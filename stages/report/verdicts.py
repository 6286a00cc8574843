"""Two answers and the word for both.

Evidence: what the numbers say about the statement (supported, contradicted, inconclusive). Fidelity: under whose
conditions (as reported, with departures). A claim never says more than its weakest part.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from stages.report.measured import DID_NOT_LEARN, NOT_TRAINED

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

#: What keeps a statement open whatever the numbers are, as counts of statements say it.
OBSTACLES = {NOT_TRAINED: "for want of trainings", DID_NOT_LEARN: "because a run did not learn"}


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


def obstacle(claim: Mapping[str, Any]) -> str | None:
    """Why a claim of claims.json is inconclusive whatever its numbers: a run was not trained yet, or did not learn."""
    if claim["verdict"] != "inconclusive":
        return None
    judged = [check for check in claim["checks"] if check["role"] == "judged"]
    states = {state for check in judged for state in _open_states(check)}
    return next((state for state in OBSTACLES if state in states), None)


def _open_states(check: Mapping[str, Any]) -> Iterable[str]:
    """The states of the runs that an inconclusive check, or such a part of it, is about."""
    if check["outcome"] == "inconclusive":
        yield from (run["state"] for run in check["runs"].values())
        for part in check["parts"]:
            yield from _open_states(part)


def obstacles(claims: Iterable[Mapping[str, Any]]) -> str:
    """How many claims meet each obstacle, in words; empty where none does."""
    counted = Counter(map(obstacle, claims))
    return ", ".join(f"{counted[state]} {words}" for state, words in OBSTACLES.items() if counted[state])
