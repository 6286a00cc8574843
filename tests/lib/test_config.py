"""What YAML and the command line may say: bad input gets one line, and good input means the same in both."""

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import SMALL, Call, one_error_line
from dvc.parsing.interpolate import to_str
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import train
from stages.common import config
from stages.lib.config import Profile, Run, check, make_run, parse_options, read_study, runs_of, with_checks
from stages.lib.files import ROOT, read_yaml, write_text
from stages.lib.task import get
from stages.lib.errors import InputError
from stages.plot.figures import parse_entry

PROFILES = Profile.__args__
REPORTS: dict[str, Any] = read_yaml(ROOT / "reports.yaml")
PARAMS: dict[str, Any] = read_yaml(ROOT / "params.yaml")


def make(task: str = "sts", model: str = "siamese_lstm", /, **changes: Any) -> Run:
    given = {key: value for key, value in (SMALL | changes).items() if value is not None}
    return make_run("r", "g", "sample", task, model, given, "reports.yaml: runs.r")


LENGTH = {"sample": 1, "full": 1, "paper": 1}
BAD_SETTINGS = [
    ({"colour": 1}, ["'colour' is not known", "lr", "batch_size"]),
    ({"lr": "fast"}, ["lr = 'fast'", "number"]),
    ({"lr": 0}, ["lr = 0", "greater than 0"]),
    ({"lr": -1}, ["lr = -1", "greater than 0"]),
    ({"lr": "nan"}, ["lr = 'nan'"]),
    ({"batch_size": 0}, ["batch_size = 0", "greater than 0"]),
    ({"batch_size": 3.5}, ["batch_size = 3.5", "integer"]),
    ({"batch_size": None}, ["'batch_size' is missing"]),
    ({"optimizer": "sgdm"}, ["optimizer = 'sgdm'", "sgd", "adam"]),
    ({"schedule": "linear"}, ["schedule = 'linear'", "staircase"]),
    ({"momentum": 1}, ["momentum = 1", "less than 1"]),
    ({"decay_rate": 1.5}, ["decay_rate = 1.5"]),
    ({"clip_norm": 0}, ["clip_norm = 0"]),
    ({"keep_best": "perhaps"}, ["keep_best = 'perhaps'"]),
    ({"precision": "16"}, ["precision = '16'", "32-true"]),
    ({"epochs": LENGTH}, ["either steps or epochs"]),
    ({"steps": None}, ["either steps or epochs"]),
    ({"steps": {"sample": 1, "full": 1}}, ["'steps.paper' is missing"]),
    ({"steps": {**LENGTH, "huge": 1}}, ["'steps.huge' is not known"]),
    ({"steps": {**LENGTH, "full": 0}}, ["steps.full = 0"]),
    ({"steps": 40}, ["steps = 40"]),
    ({"seeds": {**LENGTH, "sample": "two"}}, ["seeds.sample = 'two'"]),
    ({"network": {"hidden": 5}}, ["network", "'hidden' is not known", "hidden_size"]),
    ({"network": {"hidden_size": 0}}, ["network", "hidden_size = 0"]),
    ({"network": {"head": "euclid"}}, ["network", "head = 'euclid'", "cosine"]),
    ({"network": {"head_sizes": [25, 0]}}, ["network", "head_sizes.1 = 0"]),
    ({"network": {"dropout": 1}}, ["network", "dropout = 1"]),
    ({"network": 5}, ["network = 5"]),
    ({"options": {"loss": "hinge"}}, ["options", "loss = 'hinge'", "mse"]),
]


