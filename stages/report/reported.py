"""What a report's own numbers can bear, and which variants of a run agree with them."""

from typing import TYPE_CHECKING, Any

from stages.lib import statistics
from stages.lib.questions import figures_of
from stages.lib.questions.checks import Agrees, Shown, leaves
from stages.report.measured import DID_NOT_LEARN, Unavailable
from stages.report.measurements import measure
from stages.report.stored import Results

if TYPE_CHECKING:
    from stages.lib.questions import Question

#: How a variant compares with the reported number, by the outcome of its comparison; any other outcome leaves it open.
COMPARED = {"supported": "agree", "contradicted": "differ", DID_NOT_LEARN: "not_learned"}


def could_have_seen(question: "Question") -> dict[str, Any] | None:
    """The smallest difference that the report could have detected on its own test set (Simonsohn 2015)."""
    test = question.report_test
    if test is None:
        return None
    found = statistics.detectable_by_report(test.items, test.kind, test.value, seed_spread=test.seed_spread)
    difference = found * (test.std if test.kind == "mean" else 1.0)
    return {"kind": test.kind, "items": test.items, "seed_spread": test.seed_spread, "difference": difference}


def consistency(question: "Question") -> list[dict[str, Any]]:
    """Whether numbers that are shares of so many items can be (GRIM, Brown & Heathers 2017)."""
    found = []
    for key, number in question.numbers.items():
        if number.items is None:
            continue
        text = str(number.value)
        decimals = len(text.partition(".")[2])
        found.append(
            {
                "number": key,
                "value": text,
                "items": number.items,
                "consistent": statistics.grim(text, decimals, number.items),
                # With more items than printed values every value is possible, and agreement says nothing.
                "can_fail": 10**decimals > number.items,
            }
        )
    return found


def on_its_size(results: Results, question: "Question") -> list[dict[str, Any]]:
    """Where a report's rate rests on few keywords: in which range our run's rate lies on as many of ours."""
    test = question.report_test
    if test is None or test.kind != "f1":
        return []
    found = []
    for check in leaves(question.checks):
        if not isinstance(check, Agrees) or check.metric is None:
            continue
        try:
            measured = measure(results, question, check, check.run).measurements
        except Unavailable:
            continue
        low, high = statistics.on_fewer_keywords(measured, test.items)
        found.append({"metric": check.metric, "reported": question.number(check.reported), "low": low, "high": high})
    return found


def variants(results: Results, name: str) -> list[dict[str, Any]]:
    """Of each specification figure with a reported number: the labels of the variants by how they compare with it.

    A variant agrees as in a check of the kind `agrees`, by itself, and only if it learned.
    """
    reports = results.reports
    question = reports.questions[name]
    entries = []
    for figure_id in figures_of(reports, name):
        figure = reports.figures[figure_id]
        if figure.kind != "specification" or figure.reported is None:
            continue
        error = next(number.error for number in question.numbers.values() if number.number == figure.reported)
        effects = [
            check.smallest_effect
            for check in leaves(question.checks)
            if isinstance(check, Agrees) and question.number(check.reported) == figure.reported
        ]
        shown = Shown(kind="shown", statement="variants", metric=figure.metric, among=list(figure.runs))
        outcomes = {}
        for run, label in figure.runs.items():
            try:
                measured = measure(results, question, shown, run).measurements
                if results.not_learned(run):
                    raise Unavailable(DID_NOT_LEARN)
            except Unavailable as missing:
                outcomes[label] = str(missing)
                continue
            outcomes[label] = statistics.agrees(measured, figure.reported, error, min(effects, default=0.0)).outcome
        compared: dict[str, list[str]] = {"agree": [], "differ": [], "not_learned": [], "open": []}
        for label, outcome in outcomes.items():
            compared[COMPARED.get(outcome, "open")].append(label)
        entries.append({"figure": figure_id, "metric": figure.metric, "reported": figure.reported, **compared})
    return entries
