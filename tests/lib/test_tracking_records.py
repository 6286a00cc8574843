"""What is read from the outputs to be told to MLflow; without MLflow."""

import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tracking_project import approx, history_of, write_verdicts

from stages.lib.files import ROOT
from stages.lib.tracking.records import POINTS, Record, curves, flat, read_records, thinned


def records(profile: str = "full", **options: bool) -> dict[str, Record]:
    """By name; nothing is damaged."""
    problems: list[str] = []
    found = read_records(profile, problems, **options)
    assert problems == []
    return {record.name: record for record in found}


@pytest.mark.parametrize("count", [0, 1, 2, 60, 199, 200, 201, 398, 399, 1500, 99_999])
def test_a_thinned_curve_keeps_its_ends_and_spans_the_whole(count: int) -> None:
    curve = pd.Series(np.arange(count, dtype=np.float32), index=range(1, count + 1))
    kept = thinned(curve)
    steps = list(kept.index)
    assert len(steps) <= POINTS
    assert steps == sorted(set(steps))
    assert list(kept) == [step - 1 for step in steps]
    assert {*range(1, count + 1)[:1], *range(1, count + 1)[-1:]} <= {*steps}
    assert max((b - a for a, b in pairwise(steps)), default=0) <= 4 * max(count, 1) / POINTS + 1
    if count < POINTS:
        assert len(kept) == count


def test_a_growing_curve_only_gains_points() -> None:
    curve = pd.Series(1.0, index=range(1000))
    sent: set[int] = set()
    for count in (1, 10, 150, 333, 999):
        sent |= {*thinned(curve[:count], growing=True).index}
        # All that the complete curve wants below this length was sent already.
        assert {step for step in thinned(curve).index if step < count} <= sent


def test_curves_have_the_names_of_scores_and_no_empty_cells() -> None:
    history = pd.DataFrame(
        {
            "step": [0, 5, 10],
            "epoch": [0.0, 0.5, 1.0],
            "lr": [0.5, 0.5, 0.5],
            "train_loss": [None, 0.5, 0.25],
            "validation_mse": [2.0, float("nan"), float("inf")],
            "train_sample_accuracy": [None, None, 0.75],
        }
    )
    assert {name: dict(curve) for name, curve in curves(history).items()} == {
        "train.loss": {5: 0.5, 10: 0.25},
        "validation.mse": {0: 2.0},
        "train_sample.accuracy": {10: 0.75},
    }
    assert dict(curves(history.assign(lr=[0.5, 0.5, 0.25]))["train.lr"]) == {0: 0.5, 5: 0.5, 10: 0.25}


def test_parameters_have_the_names_of_reports_and_leave_out_what_is_not_set() -> None:
    settings = {"lr": 0.1, "clip_norm": None, "network": {"head": "cosine", "dropout": 0.0, "head_sizes": []}}
    assert flat(settings) == {"lr": "0.1", "head": "cosine", "dropout": "0.0"}


@pytest.mark.usefixtures("trained")
def test_a_record_says_what_the_run_is() -> None:
    write_verdicts()
    found = records()
    assert sorted(found) == ["slow seed 0", "wide seed 0", "wide seed 1"]
    slow = found["slow seed 0"]
    about = json.loads(Path("models/full/g/slow/run.json").read_text())
    scores = json.loads(Path("metrics/full/evaluations/g/scores.json").read_text())["runs"]["slow"]["seeds"]["0"]
    assert {"lr": "0.1", "hidden_size": "5", "seed": "0", "task": "sts", "loss": "mse"}.items() <= slow.params.items()
    assert slow.params["parameters"] == str(about["parameters"])
    assert slow.scores == scores["scores"] | {"train.seconds": scores["seconds"]}
    expected = {
        "profile": "full",
        "group": "g",
        "run": "slow",
        "data": about["data"]["name"],
        "dvc.stage": "train@slow",
        "question.rate": "reproduced",
        "mlflow.source.git.commit": about["seeds"]["0"]["provenance"]["commit"],
    }
    assert expected.items() <= slow.tags.items()
    assert "question.alone" not in slow.tags
    assert found["wide seed 1"].tags["question.alone"] == "undecided"
    note = slow.tags["mlflow.note.content"]
    assert "`dvc repro full/dvc.yaml:train@slow`" in note
    assert "**rate** (report A): Which learning rate? — reproduced — 0.5 is better" in note
    assert slow.figures == [Path("metrics/full/figures/rates.svg")]


@pytest.mark.usefixtures("trained")
def test_before_the_report_questions_have_no_verdict() -> None:
    assert records()["slow seed 0"].tags["question.rate"] == "no verdict"


