"""The pipeline as DVC runs it: what runs again, what users see of it, and what travels to another clone."""

import csv
import io
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import BAD_IDS, one_error_line, write_yaml
from small_project import BEST, COUNTS, FIGURE, OTHER, STAGES, Project, resolved_stages, stages_run

from stages.lib.files import read_yaml

pytestmark = pytest.mark.pipeline
REPORTS = Path("reports", "sts.yaml")


def weights(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("models/**/*.safetensors")}


def test_a_second_reproduction_runs_nothing(reproduced: Project) -> None:
    assert set(stages_run(reproduced.first)) == set(resolved_stages(reproduced.folder)) == STAGES
    again = reproduced.call("dvc", "repro")
    assert stages_run(again) == []
    assert "up to date" in again.stdout + again.stderr
    assert (reproduced.folder / "metrics/sample/index.html").is_file()
    assert reproduced.call("git", "status", "--porcelain").stdout == ""


def test_every_output_is_in_the_cache(reproduced: Project) -> None:
    for name, stage in resolved_stages(reproduced.folder).items():
        assert stage["outs"], name
        assert all(stage["outs"].values()), name
        for path in stage["outs"]:
            reproduced.call("git", "check-ignore", "--quiet", path)


def test_a_weight_is_on_the_disk_once(reproduced: Project) -> None:
    cached = {path.stat().st_ino for path in (reproduced.folder / ".dvc/cache").rglob("*") if path.is_file()}
    files = list(reproduced.folder.glob("models/sample/**/weights.safetensors"))
    assert len(files) == 3
    assert all(path.stat().st_ino in cached for path in files)


def test_both_pipelines_load(reproduced: Project) -> None:
    assert "up to date" in reproduced.call("dvc", "status", "dvc.yaml").stdout
    full = reproduced.call("dvc", "status", "full/dvc.yaml").stdout
    for name in STAGES:
        assert f"full/dvc.yaml:{name}:" in full
    assert "data/sample" not in full
    assert "models/full/study/study" in full


