"""Estimates from earlier runs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import SMALL, write_reports

from stages.lib.files import write_json
from stages.reproduce.wall_times import TAKEN, WallTimes, duration


def stage(name: str, pipeline: str = "full/dvc.yaml") -> Any:
    return SimpleNamespace(name=name, addressing=f"{pipeline}:{name}", path_in_repo=pipeline)


@pytest.fixture
def published(project: Path) -> Path:
    """A run of two seeds and 12 steps in reports/; published is one seed of 6 steps, which took 10 s."""
    write_reports(project, {"small": {"seeds": 2}, "untimed": {}})
    entry = {"config": {"steps": SMALL["steps"] // 2}, "seeds": {"0": {"seconds": 10.0}}}
    runs = {"small": entry, "untimed": entry | {"seeds": {"0": {}}}}
    write_json(project / "docs/results/evaluations/g/scores.json", {"runs": runs})
    return project


@pytest.mark.usefixtures("published")
def test_a_longer_training_with_more_seeds_takes_as_many_times_as_long() -> None:
    assert WallTimes().seconds(stage("train@small")) == 10.0 * 2 * 2


@pytest.mark.usefixtures("published")
def test_what_never_ran_is_unknown() -> None:
    known = WallTimes()
    assert known.seconds(stage("train@untimed")) is None
    assert known.seconds(stage("train@none")) is None
    assert known.seconds(stage("evaluate@small")) is None
    # The sample's trainings are cut to a few steps.
    assert known.seconds(stage("train@small", "dvc.yaml")) is None


@pytest.mark.usefixtures("published")
def test_the_last_time_on_this_machine_counts_most() -> None:
    first = WallTimes()
    first.note(stage("train@small"), 7.04)
    first.write()
    assert WallTimes().seconds(stage("train@small")) == 7.0


@pytest.mark.usefixtures("project")
def test_a_file_that_was_cut_off_is_as_none() -> None:
    TAKEN.parent.mkdir(parents=True)
    TAKEN.write_text('{"train@small": ')
    assert WallTimes().seconds(stage("train@small", "dvc.yaml")) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(None, "unknown"), (0.4, "0 s"), (89, "89 s"), (600, "10 min"), (12_000, "3 h 20 min")]
)
def test_durations_are_in_units_that_matter(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words
