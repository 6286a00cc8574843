import json
import math

import pytest

from stages.lib.errors import InputError
from stages.report.claims import Check, Claim, Metrics, Value, judge, outcome, parse_claims, verdict


def make_metrics(root, runs, group="g"):
    """A metric file as the evaluate stage leaves it; `runs` maps a run to its seeds' contents."""
    path = root / "metrics" / "full" / "runs" / f"{group}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {run: {"parameters": 10, "seeds": {str(i): seed for i, seed in enumerate(s)}} for run, s in runs.items()}
    path.write_text(json.dumps({"group": group, "data": {"name": "D", "sample": False}, "runs": content}))
    return Metrics("full", {run: {"group": group} for run in runs}, root)


def seed(mse=1.0, error=None, **curve):
    spread = {} if error is None else {"spread": {"test.mse": error}}
    return {"scores": {"test.mse": mse}, "curves": {"validation_mse": curve}, **spread}


def values(**spreads):
    return {run: Value(value, spread, 1) for run, (value, spread) in spreads.items()}


def test_value_of_one_seed_is_the_score_with_its_bootstrap_error(tmp_path):
    metrics = make_metrics(tmp_path, {"a": [seed(1.5, 0.2)], "b": [seed(2.5)]})
    assert metrics.value("a", "test.mse", "c") == Value(1.5, 0.2, 1)
    assert metrics.value("b", "test.mse", "c") == Value(2.5, 0.0, 1)


def test_value_of_seeds_is_their_mean_with_the_larger_spread(tmp_path):
    # 1, 2, 3: mean 2, sample standard deviation 1.
    metrics = make_metrics(
        tmp_path, {"far": [seed(v, 0.25) for v in (1, 2, 3)], "near": [seed(v, e) for v, e in ((2, 0.2), (2.1, 0.4))]}
    )
    assert metrics.value("far", "test.mse", "c") == Value(2, 1, 3)
    near = metrics.value("near", "test.mse", "c")
    assert (near.value, near.spread) == (pytest.approx(2.05), pytest.approx(0.3))


def test_a_curves_swing_counts_for_the_level_of_one_seed_only(tmp_path):
    curve = {"first": 3.0, "half": 2.0, "final": 1.0, "best": 0.9, "swing": 0.3, "swing_error": 0.1}
    metrics = make_metrics(tmp_path, {"one": [seed(**curve)], "two": [seed(**curve), seed(**curve)]})
    assert metrics.value("one", "validation_mse.final", "c") == Value(1.0, 0.3, 1)
    for summary in ("first", "half", "best"):
        assert metrics.value("one", f"validation_mse.{summary}", "c") == Value(curve[summary], 0.3, 1)
    assert metrics.value("one", "validation_mse.swing", "c") == Value(0.3, 0.1, 1)
    for summary in ("final", "swing"):
        assert metrics.value("two", f"validation_mse.{summary}", "c") == Value(curve[summary], 0.0, 2)


@pytest.mark.parametrize(
    ("margin", "spread", "strict", "expected"),
    [
        (1.0, 0.49, False, "holds"),
        (1.0, 0.5, False, "undecided"),  # exactly two spreads
        (-1.0, 0.5, False, "undecided"),
        (-1.0, 0.49, False, "fails"),
        (0.0, 0.1, False, "undecided"),
        (0.0, 0.0, False, "holds"),  # at_most 5 and the value is 5, without doubt about either
        (0.0, 0.0, True, "fails"),  # equal values do not rise
        (1e-9, 0.0, True, "holds"),
    ],
)
def test_outcome_of_a_margin(margin, spread, strict, expected):
    assert outcome(margin, spread, strict) == expected


@pytest.mark.parametrize(
    ("bound", "value", "spread", "expected"),
    [
        ({"at_most": 1.42}, 1.30, 0.05, "holds"),
        ({"at_most": 1.42}, 1.40, 0.05, "undecided"),
        ({"at_most": 1.42}, 1.60, 0.05, "fails"),
        ({"at_least": 0.78}, 0.80, 0.009, "holds"),
        ({"at_least": 0.78}, 0.77, 0.004, "fails"),
        ({"near": 1.6, "within": 0.15}, 1.6, 0.07, "holds"),
        ({"near": 1.6, "within": 0.15}, 1.7, 0.03, "undecided"),
        ({"near": 1.6, "within": 0.15}, 1.3, 0.03, "fails"),
        ({"near": 1.6, "within": 0.15}, 1.9, 0.03, "fails"),
        ({"near": 9437184, "within": 0}, 9437184, 0, "holds"),
        ({"near": 9437184, "within": 0}, 9437185, 0, "fails"),
    ],
)
def test_bounds(bound, value, spread, expected):
    assert judge(Check(run="a", metric="m", **bound), values(a=(value, spread))) == expected


