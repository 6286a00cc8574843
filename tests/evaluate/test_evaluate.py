"""Scores, their spread, predictions, and the numbers that sum curves up."""

import csv
import json
import math
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import PAIRS, SMALL
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_squared_error

from stages.lib.config import read_study, runs_of
from stages.lib.files import ROOT, read_json, read_yaml
from stages.lib.errors import InputError
from stages.evaluate import bootstrap, evaluate_group, evaluate_study, provenance
from stages.evaluate.curves import read_history, summary
from stages.train import train

SWINGS = {"swing", "swing_error", "early_swing", "early_swing_error"}
SUMMARIES = {"first", "quarter", "half", "final", "best", *SWINGS}


def mean_and_median(predictions: Sequence[float], targets: Sequence[float]) -> dict[str, float]:
    difference = np.subtract(predictions, targets)
    return {"mean": float(difference.mean()), "median": float(np.median(difference))}


def test_the_spread_of_a_mean_is_its_standard_error() -> None:
    values = np.random.default_rng(1).normal(3, 2, size=400).tolist()
    found = bootstrap(mean_and_median, values, [0.0] * 400, resamples=2000)
    # Of 2,000 resamples the standard deviation is known to 1/√(2 · 2000), that is 1.6 %.
    assert found["mean"] == pytest.approx(np.std(values) / math.sqrt(400), rel=0.06)
    # A normal sample's median spreads √(π/2) times as far as its mean.
    assert found["median"] == pytest.approx(math.sqrt(math.pi / 2) * found["mean"], rel=0.3)


def test_the_spread_is_the_same_every_time_and_none_without_variation() -> None:
    values = np.random.default_rng(2).normal(size=50).tolist()
    assert bootstrap(mean_and_median, values, [0.0] * 50) == bootstrap(mean_and_median, values, [0.0] * 50)
    assert bootstrap(mean_and_median, [1.5] * 50, [0.5] * 50) == {"mean": 0, "median": 0}


def test_pairs_are_drawn_together() -> None:
    values = np.random.default_rng(3).normal(size=50).tolist()
    assert bootstrap(mean_and_median, values, values) == {"mean": 0, "median": 0}


@given(value=st.floats(-1e3, 1e3), count=st.integers(1, 200), rising=st.booleans())
@settings(deadline=None)
def test_a_constant_curve_is_that_constant_everywhere(value: float, count: int, rising: bool) -> None:
    found = summary([value] * count, rising)
    assert set(found) == SUMMARIES
    assert all(found[name] == pytest.approx(value, abs=1e-9) for name in SUMMARIES - SWINGS)
    assert all(found[name] == pytest.approx(0, abs=1e-9) for name in SWINGS)


@given(start=st.floats(-10, 10), slope=st.floats(-2, 2), count=st.integers(20, 400))
@settings(deadline=None)
def test_a_straight_line_does_not_swing(start: float, slope: float, count: int) -> None:
    curve = start + slope * np.arange(count)
    found = summary(curve, rising=True)
    assert found["first"] == curve[0]
    assert found["best"] == curve.max()
    assert summary(curve, rising=False)["best"] == curve.min()
    assert found["swing"] == pytest.approx(0, abs=1e-6)
    assert found["early_swing"] == pytest.approx(0, abs=1e-6)
    # On a line the mean of a window is the value at its middle; a window is a tenth of the curve wide.
    tenth = math.ceil(count / 10)
    near = abs(slope) / 2 + 1e-9
    assert found["quarter"] == pytest.approx(start + slope * (count - 1) / 4, abs=near)
    assert found["half"] == pytest.approx(start + slope * (count - 1) / 2, abs=near)
    assert found["final"] == pytest.approx(curve[-tenth:].mean(), abs=1e-9)


