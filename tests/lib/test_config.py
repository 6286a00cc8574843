"""What YAML may say: bad content gets one line with file, key and value; good content becomes typed objects."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import BAD_IDS, IDENTITY, SMALL, write_params, write_reports

from stages.lib.config import SECTIONS, find_run, load_reports
from stages.lib.config_entries import Limits
from stages.lib.config_model import check_id
from stages.lib.config_params import PROFILES, REPORT_PROFILES, read_limits, read_params, read_study
from stages.lib.config_run import Run, make_run
from stages.lib.errors import InputError
from stages.lib.files import ROOT, read_yaml
from stages.lib.task import task_module, task_names
from stages.train.settings import Settings


def make(task: str = "sts", model: str = "siamese_lstm", /, limits: Limits | None = None, **changes: Any) -> Run:
    """A run as `SMALL` has it, with changes; None removes a key."""
    settings = {key: value for key, value in (SMALL | changes).items() if value is not None}
    return make_run("r", "g", "sample", task, model, settings, "reports/a.yaml: runs.r", limits or Limits())


def error_of(call: Any, *arguments: Any) -> str:
    """The one line that a call fails with."""
    with pytest.raises(InputError) as error:
        call(*arguments)
    message = str(error.value)
    assert "\n" not in message
    return message


BAD_SETTINGS = [
    ({"zzz": 1}, ["unknown key 'zzz'", "lr", "hidden_size", "loss"]),
    ({"hidden_sizes": 1}, ["unknown key 'hidden_sizes'", "hidden_size"]),
    ({"lr": "fast"}, ["lr = 'fast'", "number"]),
    ({"lr": 0}, ["lr = 0", "greater than 0"]),
    ({"lr": -1}, ["lr = -1", "greater than 0"]),
    ({"lr": float("nan")}, ["lr = nan", "finite"]),
    ({"lr": float("inf")}, ["lr = inf", "finite"]),
    ({"batch_size": 0}, ["batch_size = 0", "greater than 0"]),
    ({"batch_size": 3.5}, ["batch_size = 3.5", "integer"]),
    ({"batch_size": None}, ["'batch_size' is missing"]),
    ({"optimizer": "sgdm"}, ["optimizer = 'sgdm'", "sgd", "adam"]),
    ({"schedule": "linear"}, ["schedule = 'linear'", "staircase"]),
    ({"momentum": 1}, ["momentum = 1", "less than 1"]),
    ({"optimizer": "adam", "momentum": 0.9}, ["momentum", "optimizer sgd"]),
    ({"dampening": 1}, ["dampening = 1"]),
    ({"nesterov": True}, ["nesterov needs optimizer sgd, a momentum above 0"]),
    ({"nesterov": True, "momentum": 0.9, "dampening": 0.5}, ["nesterov", "no dampening"]),
    ({"decay_rate": 1.5}, ["decay_rate = 1.5"]),
    ({"pct_start": 0}, ["pct_start = 0"]),
    ({"clip_norm": 0}, ["clip_norm = 0"]),
    ({"keep_best": "perhaps"}, ["keep_best = 'perhaps'"]),
    ({"precision": "16"}, ["precision = '16'", "32-true"]),
    ({"epochs": 3}, ["either steps or epochs"]),
    ({"steps": None}, ["either steps or epochs"]),
    ({"steps": 0}, ["steps = 0"]),
    ({"steps": {"sample": 1}}, ["steps = {'sample': 1}"]),
    ({"seeds": 0}, ["seeds = 0"]),
    ({"seeds": "two"}, ["seeds = 'two'"]),
    ({"hidden_size": 0}, ["hidden_size = 0"]),
    ({"head": "euclid"}, ["head = 'euclid'", "cosine"]),
    ({"head_sizes": [25, 0]}, ["head_sizes.1 = 0"]),
    ({"dropout": 1}, ["dropout = 1"]),
    ({"loss": "hinge"}, ["loss = 'hinge'", "mse"]),
]


@pytest.mark.parametrize(("changes", "words"), BAD_SETTINGS)
def test_bad_settings_get_one_line_with_key_and_value(changes: dict[str, Any], words: list[str]) -> None:
    message = error_of(lambda: make(**changes))
    assert message.startswith("reports/a.yaml: runs.r: ")
    assert all(word in message for word in words), message


def test_unknown_tasks_and_models_get_one_line_with_what_there_is() -> None:
    message = error_of(make, "stst")
    assert "task 'stst' is unknown" in message
    assert "sts" in message
    assert "runs.r: model = 'mlp': sts has siamese_lstm" in error_of(make, "sts", "mlp")
    for name in ("__init__", "../config", "", "_x"):
        assert "is unknown" in error_of(make, name)


def test_a_setting_goes_to_the_training_the_network_or_the_task() -> None:
    run = make(lr=0.25, hidden_size=7, loss="pearson")
    assert (run.settings.lr, run.network.hidden_size, run.options.loss) == (0.25, 7, "pearson")


def networks() -> list[tuple[str, str, type[Any], type[Any]]]:
    found = []
    for task in task_names():
        if (ROOT / "stages" / "tasks" / task / "training").is_dir():
            options = task_module(task, "training.options")
            found += [(task, model, network, options.Options) for model, network in options.NETWORKS.items()]
    return found


def test_no_name_is_a_setting_of_two() -> None:
    """Or a flat run would not say which one it sets."""
    for task, model, network, options in networks():
        names = [*Settings.model_fields, *network.model_fields, *options.model_fields, *IDENTITY]
        assert len(names) == len(set(names)), (task, model)


def test_every_flag_is_false_by_default() -> None:
    """DVC leaves out of a command what is false: of two runs with and without `flag: false` it would see one."""
    models = {Settings, *(part for *_, network, options in networks() for part in (network, options))}
    flags = [
        (model, name) for model in models for name, field in model.model_fields.items() if field.annotation is bool
    ]
    assert len(flags) > 5
    assert not [(model, name) for model, name in flags if model.model_fields[name].default]


def test_limits_cut_every_length_and_nothing_else() -> None:
    limits = Limits(steps=6, epochs=2, seeds=1, validate_every=3)
    assert make(steps=3000, seeds=3, limits=limits).settings == make(steps=6, validate_every=3).settings
    epochs = make(steps=None, epochs=40, limits=limits).settings
    assert (epochs.steps, epochs.epochs) == (None, 2)
    short = make(steps=5, validate_every=1, limits=limits).settings
    assert (short.steps, short.validate_every) == (5, 1)
    assert make(steps=3000, seeds=3).seeds == (0, 1, 2)
    assert make(steps=3000, seeds=3, limits=limits).seeds == (0,)


def test_the_profiles_of_this_checkout_have_params_that_are_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for profile in PROFILES:
        assert read_params(profile)[0].profile == profile
    assert not any(value for _, value in read_limits("full"))


# ── Ids ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", BAD_IDS.values(), ids=BAD_IDS)
def test_what_is_no_plain_name_is_no_id(name: str) -> None:
    message = error_of(check_id, name, "run")
    assert "an id has letters, digits" in message
    assert len(message) < 300


@pytest.mark.parametrize("name", [None, 7, True, ["a"], "naïve", "a\0b", "a" * 81])
def test_ids_are_text_in_ascii(name: Any) -> None:
    error_of(check_id, name, "run")


@pytest.mark.parametrize("name", ["A-sts-lr-0.01", "cnn_224", "9", "a" * 80, "study.v2"])
def test_plain_names_are_ids(name: str) -> None:
    assert check_id(name, "run") == name


@pytest.mark.parametrize("name", BAD_IDS.values(), ids=BAD_IDS)
@pytest.mark.parametrize("section", [name for name in SECTIONS if name not in ("title", "datasets")])
def test_bad_ids_of_entries_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, a={section: {name: {}}})
    message = error_of(load_reports().section, section)
    assert message.startswith(f"reports/a.yaml: {section}: ")


@pytest.mark.parametrize("name", BAD_IDS.values(), ids=BAD_IDS)
@pytest.mark.parametrize(
    ("section", "key", "entry"),
    [
        ("groups", "task", {"task": "sts", "model": "siamese_lstm"}),
        ("groups", "model", {"task": "sts", "model": "siamese_lstm"}),
        ("tasks", "corpus", {"corpus": "stsbenchmark", "vectors": "glove"}),
        ("tasks", "vectors", {"corpus": "stsbenchmark", "vectors": "glove"}),
        ("computed", "task", {"task": "sts", "data": "sts", "networks": ["layers", "siamese_lstm.py"]}),
        ("computed", "data", {"task": "sts", "data": "sts", "networks": ["layers", "siamese_lstm.py"]}),
    ],
)
def test_bad_ids_in_entries_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, section: str, key: str, entry: dict[str, str], name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_reports(tmp_path, {}, **{section: {"a": entry | {key: name}}})
    reports = load_reports()
    message = error_of(lambda: getattr(reports, section))
    assert message.startswith(f"reports/small.yaml: {section}.a: {key} = ")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("name", BAD_IDS.values(), ids=BAD_IDS)
def test_bad_ids_of_and_in_runs_are_refused(project: Path, name: str) -> None:
    for key in IDENTITY:
        write_reports(project, {"a": {key: name}})
        assert f"reports/small.yaml: runs.a: {key}: " in error_of(load_reports().run, "a", "sample")
    assert "an id has letters, digits" in error_of(find_run, name, "sample")
    write_reports(project, {}, datasets=[name])
    assert "datasets" in error_of(lambda: load_reports().datasets)
    for key in ("task", "model"):
        write_params(project, **{key: name})
        assert f"params.yaml: {key} = " in error_of(read_study, "sample")


# ── params.yaml ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"profile": "huge"}, ["profile = 'huge'", "'sample', 'full' or 'own'"]),
        ({"profile": "full"}, ["profile = 'full'", "dvc repro full/dvc.yaml"]),
        ({"root": "/"}, ["root = '/'"]),
        ({"root": ".."}, ["root and params tell DVC"]),
        ({"params": "other.yaml"}, ["root and params tell DVC"]),
        ({"limits": {"step": 3}}, ["limits", "unknown key", "step"]),
        ({"limits": {"steps": 0}}, ["limits.steps = 0"]),
        ({"seed": -1}, ["seed = -1"]),
        ({"seed": 0.5}, ["seed = 0.5"]),
        ({"seeds": 2}, ["one `seed`, not `seeds`"]),
        ({"task": None}, ["'task' is missing"]),
        ({"networks": None}, ["'networks' is missing"]),
        ({"networks": []}, ["networks = []", "dictionary"]),
        ({"options": 3}, ["options = 3", "dictionary"]),
        ({"task": "chess"}, ["'chess' is unknown", "sts"]),
        ({"model": "mlp"}, ["model = 'mlp'", "siamese_lstm"]),
        ({"lr": 0}, ["lr = 0"]),
        ({"lr": "0,01"}, ["lr = '0,01'"]),
        ({"batch_size": None}, ["'batch_size' is missing"]),
        ({"nonsense": 1}, ["unknown key 'nonsense'"]),
        ({"networks": {"siamese_lstm": {"units": 1}}}, ["unknown key 'units'"]),
        ({"networks": {"siamese_lstm": {"lr": 1}}}, ["networks.siamese_lstm.lr", "setting of the top level"]),
        ({"options": {"sts": {"loss": 3}}}, ["loss = 3"]),
    ],
)
def test_bad_params_get_one_line(project: Path, changes: dict[str, Any], words: list[str]) -> None:
    write_params(project, **changes)
    message = error_of(read_study, "sample")
    assert message.startswith("params.yaml: ") or message.startswith("task ")
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"lr: 1\nlr: 2\n", ["params.yaml, line 2: duplicate key 'lr'"]),
        (b"a: 1\nlimits: {steps: 1, steps: 2}\n", ["params.yaml, line 2: duplicate key 'steps'"]),
        (b"a: [1\n", ["params.yaml, line 2"]),
        (b"- 1\n", ["params.yaml", "mapping"]),
        (b"", ["params.yaml", "mapping"]),
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
    message = error_of(read_study, "sample")
    assert all(word in message for word in words), message


def test_the_study_starts_as_the_best_run_of_report_a(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the comment in params.yaml says: the same settings, but for validating half as often."""
    monkeypatch.chdir(ROOT)
    for profile in REPORT_PROFILES:
        study, best = read_study(profile).parameters(), find_run("A-sts-best", profile).parameters()
        assert study | {"validate_every": 0} == best | {"validate_every": 0}


