"""What questions refer to: runs, metrics, figures; and whether they can be answered at all."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from stages.lib.config_params import read_limits
from stages.lib.errors import InputError
from stages.lib.questions.checks import BaseCheck, Equivalent, Exact, NotBetter, leaves, quantities
from stages.lib.questions.question import OURS, Question
from stages.lib.statistics import meetable
from stages.lib.task import task_module

if TYPE_CHECKING:
    from stages.lib.config import Reports, Run

LENGTHS = ("steps", "epochs")


def figures_of(reports: "Reports", name: str) -> list[str]:
    """Ids of a question's figures: those it lists, or the one with its own id."""
    listed = reports.questions[name].figures
    if listed is None:
        return [name] if name in reports.figures else []
    return listed


def labels_of(reports: "Reports", name: str) -> dict[str, str]:
    """The label of every run of a question: from its figures, of which earlier ones go first, and its own `runs`."""
    labels: dict[str, str] = {}
    for figure in figures_of(reports, name):
        if reports.figures[figure].kind != "specification":
            labels = {
                **labels,
                **{run: text for run, text in reports.figures[figure].runs.items() if run not in labels},
            }
    return labels | reports.questions[name].runs


def shown_runs(reports: "Reports", name: str) -> list[str]:
    """Runs of a question's table and checks, in the order of its labels."""
    question = reports.questions[name]
    needed = (run for check in leaves(question.checks) for run in runs_of(check, name))
    return list(dict.fromkeys((*labels_of(reports, name), *needed)))


def runs_of(check: BaseCheck, question: str) -> list[str]:
    """The runs of a check; a computed statement that leaves its run out has the question's own id."""
    return [question] if isinstance(check, Exact) and check.run is None else check.runs


def check_questions(reports: "Reports", profile: Any) -> None:
    """Raises InputError, naming file and key, for a question that cannot be answered or an undeclared departure."""
    limits = read_limits(profile)
    is_cut = any(bound is not None for _, bound in limits)
    known = reports.group_of
    for name, departure in reports.departures.items():
        if departure.runs and not any(departure.touches(runs=run) for run in known):
            raise InputError(f"{reports.where('departures', name)}: runs: no run fits {', '.join(departure.runs)}")
    for name, question in reports.questions.items():
        where = reports.where("questions", name)
        if question.report != OURS and question.report not in reports.sources:
            raise InputError(
                f"{where}: report = {question.report!r}: `sources` has {', '.join(reports.sources)}, or `{OURS}`"
            )
        for figure in question.figures or ():
            if figure not in reports.figures:
                raise InputError(f"{where}: figures: there is no figure {figure!r}")
        for figure in figures_of(reports, name):
            drawn = reports.figures[figure]
            reported = getattr(drawn, "reported", None) if drawn.kind == "specification" else None
            if reported is not None and reported not in [number.number for number in question.numbers.values()]:
                raise InputError(f"{where}: figures: {figure!r} has reported = {reported}, which `numbers` lacks")
        for run in shown_runs(reports, name):
            if run not in known:
                raise InputError(f"{where}: there is no run {run!r}")
        for run in labels_of(reports, name):
            for metric in question.metrics:
                if reports.group_of[run] not in reports.computed:
                    _check_metric(reports, run, metric, f"{where}.metrics")
        _check_replacements(question, shown_runs(reports, name), known, where)
        for place, check in enumerate(question.checks):
            for leaf in leaves([check]):
                _check_metrics(reports, leaf, name, f"{where}.checks[{place}]")
                if not is_cut:
                    _check_margin(reports, leaf, profile, f"{where}.checks[{place}]")
        if not is_cut and question.stated:
            _check_stated(reports, name, profile, where)


