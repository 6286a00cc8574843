"""own/: the user's data sets, runs and experiment under study, which no other profile sees."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import IDENTITY, SMALL, write_reports

from stages.lib.config import find_run, load_reports
from stages.lib.config_params import read_study
from stages.lib.errors import InputError
from stages.lib.files import ROOT, read_yaml
from stages.validate import validate

PAIRS = {"task": "sts", "path": "pairs.csv", "licence": "CC0"}


def write_own(folder: Path, datasets: Any, reports: Mapping[str, Any] | None = None, **params: Any) -> None:
    """own/ with these data sets, runs and changes of its parameters."""
    for path, content in (
        ("own/params.yaml", read_yaml(ROOT / "own/params.yaml") | params),
        ("own/data/data.yaml", {"datasets": datasets}),
        ("own/reports/reports.yaml", {"runs": {}, **(reports or {})}),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(yaml.safe_dump(content), encoding="utf-8")


def test_a_study_on_own_data_carries_the_name_of_the_data(project: Path) -> None:
    write_own(project, {"pairs": PAIRS}, data="pairs")
    run = read_study("own")
    assert run.model == "siamese_lstm"  # the task's first
    assert (run.data, run.folder) == (Path("data/own/pairs"), Path("models/own/study/study"))
    assert run.parameters()["data"] == "pairs"
    assert "data" not in read_study("full").parameters()


def test_an_option_that_chooses_a_part_of_a_corpus_is_left_out(project: Path) -> None:
    data = {"notes": PAIRS | {"task": "aspects"}}
    of_task: dict[str, Any] = {"task": "aspects", "data": "notes", "networks": {}}
    write_own(project, data, **of_task, options={})
    assert read_study("own").task_name == "aspects"
    write_own(project, data, **of_task, options={"aspects": {"domain": "restaurants"}})
    with pytest.raises(InputError, match=r"own/params\.yaml: domain: your own data are one part.*leave this key out"):
        read_study("own")


def test_own_runs_are_read_from_own_reports_alone(project: Path) -> None:
    write_reports(project, {"a": {}})
    mine = IDENTITY | SMALL | {"data": "pairs"}
    group = {"task": "sts", "model": "siamese_lstm", "data": "pairs"}
    write_own(project, {"pairs": PAIRS}, {"groups": {"g": group}, "runs": {"a": mine | {"lr": 0.25}}})
    assert find_run("a", "own").settings.lr == 0.25
    assert find_run("a", "own").data == Path("data/own/pairs")
    assert find_run("a", "full").settings.lr == SMALL["lr"]
    assert find_run("a", "full").data == Path("data/full/sts")


@pytest.mark.parametrize(
    ("datasets", "params", "words"),
    [
        ({}, {}, ["own/params.yaml: data = 'none'", "it has none yet; docs/own-data.md"]),
        ({"pairs": PAIRS}, {"data": "pair"}, ["data = 'pair'", "it has pairs"]),
        (
            {"pairs": PAIRS | {"task": "reviews"}},
            {"data": "pairs"},
            ["task = 'sts': data set pairs is of task reviews"],
        ),
        ({"pairs": PAIRS}, {"data": "pairs", "profile": "full"}, ["profile = 'full'"]),
        ({"sts": PAIRS}, {"data": "sts"}, ["datasets.sts: this is the name of a task"]),
        ({"a b": PAIRS}, {}, ["datasets:", "'a b'", "an id has letters"]),
        ({"p": {"task": "sts", "path": "p"}}, {}, ["datasets.p: 'licence' is missing"]),
        ({"p": PAIRS | {"paths": "p"}}, {}, ["datasets.p: unknown key 'paths'"]),
        ({"p": PAIRS | {"task": "chess"}}, {}, ["task 'chess' is unknown"]),
        ({"p": PAIRS | {"fractions": {"test": 0.9}}}, {}, ["fractions.test = 0.9"]),
        ({"p": PAIRS | {"splits": {"train": "a"}}}, {}, ["datasets.p: 'splits.test' is missing"]),
        ({"p": PAIRS | {"splits": {"train": "a", "test": "b"}, "fractions": {"test": 0.1}}}, {}, ["has a test file"]),
        ({"p": PAIRS | {"format": {"column": 1}}}, {"data": "p"}, ["datasets.p.format: unknown key 'column'"]),
        ({"p": PAIRS | {"settings": {"max_length": 0}}}, {"data": "p"}, ["datasets.p.settings: max_length = 0"]),
        ([PAIRS], {}, ["own/data/data.yaml: give one key, datasets"]),
    ],
)
def test_bad_own_data_get_one_line(project: Path, datasets: Any, params: dict[str, Any], words: list[str]) -> None:
    write_own(project, datasets, **params)
    with pytest.raises(InputError) as error:
        validate(load_reports(profile="own"), "own")
    assert all(word in str(error.value) for word in words), error.value


def test_own_runs_name_their_data(project: Path) -> None:
    group = {"task": "sts", "model": "siamese_lstm", "data": "pairs"}
    for change, message in (
        ({}, "runs.a: 'data' is missing"),
        ({"data": "other"}, "runs.a: data = 'other': its group g has 'pairs'"),
    ):
        reports = {"groups": {"g": group}, "runs": {"a": IDENTITY | SMALL | change}}
        write_own(project, {"pairs": PAIRS}, reports)
        with pytest.raises(InputError) as error:
            load_reports(profile="own").run("a", "own")
        assert message in str(error.value)