@pytest.mark.parametrize(
    ("count", "quarter", "half"),
    [(5, 1, 2), (6, 1, None), (7, None, 3), (9, 2, 4), (10, 2, None)],  # None: between two points, either will do
)
def test_short_curves_are_read_at_their_nearest_point(count: int, quarter: int | None, half: int | None) -> None:
    """Of five epochs after an untrained point 0, a quarter is nearest to epoch 1."""
    found = summary([float(place) for place in range(count)], rising=True)
    assert abs(found["quarter"] - (count - 1) / 4) <= 0.5
    assert abs(found["half"] - (count - 1) / 2) <= 0.5
    assert quarter is None or found["quarter"] == quarter
    assert half is None or found["half"] == half


def test_the_error_of_a_swing_is_how_far_swings_of_such_curves_spread() -> None:
    noise = np.random.default_rng(4).normal(scale=2, size=(2000, 40))
    found = [summary(curve, rising=False) for curve in noise]
    for name in ("swing", "early_swing"):
        spread = np.std([curve[name] for curve in found])
        assert np.mean([curve[f"{name}_error"] for curve in found]) == pytest.approx(spread, rel=0.1)


def test_four_points_are_enough_for_a_swing() -> None:
    """The halves of a short curve are its first and last three points: 0, 3, 0 is off its line by −1, 2, −1."""
    found = summary([0.0, 3.0, 0.0, 3.0], rising=False)
    assert (found["swing"], found["early_swing"]) == pytest.approx((math.sqrt(2), math.sqrt(2)))


def test_swings_are_told_apart_by_half() -> None:
    """A saw of ±1 in the first half and of ±3 in the second has those standard deviations."""
    saw = np.tile([1.0, -1.0], 500)
    found = summary(np.concatenate([saw, 3 * saw]) + np.linspace(5, 1, 2000), rising=False)
    assert found["early_swing"] == pytest.approx(1, rel=0.02)
    assert found["swing"] == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_short_curves_have_a_summary(count: int) -> None:
    found = summary([float(place) for place in range(count)], rising=False)
    assert all(math.isfinite(value) for value in found.values())
    assert (found["first"], found["final"]) == (0, count - 1)