def _check_replacements(question: Question, runs: Iterable[str], known: Any, where: str) -> None:
    runs = list(runs)
    for kind, given in (("readings", question.readings), ("alternatives", question.alternatives)):
        for place, (label, replacement) in enumerate(given.items()):
            for run, other in replacement.runs.items():
                if run not in runs or other not in known:
                    missing = run if run not in runs else other
                    raise InputError(f"{where}.{kind}: {label!r}: runs: there is no run {missing!r}")
            if place and all(replacement(run, known) == run for run in runs):
                raise InputError(f"{where}.{kind}: {label!r} replaces no run of the question; see `suffix` and `runs`")


def _check_metrics(reports: "Reports", check: BaseCheck, name: str, where: str) -> None:
    for run in runs_of(check, name):
        if reports.group_of[run] in reports.computed:
            continue
        if isinstance(check, Exact):
            raise InputError(f"{where}: {run!r} is trained; `exact` is for computed statements")
        for quantity in quantities(check):
            if quantity.metric is not None:
                _check_metric(reports, run, quantity.metric, where)


def _check_metric(reports: "Reports", run: str, metric: str, where: str) -> None:
    task = reports.groups[reports.group_of[run]].task
    known = task_module(task, "scoring").METRICS
    split, dot, score = metric.partition(".")
    # An extra predictor puts its name before the metric's: augmented_accuracy.
    if not dot or not split or not any(score == name or score.endswith(f"_{name}") for name in known):
        raise InputError(f"{where}: metric = {metric!r}: write <split>.<metric>, where {task} has {', '.join(known)}")


def _check_margin(reports: "Reports", check: BaseCheck, profile: Any, where: str) -> None:
    """A margin that no data of this size could meet is an error before any of them are there."""
    if not isinstance(check, Equivalent | NotBetter):
        return
    seeds = [_seeds(reports, run, profile) for run in check.runs]
    if min(seeds) < 3:
        return
    spread = check.assumed_spread
    pair = [min(seeds), min(seeds)]
    found = meetable(check.margin, pair, spread.seeds, spread.count, spread.examples, check.kind)
    if not found.met:
        raise InputError(
            f"{where}: margin = {check.margin:g} cannot be met with {min(seeds)} seeds and the assumed spread: the"
            f" smallest that can is {_round_up(found.smallest):g}; train more seeds or set a wider margin"
        )


def _seeds(reports: "Reports", run: str, profile: Any) -> int:
    group = reports.computed.get(reports.group_of[run])
    if group is not None:
        seeds = int(task_module(group.task, "statements").STATEMENTS[run].seeds)
        return min(seeds, read_limits(profile).seeds or seeds)
    return len(reports.run(run, profile).seeds)


def _round_up(value: float) -> float:
    step = 10 ** (math.floor(math.log10(value)) - 1)
    return math.ceil(value / step) * step


def _check_stated(reports: "Reports", name: str, profile: Any, where: str) -> None:
    stated = reports.questions[name].stated
    for run_id in shown_runs(reports, name):
        if reports.group_of[run_id] in reports.computed:
            continue
        run = reports.run(run_id, profile)
        settings = flat_settings(run)
        for key, wanted in stated.items():
            if key not in settings and key not in LENGTHS:
                raise InputError(f"{where}.stated: {key!r} is no setting of {run_id}")
            if key in LENGTHS and settings.get(key) is None:
                continue
            if not _differs(key, settings[key], wanted):
                continue
            about = {"runs": run_id, "tasks": run.task_name, "groups": run.group, "data": None, "questions": name}
            if not any(key in d.settings and d.touches(**about) for d in reports.departures.values()):
                raise InputError(
                    f"{where}.stated: {run_id} has {key} = {settings[key]!r}, the report states {wanted!r}: declare it"
                    f" under `departures` with settings: [{key}]"
                )


def flat_settings(run: "Run") -> dict[str, Any]:
    """Every setting of a run by its name."""
    parts = (run.settings, run.network, run.options)
    return {key: value for part in parts for key, value in part.model_dump(mode="json").items()}


def _differs(key: str, ours: Any, stated: Any) -> bool:
    wanted = stated if isinstance(stated, list) else [stated]
    return ours < min(wanted) if key in LENGTHS else ours not in wanted
