"""Questions, checks and departures of reports/*.yaml: what they may say, and what is refused before anything runs."""

import math
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import write_params, write_reports
from scipy import stats

from stages.lib.config import Reports, load_reports
from stages.lib.config_model import check_model
from stages.lib.errors import InputError
from stages.lib.questions import Departure, Question, question
from stages.lib.questions.checks import leaves
from stages.lib.questions.replacement import replace_runs

METRIC = {"metric": "validation.mse"}
LOWER = {"kind": "lower", "statement": "a is lower", "run": "a", "against": "b", **METRIC}
WORDS = {"report": "A", "title": "Which?", "quote": "甲", "translation": "first", "reported": "A is lower."}
SPREAD = {"assumed_spread": {"seeds": 0.05}}


def ask(*checks: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return WORDS | fields | {"checks": list(checks)}


def parse(*checks: dict[str, Any], **fields: Any) -> Question:
    return check_model(Question, ask(*checks, **fields), "reports/x.yaml: questions.q")


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Reports with runs a, b, c of three seeds and one of a single seed, and the sections that a test gives."""
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)

    def made(**sections: Any) -> Reports:
        runs: dict[str, dict[str, Any]] = {name: {"seeds": 3} for name in ("a", "b", "c", "a-shared")}
        write_reports(
            tmp_path, runs | {"one": {"seeds": 1}}, sources={"A": {"title": "a", "tasks": "pairs"}}, **sections
        )
        return load_reports(tmp_path)

    return made


def refused(reports: Reports, *words: str) -> None:
    with pytest.raises(InputError) as error:
        reports.check_questions("full")
    message = str(error.value)
    assert "\n" not in message
    assert all(word in message for word in ("reports/small.yaml", *words)), message


def test_the_example_at_the_head_of_the_module_is_valid() -> None:
    text = question.__doc__ or ""
    content = yaml.safe_load(textwrap.dedent(text[text.index("    questions:") :]))
    check_model(Question, content["questions"]["A-sts-hidden"], "example")
    check_model(Departure, content["departures"]["glove-50d"], "example")


CURVE = {"curve": {"column": "validation_mse", "number": "level"}}
SAID = {
    "clearly higher": {"kind": "higher", "run": "a", "against": "b", "smallest_effect": 0.02, "because": "much"},
    "above each": {"kind": "higher", "run": "a", "against_each": ["b", "c"]},
    "mean of three against one": {"kind": "higher", "run": ["a", "b", "c"], "against": "one"},
    "still falling": {
        "kind": "lower",
        "run": "a",
        "against": 0,
        "curve": {"column": "train_loss", "number": "slope"},
    },
    "ever more slowly": {
        "kind": "higher",
        "run": "a",
        "against": 0,
        "curve": {"column": "train_loss", "number": "slope", "window": "last fifth"},
        "minus": {"curve": {"column": "train_loss", "number": "slope", "window": "first fifth"}},
    },
    "faster to a final level": {
        "kind": "lower",
        "run": "a",
        "against": "b",
        "curve": {"column": "train_loss", "number": "steps_to", "level": {"of": ["b"]}},
    },
    "swings in the source's window": {
        "kind": "rising",
        "order": ["a", "b", "c"],
        "curve": {"column": "validation_mse", "number": "swing", "window": [200, 400]},
    },
    "before saturation": {
        "kind": "higher",
        "run": "a",
        "against": "b",
        "curve": {
            "column": "test_loss",
            "less": "train_loss",
            "number": "last",
            "until": {"column": "train_accuracy", "above": 0.98},
        },
    },
    "a fall no larger than the mean fall": {
        "kind": "not_better",
        "run": {"a": 1.3333, "b": -1, "c": -0.3333},
        "against": 0,
        "margin": 0.15,
        "because": "sts",
        "larger_is_better": True,
        **SPREAD,
        **CURVE,
    },
    "pairwise alike": {"kind": "equivalent", "among": ["a", "b", "c"], "margin": 0.15, "because": "sts", **SPREAD},
    "near a number": {"kind": "equivalent", "among": ["a"], "of": 0.95, "margin": 0.1, "because": "about", **SPREAD},
    "as reported, on a log scale": {
        "kind": "agrees",
        "run": "a",
        "reported": "r",
        "scale": "log10",
        "smallest_effect": 0.3,
        "because": "two",
    },
    "a single step's loss": {
        "kind": "agrees",
        "run": "a",
        "reported": "r",
        "reported_error": {"points_around": 10},
        "curve": {"column": "train_loss", "number": "at", "at": 48},
        "scale": "log",
    },
    "reaches a number": {"kind": "reaches", "run": "a", "at_most": "r"},
    "no better than trivial": {"kind": "reaches", "run": "a", "at_least": "trivial", "gate": False},
    "share that diverges": {
        "kind": "proportion",
        "run": "a",
        "above": 1.5,
        "at_most": 0.2,
        "because": "the smallest that 15 can show",
    },
    "may": {"kind": "possible", "pairs": [["a", "b"], ["a", "c"]], "first_is": "lower"},
    "in one seed at least": {"kind": "possible", "among": ["a"], "above": 500},
    "beside": {"kind": "shown", "among": ["a"], **CURVE},
    "either": {
        "kind": "any",
        "checks": [
            {"kind": "reaches", "run": "a", "at_least": "trivial", "statement": "x", **METRIC},
            {"kind": "all", "statement": "y", "checks": [LOWER, LOWER]},
        ],
    },
}


@pytest.mark.parametrize("name", SAID)
def test_every_way_to_word_a_statement_is_a_check(name: str, reports: Any) -> None:
    check = {"statement": name, **SAID[name]}
    if not {"metric", "curve", "checks"} & check.keys():
        check |= METRIC
    asked = ask(check, LOWER, numbers={"r": {"value": 1.42, "error": 0.05, "because": "read off a curve"}})
    reports(questions={"q": asked}).check_questions("full")


UNFIT: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown kind": (LOWER | {"kind": "lowest"}, "kind"),
    "a misspelt key": (LOWER | {"agianst": "b"}, "agianst"),
    "nothing measured": ({key: value for key, value in LOWER.items() if key != "metric"}, "either metric or curve"),
    "an effect without a reason": (LOWER | {"smallest_effect": 0.1}, "because"),
    "a margin of nothing": (
        {"kind": "equivalent", "statement": "s", "among": ["a", "b"], "margin": 0, "because": "b", **SPREAD, **METRIC},
        "margin",
    ),
    "a margin without a spread": (
        {"kind": "equivalent", "statement": "s", "among": ["a", "b"], "margin": 1, "because": "b", **METRIC},
        "assumed_spread",
    ),
    "a run on both sides": (LOWER | {"against": ["a", "b"]}, "both sides"),
    "a threshold of ours without a reason": (
        {"kind": "reaches", "statement": "s", "run": "a", "at_most": 1.0, **METRIC},
        "because",
    ),
    "two bounds": (
        {"kind": "reaches", "statement": "s", "run": "a", "at_most": 1, "at_least": 0, "because": "b", **METRIC},
        "either",
    ),
    "a number that is not there": (
        {"kind": "agrees", "statement": "s", "run": "a", "reported": "r", **METRIC},
        "'r' is no key",
    ),
    "a swing of nowhere": (
        {**LOWER, "metric": None, "curve": {"column": "train_loss", "number": "swing"}},
        "needs a window",
    ),
    "the logarithm of a logarithm": (
        {
            **LOWER,
            "metric": None,
            "scale": "log",
            "curve": {"column": "train_loss", "number": "swing", "window": "all"},
        },
        "logarithm already",
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_check_that_makes_no_sense_is_one_line(name: str) -> None:
    check, word = UNFIT[name]
    with pytest.raises(InputError) as error:
        parse(check)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("reports/x.yaml: questions.q")
    assert word in str(error.value)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"quote": ""}, "quote"),
        ({"readings": {"one": {"because": "b"}}}, "two or none"),
        ({"readings": {"one": {}, "two": {"suffix": "-shared"}}}, "because"),
        ({"numbers": {"r": {"value": "1.4x"}}}, "no number"),
        ({"numbers": {"r": {"value": 1.4, "error": 0.1}}}, "without a reason"),
    ],
)
def test_a_question_that_is_incomplete_is_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(InputError, match=word):
        parse(LOWER, **fields)


def test_a_question_without_a_judged_check_has_no_verdict() -> None:
    with pytest.raises(InputError, match="no verdict"):
        parse(LOWER | {"information": True}, LOWER | {"ours": True})


def test_an_addition_of_ours_needs_no_quote() -> None:
    assert parse(LOWER, report="ours", quote="", reported="").report == "ours"


def test_what_a_question_names_must_exist(reports: Any) -> None:
    refused(reports(questions={"q": ask(LOWER | {"against": "d"})}), "questions.q", "'d'")
    refused(reports(questions={"q": ask(LOWER | {"metric": "validation.msee"})}), "checks[0]", "validation.msee", "mse")
    refused(reports(questions={"q": ask(LOWER | {"metric": "mse"})}), "checks[0]", "<split>.<metric>")
    refused(reports(questions={"q": ask(LOWER, figures=["f"])}), "questions.q", "'f'")
    refused(reports(questions={"q": ask(LOWER, report="Z")}), "questions.q", "'Z'")
    refused(reports(questions={"q": ask(LOWER, metrics=["validation.x"], runs={"a": "A"})}), "validation.x")
    nested = {"kind": "any", "statement": "s", "checks": [LOWER, LOWER | {"run": "d"}]}
    refused(reports(questions={"q": ask(nested)}), "'d'")


def test_the_number_that_variants_are_compared_with_is_one_of_the_question(reports: Any) -> None:
    """Else its error would be unknown, and a variant could differ where a check of the same number agrees."""
    labels = {"title": "t", "x_label": "variant", "y_label": "MSE"}
    drawn = {"kind": "specification", "group": "g", "baseline": "g", "runs": {"a": "A", "b": "B"}, **METRIC, **labels}
    figures = {"q": drawn | {"reported": 1.42}}
    known = {"r": {"value": 1.42, "error": 0.1, "because": "b"}}
    reports(figures=figures, questions={"q": ask(LOWER, numbers=known)}).check_questions("full")
    known["r"]["value"] = 1.41
    refused(reports(figures=figures, questions={"q": ask(LOWER, numbers=known)}), "questions.q", "1.42", "numbers")


def test_an_extra_predictor_has_metrics_of_its_own(reports: Any) -> None:
    reports(questions={"q": ask(LOWER | {"metric": "test.augmented_mse"})}).check_questions("full")


def test_a_reading_replaces_at_least_one_run(reports: Any) -> None:
    readings = {"main": {"because": "a fact"}, "other": {"suffix": "-shared"}}
    reports(questions={"q": ask(LOWER, readings=readings)}).check_questions("full")
    readings["other"] = {"suffix": "-sharde"}
    refused(reports(questions={"q": ask(LOWER, readings=readings)}), "readings", "replaces no run")


def test_a_margin_that_no_result_could_meet_is_refused(reports: Any) -> None:
    """Two runs of three seeds, spread s: the 90 % interval of equal means is ± t(0.95; 4) s √(2/3)."""
    smallest = float(stats.t.ppf(0.95, 4)) * 0.05 * math.sqrt(2 / 3)
    check = {"kind": "equivalent", "statement": "s", "among": ["a", "b"], "because": "b", **SPREAD, **METRIC}
    reports(questions={"q": ask(check | {"margin": smallest * 1.01})}).check_questions("full")
    refused(reports(questions={"q": ask(check | {"margin": smallest * 0.99})}), "checks[0]", "margin", "cannot be met")


def test_few_seeds_are_no_error(reports: Any) -> None:
    check = {"kind": "equivalent", "statement": "s", "among": ["a", "one"], "because": "b", **SPREAD, **METRIC}
    reports(questions={"q": ask(check | {"margin": 0.001})}).check_questions("full")


def test_a_run_that_departs_from_what_is_stated_says_so(reports: Any) -> None:
    """Runs have 12 steps and hidden_size 5 (conftest.SMALL)."""
    reports(questions={"q": ask(LOWER, stated={"steps": 10, "hidden_size": [5, 7]})}).check_questions("full")
    asked = {"q": ask(LOWER, stated={"steps": 1500})}
    refused(reports(questions=asked), "questions.q.stated", "steps = 12", "1500", "departures")
    declared = {"text": "shorter", "affects": ["level"], "runs": ["a", "b"]}
    refused(reports(questions=asked, departures={"short": declared}), "steps = 12")
    reports(questions=asked, departures={"short": declared | {"settings": ["steps"]}}).check_questions("full")
    refused(reports(questions={"q": ask(LOWER, stated={"hidden_size": 512})}), "hidden_size = 5")
    refused(reports(questions={"q": ask(LOWER, stated={"no_such": 1})}), "no_such")


def test_a_departure_touches_something(reports: Any) -> None:
    refused(reports(departures={"d": {"text": "t", "affects": ["level"], "runs": ["x-*"]}}), "departures.d", "x-*")
    with pytest.raises(InputError, match="touches nothing"):
        check_model(Departure, {"text": "t", "affects": ["level"]}, "d")


@pytest.mark.parametrize(
    ("given", "about", "touches"),
    [
        ({"runs": ["A-*"]}, {"runs": "A-sts"}, True),
        ({"runs": ["A-*"]}, {"runs": "B-cnn"}, False),
        ({"runs": ["A-*"], "tasks": ["sts"]}, {"runs": "A-sts", "tasks": "cifar10"}, False),
        ({"data": ["*JPEG*"]}, {"runs": "x", "data": "CIFAR-10, JPEG copy"}, True),
        ({"data": ["*JPEG*"]}, {"runs": "x", "data": ""}, False),
    ],
)
def test_departures_fit_by_every_list_that_is_given(given: Any, about: Any, touches: bool) -> None:
    departure = Departure(text="t", affects=["level"], **given)
    assert departure.touches(**about) is touches


@pytest.mark.parametrize(
    ("name", "bearing"),
    [
        ("clearly higher", ["order"]),
        ("pairwise alike", ["order"]),
        ("near a number", ["level"]),
        ("as reported, on a log scale", ["level"]),
        ("reaches a number", ["level"]),
        ("faster to a final level", ["speed"]),
        ("still falling", ["speed"]),
        ("a fall no larger than the mean fall", ["order"]),
        ("swings in the source's window", ["order"]),
    ],
)
def test_what_a_departure_must_bear_on_follows_from_the_check(name: str, bearing: list[str]) -> None:
    measured = {} if "curve" in SAID[name] else METRIC
    asked = parse({"statement": name, **SAID[name], **measured}, numbers={"r": {"value": 1}})
    assert asked.checks[0].rests_on == bearing
    asked = parse({"statement": name, **SAID[name], **measured, "bears_on": ["level"]}, numbers={"r": {"value": 1}})
    assert asked.checks[0].rests_on == ["level"]


@pytest.mark.parametrize("name", SAID)
def test_a_reading_renames_every_run_of_a_check(name: str) -> None:
    measured = {} if {"curve", "checks"} & SAID[name].keys() else METRIC
    check = parse({"statement": name, **SAID[name], **measured}, LOWER, numbers={"r": {"value": 1}}).checks[0]
    before = [run for leaf in leaves([check]) for run in leaf.runs]
    after = [run for leaf in leaves([replace_runs(check, lambda run: f"{run}-2", "q")]) for run in leaf.runs]
    assert after == [f"{run}-2" for run in before]