@pytest.mark.parametrize(("changes", "words"), BAD_SETTINGS)
def test_bad_settings_get_one_line_with_key_and_value(changes: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        make(**changes)
    message = str(error.value)
    assert message.startswith("reports.yaml: runs.r: ")
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_unknown_names_get_one_line_with_what_there_is() -> None:
    with pytest.raises(InputError, match=r"^task: 'stst' is not known; choose one of .*\bsts\b"):
        make("stst")
    with pytest.raises(InputError, match=r"runs\.r: model = 'mlp': sts has siamese_lstm"):
        make("sts", "mlp")
    for name in ("__init__", "../config", "", "_x"):
        with pytest.raises(InputError, match="is not known"):
            make(name)


def study(folder: Path, **changes: Any) -> None:
    content = {key: value for key, value in (PARAMS | changes).items() if value is not None}
    write_text(folder / "params.yaml", yaml.safe_dump(content))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"profile": "huge"}, ["profile = 'huge'", "sample, full or paper"]),
        ({"seed": -1}, ["seed = -1"]),
        ({"seed": True}, ["seed = True"]),
        ({"seed": 0.5}, ["seed = 0.5"]),
        ({"task": None}, ["'task' is missing"]),
        ({"networks": None}, ["'networks' is missing"]),
        ({"networks": []}, ["params.yaml: networks = []", "settings by name"]),
        ({"options": 3}, ["params.yaml: options = 3", "settings by name"]),
        ({"task": "chess"}, ["'chess' is not known", "sts"]),
        ({"model": "mlp"}, ["model = 'mlp'", "siamese_lstm"]),
        ({"lr": 0}, ["params.yaml", "lr = 0"]),
        ({"lr": "0,01"}, ["params.yaml", "lr = '0,01'"]),
        ({"batch_size": None}, ["params.yaml", "'batch_size' is missing"]),
        ({"nonsense": 1}, ["params.yaml", "'nonsense' is not known"]),
        ({"networks": {"siamese_lstm": {"units": 1}}}, ["params.yaml: network", "'units' is not known"]),
        ({"options": {"sts": {"loss": 3}}}, ["params.yaml: options", "loss = 3"]),
    ],
)
def test_bad_params_get_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    study(tmp_path, **changes)
    with pytest.raises(InputError) as error:
        read_study()
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"lr: 1\nlr: 2\n", ["params.yaml, line 1", "'lr'", "twice"]),
        (b"a: [1\n", ["params.yaml, line 2"]),
        (b"- 1\n", ["params.yaml"]),
        (b"a: \x01\n", ["params.yaml", "control characters"]),
        ("a: é\n".encode("latin-1"), ["params.yaml", "not UTF-8 text from byte 3 on"]),
        (None, ["params.yaml does not exist"]),
    ],
)
def test_broken_yaml_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    if content is not None:
        Path("params.yaml").write_bytes(content)
    with pytest.raises(InputError) as error:
        read_study()
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.pipeline
def test_stages_exit_with_2_and_one_line(call: Call, copy_of_the_code: Path) -> None:
    study(copy_of_the_code, lr=-1)
    one_error_line(call("train", "--study"), 2, "params.yaml", "lr = -1", "greater than 0")
    one_error_line(call("train", "--profile", "sample"), 2, "--study", "--run", "--model")
    words = ["--profile", "sample", "--run", "r", "--group", "g", "--task", "sts", "--model", "siamese_lstm"]
    bad = ["--lr", "x", "--batch_size", "5", "--optimizer", "sgd"]
    one_error_line(call("train", *words, *bad), 2, "reports.yaml: runs.r", "lr = 'x'")
    assert not (copy_of_the_code / "models").exists()


SCALARS = st.one_of(
    st.integers(-1000, 1000),
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=8).filter(
        lambda text: not text.startswith("--") and "${" not in text
    ),
)
KEYS = st.text("abcdefghij_", min_size=1, max_size=6)
ENTRIES = st.dictionaries(
    KEYS, st.one_of(SCALARS, st.lists(SCALARS, min_size=2, max_size=3), st.dictionaries(KEYS, SCALARS, min_size=1))
)


def as_words(value: Any) -> Any:
    """The same content as the command line can carry it: text."""
    if isinstance(value, Mapping):
        return {key: as_words(inner) for key, inner in value.items()}
    return [str(inner) for inner in value] if isinstance(value, list) else str(value)


@given(entry=ENTRIES)
@settings(max_examples=100, deadline=None)
def test_options_are_read_back_from_what_dvc_writes(entry: dict[str, Any]) -> None:
    assert parse_options(shlex.split(to_str(entry))) == as_words(entry)


