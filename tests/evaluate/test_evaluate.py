"""Evaluations of trained groups: scores against scikit-learn and scipy, outcomes by example, and what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import IDENTITY, PAIRS, SMALL, write_params, write_reports, write_sts_data
from safetensors.torch import load_file, save_file
from scipy import stats
from sklearn.metrics import mean_squared_error

from stages.evaluate.evaluation import evaluate_group, evaluate_study, example_hashes, read_history
from stages.lib import tracking
from stages.lib.config import load_reports
from stages.lib.config_params import read_study
from stages.lib.errors import InputError
from stages.lib.files import read_json
from stages.lib.prediction import load_trained
from stages.lib.results import read_group
from stages.train.trainer import train

RUNS: dict[str, dict[str, Any]] = {
    "a": {"seeds": 2},
    "b": {"hidden_size": 4, "directions": "concat", "keep_best": True},
}
NO_LIMITS: dict[str, Any] = {"limits": {}}


@pytest.fixture
def runs(project: Path) -> dict[str, Any]:
    write_params(project, **NO_LIMITS)
    write_reports(project, RUNS)
    return {run.id: run for run in load_reports().runs("sample", "g")}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_group_is_scored_from_its_outcomes(runs: dict[str, Any]) -> None:
    for run in runs.values():
        train(run)
    evaluate_group("g", "sample")
    group = read_group("sample", "g")
    content = group.scores
    assert (content["group"], content["task"]) == ("g", "sts")
    assert content["data"] == read_json(runs["a"].folder / "run.json")["data"]
    assert {name: list(run["seeds"]) for name, run in content["runs"].items()} == {"a": ["0", "1"], "b": ["0"]}
    assert group.outcomes is not None
    assert group.histories is not None
    assert list(group.outcomes.columns[:4]) == ["run", "seed", "split", "example"]

    for name, run in runs.items():
        scored = content["runs"][name]
        assert scored["parameters"] == read_json(run.folder / "run.json")["parameters"]
        assert scored["config"] == json.loads(json.dumps(run.parameters()))
        for seed in run.seeds:
            rows = group.outcomes.query("run == @name and seed == @seed")
            expected = {}
            for split in ("validation", "test"):
                found = rows[rows["split"] == split]
                assert found["example"].tolist() == list(range(PAIRS[split]))
                target, prediction = found["target"], found["prediction"]
                expected[f"{split}.mse"] = mean_squared_error(target, prediction)
                expected[f"{split}.rmse"] = np.sqrt(np.mean((target - prediction) ** 2))
                expected[f"{split}.pearson"] = stats.pearsonr(target, prediction).statistic
                expected[f"{split}.spearman"] = stats.spearmanr(target, prediction).statistic
                # The constant with the least squared error is the mean, whose error is the variance.
                assert scored["trivial"][f"{split}.mse"] == pytest.approx(np.var(target), rel=1e-5)
            scores = scored["seeds"][str(seed)]["scores"]
            assert scores == pytest.approx(expected, rel=1e-4, abs=1e-6)
            # The weights that are scored are those that training validated last, or best.
            history = group.history(name, seed)
            curve = history["validation_pearson"].dropna().tolist()
            kept = max(curve[1:]) if run.settings.keep_best else curve[-1]
            assert scores["validation.pearson"] == pytest.approx(kept, rel=1e-4)
            csv = pd.read_csv(run.folder / f"seed-{seed}" / "history.csv")
            assert history["step"].tolist() == csv["step"].tolist()
            np.testing.assert_allclose(history["train_loss"], csv["train_loss"], rtol=1e-6)

    before = files(group.folder)
    evaluate_group("g", "sample")
    assert files(group.folder) == before


def test_examples_are_told_apart_by_their_inputs(runs: dict[str, Any]) -> None:
    (validation, test) = example_hashes(list(runs.values()))
    assert (len(validation), len(test)) == (PAIRS["validation"], PAIRS["test"])
    assert validation["input_hash"].str.fullmatch(r"[0-9a-f]{16}").all()
    assert validation["input_hash"].nunique() > 0.9 * len(validation)
    write_sts_data(runs["a"].data, seed=1)
    (other, _) = example_hashes(list(runs.values()))
    assert not set(other["input_hash"]) & set(validation["input_hash"])


def test_results_on_real_data_say_what_made_them(project: Path) -> None:
    write_reports(project, {"a": {"steps": 2}})
    (run,) = load_reports().runs("full", "g")
    train(run)
    evaluate_group("g", "full")
    scored = read_group("full", "g").scores["runs"]["a"]
    keys = {"commit", "dirty", "date", "device", "cpu_capability", "threads", "versions"}
    assert set(scored["scored"]) == set(scored["seeds"]["0"]["provenance"]) == keys
    assert scored["seeds"]["0"]["seconds"] >= 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 0.125}, r"models/sample/g/b was trained with lr = 0\.5, now 0\.125; `dvc repro train@b`"),
        ({"hidden_size": 5}, r"with network\.hidden_size = 4, now 5; `dvc repro train@b` trains it again"),
        ({"loss": "pearson"}, r"with options\.loss = 'mse', now 'pearson'"),
        ({"seeds": 2}, r"seed-1/weights\.safetensors does not exist; `dvc repro train@b` trains it"),
    ],
)
def test_weights_of_other_settings_are_not_scored(project: Path, change: dict[str, Any], message: str) -> None:
    write_params(project, **NO_LIMITS)
    write_reports(project, {"b": RUNS["b"]})
    train(load_reports().run("b", "sample"))
    write_reports(project, {"b": RUNS["b"] | change})
    with pytest.raises(InputError, match=message):
        evaluate_group("g", "sample")
    assert not (project / "metrics").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("layers.0.0.bias_hh_l0"), "there is no tensor 'layers.0.0.bias_hh_l0'"),
        (lambda weights: weights.update(extra=torch.zeros(2)), "siamese_lstm has no tensor 'extra'"),
        (
            lambda weights: weights.update({"layers.0.0.bias_hh_l0": torch.zeros(3)}),
            r"'layers.0.0.bias_hh_l0' has the shape \[3\], siamese_lstm has \[16\]",
        ),
    ],
    ids=["missing", "unknown", "shape"],
)
def test_weights_of_another_network_are_named(
    project: Path, runs: dict[str, Any], change: Callable[[dict[str, torch.Tensor]], Any], message: str
) -> None:
    path = project / runs["b"].folder / "seed-0" / "weights.safetensors"
    train(runs["b"])
    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    with pytest.raises(InputError, match=rf"seed-0/weights\.safetensors: {message}; `dvc repro train@b`"):
        load_trained(runs["b"], 0)


def test_runs_of_a_group_are_trained_on_the_same_data(runs: dict[str, Any]) -> None:
    train(runs["a"])
    write_sts_data(runs["b"].data, seed=1)
    train(runs["b"])
    with pytest.raises(InputError, match="models/sample/g/b: trained on other data than the rest of group g"):
        evaluate_group("g", "sample")


def test_missing_models_and_groups_are_named(project: Path) -> None:
    groups = {name: {"task": IDENTITY["task"], "model": IDENTITY["model"]} for name in ("g", "empty")}
    write_reports(project, {"a": {}}, groups=groups)
    with pytest.raises(InputError, match=r"groups\.empty: no run names this group"):
        evaluate_group("empty", "sample")
    with pytest.raises(InputError, match="no group 'h'; it has g, empty"):
        evaluate_group("h", "sample")
    with pytest.raises(InputError, match=r"models/sample/g/a/run\.json does not exist; `dvc repro train@a`"):
        evaluate_group("g", "sample")
    with pytest.raises(InputError, match=r"`dvc repro full/dvc\.yaml:train@a` trains it"):
        evaluate_group("g", "full")
    assert not (project / "metrics").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), (b"", "damaged"), (b"step,train_loss\n", "no history"), (b"a,b\n1\n", "no history")],
)
def test_a_damaged_history_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "history.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=rf"history\.csv.*{message}.*; train the run again"):
        read_history(path)


def test_the_study_becomes_few_numbers_by_split(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = {"networks": {"siamese_lstm": {"hidden_size": 4}}}
    write_params(project, seed=3, steps=SMALL["steps"], **network)
    synced: list[str] = []
    monkeypatch.setattr(tracking, "sync_study", synced.append)
    run = read_study("sample")
    train(run)
    assert (project / "models/sample/study/study/seed-3/weights.safetensors").is_file()
    evaluate_study(run)
    content = json.loads(Path("metrics/sample/study.json").read_text())
    assert set(content) == {"data", "validation", "test"}
    assert content["data"] == "sample data (generated)"
    assert set(content["validation"]) == {"mse", "rmse", "pearson", "spearman"}
    assert content["validation"]["rmse"] == pytest.approx(content["validation"]["mse"] ** 0.5)
    assert synced == ["sample"]


def test_a_failed_evaluation_leaves_the_last_one(runs: dict[str, Any]) -> None:
    for run in runs.values():
        train(run)
    evaluate_group("g", "sample")
    folder = Path("metrics/sample/evaluations/g")
    before = files(folder)
    shutil.rmtree(runs["b"].folder)
    with pytest.raises(InputError):
        evaluate_group("g", "sample")
    assert files(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["g"]