# ── reports/ ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_files(folder: Path, **files: Mapping[str, Any] | str) -> None:
    (folder / "reports").mkdir()
    for name, content in files.items():
        text = content if isinstance(content, str) else yaml.safe_dump(dict(content))
        (folder / "reports" / f"{name}.yaml").write_text(text)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, ["reports holds no YAML file"]),
        ({"a": "- 1\n"}, ["reports/a.yaml", "mapping"]),
        ({"a": {"runz": {}}}, ["reports/a.yaml: unknown key 'runz'", "runs"]),
        ({"a": {"runs": [1]}}, ["reports/a.yaml: runs: expected a mapping"]),
        (
            {"a": {"runs": {"x": {}}}, "b": {"runs": {"x": {}}}},
            ["reports/b.yaml: runs.x is defined in reports/a.yaml too"],
        ),
        ({"a": {"title": "A"}, "b": {"title": "B"}}, ["reports/b.yaml: title is given in another file too"]),
        ({"a": "runs:\n  x: {}\n  x: {}\n"}, ["reports/a.yaml, line 3: duplicate key 'x'"]),
    ],
)
def test_broken_reports_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, Any], words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, **files)
    message = error_of(load_reports)
    assert all(word in message for word in words), message


def test_files_are_merged_by_their_keys(project: Path) -> None:
    run = IDENTITY | SMALL
    write_files(
        project,
        a={"groups": {"g": {"task": "sts", "model": "siamese_lstm"}}, "runs": {"x": run}},
        b={"runs": {"y": run | {"lr": 0.25}}},
    )
    reports = load_reports()
    assert reports.run_ids() == reports.run_ids("g") == ["x", "y"]
    assert [run.settings.lr for run in reports.runs("sample", "g")] == [0.5, 0.25]
    assert reports.where("runs", "y") == "reports/b.yaml: runs.y"