def test_flags_and_lists_of_one_are_read_back() -> None:
    entry = {"network": {"symmetric": True, "head_sizes": [50], "head": "fully_connected"}, "keep_best": True}
    words = shlex.split(to_str(entry))
    assert make(**parse_options(words)).network.model_dump() == make(**entry).network.model_dump()
    assert make(**parse_options(words)).settings.keep_best
    # DVC leaves out what is false, so false has to be every flag's default.
    assert to_str({"keep_best": False}) == ""
    flags = [config.Settings, *(model for model in get("sts").networks.values())]
    defaults = [field.default for model in flags for field in model.model_fields.values() if field.annotation is bool]
    assert defaults
    assert not any(defaults)


def test_a_word_without_an_option_is_named() -> None:
    with pytest.raises(InputError, match="'stray': expected an option"):
        parse_options(["stray", "--lr", "1"])


@pytest.mark.parametrize("profile", PROFILES)
def test_every_run_means_the_same_in_yaml_and_on_the_command_line(
    profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    seen: list[Run] = []
    monkeypatch.setattr(train, "train", seen.append)
    for group in REPORTS["groups"]:
        for run in runs_of(group, profile):
            entry = REPORTS["runs"][run.id]
            words = (
                f"--profile {profile} --run {run.id} --group {group} --task {entry['task']} --model {entry['model']}"
            )
            rendered = shlex.split(f"{words} {to_str(entry['settings'])}")
            monkeypatch.setattr(sys, "argv", ["train", *rendered])
            train.main()
            assert seen[-1].parameters() == run.parameters()
            assert (seen[-1].folder, seen[-1].data, seen[-1].seeds) == (run.folder, run.data, run.seeds)
    assert {run.id for run in seen} == set(REPORTS["runs"])


def test_runs_of_a_group_share_what_dvc_takes_from_the_group() -> None:
    for name, run in REPORTS["runs"].items():
        group = REPORTS["groups"][run["group"]]
        assert {key: run[key] for key in group} == group, name
        assert run["model"] in get(run["task"]).networks
        for module in (run["model"], run.get("built_on", run["model"])):
            assert (ROOT / "stages" / "networks" / f"{module}.py").is_file()


def test_every_task_of_reports_yaml_can_be_prepared() -> None:
    for name, entry in REPORTS["tasks"].items():
        roles = {"corpus", "vectors"}
        assert {entry[role] for role in roles & set(entry)} <= set(REPORTS["datasets"])
        check(get(name).Preparation, {key: value for key, value in entry.items() if key not in roles}, name)


def test_every_group_has_runs_and_every_run_a_group() -> None:
    assert {run["group"] for run in REPORTS["runs"].values()} == set(REPORTS["groups"])
    assert {group["task"] for group in REPORTS["groups"].values()} <= set(REPORTS["tasks"])


def test_every_figure_names_existing_runs_and_a_curve_that_is_recorded() -> None:
    for name in REPORTS["figures"]:
        _, entry = parse_entry(name, with_checks(REPORTS))
        assert {entry.group, entry.baseline} - {None} <= {*REPORTS["groups"], *REPORTS["checks"]}


def test_every_claim_names_existing_runs_and_figures() -> None:
    for name, claim in REPORTS["claims"].items():
        figures = claim.get("figure", [])
        assert ({figures} if isinstance(figures, str) else set(figures)) <= set(REPORTS["figures"]), name
        runs = set(claim["runs"])
        for rule in claim["checks"]:
            runs |= {*rule.get("order", ()), *rule.get("close", ()), *filter(None, [rule.get("run")])}
        assert runs <= set(with_checks(REPORTS)["runs"]), name


def test_the_study_begins_as_the_best_run_of_report_a(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entry = REPORTS["runs"]["A-sts-best"]
    monkeypatch.chdir(tmp_path)
    for profile in PROFILES:
        study(tmp_path, profile=profile)
        best = make_run("b", "b", profile, entry["task"], entry["model"], entry["settings"], "reports.yaml")
        assert read_study().parameters() == best.parameters()
