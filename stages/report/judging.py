"""From questions to the content of claims.json."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib import statistics
from stages.lib.questions import OURS, figures_of, labels_of, runs_of, shown_runs
from stages.lib.questions.checks import BaseCheck, Combined
from stages.lib.questions.question import counts
from stages.lib.questions.replacement import replace_runs
from stages.lib.results import remedy
from stages.report import verdicts
from stages.report.checking import Checked, check_each, combined
from stages.report.reported import consistency, could_have_seen, on_its_size, variants
from stages.report.stored import Results
from stages.report.wording import found_in_short
from stages.report.writing import describe, describe_run, rounded

if TYPE_CHECKING:
    from stages.lib.config import Profile, Reports
    from stages.lib.questions import Question


def judge_all(profile: "Profile", reports: "Reports", root: Path = Path()) -> dict[str, Any]:
    """Every question with its verdict and all numbers behind it. Raises InputError.

    The same stored results give the same content; models are not read.
    """
    results = Results(profile, reports, root)
    claims = {name: judge(results, name) for name in in_order(reports)}
    given = Counter(claim["verdict"] for claim in claims.values())
    return rounded(
        {
            "profile": profile,
            "sample": any(claim["sample"] for claim in claims.values()),
            "verdicts": {word: given[word] for word in verdicts.WORDS if word in given},
            "claims": claims,
        }
    )


def in_order(reports: "Reports") -> list[str]:
    """Ids of the questions: by task, in the order of the headings, and within a task as written."""
    tasks = list(reports.headings)

    def place(name: str) -> int:
        task = task_of(reports, shown_runs(reports, name))
        return tasks.index(task) if task in tasks else len(tasks)

    return sorted(reports.questions, key=place)


@dataclass(frozen=True)
class Conditions:
    """A reading and an alternative of a question, with the runs that they put in."""

    reading: str | None
    alternative: str | None
    rename: Callable[[str], str]


def conditions_of(question: "Question", known: Any) -> list[list[Conditions]]:
    """The alternatives of each reading, the main reading first."""

    def renaming(*steps: Any) -> Callable[[str], str]:
        def rename(run: str) -> str:
            for step in steps:
                run = run if step is None else step(run, known)
            return run

        return rename

    readings: dict[str | None, Any] = {**question.readings} or {None: None}
    alternatives: dict[str | None, Any] = {**question.alternatives} or {None: None}
    return [
        [Conditions(reading, name, renaming(first, second)) for name, second in alternatives.items()]
        for reading, first in readings.items()
    ]


def judge(results: Results, name: str) -> dict[str, Any]:
    """One question's entry of claims.json."""
    reports = results.reports
    question = reports.questions[name]
    labels = labels_of(reports, name)
    runs = shown_runs(reports, name)
    sample = any(results.is_sample(run) for run in runs)
    judged = []
    for same_reading in conditions_of(question, reports.group_of):
        alternatives = [_judge_under(results, name, conditions, labels, sample) for conditions in same_reading]
        judged.append(_with_alternatives(alternatives, question.report == OURS, sample))
    main, others = judged[0], judged[1:]
    under = conditions_of(question, reports.group_of)[0][main.pop("place")]
    for other in others:
        del other["place"]
    table = list(dict.fromkeys(under.rename(run) for run in runs))
    names = {under.rename(run): label for run, label in labels.items()}
    return {
        "report": question.report,
        "task": task_of(reports, runs),
        "title": question.title,
        "quote": question.quote,
        "translation": question.translation,
        "reported": question.reported,
        "basis": question.basis,
        "note": question.note,
        "looks": question.looks,
        "sample": sample,
        **main,
        "found": found_in_short(main["checks"], main["verdict"]),
        "because": next((r.because for r in question.readings.values()), ""),
        "readings": others,
        "runs": {run: describe_run(results, run, names.get(run, run), question.metrics) for run in table},
        "metrics": question.metrics,
        "figures": figures_of(reports, name),
        "commands": commands(results, name, table),
        "could_have_seen": could_have_seen(question),
        "on_its_size": [] if sample else on_its_size(results, question),
        "consistency": consistency(question),
        "variants": variants(results, name),
    }


def task_of(reports: "Reports", runs: Sequence[str]) -> str:
    """The task of a question's runs, that of its first one."""
    group = reports.group_of[runs[0]]
    return reports.computed[group].task if group in reports.computed else reports.groups[group].task


def commands(results: Results, name: str, runs: Iterable[str]) -> list[str]:
    """What makes a question's figures again, or its numbers where it has none."""
    reports = results.reports
    figures = figures_of(reports, name)
    if figures:
        targets = [f"figure@{figure}" for figure in figures]
    else:
        groups = dict.fromkeys(reports.group_of[run] for run in runs)
        targets = [f"{'compute' if group in reports.computed else 'evaluate'}@{group}" for group in groups]
    return [remedy(results.profile, target).strip("`") for target in targets]