@pytest.mark.usefixtures("trained")
def test_the_runs_of_another_reading_serve_the_question_too() -> None:
    reports = Path("reports/small.yaml")
    changed = reports.read_text().replace(
        "report: A", "report: A\n    readings: {main: {because: x}, other: {suffix: -b}}"
    )
    reports.write_text(changed)
    for folder in (Path("models/full/g"), Path("metrics/full/evaluations/g")):
        shutil.copytree(folder, folder.with_name("h"))
    Path("models/full/h/slow").rename("models/full/h/slow-b")
    found = records()
    assert found["slow-b seed 0"].tags["question.rate"] == "no verdict"


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("old", ["f", "h"])
def test_a_run_that_moved_to_another_group_has_one_record_its_new_one(old: str) -> None:
    reports = Path("reports/small.yaml")
    before = reports.read_text()
    for folder in (Path("models/full/g"), Path("metrics/full/evaluations/g")):
        shutil.copytree(folder, folder.with_name(old))
    shutil.rmtree("models/full/g/slow")  # its evaluation is still there
    problems: list[str] = []
    found = {(record.run, record.seed, record.tags["group"]) for record in read_records("full", problems)}
    assert found == {("slow", 0, "g"), ("wide", 0, "g"), ("wide", 1, "g")}
    # In reports/ it has moved on already; the training under its next group is still to come.
    reports.write_text(before.replace("group: g", "group: i"))
    assert reports.read_text() != before
    assert len(read_records("full", problems)) == 6
    assert problems == []


@pytest.mark.usefixtures("trained")
def test_the_digest_follows_everything_that_is_told_and_nothing_else() -> None:
    def digests() -> dict[str, str]:
        return {name: record.digest for name, record in records().items()}

    seen = [digests()]
    write_verdicts()
    seen.append(digests())
    write_verdicts("undecided")
    seen.append(digests())
    Path("metrics/full/figures/rates.svg").write_text("<svg/>")
    seen.append(digests())
    history = Path("models/full/g/slow/seed-0/history.csv")
    history.write_text(history.read_text().replace("0.1", "0.2"))
    assert digests()["wide seed 0"] == seen[-1]["wide seed 0"]
    seen.append(digests())
    for before, after in pairwise(seen):
        assert before["slow seed 0"] != after["slow seed 0"]
    shutil.move("models", "elsewhere")
    shutil.copytree("elsewhere", "models")  # other times and inodes
    assert digests() == seen[-1]


@pytest.mark.usefixtures("trained")
def test_scores_of_an_earlier_training_are_not_taken_for_those_of_this_one() -> None:
    path = Path("models/full/g/slow/run.json")
    about = json.loads(path.read_text())
    about["seeds"]["0"]["seconds"] = 99.0
    path.write_text(json.dumps(about))
    assert set(records()["slow seed 0"].scores) == {"train.seconds"}


def test_a_published_evaluation_stands_in_for_models(trained: Path) -> None:
    before = records()
    published = trained / "docs" / "results"
    published.mkdir(parents=True)
    shutil.move("metrics/full/evaluations", published)
    write_verdicts()
    shutil.move("metrics/full/claims.json", published)
    shutil.rmtree("models")
    found = records()
    assert found.keys() == before.keys()
    for name, record in found.items():
        assert record.weights is None
        assert record.key == before[name].key
        assert record.tags["question.rate"] == "reproduced"


@pytest.mark.usefixtures("trained")
def test_both_sources_give_the_same_points() -> None:
    before = curves(records()["wide seed 1"].history())
    expected = history_of("wide", 1)
    assert dict(before["validation.mse"]) == approx(expected["validation_mse"])
    assert dict(before["train.loss"]) == approx(expected["train_loss"])
    shutil.rmtree("models")
    found = curves(records()["wide seed 1"].history())
    assert {name: dict(curve) for name, curve in found.items()} == {name: dict(curve) for name, curve in before.items()}


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        ("models/full/g/slow/run.json", None, "run.json does not exist"),
        ("models/full/g/slow/run.json", "{", "run.json, line 1"),
        ("models/full/g/slow/run.json", "{}", "has no 'seeds'"),
        ("models/full/g/slow/run.json", '{"seeds": {"x": {}}, "config": {}, "data": {}}', "models/full/g/slow"),
        ("metrics/full/claims.json", "[", "claims.json, line 1"),
        ("reports/small.yaml", "runs: [", "small.yaml, line 2"),
    ],
)
def test_a_damaged_output_is_one_line_and_the_others_are_read(path: str, content: str | None, says: str) -> None:
    write_verdicts()
    Path(path).unlink()
    if content is not None:
        Path(path).write_text(content)
    problems: list[str] = []
    found = {record.run for record in read_records("full", problems)}
    (line,) = problems
    assert says in line
    assert "\n" not in line
    assert found == ({"wide"} if "slow" in path else {"wide", "slow"})


def test_reading_imports_neither_mlflow_nor_torch(trained: Path) -> None:
    code = """
import sys
from stages.lib.tracking.records import read_records
assert len(read_records("full", [])) == 3
print([name for name in ("mlflow", "torch", "pandas", "scipy") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=trained,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