def test_histories_are_read_by_column(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("step,train_loss,validation_mse\n0,,2.5\n1,1.25,\n2,1,2\n")
    assert read_history(path) == {"step": [0, 1, 2], "train_loss": [1.25, 1], "validation_mse": [2.5, 2]}
    path.write_text("step,train_loss\n")
    with pytest.raises(InputError, match=r"history\.csv: the history is empty"):
        read_history(path)
    with pytest.raises(InputError, match=r"none\.csv does not exist; `dvc repro` makes it"):
        read_history(tmp_path / "none.csv")


RUNS = {
    "a": {"seeds": {"sample": 2, "full": 1, "paper": 1}},
    "b": {"network": {"hidden_size": 4, "directions": "concat"}, "keep_best": True},
}


def write_reports(project: Path) -> None:
    runs = {
        name: {
            "group": "g",
            "task": "sts",
            "model": "siamese_lstm",
            "built_on": "packed_lstm",
            "settings": SMALL | RUNS[name],
        }
        for name in RUNS
    }
    (project / "reports.yaml").write_text(yaml.safe_dump({"runs": runs, "groups": {"g": {"task": "sts"}, "empty": {}}}))


def read_predictions(path: Path) -> dict[str, tuple[list[float], list[float]]]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["split", "index", "target", "prediction"]
    found: dict[str, tuple[list[float], list[float]]] = {}
    for row in rows:
        targets, predictions = found.setdefault(row["split"], ([], []))
        assert int(row["index"]) == len(targets)
        targets.append(float(row["target"]))
        predictions.append(float(row["prediction"]))
    return found


def test_a_group_is_scored_from_its_predictions(project: Path) -> None:
    write_reports(project)
    runs = runs_of("g", "sample")
    for run in runs:
        train(run)
    evaluate_group("g", "sample")
    content = read_json(Path("metrics/sample/runs/g.json"))
    assert set(content) == {"group", "task", "data", "runs"}
    assert (content["group"], content["task"]) == ("g", "sts")
    assert content["data"] == read_json(runs[0].folder / "run.json")["data"]
    assert {name: list(run["seeds"]) for name, run in content["runs"].items()} == {"a": ["0", "1"], "b": ["0"]}

    for run in runs:
        made = content["runs"][run.id]
        assert made["parameters"] == read_json(run.folder / "run.json")["parameters"]
        for seed, found in made["seeds"].items():
            held_out = read_predictions(Path(f"metrics/sample/predictions/g/{run.id}-seed-{seed}.csv"))
            assert {split: len(targets) for split, (targets, _) in held_out.items()} == {
                split: count for split, count in PAIRS.items() if split != "train"
            }
            expected = {}
            for split, (targets, predictions) in held_out.items():
                expected[f"{split}.mse"] = mean_squared_error(targets, predictions)
                expected[f"{split}.pearson"] = stats.pearsonr(targets, predictions).statistic
                expected[f"{split}.spearman"] = stats.spearmanr(targets, predictions).statistic
            assert found["scores"] == pytest.approx(expected, rel=1e-4)
            # The error of a mean square over its n examples, in a formula of its own.
            squares = np.subtract(*held_out["validation"]) ** 2
            assert found["spread"]["validation.mse"] == pytest.approx(squares.std() / math.sqrt(len(squares)), rel=0.25)
            assert set(found["curves"]) == {"train_loss", "validation_mse", "validation_pearson"}
            assert all(set(curve) == SUMMARIES for curve in found["curves"].values())

            history = read_history(run.folder / f"seed-{seed}" / "history.csv")
            assert found["curves"]["validation_mse"]["best"] == min(history["validation_mse"])
            assert found["curves"]["validation_pearson"]["best"] == max(history["validation_pearson"])
            # The weights that are scored are those that training validated last, or best.
            watched = history["validation_pearson"]
            kept = max(watched[1:]) if run.settings.keep_best else watched[-1]
            assert found["scores"]["validation.pearson"] == pytest.approx(kept, rel=1e-4)

    bytes_before = Path("metrics/sample/runs/g.json").read_bytes()
    evaluate_group("g", "sample")
    assert Path("metrics/sample/runs/g.json").read_bytes() == bytes_before


def test_part_of_a_group_is_scored_only_on_request(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_reports(project)
    with pytest.raises(InputError, match=r"g: none of its runs is trained; `dvc repro evaluate@g`"):
        evaluate_group("g", "sample", partial=True)
    a, b = runs_of("g", "sample")
    train(b)
    with pytest.raises(
        InputError, match=r"models/sample/g/a/run\.json does not exist; .*`dvc repro train@a` trains it"
    ):
        evaluate_group("g", "sample")
    capsys.readouterr()
    evaluate_group("g", "sample", partial=True)
    assert capsys.readouterr().out == "g: not trained here: a; results that they have are kept\n"
    only = read_json(Path("metrics/sample/runs/g.json"))
    assert list(only["runs"]) == ["b"]
    train(a)
    evaluate_group("g", "sample", partial=True)
    both = read_json(Path("metrics/sample/runs/g.json"))
    assert list(both["runs"]) == ["a", "b"]
    assert both["runs"]["b"] == only["runs"]["b"]
    # Results that came with the repository, without their models, outlast the scoring of others.
    shutil.rmtree(b.folder)
    evaluate_group("g", "sample", partial=True)
    assert read_json(Path("metrics/sample/runs/g.json")) == both
    Path("metrics/sample/runs/g.json").write_text(json.dumps(both | {"data": both["data"] | {"sha256": "0"}}))
    before = Path("metrics/sample/runs/g.json").read_bytes()
    with pytest.raises(InputError, match=r"runs/g\.json: results to be kept are of other data"):
        evaluate_group("g", "sample", partial=True)
    assert Path("metrics/sample/runs/g.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"lr": 0.125}, r"models/sample/g/b was trained with lr = 0\.5, which now is 0\.125"),
        ({"network": {"hidden_size": 5}}, r"with network\.hidden_size = 4, which now is 5; .*`dvc repro train@b`"),
        ({"seeds": {"sample": 2, "full": 1, "paper": 1}}, r"seed-1/weights\.safetensors does not exist"),
    ],
)
def test_weights_of_other_settings_are_not_scored(project: Path, change: dict[str, Any], said: str) -> None:
    write_reports(project)
    (b,) = (run for run in runs_of("g", "sample") if run.id == "b")
    train(b)
    reports = read_yaml(project / "reports.yaml")
    reports["runs"]["b"]["settings"] |= change
    (project / "reports.yaml").write_text(yaml.safe_dump(reports))
    with pytest.raises(InputError, match=said):
        evaluate_group("g", "sample", partial=True)
    assert not list((project / "metrics").rglob("*.json"))


def test_results_on_real_data_say_what_made_them(project: Path) -> None:
    write_reports(project)
    for run in runs_of("g", "full"):
        train(run)
    evaluate_group("g", "full")
    for run in read_json(Path("metrics/full/runs/g.json"))["runs"].values():
        assert [made["how"] for made in run["made"]] == ["trained", "scored"]
        assert all(set(made) == {"how", "commit", "changed", "machine", "date"} for made in run["made"])


def test_provenance_names_the_commit_and_what_is_in_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> str:
        settings = ("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false")
        return subprocess.run(
            ["git", "-C", str(tmp_path), *settings, *words], capture_output=True, text=True, check=True
        ).stdout

    monkeypatch.setattr("stages.lib.provenance.ROOT", tmp_path)
    assert (provenance("scored")["commit"], provenance("scored")["changed"]) == (None, False)
    (tmp_path / "reports.yaml").write_text("a: 1\n")
    (tmp_path / "README.md").write_text("a\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "m")
    made = provenance("scored")
    assert (made["how"], made["commit"], made["changed"]) == ("scored", git("rev-parse", "HEAD").strip(), False)
    (tmp_path / "README.md").write_text("b\n")
    assert not provenance("scored")["changed"]
    (tmp_path / "reports.yaml").write_text("a: 2\n")
    assert provenance("scored")["changed"]


def test_groups_without_runs_or_models_are_named(project: Path) -> None:
    write_reports(project)
    with pytest.raises(InputError, match=r"groups\.empty: no run names this group"):
        evaluate_group("empty", "sample")
    with pytest.raises(InputError, match=r"models/sample/g/a/run\.json does not exist; .*`dvc repro train@a`"):
        evaluate_group("g", "sample")
    assert not list((project / "metrics").rglob("*.json"))
    assert not list((project / "metrics").rglob("*.csv"))


def study(project: Path, **changes: Any) -> None:
    content = read_yaml(ROOT / "params.yaml")
    content |= {"steps": SMALL["steps"], "networks": {"siamese_lstm": {"hidden_size": 4}}} | changes
    (project / "params.yaml").write_text(yaml.safe_dump(content))


def test_the_study_becomes_few_numbers_by_split(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from stages.lib import tracking

    study(project, seed=3)
    sent: list[int] = []
    monkeypatch.setattr(tracking, "send", lambda: sent.append(1))
    run = read_study()
    train(run)
    evaluate_study(run)
    content = json.loads(Path("metrics/study.json").read_text())
    assert set(content) == {"data", "validation", "test"}
    assert content["data"] == "sample data (generated)"
    held_out = read_predictions(Path("metrics/sample/predictions/study/study-seed-3.csv"))
    for split, (targets, predictions) in held_out.items():
        assert set(content[split]) == {"mse", "pearson", "spearman"}
        assert content[split]["mse"] == pytest.approx(mean_squared_error(targets, predictions), rel=1e-4)
    assert sent