def _judge_under(
    results: Results, name: str, under: Conditions, labels: dict[str, str], sample: bool
) -> dict[str, Any]:
    """All checks under one reading and alternative, with the correction over those that count."""
    question = results.reports.questions[name]
    labels = labels | {under.rename(run): label for run, label in labels.items()}
    checked: list[tuple[BaseCheck, Checked]] = []
    for check in question.checks:
        checked += [
            (check, one) for one in check_each(results, question, replace_runs(check, under.rename, name), labels)
        ]
    judged = [place for place, (check, _) in enumerate(checked) if role(check, under.reading) == "judged"]
    corrected = correct([checked[place][1] for place in judged], question.looks)
    for place, one in zip(judged, corrected, strict=True):
        checked[place] = (checked[place][0], one)
    entries, bearing = [], []
    for check, one in checked:
        borne = bearing_on(results, name, one.check)
        kind = role(check, under.reading)
        entries.append(
            describe(results, one, labels, sample) | {"role": kind, "rests_on": one.check.rests_on, "departures": borne}
        )
        if kind == "judged":
            bearing.append((one.finding.outcome, borne))
    found = "not judged" if sample else verdicts.evidence([outcome for outcome, _ in bearing])
    runs = dict.fromkeys(run for _, one in checked for run in runs_of(one.check, name))
    borne_on = {departure for _, borne in bearing for departure in borne}
    return {
        "reading": under.reading,
        "alternative": under.alternative,
        "evidence": found,
        "fidelity": "sample data" if sample else verdicts.fidelity(found, bearing),
        "departures": [
            {"id": key, "text": departure.text, "affects": departure.affects, "bears": key in borne_on}
            for key, departure in results.reports.departures.items()
            if any(touches(results, key, name, run) for run in runs)
        ],
        "checks": entries,
    }


def _with_alternatives(alternatives: list[dict[str, Any]], ours: bool, sample: bool) -> dict[str, Any]:
    """The alternative that supports the statement, or the first; with the evidence of all of them."""
    found = [entry["evidence"] for entry in alternatives]
    evidence = found[0] if sample else verdicts.evidence_of_alternatives(found)
    place = found.index(evidence) if evidence in found else 0
    shown = alternatives[place]
    return shown | {
        "evidence": evidence,
        "verdict": verdicts.verdict(evidence, shown["fidelity"], ours),
        "alternatives": [entry for entry in alternatives if entry is not shown],
        "place": place,
    }


def role(check: BaseCheck, reading: str | None) -> str:
    """What a check is for under a reading: judged, or shown beside the verdict."""
    if not counts(check):
        return "ours" if check.ours else "information"
    if check.chose_reading is not None and check.chose_reading == reading:
        return "chose the reading"
    return "judged"


def correct(checked: Sequence[Checked], looks: int) -> list[Checked]:
    """Holm's correction over every contradiction that the checks of a claim could have come to, and that for looks."""
    leaves = [leaf for one in checked for leaf in _leaves(one)]
    remaining = iter(statistics.corrected([leaf.finding for leaf in leaves], looks))

    def rebuilt(one: Checked) -> Checked:
        if isinstance(one.check, Combined):
            return combined(replace(one, parts=tuple(rebuilt(part) for part in one.parts)))
        return replace(one, finding=next(remaining))

    return [rebuilt(one) for one in checked]


def _leaves(one: Checked) -> Iterable[Checked]:
    return itertools.chain.from_iterable(map(_leaves, one.parts)) if isinstance(one.check, Combined) else (one,)


def touches(results: Results, departure: str, question: str, run: str) -> bool:
    """Whether a departure is about a run of a question."""
    reports = results.reports
    group = reports.group_of[run]
    stored = results.group(run)
    declared = reports.departures[departure]
    if group in reports.computed and not (declared.runs or declared.groups or declared.questions):
        # Its data or its task may be another's departure; what is computed must be named to depart.
        return False
    return declared.touches(
        runs=run,
        tasks=task_of(reports, [run]),
        groups=group,
        data=stored.scores["data"]["name"] if stored is not None else "",
        questions=question,
    )


def bearing_on(results: Results, name: str, check: BaseCheck) -> list[str]:
    """Ids of the departures that bear on a check."""
    return [
        key
        for key, departure in results.reports.departures.items()
        if set(departure.affects) & set(check.rests_on)
        and any(touches(results, key, name, run) for run in runs_of(check, name))
    ]
