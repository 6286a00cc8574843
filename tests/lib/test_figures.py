import pytest

from stages.lib.errors import InputError
from stages.lib.figures import KINDS, check_groups, parse_figure

ENTRY = {"group": "g", "baseline": "h", "title": "T", "runs": {"a": "A", "b": "B"}, "x_label": "x", "y_label": "y"}
OWN = {
    "curves": {"curve": "train_loss"},
    "curve_pair": {"curves": ["train_loss", "train_accuracy"], "y_labels": ["loss (nats)", "accuracy"]},
    "confusion": {"classes": ["cat", "dog"], "runs": {"a": "A"}},
    "mistakes": {"classes": ["cat", "dog"], "runs": {"a": "A"}},
    "specification": {"metric": "test.mse"},
    "levels": {"metric": "test.mse"},
}
WHERE = "reports/t.yaml: figures.f"


def parse(kind, /, **change):
    content = ENTRY | {"kind": kind} | OWN.get(kind, {}) | change
    return parse_figure({key: value for key, value in content.items() if value is not None}, WHERE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_how_to_read_it(kind):
    figure = parse(kind)
    assert figure.kind == kind
    assert figure.reading.endswith(".")


def test_the_reading_follows_the_axis():
    assert "geometric mean" in parse("lines", y_scale="log").reading
    assert "geometric" not in parse("lines").reading


def test_the_first_run_is_judged_unless_one_is_named():
    assert parse("specification").main_run == "a"
    assert parse("specification", main="b").main_run == "b"


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("pie", {}, ["kind = 'pie'", "curves"]),
        ("../plot", {}, ["kind = '../plot'"]),
        ("curves", {"kind": None}, ["kind = None"]),
        ("curves", {"colour": "red"}, ["'colour'", "y_scale"]),
        ("curves", {"curve": None}, ["'curve' is missing"]),
        ("curves", {"x": "hour"}, ["x = 'hour'", "'step' or 'epoch'"]),
        ("curves", {"runs": {}}, ["runs"]),
        ("curves", {"runs": {"../x": "A"}}, ["runs", "../x"]),
        ("curves", {"runs": {"a": "A", "b": "A"}}, ["label 'A'"]),
        ("curves", {"counts_as": {"c": 25}}, ["counts_as", "'c'", "a, b"]),
        ("curves", {"reference": {"value": float("nan"), "label": "l"}}, ["reference.value"]),
        ("curves", {"baseline": None}, ["'baseline' is missing"]),
        ("confusion", {"runs": {"a": "A", "b": "B"}}, ["runs", "at most 1"]),
        ("specification", {"main": "c"}, ["main", "'c'"]),
        ("specification", {"runs": {"a": "A"}}, ["runs", "at least 2"]),
        ("levels", {"reported": {"c": 1.0}}, ["reported", "'c'"]),
    ],
)
def test_bad_entries_get_one_line(kind, change, words):
    with pytest.raises(InputError) as error:
        parse(kind, **change)
    message = str(error.value)
    assert message.startswith(WHERE)
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_an_entry_that_is_no_mapping_gets_one_line():
    with pytest.raises(InputError, match=r"figures\.f: kind = None"):
        parse_figure(["curves"], WHERE)


@pytest.mark.parametrize(
    ("groups", "words"),
    [({"a": "g"}, "no run 'b'"), ({"a": "g", "b": "other"}, "'b' belongs to the group 'other'.*'g'.*'h'")],
)
def test_runs_are_of_the_group_or_the_baseline(groups, words):
    figure = parse("curves")
    check_groups(figure, {"a": "g", "b": "h"}, WHERE)
    with pytest.raises(InputError, match=words):
        check_groups(figure, groups, WHERE)
