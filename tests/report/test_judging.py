"""Verdicts from stored results, against cases worked out by hand or by scipy."""

import itertools
import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stages.lib.errors import InputError
from stages.lib.results import group_folder, read_group, write_table
from stages.report import verdicts
from stages.report.judging import judge_all

MSE = {"metric": "validation.mse"}
LOWER = {"kind": "lower", "statement": "a is lower", "run": "a", "against": "b", **MSE}
HIGHER = {"kind": "higher", "statement": "a is higher", "run": "a", "against": "b", **MSE}
GOOD, FAIR, BAD = (0.7, 0.7, 0.7), (0.95, 0.95, 0.95), (1.2, 1.2, 1.2)
X = list(range(0, 101, 5))


def level(*values: float) -> list[dict[str, Any]]:
    """Curves that stand still at these values, one a seed."""
    return [{"step": X, "epoch": X, "train_loss": [value] * len(X)} for value in values]


def last(**fields: Any) -> dict[str, Any]:
    return {"curve": {"column": "train_loss", "number": "last"}} | fields


def outcomes(claim: dict[str, Any]) -> list[str]:
    return [check["outcome"] for check in claim["checks"]]


@pytest.mark.parametrize(
    ("found", "evidence"),
    [
        (["supported"], "supported"),
        (["supported", "supported"], "supported"),
        (["supported", "inconclusive"], "inconclusive"),
        (["supported", "contradicted"], "contradicted"),
        (["inconclusive", "contradicted"], "contradicted"),
        ([], "inconclusive"),
    ],
)
def test_a_claim_says_no_more_than_its_weakest_check(found: list[str], evidence: str) -> None:
    assert all(verdicts.evidence(order) == evidence for order in itertools.permutations(found))


@pytest.mark.parametrize(
    ("evidence", "fidelity", "ours", "word"),
    [
        ("supported", "as reported", False, "reproduced"),
        ("supported", "with departures", False, "reproduced, with departures"),
        ("contradicted", "as reported", False, "contradicted"),
        ("contradicted", "with departures", False, "not comparable"),
        ("inconclusive", "as reported", False, "inconclusive"),
        ("inconclusive", "with departures", False, "inconclusive"),
        ("supported", "with departures", True, "reached"),
        ("contradicted", "as reported", True, "not reached"),
        ("inconclusive", "as reported", True, "inconclusive"),
        ("not judged", "sample data", False, "ran"),
        ("not judged", "sample data", True, "ran"),
    ],
)
def test_two_axes_make_one_word(evidence: Any, fidelity: Any, ours: bool, word: str) -> None:
    assert verdicts.verdict(evidence, fidelity, ours) == word


def test_a_difference_of_curves_is_welchs(study: Any, judged: Any) -> None:
    """Numbers of curves have seeds alone: the interval is scipy's, of Welch's test."""
    a, b = [1.0, 1.1, 1.3, 1.05], [2.0, 2.4, 2.1]
    study.add("a", curves=level(*a)).add("b", curves=level(*b)).ask(LOWER | {"metric": None} | last())
    (check,) = judged()["q"]["checks"]
    interval = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert check["outcome"] == "supported"
    assert check["estimate"]["value"] == pytest.approx(np.mean(a) - np.mean(b), rel=1e-5)
    assert (check["estimate"]["low"], check["estimate"]["high"]) == pytest.approx(
        (interval.low, interval.high), rel=1e-5
    )
    assert check["information"]["p_superior"] == 0
    assert {run: about["seeds"] for run, about in check["runs"].items()} == {"a": 4, "b": 3}


def test_examples_count_in_the_error_of_a_metric(study: Any, judged: Any) -> None:
    """SE² = s_A²/S + s_B²/S + Var_i(d_i)/n, with d_i the difference of the seeds' mean errors on one example."""
    study.add("a", GOOD).add("b", BAD).ask(LOWER)
    (check,) = judged()["q"]["checks"]
    errors = {run: (np.array(p) - study.targets) ** 2 for run, p in study.predictions.items()}
    means = {run: values.mean(axis=1) for run, values in errors.items()}
    d = errors["a"].mean(axis=0) - errors["b"].mean(axis=0)
    squared = sum(np.var(m, ddof=1) / 3 for m in means.values()) + np.var(d, ddof=1) / len(d)
    assert check["estimate"]["standard_error"] == pytest.approx(math.sqrt(squared), rel=1e-4)
    assert check["runs"]["a"]["state"] == "seeds and examples"