@pytest.mark.parametrize(
    ("a", "b", "c", "expected"),
    [
        ((1, 0.1), (2, 0.1), (3, 0.1), "holds"),
        ((1, 0.1), (3, 0.1), (2, 0.1), "fails"),
        ((1, 0.3), (2, 0.4), (4, 0.1), "undecided"),  # √(0.3² + 0.4²) = 0.5 and 2 − 1 = 2 · 0.5
        ((1, 0.3), (2.01, 0.4), (4, 0.1), "holds"),
        ((2, 0.1), (1.8, 0.1), (1.6, 0.1), "fails"),  # no neighbours differ enough, first and last do: 0.4 > 2 · √0.02
        ((1, 0), (1, 0), (2, 0), "fails"),  # strictly rising
    ],
)
def test_order(a, b, c, expected):
    assert judge(Check(order=["a", "b", "c"], metric="m"), values(a=a, b=b, c=c)) == expected


@pytest.mark.parametrize(
    ("within", "spread", "expected"),
    [
        (0.5, 0.0, "holds"),
        (0.4, 0.0, "holds"),
        (0.39, 0.0, "fails"),
        (0.5, 0.03, "holds"),
        (0.5, 0.04, "undecided"),
        (0.3, 0.02, "fails"),
    ],
)
def test_close(within, spread, expected):
    # The range is 1.4 − 1.0 = 0.4; its combined spread √2 · spread.
    three = values(a=(1.25, spread), b=(1.0, spread), c=(1.4, spread))
    assert math.isclose(three["c"].value - three["b"].value, 0.4)
    assert judge(Check(close=["a", "b", "c"], metric="m", within=within + 1e-12), three) == expected


def test_an_undefined_value_decides_nothing(tmp_path):
    metrics = make_metrics(tmp_path, {"a": [seed(1.0), seed(None)]})
    value = metrics.value("a", "test.mse", "c")
    assert value.value is None
    assert judge(Check(run="a", metric="test.mse", at_most=9), {"a": value}) == "undecided"


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["holds", "holds"], "reproduced"),
        (["holds", "undecided"], "undecided"),
        (["undecided", "fails", "holds"], "not reproduced"),
    ],
)
def test_verdict(outcomes, expected):
    assert verdict(outcomes, sample=False) == expected
    assert verdict(outcomes, sample=True) == "ran"


def test_unknown_metric_names_claim_run_and_what_there_is(tmp_path):
    metrics = make_metrics(tmp_path, {"a": [seed(1.0, final=1.0)]})
    for metric in ("test.f1", "validation_mse.last", "train_loss.final"):
        with pytest.raises(
            InputError, match=rf"claims\.my-claim: the run 'a' has no metric '{metric}'; it has test\.mse"
        ):
            metrics.value("a", metric, "my-claim")


def test_missing_files_and_runs_name_what_to_do(tmp_path):
    make_metrics(tmp_path, {"a": [seed()]})
    metrics = Metrics("full", {"a": {"group": "g"}, "b": {"group": "g"}, "c": {"group": "h"}}, tmp_path)
    with pytest.raises(InputError, match=r"claims\.x: the run 'b' is not in its group's metrics; it has a"):
        metrics.value("b", "test.mse", "x")
    with pytest.raises(InputError, match=r"runs/h\.json does not exist; `dvc repro evaluate@h` makes it"):
        metrics.value("c", "test.mse", "x")


def make_reports(**change):
    claim = {
        "report": "A",
        "question": "q",
        "reported": "r",
        "runs": {"a": "label of a"},
        "metrics": ["test.mse"],
        "checks": [{"run": "a", "metric": "test.mse", "at_most": 1}],
    }
    return {
        "runs": {"a": {"group": "g"}, "b": {"group": "g"}},
        "figures": {"f": {}},
        "claims": {"my-claim": claim | change},
    }


def test_claims_are_parsed():
    claim = parse_claims(make_reports(figure="f"))["my-claim"]
    assert isinstance(claim, Claim)
    assert claim.figures == ["f"]
    assert claim.checks[0].runs == ["a"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"runs": {"a": "A", "z": "Z"}}, ["no run 'z'"]),
        ({"checks": [{"order": ["a", "z"], "metric": "m"}]}, ["no run 'z'"]),
        ({"figure": "z"}, ["figure", "'z'"]),
        ({"checks": []}, ["checks"]),
        ({"colour": 1}, ["colour"]),
        ({"checks": [{"metric": "m"}]}, ["checks.0", "one of order, close"]),
        ({"checks": [{"metric": "m", "run": "a", "at_most": 1, "at_least": 0}]}, ["checks.0", "it has 2"]),
        ({"checks": [{"metric": "m", "run": "a", "near": 1}]}, ["checks.0", "within"]),
        ({"checks": [{"metric": "m", "at_most": 1}]}, ["checks.0", "`run`"]),
        ({"checks": [{"metric": "m", "order": ["a"]}]}, ["checks.0.order"]),
        ({"checks": [{"metric": "m", "run": "a", "at_most": "low"}]}, ["checks.0.at_most", "low"]),
    ],
)
def test_bad_claims_get_one_line_with_the_claims_name(change, words):
    with pytest.raises(InputError) as error:
        parse_claims(make_reports(**change))
    assert all(word in str(error.value) for word in ["claims.my-claim", *words]), str(error.value)
    assert "\n" not in str(error.value)
