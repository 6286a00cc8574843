"""docs/tutorials: what a newcomer types there, as it is written."""

import ast
import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import MIRROR, write_yaml
from safetensors.numpy import load_file
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from small_project import Project, resolved_stages, small_reports, stages_run

from stages.lib.files import ROOT, read_yaml

pytestmark = pytest.mark.pipeline
TUTORIALS = ROOT / "docs" / "tutorials"


def typed(name: str, part: slice = slice(None)) -> str:
    """All that a tutorial has one type but for the set-up, in one script that stops where a command fails; or a part of
    its blocks.
    """
    blocks = re.findall(r"^```sh\n(.*?)^```", (TUTORIALS / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return "".join(["set -e\n", *(block for block in blocks[part] if not block.startswith("make own"))])


def test_bring_your_own_data_and_ask_a_question(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    shutil.copytree(ROOT / "own", project.folder / "own", ignore=shutil.ignore_patterns("dvc.*"))
    project.commit()
    shutil.copyfile(ROOT / "Makefile", project.folder / "Makefile")
    project.call("make", "--quiet", "own/dvc.yaml", "own/data/dvc.yaml", "own/reports/dvc.yaml")
    done = project.call("bash", "-c", typed("own-data.md"))
    # The sample's word vectors, and then the data set under study and nothing else; the second time, only the study.
    study = ["train-study", "evaluate-study"]
    assert stages_run(done)[-5:] == ["data/dvc.yaml:ingest@films", *study, *study]
    assert {*stages_run(done)[:-5]} == {"../dvc.yaml:validate", "../dvc.yaml:download@glove", "validate"}
    scores = json.loads((project.folder / "metrics/own/study.json").read_text())
    assert scores["data"] == "films (own data)"
    assert 0 <= scores["test"]["accuracy"] <= 1
    shown, counts = done.stdout, re.search(r"films: (\d+) for train, (\d+) for validation, (\d+) for test", done.stdout)
    assert counts
    assert sum(map(int, counts.groups())) == 80
    assert re.search(r"^(good|bad) \(probability 0\.\d{3}\)$", shown, re.MULTILINE)
    rows = list(csv.DictReader(io.StringIO(shown[shown.index("line,review,prediction") :])))
    assert [row["review"] for row in rows] == ["the plot is slow", "the cast is clever"]
    # DVC makes empty folders for what it knows.
    written = [path for path in (project.folder / "metrics").rglob("*") if path.is_file()]
    assert written == [project.folder / "metrics/own/study.json"]

    done = project.call("bash", "-c", typed("ask-a-question.md"))
    run = [name.rpartition(":")[2] for name in stages_run(done)]
    assert run[0] == "validate"
    assert sorted(run[1:3]) == ["train@films-5", "train@films-50"]
    assert run[3:] == ["evaluate@units", "report"]
    claims = json.loads((project.folder / "metrics/own/claims.json").read_text())["claims"]
    assert claims.keys() == {"units"}
    assert f"**{claims['units']['verdict']}**" in done.stdout
    assert "Do 50 kernels" in (project.folder / "metrics/own/index.html").read_text(encoding="utf-8")


@pytest.fixture
def newcomers(reproduced: Project) -> Project:
    """The reproduced project. DVC remembers its first run alone: other tests may have had a tutorial's settings."""
    runs = reproduced.folder / ".dvc" / "cache" / "runs"
    shutil.rmtree(runs)
    shutil.copytree(reproduced.first_runs, runs)
    return reproduced


def test_change_one_thing(newcomers: Project) -> None:
    done = newcomers.call("bash", "-c", typed("change-one-thing.md"))
    assert stages_run(done) == ["train-study", "evaluate-study"] * 3
    assert re.search(r"study\.json\s+validation\.mse", done.stdout)
    assert re.search(r"params\.yaml\s+lr\s+1\.0\s+0\.01", done.stdout)
    assert newcomers.call("git", "status", "--porcelain", "params.yaml").stdout == ""


def test_from_laptop_to_cluster(newcomers: Project) -> None:
    before = (newcomers.folder / "params.yaml").read_text()
    done = newcomers.call("bash", "-c", typed("laptop-to-cluster.md"))
    assert "everything is up to date" in done.stdout
    assert re.search(r"^full/dvc.yaml:train@A-sts-lr-1: unknown$", done.stdout, re.MULTILINE)
    assert stages_run(done) == ["train-study", "evaluate-study"]
    assert "2 stages run" in done.stdout
    assert (newcomers.folder / "params.yaml").read_text() == before


def test_from_a_claim_to_its_code() -> None:
    """On the published results of this checkout."""
    done = subprocess.run(
        ["bash", "-c", typed("from-claim-to-code.md")], cwd=ROOT, capture_output=True, text=True, check=True
    )
    claims = json.loads((ROOT / "docs/results/claims.json").read_text(encoding="utf-8"))["claims"]
    assert claims["A-sts-hidden"]["verdict"] == done.stdout.splitlines()[0]
    assert "stages/networks/siamese_lstm.py" in done.stdout
    asking = ast.literal_eval(done.stdout.splitlines()[-1])
    assert asking == [name for name, claim in claims.items() if "A-sts-hidden-512" in claim["runs"]]
    assert "A-sts-hidden" in asking


@pytest.fixture(scope="module")
def with_a_new_task(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after all of the tutorial that needs no real data; `first` is what its commands printed."""
    project = Project(tmp_path_factory.mktemp("task") / "project")
    reports, real = (
        small_reports(),
        {name: read_yaml(ROOT / "reports" / f"{name}.yaml") for name in ("common", "reviews")},
    )
    common, group, run = reports["common.yaml"], "rev-next", "rev-bidirectional"
    common["datasets"].append("rtpolarity")
    common["tasks"]["reviews"] = real["common"]["tasks"]["reviews"]
    write_yaml(project.folder / "reports/common.yaml", common)
    content = {"groups": {group: real["reviews"]["groups"][group]}, "runs": {run: real["reviews"]["runs"][run]}}
    write_yaml(project.folder / "reports/reviews.yaml", content)
    shutil.copyfile(ROOT / "Makefile", project.folder / "Makefile")
    results = Path("docs/results/evaluations", group)
    shutil.copytree(ROOT / results, project.folder / results)
    project.commit()
    project.first = project.call("bash", "-c", typed("add-a-task.md", slice(-1)))
    return project


def by_class(folder: Path) -> list[list[str]]:
    """The lines of rt-polarity's negative sentences, and of the positive ones."""
    return [(folder / f"rt-polarity.{end}").read_text(encoding="utf-8").splitlines() for end in ("neg", "pos")]


def test_add_a_task(with_a_new_task: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, target = with_a_new_task.folder, "evaluate@bag-of-words"
    ran = ["validate", "download@rtpolarity", "preprocess@review_words", "train@bag-of-words", target]
    assert stages_run(with_a_new_task.first) == ran

    # The trained weights, added up over the words of each test sentence.
    lines = by_class(folder / "data/sample/raw/rtpolarity")
    split = [3 * len(of_class) // 4 for of_class in lines]
    words = [[set(re.findall(r"\b\w\w+\b", line.lower())) for line in of_class] for of_class in lines]
    train = [row for of_class, end in zip(words, split, strict=True) for i, row in enumerate(of_class[:end]) if i % 10]
    vocabulary = sorted(set().union(*train))
    weights = load_file(folder / "models/sample/bag-of-words/bag-of-words/seed-0/weights.safetensors")
    weight = dict(zip(vocabulary, weights["linear.weight"][0].astype(float), strict=True))
    logits = [
        [sum(weight.get(word, 0) for word in row) + float(weights["linear.bias"][0]) for row in of_class[end:]]
        for of_class, end in zip(words, split, strict=True)
    ]
    right = sum(logit <= 0 for logit in logits[0]) + sum(logit > 0 for logit in logits[1])
    evaluation = folder / "metrics/sample/evaluations/bag-of-words"
    scores = json.loads((evaluation / "scores.json").read_text())["runs"]["bag-of-words"]["seeds"]["0"]["scores"]
    assert scores["test.accuracy"] == pytest.approx(right / sum(map(len, logits)))

    # MLflow gets the run beside the nine published ones, and no complaint that it has no model.
    monkeypatch.setitem(with_a_new_task.environment, "MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    sent = with_a_new_task.call("python", "-m", "stages.sync")
    assert (sent.stdout + sent.stderr).splitlines()[-1].endswith(": 10 runs sent")
    assert "warning" not in sent.stdout + sent.stderr
    monkeypatch.undo()

    # The network's file trains this run and the study, which may be of any network; scoring trains nothing.
    network, scoring = "stages/networks/bag_of_words.py", "stages/tasks/review_words/scoring.py"
    stages = resolved_stages(folder).items()
    assert {name for name, stage in stages if network in stage["deps"]} == {"train@bag-of-words", target}
    of_all = {name for name, stage in stages if "stages/networks" in stage["deps"]}
    assert of_all == {"train-study", "evaluate-study"}
    for path, again in ((network, ["train@bag-of-words", target]), (scoring, [target])):
        (folder / path).open("a").write("# changed\n")
        assert stages_run(with_a_new_task.call("dvc", "repro", target)) == again


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / "rt-polarity.pos").is_file(), reason="needs the real data in DATA_MIRROR")
def test_the_added_task_on_real_data(with_a_new_task: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against scikit-learn's logistic regression, and judged beside the published GRU."""
    monkeypatch.setitem(with_a_new_task.environment, "DATA_MIRROR", str(MIRROR.resolve()))
    done = with_a_new_task.call("bash", "-c", typed("add-a-task.md", slice(-1, None)))
    lines = by_class(MIRROR)
    vectorizer = CountVectorizer(binary=True, max_features=5000)
    inputs = vectorizer.fit_transform([line for of_class in lines for line in of_class[:4000]])
    model = LogisticRegression(max_iter=1000).fit(inputs, np.repeat([0, 1], 4000))
    rest = [line for of_class in lines for line in of_class[4000:]]
    expected = model.score(vectorizer.transform(rest), np.repeat([0, 1], len(rest) // 2))
    outcomes = pd.read_parquet(with_a_new_task.folder / "metrics/full/evaluations/bag-of-words/outcomes.parquet").query(
        "split == 'test'"
    )
    assert len(outcomes) == 3 * len(rest)
    # Two standard errors of an accuracy on so many sentences.
    assert abs(outcomes["correct"].mean() - expected) < 2 * np.sqrt(expected * (1 - expected) / len(rest))
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("| word-order")]
    gru, bag = re.search(r"bidirectional GRU: (0\.\d+), bag of words: (0\.\d+)", row).groups()
    tutorial = (TUTORIALS / "add-a-task.md").read_text(encoding="utf-8")
    verdict, *said = re.search(r"`(\w+)`: (0\.\d+) against (0\.\d+)", tutorial).groups()
    assert row.endswith(f"**{verdict}** |")
    assert [float(gru), float(bag)] == pytest.approx(list(map(float, said)), abs=0.005)
