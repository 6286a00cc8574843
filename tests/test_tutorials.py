"""docs/tutorials: what a newcomer types there, as it is written."""

import ast
import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from small_project import Project, stages_run

from stages.lib.files import ROOT

pytestmark = pytest.mark.pipeline
TUTORIALS = ROOT / "docs" / "tutorials"


def typed(name: str) -> str:
    """All that a tutorial has one type, but for the set-up, in one script that stops where a command fails."""
    blocks = re.findall(r"^```sh\n(.*?)^```", (TUTORIALS / name).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return "".join(["set -e\n", *(block for block in blocks if not block.startswith("make own"))])


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