def test_supported_contradicted_and_inconclusive(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", BAD).add("c", GOOD)
    same = LOWER | {"against": "c"}
    study.ask(LOWER).ask(HIGHER, name="turned").ask(same, name="same").ask(LOWER, same, name="both")
    claims = judged()
    words = {name: claims[name]["verdict"] for name in claims}
    assert words == {"q": "reproduced", "turned": "contradicted", "same": "inconclusive", "both": "inconclusive"}
    assert claims["same"]["checks"][0]["detectable"] > 0


def test_holm_counts_all_checks_of_a_claim(study: Any, judged: Any) -> None:
    """p of 0.03 contradicts alone and not beside two checks that could have been contradicted as well."""
    generator = np.random.default_rng(0)
    while True:
        a, b = generator.normal(0, 1, 4), generator.normal(1.2, 1, 4)
        if 0.02 < stats.ttest_ind(a, b, equal_var=False).pvalue < 0.04 and a.mean() < b.mean():
            break
    study.add("a", curves=level(*a)).add("b", curves=level(*b))
    wrong = HIGHER | {"metric": None} | last()
    study.ask(wrong).ask(wrong, wrong, wrong, name="three")
    claims = judged()
    assert outcomes(claims["q"]) == ["contradicted"]
    assert outcomes(claims["three"]) == ["inconclusive"] * 3
    p = [check["information"]["p_holm"] for check in claims["three"]["checks"]]
    assert p[0] == pytest.approx(3 * stats.ttest_ind(a, b, equal_var=False).pvalue, rel=1e-4)


def test_a_second_look_halves_the_level(study: Any, judged: Any) -> None:
    """Welch's p of these seeds is 0.036, which two looks double."""
    a, b = [1.0, 1.1, 1.3, 1.05], [1.2, 1.5, 1.6, 1.35]
    p = stats.ttest_ind(a, b, equal_var=False).pvalue
    assert 0.025 < p < 0.05
    study.add("a", curves=level(*a)).add("b", curves=level(*b))
    once, wrong = (check | {"metric": None} | last() for check in (LOWER, HIGHER))
    study.ask(once).ask(once, name="twice", looks=2).ask(wrong, name="wrong").ask(wrong, name="wrong-twice", looks=2)
    claims = judged()
    words = {name: claim["verdict"] for name, claim in claims.items()}
    assert words == {"q": "reproduced", "twice": "inconclusive", "wrong": "contradicted", "wrong-twice": "inconclusive"}
    assert claims["twice"]["checks"][0]["reason"] == "supported by itself, not at 2 looks"
    assert claims["wrong-twice"]["checks"][0]["information"]["p_holm"] == pytest.approx(2 * p, rel=1e-4)


def test_fewer_than_three_seeds_decide_nothing(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", (1.2, 1.2)).add("c", (1.2,)).ask(LOWER).ask(LOWER | {"against": "c"}, name="one")
    claims = judged()
    assert [claims[name]["verdict"] for name in ("q", "one")] == ["inconclusive"] * 2
    assert claims["q"]["checks"][0]["reason"] == "fewer than three seeds"


def test_a_run_that_is_not_trained_yet_is_named(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", BAD).ask(LOWER, runs={"b": "run B"}, metrics=["validation.mse"])
    claim = judged(without=["b"])["q"]
    (check,) = claim["checks"]
    assert claim["verdict"] == "inconclusive"
    assert check["reason"] == "not trained yet (run B)"
    assert check["runs"]["b"] == {"label": "run B", "seeds": 0, "state": "not trained yet"}
    assert claim["runs"]["b"]["metrics"] == {}


def test_scores_without_examples_are_marked(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", BAD).ask(LOWER).ask(
        {"kind": "reaches", "statement": "s", "run": "a", "at_most": 1.5, "because": "b", **MSE}, name="reaches"
    )
    claims = judged(outcomes=False)
    assert claims["q"]["verdict"] == "inconclusive"
    assert claims["q"]["checks"][0]["runs"]["a"]["state"] == "outcomes by example are not stored"


def test_a_run_that_learned_nothing_decides_nothing(study: Any, judged: Any) -> None:
    """The targets are uniform on 0 to 5: a constant has an MSE of 25/12, an RMS error of 1.44."""
    study.add("a", GOOD).add("b", (3.0, 3.0, 3.0)).add("c", (0.7, 0.7, 3.0))
    study.ask(LOWER).ask(LOWER | {"against": "c"}, name="one").ask(LOWER | {"gate": False}, name="asked")
    claims = judged()
    assert claims["q"]["verdict"] == "inconclusive"
    assert "no better than the trivial" in claims["q"]["checks"][0]["reason"]
    assert claims["q"]["checks"][0]["runs"]["b"]["state"] == "did not learn"
    assert "1 of 3 seeds" in claims["one"]["checks"][0]["reason"]
    assert claims["asked"]["verdict"] == "reproduced"


DEPARTURES = {
    "vectors": {"text": "narrow vectors", "affects": ["level"], "tasks": ["sts"]},
    "length": {"text": "shorter", "affects": ["order"], "runs": ["b"]},
}


def test_departures_bear_on_what_they_affect(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", BAD).add("c", BAD).sections["departures"] = DEPARTURES
    number = {"numbers": {"r": {"value": 9}}}
    agrees = {"kind": "agrees", "statement": "9", "run": "a", "reported": "r", **MSE}
    study.ask(LOWER).ask(LOWER | {"against": "c"}, name="order").ask(HIGHER, name="turned")
    study.ask(agrees, name="level", **number).ask(HIGHER | {"against": "c"}, agrees, name="mixed", **number)
    claims = judged()
    assert {name: claims[name]["verdict"] for name in claims} == {
        "q": "reproduced, with departures",
        "order": "reproduced",
        "turned": "not comparable",
        "level": "not comparable",
        "mixed": "contradicted",
    }
    assert [(d["id"], d["bears"]) for d in claims["q"]["departures"]] == [("vectors", False), ("length", True)]
    assert claims["order"]["fidelity"] == "as reported"


def test_readings_stand_side_by_side(study: Any, judged: Any) -> None:
    """The main reading gives the verdict; a number that chose a reading is no evidence under it."""
    study.add("a", GOOD).add("b", FAIR).add("a-shared", BAD)
    readings = {"separate": {"because": "the start"}, "shared": {"suffix": "-shared"}}
    start = {"kind": "reaches", "statement": "start", "run": "a", "at_least": 9, "because": "b", **MSE}
    study.ask(LOWER, start | {"chose_reading": "separate"}, readings=readings)
    claim = judged()["q"]
    assert (claim["reading"], claim["verdict"]) == ("separate", "reproduced")
    assert [check["role"] for check in claim["checks"]] == ["judged", "chose the reading"]
    (other,) = claim["readings"]
    assert (other["reading"], other["verdict"]) == ("shared", "contradicted")
    assert [check["role"] for check in other["checks"]] == ["judged", "judged"]
    assert list(other["checks"][0]["runs"]) == ["a-shared", "b"]


@pytest.mark.parametrize(
    ("laptops", "restaurants", "verdict", "shown"),
    [
        (BAD, GOOD, "reproduced", "restaurants"),
        (GOOD, BAD, "reproduced", "laptops"),
        (BAD, BAD, "contradicted", "laptops"),
    ],
)
def test_an_open_choice_is_supported_by_one(
    study: Any, judged: Any, laptops: Any, restaurants: Any, verdict: str, shown: str
) -> None:
    study.add("a", laptops).add("b", FAIR).add("a-r", restaurants)
    study.ask(LOWER, alternatives={"laptops": {}, "restaurants": {"suffix": "-r"}})
    claim = judged()["q"]
    assert (claim["verdict"], claim["alternative"]) == (verdict, shown)
    assert len(claim["alternatives"]) == 1


def test_all_checks_hold_under_the_same_choice(study: Any, judged: Any) -> None:
    """Each check holds in one domain and both in none, so that each domain contradicts the statement."""
    study.add("a", GOOD).add("b", BAD).add("a-r", BAD).add("b-r", GOOD)
    study.ask(LOWER, HIGHER, alternatives={"laptops": {}, "restaurants": {"suffix": "-r"}})
    assert judged()["q"]["verdict"] == "contradicted"


def test_sample_data_is_never_judged(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", BAD).ask(LOWER).ask(HIGHER, name="turned")
    claims = judged(sample=True)
    for claim in claims.values():
        assert (claim["verdict"], claim["evidence"], claim["fidelity"]) == ("ran", "not judged", "sample data")
        assert outcomes(claim) == ["not judged"]
        assert claim["checks"][0]["estimate"] is None
    assert claims["q"]["checks"][0]["sides"][0]["values"]


def test_information_and_additions_are_no_part_of_a_verdict(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", BAD)
    study.ask(LOWER, HIGHER | {"information": True}, HIGHER | {"ours": True})
    claim = judged()["q"]
    assert claim["verdict"] == "reproduced"
    assert [check["role"] for check in claim["checks"]] == ["judged", "information", "ours"]
    assert outcomes(claim)[1:] == ["contradicted", "contradicted"]


def test_additions_of_ours_are_reached_or_not(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", BAD)
    study.ask(LOWER, report="ours").ask(HIGHER, report="ours", name="turned")
    assert [claim["verdict"] for claim in judged().values()] == ["reached", "not reached"]


def test_either_and_both(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", BAD).add("c", GOOD)
    open_one = LOWER | {"against": "c"}
    cases = {
        "any: one": ("any", [HIGHER, LOWER], "supported"),
        "any: none": ("any", [HIGHER, HIGHER], "contradicted"),
        "any: open": ("any", [HIGHER, open_one], "inconclusive"),
        "all: both": ("all", [LOWER, LOWER], "supported"),
        "all: one": ("all", [LOWER, HIGHER], "contradicted"),
        "all: open": ("all", [LOWER, open_one], "inconclusive"),
    }
    for name, (kind, checks, _) in cases.items():
        study.ask({"kind": kind, "statement": name, "checks": checks}, name=name.replace(": ", "-"))
    claims = judged()
    assert {name: outcomes(claims[name.replace(": ", "-")]) for name in cases} == {
        name: [wanted] for name, (_, _, wanted) in cases.items()
    }


def test_a_sum_of_runs_is_compared_with_a_number(study: Any, judged: Any) -> None:
    """a − 2 b of independent seeds, against 0: scipy's interval of one sample."""
    a, b = np.array([5.0, 5.2, 5.1]), np.array([2.0, 2.3, 2.1])
    study.add("a", curves=level(*a)).add("b", curves=level(*b))
    study.ask({"kind": "higher", "statement": "s", "run": {"a": 1, "b": -2}, "against": 0} | last())
    (check,) = judged()["q"]["checks"]
    interval = stats.ttest_1samp(a - 2 * b, 0).confidence_interval(0.95)
    assert (check["estimate"]["low"], check["estimate"]["high"]) == pytest.approx(
        (interval.low, interval.high), rel=1e-5
    )


def test_a_mean_of_runs_keeps_its_examples(study: Any, judged: Any) -> None:
    """The mean of three Pearson correlations is the mean of their values, and pairs with another run by example."""
    study.add("a", GOOD).add("b", GOOD).add("c", BAD)
    pearson = {"metric": "validation.pearson"}
    study.ask({"kind": "higher", "statement": "s", "run": ["a", "b"], "against": "c", **pearson})
    (check,) = judged()["q"]["checks"]
    r = {
        run: np.mean([stats.pearsonr(p, study.targets).statistic for p in predictions])
        for run, predictions in study.predictions.items()
    }
    assert check["estimate"]["value"] == pytest.approx((r["a"] + r["b"]) / 2 - r["c"], rel=1e-4)
    assert check["estimate"]["over"] == "seeds and examples"
    assert check["outcome"] == "supported"


def test_the_order_of_runs_and_questions_does_not_matter(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", BAD).add("c", (1.21, 1.19, 1.2))
    near = {
        "kind": "equivalent",
        "statement": "s",
        "margin": 0.5,
        "because": "b",
        "assumed_spread": {"seeds": 0.01},
        **MSE,
    }
    for place, runs in enumerate(itertools.permutations("abc")):
        study.ask(near | {"among": list(runs)}, name=f"q{place}")
    claims = judged()
    assert {claim["verdict"] for claim in claims.values()} == {claims["q0"]["verdict"]}
    assert len({claim["checks"][0]["flips_at"] for claim in claims.values()}) == 1


def test_the_same_results_give_the_same_content(study: Any) -> None:
    study.add("a", GOOD).add("b", BAD).ask(LOWER | {"metric": "validation.pearson"}, LOWER)
    reports = study.write()
    first, second = (json.dumps(judge_all("full", reports)) for _ in range(2))
    assert first == second


def test_results_of_other_settings_are_refused(study: Any) -> None:
    study.add("a", GOOD).add("b", BAD).ask(LOWER).write()
    study.runs["b"]["lr"] = 0.125
    from conftest import write_reports

    from stages.lib.config import load_reports

    write_reports(study.root, study.runs, **study.sections)
    with pytest.raises(InputError, match=r"scores\.json: runs\.b\.config\.lr = 0\.5, while .*runs\.b has 0\.125"):
        judge_all("full", load_reports(study.root))


def test_outcomes_of_other_results_are_refused(study: Any) -> None:
    study.add("a", GOOD).add("b", BAD).ask(LOWER)
    reports = study.write()
    folder = group_folder("full", "g", study.root)
    rows = read_group("full", "g", study.root).outcomes
    write_table(folder / "outcomes.parquet", rows.assign(squared_error=rows["squared_error"] * 1.1))
    with pytest.raises(InputError, match=r"outcomes\.parquet: a: validation\.mse .* evaluate it again"):
        judge_all("full", reports)


def test_a_metric_that_was_never_scored_is_refused(study: Any, judged: Any) -> None:
    study.add("a", GOOD).add("b", BAD).ask(LOWER | {"metric": "train.mse"})
    with pytest.raises(InputError, match=r"scores\.json: a, seed 0 has no 'train\.mse'"):
        judged()


def test_runs_on_other_examples_are_not_compared(study: Any) -> None:
    study.add("a", GOOD).add("b", BAD).ask(LOWER)
    reports = study.write()
    folder = group_folder("full", "g", study.root)
    rows = read_group("full", "g", study.root).outcomes
    shifted = rows.assign(target=np.where(rows["run"] == "b", rows["target"] + 1, rows["target"]))
    write_table(folder / "outcomes.parquet", shifted)
    (check,) = judge_all("full", reports)["claims"]["q"]["checks"]
    assert (check["outcome"], check["reason"]) == ("inconclusive", "the runs were not scored on the same examples")


def test_runs_on_the_same_sentences_are_compared(study: Any) -> None:
    study.add("a", GOOD).add("b", BAD).ask(LOWER)
    reports = study.write()
    folder = group_folder("full", "g", study.root)
    rows = read_group("full", "g", study.root).outcomes
    for other, outcome in (("", "supported"), (" else", "inconclusive")):
        sentences = "sentence " + rows["example"].astype(str) + np.where(rows["run"] == "b", other, "")
        write_table(folder / "outcomes.parquet", rows.assign(target=sentences))
        (check,) = judge_all("full", reports)["claims"]["q"]["checks"]
        assert check["outcome"] == outcome


def test_counts_of_seeds(study: Any, judged: Any) -> None:
    study.add("a", curves=level(*[0.0] * 17, 2.0, 2.0, 2.0)).add("b", curves=level(*[0.0] * 20))
    diverges = {"kind": "proportion", "statement": "s", "above": 1.5, "at_most": 0.2, "because": "b"} | last()
    possible = {"kind": "possible", "statement": "s", "above": 1.5} | last()
    study.ask(diverges | {"run": "b"}).ask(diverges | {"run": "a"}, name="some")
    study.ask(possible | {"among": ["a"]}, name="may").ask(possible | {"among": ["b"]}, name="never")
    claims = judged()
    assert {name: outcomes(claims[name]) for name in claims} == {
        "q": ["supported"],
        "some": ["inconclusive"],
        "may": ["supported"],
        "never": ["inconclusive"],
    }
    assert claims["q"]["checks"][0]["estimate"]["high"] == pytest.approx(1 - 0.025 ** (1 / 20), rel=1e-4)


def test_a_single_steps_error_is_that_of_its_neighbours(study: Any, judged: Any) -> None:
    """Losses alternate between 1 and 1.1 e-folds: any ten neighbours have the same standard deviation of the log."""
    x = list(range(41))
    values = [math.exp(step % 2) for step in x]
    study.add("a", curves=[{"step": x, "epoch": x, "train_loss": values}] * 3)
    agrees = {"kind": "agrees", "statement": "s", "run": "a", "reported": "r", "scale": "log"}
    curve = {"column": "train_loss", "number": "at", "at": 20}
    study.ask(agrees | {"curve": curve, "reported_error": {"points_around": 10}}, numbers={"r": {"value": 2}})
    (check,) = judged()["q"]["checks"]
    assert check["information"]["reported_error"] == pytest.approx(np.std([0, 1] * 5, ddof=1), rel=1e-4)
    assert check["bound"] == pytest.approx(math.log(2), rel=1e-4)


def test_variants_are_named_by_how_they_compare(study: Any, judged: Any) -> None:
    """The reported MSE is 0.5. `one` has one seed, and `lost` is no better than the mean of the targets, of 25/12."""
    study.add("a", GOOD).add("b", BAD).add("one", (0.9,)).add("lost", (0.7, 0.7, 3.0))
    study.sections["figures"] = {
        "v": {
            "kind": "specification",
            "group": "g",
            "baseline": "g",
            "title": "t",
            "runs": {"a": "A", "b": "B", "one": "C", "lost": "D"},
            "metric": "validation.mse",
            "reported": 0.5,
            "x_label": "variant",
            "y_label": "MSE",
        }
    }
    numbers = {"r": {"value": 0.5, "error": 0.05, "because": "b"}}
    study.ask({"kind": "agrees", "statement": "s", "run": "a", "reported": "r", **MSE}, figures=["v"], numbers=numbers)
    (found,) = judged()["q"]["variants"]
    wanted = {"agree": ["A"], "differ": ["B"], "not_learned": ["D"], "open": ["C"]}
    assert {key: found[key] for key in wanted} == wanted


def test_what_the_report_could_have_seen(study: Any, judged: Any) -> None:
    """Two accuracies near 0.73 on 2,662 items: (1.96 + 0.84) √(2 · 0.73 · 0.27 / 2,662)."""
    study.add("a", GOOD).add("b", BAD)
    numbers = {"p": {"value": "0.6764705882", "items": 34}, "wrong": {"value": "0.68", "items": 34}}
    study.ask(LOWER, report_test={"kind": "accuracy", "items": 2662, "value": 0.73}, numbers=numbers)
    claim = judged()["q"]
    wanted = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * math.sqrt(2 * 0.73 * 0.27 / 2662)
    assert claim["could_have_seen"]["difference"] == pytest.approx(wanted, rel=1e-4)
    assert [entry["consistent"] for entry in claim["consistency"]] == [True, round(23 / 34, 2) == 0.68]


def test_every_number_in_the_claims_is_a_number(study: Any) -> None:
    """A run that diverged is no infinity in claims.json, which JSON has not."""
    study.add("b", curves=level(1.0, math.inf, 1.0)).add("c", curves=level(1.0, 1.1, 1.2))
    study.ask({"kind": "lower", "statement": "s", "run": "b", "against": "c"} | last())
    content = judge_all("full", study.write())
    json.dumps(content, allow_nan=False)
    assert content["claims"]["q"]["verdict"] == "inconclusive"


def test_nothing_but_stored_evaluations_is_read(study: Any) -> None:
    """There is no models/ and no data/ in the folder of these tests; with them or without, claims are the same."""
    study.add("a", GOOD).add("b", BAD).ask(LOWER)
    reports = study.write()
    before = json.dumps(judge_all("full", reports))
    (study.root / "models" / "full" / "g" / "a").mkdir(parents=True)
    assert json.dumps(judge_all("full", reports)) == before
    assert isinstance(read_group("full", "g", study.root).outcomes, pd.DataFrame)
