"""Specification curves and dot plots: numbers with intervals, and the choices behind them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plot.evaluations import draw, write_evaluation
from scipy import stats

from stages.lib.errors import InputError
from stages.plot.figures.specification import DOT, MOST_ROWS, differences, grid_rows


def variants(count, seeds=3):
    """Scores and settings of runs v0, v1, …: all combinations of two choices, then of learning rates."""
    choices = list(itertools.product(["shared", "separate"], [False, True], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]))
    random = np.random.default_rng(0)
    scores, configs = {}, {}
    for number, (towers, noise, lr) in enumerate(choices[:count]):
        values = random.normal(1.5 + 0.3 * noise, 0.1, seeds)
        scores[f"v{number}"] = {seed: {"validation.mse": float(value)} for seed, value in enumerate(values)}
        network = {"towers": towers, "normal_input": noise, "hidden_size": 512}
        configs[f"v{number}"] = {"lr": lr, "network": network}
    return scores, configs


@pytest.mark.parametrize("count", [2, 9, 32])
def test_variants_are_sorted_and_hold_every_seed(tmp_path, count):
    scores, configs = variants(count)
    write_evaluation(tmp_path, scores, configs=configs)
    runs = list(scores)
    table = draw(tmp_path, "specification", runs, metric="validation.mse", reported=1.42, main="v1")
    means = table.groupby("x")["value"].mean()
    assert means.is_monotonic_increasing
    assert np.allclose(means, table.groupby("x")["smoothed"].first())
    for run, seeds in scores.items():
        rows = table[table["run"] == f"label of {run}"]
        assert np.allclose(rows["value"], [seed["validation.mse"] for seed in seeds.values()])
        assert set(rows["main"]) == {run == "v1"}
    assert set(table["reported"]) == {1.42}


def test_intervals_are_those_of_student(tmp_path):
    scores, configs = variants(2, seeds=4)
    write_evaluation(tmp_path, scores, configs=configs)
    for table in (
        draw(tmp_path, "specification", list(scores), metric="validation.mse"),
        draw(tmp_path, "levels", list(scores), metric="validation.mse"),
    ):
        for run, seeds in scores.items():
            values = [seed["validation.mse"] for seed in seeds.values()]
            low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
            row = table[table["run"] == f"label of {run}"].iloc[0]
            assert (row["low"], row["high"]) == pytest.approx((low, high))


def test_one_seed_has_no_interval(tmp_path):
    scores, configs = variants(3, seeds=1)
    write_evaluation(tmp_path, scores, configs=configs)
    assert draw(tmp_path, "specification", list(scores), metric="validation.mse")["low"].isna().all()
    assert draw(tmp_path, "levels", list(scores), metric="validation.mse")["low"].isna().all()


def test_the_legend_names_the_reported_number_and_the_judged_run(tmp_path, sheets):
    scores = {"a": {0: {"m": 1.0}, 1: {"m": 1.2}}, "b": {0: {"m": 5.0}, 1: {"m": 5.01}}}
    write_evaluation(tmp_path, scores, configs={run: {"lr": run} for run in scores})
    draw(tmp_path, "specification", list(scores), metric="m", reported=1.1)
    texts = [text.get_text() for text in sheets[0].figure.legends[0].get_texts()]
    assert texts == ["report: 1.1", "other variants", "label of a"]


def test_the_csv_holds_the_choices(tmp_path):
    scores, configs = variants(20)
    write_evaluation(tmp_path, scores, configs=configs)
    table = draw(tmp_path, "specification", list(scores), metric="validation.mse")
    assert list(table.columns[9:]) == ["lr", "network.towers", "network.normal_input"]
    for run, config in configs.items():
        row = table[table["run"] == f"label of {run}"].iloc[0]
        assert row["network.towers"] == config["network"]["towers"]
        assert row["network.normal_input"] == ("yes" if config["network"]["normal_input"] else "no")
        assert float(row["lr"]) == config["lr"]


values = st.one_of(st.booleans(), st.integers(0, 3), st.sampled_from(["a", "b"]), st.none())
settings_of_runs = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys("xyz", values)), min_size=2, max_size=6)


@given(configs=settings_of_runs)
@settings(max_examples=60, deadline=None)
def test_the_grid_tells_apart_exactly_the_runs_that_differ(configs):
    runs = {f"r{number}": {"network": config} for number, config in enumerate(configs)}
    choices = differences(runs)
    rows = grid_rows(choices)
    columns = list(zip(*(row.marks for row in rows), strict=True)) or [()] * len(configs)
    for (i, a), (j, b) in itertools.combinations(enumerate(configs), 2):
        # True == 1 in Python, but a switch is not a number.
        same = {key: repr(value) for key, value in a.items()} == {key: repr(value) for key, value in b.items()}
        assert (columns[i] == columns[j]) == same
    for name in choices:
        settings_seen = {repr(config.get(name.removeprefix("network."), "absent")) for config in configs}
        assert len(settings_seen) > 1


def test_every_variant_has_one_dot_a_setting():
    _, configs = variants(4)
    rows = grid_rows(differences(configs))
    for setting in {row.setting for row in rows}:
        marks = np.array([[mark == DOT for mark in row.marks] for row in rows if row.setting == setting])
        assert (marks.sum(axis=0) == 1).all()
        assert marks.any(axis=1).all()


def test_a_setting_of_many_values_is_spelled_out():
    runs = {f"r{number}": {"subset": number} for number in range(MOST_ROWS + 1)}
    (row,) = grid_rows(differences(runs))
    assert row.marks == tuple(str(number) for number in range(MOST_ROWS + 1))


def test_runs_with_the_same_settings_have_no_grid(tmp_path):
    scores, configs = variants(2)
    write_evaluation(tmp_path, scores, configs=dict.fromkeys(scores, configs["v0"]))
    table = draw(tmp_path, "specification", list(scores), metric="validation.mse")
    assert list(table.columns) == ["run", "seed", "x", "value", "smoothed", "low", "high", "reported", "main"]


def test_reported_numbers_stand_beside_their_runs(tmp_path):
    scores, _ = variants(3)
    write_evaluation(tmp_path, scores)
    table = draw(tmp_path, "levels", ["v2", "v0"], metric="validation.mse", reported={"v0": 1.48})
    assert table.groupby("run", sort=False)["x"].first().to_dict() == {"label of v2": 1, "label of v0": 2}
    assert table[table["run"] == "label of v0"]["reported"].tolist() == [1.48] * 3
    assert table[table["run"] == "label of v2"]["reported"].isna().all()


@pytest.mark.parametrize("kind", ["levels", "specification"])
def test_a_metric_without_scores_is_named(tmp_path, kind):
    scores, configs = variants(2)
    write_evaluation(tmp_path, scores, configs=configs)
    with pytest.raises(InputError, match=r"scores\.json: v0, seed 0 has no 'test\.mse'; it has validation\.mse"):
        draw(tmp_path, kind, ["v0", "v1"], metric="test.mse")
