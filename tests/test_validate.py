"""All of reports/ and params.yaml is checked before work starts."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Call, one_error_line, write_params, write_yaml

from stages.lib.config import load_reports
from stages.lib.errors import InputError
from stages.lib.files import ROOT, read_yaml
from stages.validate import check_outputs, validate

FILES: dict[str, dict[str, Any]] = {path.name: read_yaml(path) for path in (ROOT / "reports").glob("*.yaml")}


def write(folder: Path, file: str = "", path: tuple[str, ...] = (), value: Any = None) -> None:
    """reports/ and params.yaml as committed, but for another value at one place (anchors make parts shared)."""
    write_params(folder)
    for name, content in FILES.items():
        if name == file:
            content = copy.deepcopy(content)
            inner: Any = content
            for key in path[:-1]:
                inner[key] = copy.deepcopy(inner[key])
                inner = inner[key]
            inner[path[-1]] = value
        write_yaml(folder / "reports" / name, content)


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def call(*change: Any) -> None:
        write(tmp_path, *change)
        monkeypatch.chdir(tmp_path)
        for profile in ("sample", "full"):
            validate(load_reports(), profile)

    return call


def test_the_reports_are_valid(check: Callable[..., None]) -> None:
    check()


BEST, OTHER = ("runs", "A-sts-best"), ("runs", "A-sts-lr-1")
FIGURE, QUESTION = ("figures", "A-sts-lr"), ("questions", "A-sts-lr")
COMPUTED = {"data": "sts", "networks": ["layers", "layers"]}


@pytest.mark.parametrize(
    ("file", "path", "value", "words"),
    [
        ("sts.yaml", ("claims",), {}, ["unknown key 'claims'", "questions"]),
        ("common.yaml", ("tasks", "sts", "max_lenght"), 3, ["tasks.sts", "unknown key 'max_lenght'", "settings"]),
        ("common.yaml", ("tasks", "sts", "settings"), {"max_lenght": 3}, ["tasks.sts", "'max_lenght'", "max_length"]),
        ("common.yaml", ("tasks", "sts", "vectors"), "glov", ["tasks.sts", "vectors = 'glov'", "glove"]),
        ("common.yaml", ("tasks", "chess"), {"corpus": "glove"}, ["'chess' is unknown", "sts"]),
        ("sts.yaml", (*BEST, "batchsize"), 7, ["runs.A-sts-best", "unknown key 'batchsize'", "batch_size"]),
        ("sts.yaml", (*BEST, "lr"), 0, ["runs.A-sts-best", "lr = 0"]),
        ("sts.yaml", (*BEST, "head"), "x", ["runs.A-sts-best", "head = 'x'"]),
        ("sts.yaml", (*OTHER, "group"), "A-sts", ["runs.A-sts-lr-1", "group = 'A-sts'"]),
        ("sts.yaml", (*OTHER, "group"), "cnn", ["runs.A-sts-lr-1", "siamese_lstm", "cifar10"]),
        ("cifar10.yaml", ("groups", "cnn", "modell"), "x", ["groups.cnn", "unknown key 'modell'"]),
        ("cifar10.yaml", ("groups", "new"), {"task": "sts", "model": "siamese_lstm"}, ["groups.new", "no run"]),
        (
            "concepts.yaml",
            ("computed", "cnn"),
            COMPUTED | {"task": "concepts"},
            ["computed.cnn", "groups"],
        ),
        (
            "concepts.yaml",
            ("computed", "x"),
            COMPUTED | {"task": "sine"},
            ["'sine' has no statements"],
        ),
        ("sts.yaml", (*FIGURE, "widht"), 3, ["figures.A-sts-lr", "unknown key 'widht'"]),
        ("sts.yaml", (*FIGURE, "runs"), {"A-sts-lr-7": "x"}, ["figures.A-sts-lr", "A-sts-lr-7"]),
        ("sts.yaml", (*FIGURE, "baseline"), "A-st", ["figures.A-sts-lr", "A-st"]),
        ("sts.yaml", (*QUESTION, "figures"), ["A-sts-l"], ["questions.A-sts-lr", "A-sts-l"]),
        ("sts.yaml", (*QUESTION, "checks"), [{"kind": "near"}], ["questions.A-sts-lr", "near"]),
    ],
)
def test_what_a_later_stage_would_refuse_is_refused_at_once(
    check: Callable[..., None], file: str, path: tuple[str, ...], value: Any, words: list[str]
) -> None:
    with pytest.raises(InputError) as error:
        check(file, path, value)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.pipeline
def test_the_stage_leaves_nothing_for_reports_that_are_wrong(call: Call, copy_of_the_code: Path) -> None:
    outs = [copy_of_the_code / "data" / profile / "valid.txt" for profile in ("sample", "full")]
    write(copy_of_the_code, "sts.yaml", (*BEST, "seed"), 9)
    one_error_line(call("validate"), 2, "reports/sts.yaml: runs.A-sts-best", "unknown key 'seed'")
    assert not any(out.exists() for out in outs)
    write(copy_of_the_code)
    (copy_of_the_code / "full/params.yaml").write_text("profile: [\n")
    one_error_line(call("validate"), 2, "full/params.yaml, line 2")
    write_params(copy_of_the_code)
    done = call("validate")
    assert done.returncode == 0, done.stderr
    assert len({out.read_bytes() for out in outs}) == 1


@pytest.mark.parametrize(
    "output",
    [
        "models/sample/A-sts-lr/A-sts-best",
        "metrics/sample/evaluations/A-sts-left",
        "metrics/sample/figures/A-sts-left.svg",
    ],
)
def test_an_output_that_no_entry_makes_any_more_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    reports = load_reports()
    made = [Path("models", "sample", run.group, run.id) for run in reports.runs("sample")]
    made += [Path("metrics/sample/evaluations", group) for group in (*reports.groups, *reports.computed)]
    made += [
        Path("metrics/sample/figures", f"{name}.{kind}") for name in reports.figures for kind in ("csv", "png", "svg")
    ]
    for path in (*made, Path("models/sample/study/study"), Path("models/sample/A-sts-lr/.A-sts-best.part")):
        path.mkdir(parents=True)
    check_outputs(reports, "sample")
    Path(output).mkdir()
    with pytest.raises(InputError, match=f"{output}.*delete it"):
        check_outputs(reports, "sample")
