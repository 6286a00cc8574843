"""Queued experiments run by one command, and are experiments of DVC afterwards."""

import csv
import io
from pathlib import Path

import pytest
from conftest import one_error_line
from kill_harness import REPRODUCE
from small_project import Project

pytestmark = pytest.mark.cluster


def test_a_sweep_runs_side_by_side_and_is_recorded(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    project.call(*REPRODUCE, "evaluate-study")
    project.call("git", "add", "--all")
    project.call("git", "commit", "--quiet", "--message", "reproduced")
    project.call("dvc", "exp", "run", "--queue", "-S", "lr=0.5,0.25,-1", "evaluate-study")
    failed = project.call(*REPRODUCE, "--queue", fails=True)
    assert failed.returncode == 2
    assert failed.stdout.count("Running stage 'experiment ") == 3
    shown = project.call("dvc", "exp", "show", "--csv", "--no-pager").stdout
    experiments = [row for row in csv.DictReader(io.StringIO(shown)) if row["Experiment"]]
    rates = {float(row["params.yaml:lr"]): row for row in experiments}
    assert sorted(rates) == [-1, 0.25, 0.5]
    assert [rates[rate]["State"] for rate in (0.25, 0.5, -1)] == ["Success", "Success", "Failed"]
    assert "params.yaml: lr = -1: " in project.call("dvc", "queue", "logs", rates[-1]["Experiment"]).stdout
    done = project.call(*REPRODUCE, "--queue")
    assert "0 experiments run" in done.stdout
    one_error_line(project.call(*REPRODUCE, "--queue", "validate", fails=True), 2, "--queue takes no targets")