@pytest.mark.usefixtures("project")
def test_a_run_and_its_group_have_to_agree(project: Path) -> None:
    other = {"groups": {"g": {"task": "sts", "model": "siamese_lstm"}, "h": {"task": "sine", "model": "forecaster"}}}
    write_reports(project, {"a": {"group": "h"}, "b": {"group": "none"}, "c": {}}, **other)
    reports = load_reports()
    assert "runs.a: task and model are sts and siamese_lstm" in error_of(reports.run, "a", "sample")
    assert "runs.b: group = 'none'" in error_of(reports.run, "b", "sample")
    assert "no group 'nope'; it has g, h" in error_of(reports.runs, "sample", "nope")
    assert "no run 'cc'; near it are c" in error_of(reports.run, "cc", "sample")
    write_reports(project, {}, **other)
    assert "groups.g: no run names this group" in error_of(load_reports().runs, "sample", "g")


def test_the_experiment_under_study_keeps_its_name(project: Path) -> None:
    """A run called study would share its folder and never be trained."""
    write_reports(project, {"study": {}})
    assert "runs.study: this id is the experiment under study" in error_of(load_reports().run, "study", "sample")


def test_every_run_of_the_reports_is_valid_in_both_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    reports = load_reports()
    for profile in REPORT_PROFILES:
        runs = reports.runs(profile)
        assert len({run.folder for run in runs}) == len(runs) > 100
        assert all((ROOT / "stages" / "networks" / f"{run.model}.py").is_file() for run in runs)
        assert {run.group for run in runs} == set(reports.groups)


def test_yaml_means_the_same_to_dvc(monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC reads YAML 1.2, this project PyYAML's 1.1: `1e-3` is text to one and `no` is false to the other."""
    from dvc.utils.serialize import load_path
    from dvc_objects.fs.local import LocalFileSystem

    monkeypatch.chdir(ROOT)
    own = ("own/params.yaml", "own/data/data.yaml", "own/reports/reports.yaml")
    others = (*own, "params.yaml", "full/params.yaml", "stages/download/catalogue.yaml")
    for path in [*sorted((ROOT / "reports").glob("*.yaml")), *(ROOT / name for name in others)]:
        assert load_path(str(path), LocalFileSystem()) == read_yaml(path), path
