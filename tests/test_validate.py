"""All of reports.yaml is checked before work starts."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Call, one_error_line

from stages.lib.files import ROOT, read_yaml
from stages.lib.errors import InputError
from stages.validate import validate

REPORTS: dict[str, Any] = read_yaml(ROOT / "reports.yaml")


def broken(*path: str, value: Any) -> dict[str, Any]:
    """reports.yaml with another value at this place, for this place alone (anchors make parts shared)."""
    content = copy.deepcopy(REPORTS)
    inner: Any = content
    for key in path[:-1]:
        inner[key] = copy.deepcopy(inner[key])
        inner = inner[key]
    inner[path[-1]] = value
    return content


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    def call(content: dict[str, Any]) -> None:
        (tmp_path / "reports.yaml").write_text(yaml.safe_dump(content))
        monkeypatch.chdir(tmp_path)
        validate(content, "full")

    return call


def test_the_reports_are_valid(check: Callable[[dict[str, Any]], None]) -> None:
    check(REPORTS)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("claimz",), {}, ["'claimz' is not known", "claims"]),
        (("tasks", "sts", "max_lenght"), 3, ["tasks.sts", "'max_lenght' is not known", "max_length"]),
        (("tasks", "sts", "vectors"), "glov", ["tasks.sts", "vectors = 'glov'", "glove"]),
        (("runs", "A-sts-best", "batchsize"), 7, ["runs.A-sts-best", "'batchsize' is not known", "settings"]),
        (("runs", "A-sts-best", "settings", "lr"), 0, ["runs.A-sts-best", "lr = 0"]),
        (("runs", "A-sts-best", "settings", "network", "head"), "x", ["runs.A-sts-best: network", "head = 'x'"]),
        (("runs", "A-sts-best", "group"), "A-sts", ["runs.A-sts-best", "group = 'A-sts'"]),
        (("runs", "A-sts-best", "group"), "cnn", ["runs.A-sts-best", "siamese_lstm", "cifar10"]),
        (("groups", "cnn", "modell"), "x", ["groups.cnn.modell", "is not known"]),
        (("figures", "A-sts-lr", "widht"), 3, ["figures.A-sts-lr", "'widht' is not known"]),
        (("figures", "A-sts-lr", "runs"), {"A-sts-lr-7": "x"}, ["figures.A-sts-lr", "no run 'A-sts-lr-7'"]),
        (("figures", "A-sts-lr", "baseline"), "A-st", ["figures.A-sts-lr", "A-st"]),
        (("claims", "A-sts-lr", "figure"), "A-sts-l", ["claims.A-sts-lr", "no figure 'A-sts-l'"]),
        (("claims", "A-sts-lr", "checks"), [{"metric": "m", "near": 1}], ["claims.A-sts-lr", "within"]),
    ],
)
def test_what_a_later_stage_would_refuse_is_refused_at_once(
    check: Callable[[dict[str, Any]], None], path: tuple[str, ...], value: Any, words: list[str]
) -> None:
    with pytest.raises(InputError) as error:
        check(broken(*path, value=value))
    assert str(error.value).startswith("reports.yaml")
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.pipeline
def test_the_stage_leaves_nothing_for_reports_that_are_wrong(call: Call, copy_of_the_code: Path) -> None:
    out = copy_of_the_code / "data/sample/valid.txt"
    (copy_of_the_code / "reports.yaml").write_text(yaml.safe_dump(broken("runs", "A-sts-best", "seeds", value=9)))
    one_error_line(call("validate", "--profile", "sample"), 2, "reports.yaml: runs.A-sts-best", "'seeds' is not known")
    assert not out.exists()
    (copy_of_the_code / "reports.yaml").write_text(yaml.safe_dump(REPORTS))
    done = call("validate", "--profile", "sample")
    assert done.returncode == 0, done.stderr
    assert out.is_file()