def test_stages_side_by_side_leave_what_dvc_repro_leaves(reproduced: Project, tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    reproduce = (sys.executable, "-m", "stages.reproduce", "--jobs", "2")
    wanted = ["download@glove", "download@stsbenchmark", "preprocess@sts", f"train@{BEST}", "validate"]
    assert sorted(stages_run(project.call(*reproduce, f"train@{BEST}"))) == wanted
    planned = project.call(*reproduce, "--plan").stdout.splitlines()
    assert f"train@{OTHER}: unknown" in planned
    assert planned[-1].startswith(f"{len(STAGES) - len(wanted)} stages: ")
    rest = stages_run(project.call(*reproduce))
    assert sorted([*wanted, *rest]) == sorted(STAGES)
    assert stages_run(project.call("dvc", "repro")) == []
    assert weights(project.folder) == weights(reproduced.folder)
    assert not (project.folder / "metrics/full").exists()

    reports = read_yaml(project.folder / REPORTS)
    reports["runs"][OTHER]["lr"] = -1
    write_yaml(project.folder / REPORTS, reports)
    failed = project.call(*reproduce, fails=True)
    assert failed.returncode == 2
    assert f"reports/sts.yaml: runs.{OTHER}: lr = -1" in failed.stderr
    assert "error: stage 'validate' failed" in failed.stderr
    assert stages_run(failed) == ["validate"]
    one_error_line(project.call(*reproduce, "train@none", fails=True), 2, "train@none")
    one_error_line(project.call(*reproduce, "--jobs", "0", fails=True), 2, "--jobs 0")
    nobody = project.call(*reproduce, "--scheduler", "127.0.0.1:9", fails=True)
    one_error_line(nobody, 2, "--scheduler 127.0.0.1:9: no scheduler answers there")


@pytest.fixture
def restored(reproduced: Project) -> Project:
    """The reproduced project, put back afterwards."""
    yield reproduced
    reproduced.call("git", "checkout", "--quiet", "--", ".")
    reproduced.call("dvc", "checkout", "--quiet", "dvc.yaml")


def test_an_experiment_retrains_one_model_and_shows_its_numbers(restored: Project) -> None:
    done = restored.call("dvc", "exp", "run", "--name", "slower", "-S", "lr=0.01")
    assert stages_run(done) == ["train-study", "evaluate-study"]
    diff = json.loads(restored.call("dvc", "metrics", "diff", "--json").stdout)
    (changed,) = diff.get("diff", diff)
    assert changed == "metrics/sample/study.json"
    shown = restored.call("dvc", "exp", "show", "--csv", "--no-pager").stdout
    rows = list(csv.DictReader(io.StringIO(shown)))
    row = next(row for row in rows if row["Experiment"] == "slower")
    lr = next(name for name in row if name == "lr" or (name.endswith(":lr") and "full" not in name))
    assert float(row[lr]) == 0.01
    study = json.loads((restored.folder / "metrics/sample/study.json").read_text())
    for split in ("validation", "test"):
        for metric, value in study[split].items():
            (name,) = [name for name in row if name.endswith(f"{split}.{metric}") and "full" not in name]
            assert float(row[name]) == pytest.approx(value, rel=1e-3)
    changed = restored.call("dvc", "exp", "show", "--csv", "--no-pager", "--only-changed").stdout
    columns = next(csv.reader(io.StringIO(changed)))
    assert lr in columns
    assert len(columns) <= 20


def test_an_experiment_in_a_temporary_folder_runs_two_stages(restored: Project) -> None:
    done = restored.call("dvc", "exp", "run", "--temp", "--name", "elsewhere", "-S", "lr=0.02")
    assert stages_run(done) == ["train-study", "evaluate-study"]
    assert weights(restored.folder)


def test_a_bad_value_stops_an_experiment_with_one_line(restored: Project) -> None:
    done = restored.call("dvc", "exp", "run", "-S", "lr=-1", fails=True)
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert errors == ["error: params.yaml: lr = -1: Input should be greater than 0"]
    assert "Traceback" not in done.stderr


# ── Ids ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

#: Section of reports/sts.yaml or common.yaml, and the entry whose id becomes a bad one.
ENTRIES = {"runs": OTHER, "groups": FIGURE, "figures": FIGURE, "questions": FIGURE, "computed": COUNTS, "tasks": "sts"}
VALUES = [
    ("runs", OTHER, "group"),
    ("runs", OTHER, "task"),
    ("runs", OTHER, "model"),
    ("groups", FIGURE, "task"),
    ("figures", FIGURE, "group"),
    ("computed", COUNTS, "data"),
    ("tasks", "sts", "corpus"),
]


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project in which nothing has run, in a folder with others' files that no command may delete or write."""
    folder = tmp_path_factory.mktemp("untouched")
    for name in ("x", "a b", "c"):
        (folder / name).mkdir()
        (folder / name / "kept").write_text("kept")
    return Project(folder / "project")


def files(folder: Path) -> dict[str, bytes]:
    """Everything that is not Git's, DVC's or the tests' own."""
    found = {}
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and not {".git", ".dvc", "watch", "__pycache__"} & set(parts):
            found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def refuses(project: Project, *command: str) -> str:
    """The command fails, runs at most `validate`, and leaves all files as they were; returns what it printed."""
    with left_alone(project):
        done = project.call(*command, fails=True)
        assert set(stages_run(done)) <= {"validate"}
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


@contextmanager
def left_alone(project: Project) -> Iterator[None]:
    before = files(project.folder.parent)
    yield
    assert files(project.folder.parent) == before


@pytest.fixture
def repro_refuses(unchanged: Project, tmp_path: Path) -> Callable[[], None]:
    """As refuses(unchanged, "dvc", "repro"), in forks of this process, which has imported DVC."""
    import dvc.cli
    import dvc.logger

    def repro() -> None:
        file = os.open(tmp_path / "printed", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        dvc.logger.setup()
        os.environ.update(unchanged.environment)
        os.chdir(unchanged.folder)
        code = dvc.cli.main(["repro"])
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def refuse() -> None:
        with left_alone(unchanged):
            process = multiprocessing.get_context("fork").Process(target=repro)
            process.start()
            process.join()
        printed = (tmp_path / "printed").read_text()
        assert process.exitcode, printed
        assert "ERROR: " in printed
        assert set(stages_run(subprocess.CompletedProcess([], process.exitcode, printed))) <= {"validate"}
        assert "Traceback" not in printed

    return refuse


def change(project: Project, section: str, entry: str, name: str, key: str | None = None) -> None:
    """Give an entry another id, or one of its keys another value."""
    path = project.folder / ("reports/common.yaml" if section == "tasks" else REPORTS)
    content = read_yaml(path)
    if key is None:
        content[section][name] = content[section].pop(entry)
    else:
        content[section][entry][key] = name
    write_yaml(path, content)


@pytest.fixture
def unchanged(untouched: Project) -> Project:
    yield untouched
    untouched.call("git", "checkout", "--quiet", "--", ".")


@pytest.mark.parametrize("kind", ["parent", "shell", "newline"])
@pytest.mark.parametrize("section", ENTRIES)
def test_repro_refuses_bad_ids_before_anything_runs(
    unchanged: Project, repro_refuses: Callable[[], None], section: str, kind: str
) -> None:
    change(unchanged, section, ENTRIES[section], BAD_IDS[kind])
    repro_refuses()


@pytest.mark.parametrize("kind", ["slash", "dots", "space", "semicolon", "dot", "dash", "long"])
def test_repro_refuses_every_bad_id_of_a_run(unchanged: Project, repro_refuses: Callable[[], None], kind: str) -> None:
    change(unchanged, "runs", OTHER, BAD_IDS[kind])
    repro_refuses()


@pytest.mark.parametrize("kind", ["parent", "shell"])
@pytest.mark.parametrize(("section", "entry", "key"), VALUES)
def test_repro_refuses_bad_ids_in_entries(
    unchanged: Project, repro_refuses: Callable[[], None], section: str, entry: str, key: str, kind: str
) -> None:
    change(unchanged, section, entry, BAD_IDS[kind], key)
    repro_refuses()


def test_repro_refuses_keys_that_a_shell_would_run(unchanged: Project) -> None:
    """Values of a run are quoted by DVC, keys are not."""
    change(unchanged, "runs", OTHER, "0.5", "lr; touch y;")
    assert "unknown key 'lr; touch y;'" in refuses(unchanged, "dvc", "repro")
    unchanged.call("git", "checkout", "--quiet", "--", ".")
    params = read_yaml(unchanged.folder / "params.yaml")
    write_yaml(unchanged.folder / "params.yaml", params | {"limits": {"steps; touch y;": 3}})
    assert "unknown key 'limits.steps; touch y;'" in refuses(unchanged, "dvc", "repro")


def test_values_reach_the_shell_quoted(unchanged: Project) -> None:
    change(unchanged, "runs", OTHER, "$(touch y)", "schedule")
    assert "schedule = '$(touch y)'" in refuses(unchanged, "dvc", "repro")


def test_side_by_side_refuses_bad_ids_too(unchanged: Project) -> None:
    for kind in ("parent", "shell"):
        change(unchanged, "runs", OTHER, BAD_IDS[kind])
        change(unchanged, "runs", BAD_IDS[kind], "nope", "task")
        refuses(unchanged, sys.executable, "-m", "stages.reproduce")
        unchanged.call("git", "checkout", "--quiet", "--", ".")


@pytest.mark.parametrize("kind", ["parent", "shell"])
def test_a_project_with_results_refuses_them_too(restored: Project, kind: str) -> None:
    """validate has run before, for other content of reports/ and params.yaml."""
    outside = restored.folder.parent / "x"
    outside.mkdir(exist_ok=True)
    (outside / "kept").write_text("kept")
    change(restored, "runs", OTHER, BAD_IDS[kind])
    before = files(restored.folder.parent)
    done = restored.call("dvc", "repro", f"train@{BEST}", fails=True)
    assert set(stages_run(done)) <= {"validate"}
    # DVC deletes the output of the stage that it starts, which writes the same again.
    after = files(restored.folder.parent) | {"project/data/sample/valid.txt": before["project/data/sample/valid.txt"]}
    assert after == before


OPTIONS = {
    "download": "--dataset",
    "preprocess": "--task",
    "train": "--run",
    "evaluate": "--group",
    "compute": "--group",
    "plot": "--figure",
}


@pytest.mark.parametrize("stage", OPTIONS)
def test_commands_refuse_bad_ids(
    untouched: Project, stage: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As `python -m` would run them, in this process, which has imported torch."""
    before = files(untouched.folder.parent)
    monkeypatch.chdir(untouched.folder)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    for kind in ("parent", "shell", "newline", "long", "dots"):
        words = [f"stages.{stage}", "--profile", "sample", f"{OPTIONS[stage]}={BAD_IDS[kind]}"]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            runpy.run_module(f"stages.{stage}", run_name="__main__")
        printed = capfd.readouterr()
        one_error_line(subprocess.CompletedProcess(words, ended.value.code, printed.out, printed.err), 2)
        assert files(untouched.folder.parent) == before


def test_a_command_line_refuses_a_bad_id(untouched: Project) -> None:
    command = (sys.executable, "-m", "stages.train", "--profile", "sample", f"--run={BAD_IDS['parent']}")
    before = files(untouched.folder.parent)
    one_error_line(untouched.call(*command, fails=True), 2)
    assert files(untouched.folder.parent) == before
