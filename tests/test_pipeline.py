"""The pipeline as DVC runs it: what it depends on, what it runs again, and what users see of it."""

import ast
import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import one_error_line

from stages.lib.files import ROOT, read_yaml
from stages.reproduce import _Runner

STAGES = ROOT / "stages"
TASKS = sorted(path.parent.name for path in (STAGES / "tasks").glob("*/__init__.py"))
CODE = sorted(path for path in STAGES.rglob("*.py") if "__pycache__" not in path.parts)


def imports(path: Path) -> set[str]:
    """The modules that a file imports anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{name.name}" for name in node.names if node.module == "stages"}
    return found


def test_stages_know_no_task_by_name() -> None:
    """A second task must need no change outside its own modules, samples and YAML."""
    for path in CODE:
        if STAGES / "tasks" in path.parents or path.parent.name == "samples":
            continue
        names = {node.value for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)}
        assert not names & set(TASKS), path
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\btask(_name)?\s*(==|!=|in\b)\s*[\"'(\[{]", text), path
        assert not any(f"stages.tasks.{task}" in imports(path) for task in TASKS), path


def test_networks_import_torch_alone() -> None:
    """And pytorch-crf, which is a torch module and nothing else."""
    for path in (STAGES / "networks").glob("*.py"):
        outside = {name.partition(".")[0] for name in imports(path) if not name.startswith("stages.networks")}
        # Report A compares with torchvision's own ResNet-18, so that one network is torchvision's.
        also = {"torchvision"} if path.name == "resnet18_224.py" else set()
        assert outside <= {"torch", "torchcrf", *also, *sys.stdlib_module_names}, path


def test_imports_run_one_way() -> None:
    """stages → tasks → networks: a task uses text and picture steps, errors and networks; a network uses networks."""
    for path in (STAGES / "tasks").rglob("*.py"):
        used = {name for name in imports(path) if name.startswith("stages")} - {"stages"}
        allowed = (
            "stages.lib.task",
            "stages.tasks",
            "stages.networks",
            "stages.lib.errors",
            "stages.lib.files",
            "stages.lib.text",
            "stages.tasks.cifar10.pictures",
        )
        assert all(name.startswith(allowed) for name in used), (path, used)
    for path in (STAGES / "networks").glob("*.py"):
        assert all(name.startswith("stages.networks") for name in imports(path) if name.startswith("stages")), path


# ── A small project of its own ────────────────────────────────────────────────────────────────────────────────────────

RUNS = ["A-sts-best", "A-sts-lr-1"]
FIGURE = "A-sts-lr"

# Python imports this at its start; each stage then leaves a note of the project's files that it opened and imported.
WATCHER = """
import atexit, json, os, sys

words = sys.orig_argv
folder = os.environ.get("WATCH_FOLDER", "")
stage = next((word for word in words if word.startswith("stages.")), "")
if folder and "-m" in words and stage and not stage.startswith("stages.lib.tracking"):
    root, opened = os.getcwd(), set()

    def hook(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
            path = os.path.join(root, os.fsdecode(arguments[0]))
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            if path.startswith(root + os.sep) and not flags & (os.O_WRONLY | os.O_RDWR):
                opened.add(os.path.relpath(path, root))

    def leave():
        files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        imported = {os.path.relpath(file, root) for file in files if file and file.startswith(root + os.sep)}
        note = {"words": words[words.index("-m") + 1:], "opened": sorted(opened), "imported": sorted(imported)}
        with open(os.path.join(folder, f"{os.getpid()}.json"), "w") as file:
            json.dump(note, file)

    atexit.register(leave)
    sys.addaudithook(hook)
"""


def write_yaml(path: Path, content: Any) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")


class Project:
    """A Git repository with this one's code, dvc.yaml as it is, and few small runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("stages", ".dvc/plots"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("dvc.yaml", ".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore"):
            shutil.copyfile(ROOT / name, folder / name)
        reports, params = read_yaml(ROOT / "reports.yaml"), read_yaml(ROOT / "params.yaml")
        groups = [reports["runs"][run]["group"] for run in RUNS]
        kept = {"runs": RUNS, "groups": groups, "figures": [FIGURE], "claims": [FIGURE]}
        for section, names in kept.items():
            reports[section] = {name: reports[section][name] for name in names}
        network = {"hidden_size": 8, "head": "cosine"}
        for run in reports["runs"].values():
            run["settings"] |= {"network": network}
        for section in ("figures", "claims"):
            reports[section][FIGURE]["runs"] = {run: run for run in RUNS}
        checks = [{"order": RUNS, "metric": "validation_mse.final", "says": "one ends below the other"}]
        reports["claims"][FIGURE] |= {"checks": checks}
        params["profile"] = "sample"
        params["networks"][params["model"]] = network
        write_yaml(folder / "reports.yaml", reports)
        write_yaml(folder / "params.yaml", params)

        (folder / "watch").mkdir()
        (folder / "watch" / "sitecustomize.py").write_text(WATCHER)
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder / "watch"),
            "WATCH_FOLDER": str(folder / "watch"),
            # Nothing listens there: what waits for MLflow goes on waiting, and no stage fails for it.
            "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "DVC_NO_ANALYTICS": "1",
            # Empty means that Python keeps compiled modules beside the code, as it does for most users.
            "PYTHONDONTWRITEBYTECODE": "",
            **{
                f"GIT_{role}_{part}": "test@localhost" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")
            },
        }
        (folder / ".gitignore").open("a").write("/watch/\n")
        self.call("git", "init", "--quiet")
        self.commit()

    def call(self, *words: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == fails, f"{words}: {done.stdout}\n{done.stderr}"
        return done

    def commit(self) -> None:
        self.call("git", "add", "--all")
        self.call("git", "commit", "--quiet", "--message", "state")

    def ran(self, done: subprocess.CompletedProcess[str]) -> list[str]:
        return re.findall(r"Running stage '([^']+)'", done.stdout)


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"))
    project.first = project.call("dvc", "repro")
    project.notes = [json.loads(path.read_text()) for path in (project.folder / "watch").glob("*.json")]
    project.commit()
    return project


def stages_of(project: Project) -> dict[str, Any]:
    """Each stage's command, deps and outs, as DVC itself resolves dvc.yaml."""
    from dvc.repo import Repo

    found = {}
    with Repo(str(project.folder)) as repo:
        for stage in repo.index.stages:
            found[stage.name] = {
                "words": shlex.split(stage.cmd),
                "params": {dep.def_path for dep in stage.deps if hasattr(dep, "params")},
                "deps": {dep.def_path for dep in stage.deps if not hasattr(dep, "params")},
                "outs": {out.def_path for out in stage.outs},
            }
    return found


# Files that a stage reads and that no output of it depends on, with the reason.
SHAPES_NOTHING = {
    r"stages/errors\.py": "words of error messages",
    r"stages/tracking/.*\.py": "what MLflow is told, beside the outputs",
    r"stages/((networks|tasks|common)/)?__init__\.py": "a docstring, and how often Python looks for garbage",
    r"stages/(.*/)?__pycache__/.*": "compiled from the modules",
    r"watch/.*": "this test's own",
    r"\.git/.*|outbox/.*|mlflow\.db": "for MLflow",
    r"models/\.resume/.*": "a killed training's own state",
}
# What a stage reads although another dependency, or its command, already says all that matters of it.
READ_ELSEWHERE = {
    ("evaluate", "reports.yaml"): "the runs of the group, of which the models tell",
    ("plot", "reports.yaml"): "the figure's entry, which the command carries",
}
# What a stage depends on although it was not opened here.
NOT_OPENED = {
    ("download", "data/sample/valid.txt"): "no work starts before reports.yaml is in order",
    ("check", "data/sample/valid.txt"): "the same",
    ("plot", f"metrics/sample/predictions/{FIGURE}"): "curves are drawn without predictions; other kinds show them",
    ("preprocess", "stages/text"): "the steps of other tasks",
    ("preprocess", "stages/pictures.py"): "the steps of another task",
    ("report", "metrics/sample/figures"): "the page links to the figures, which have to be there",
}


def covered(path: str, by: set[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in by)


@pytest.mark.pipeline
def test_every_stage_names_what_it_reads_and_nothing_else(reproduced: Project) -> None:
    stages = stages_of(reproduced)
    missing, needless, verbs = [], [], set()
    for name, stage in stages.items():
        words = stage["words"][2:]
        note = next((note for note in reproduced.notes if note["words"] == words), None)
        assert note, f"{name} was not run"
        verb = words[0].removeprefix("stages.")
        verbs.add(verb)
        read = {path for path in [*note["opened"], *note["imported"]] if (reproduced.folder / path).is_file()}
        read = {path for path in read if not any(re.fullmatch(rule, path) for rule in SHAPES_NOTHING)}
        named = stage["deps"] | stage["params"]
        missing += [
            f"{name}: {path}"
            for path in sorted(read)
            if not covered(path, named | stage["outs"]) and (verb, path) not in READ_ELSEWHERE
        ]
        needless += [
            f"{name}: {dep}"
            for dep in sorted(named)
            if not any(covered(path, {dep}) for path in read) and (verb, dep) not in NOT_OPENED
        ]
    assert verbs == {"validate", "download", "preprocess", "train", "evaluate", "check", "plot", "report"}
    assert (missing, needless) == ([], [])


@pytest.mark.pipeline
def test_every_knob_of_the_study_is_one_that_it_depends_on(reproduced: Project) -> None:
    params = read_yaml(ROOT / "params.yaml")
    for name in ("train-study", "evaluate-study"):
        named = set(read_yaml(ROOT / "dvc.yaml")["stages"][name]["params"])
        assert {one.partition(".")[0] for one in named} == set(params)
        assert {one for one in named if "." in one} == {"networks.${model}", "options.${task}"}
        assert stages_of(reproduced)[name]["params"] == {"params.yaml"}


def test_modules_without_a_dependency_hold_a_docstring_alone() -> None:
    for path in (STAGES / name / "__init__.py" for name in ("networks", "tasks", "common")):
        (docstring,) = ast.parse(path.read_text(encoding="utf-8")).body
        assert isinstance(docstring, ast.Expr)


@pytest.mark.pipeline
def test_a_second_reproduction_runs_nothing(reproduced: Project) -> None:
    assert len(reproduced.ran(reproduced.first)) == len(stages_of(reproduced))
    again = reproduced.call("dvc", "repro")
    assert reproduced.ran(again) == []
    assert "up to date" in again.stdout + again.stderr
    assert (reproduced.folder / "metrics/sample/index.html").is_file()
    assert reproduced.call("git", "status", "--porcelain").stdout == ""


@pytest.mark.pipeline
def test_stages_side_by_side_leave_what_dvc_repro_leaves(reproduced: Project, tmp_path: Path) -> None:
    project = Project(tmp_path)
    reproduce = (sys.executable, "-m", "stages.reproduce", "--jobs", "2")
    one = project.call(*reproduce, "train@A-sts-best")
    wanted = ["download@glove", "download@stsbenchmark", "preprocess@sts", "train@A-sts-best", "validate"]
    assert sorted(project.ran(one)) == wanted
    rest = project.ran(project.call(*reproduce))
    assert sorted([*wanted, *rest]) == sorted(stages_of(project))
    assert project.ran(project.call("dvc", "repro")) == []
    for path in (reproduced.folder / "models/sample").rglob("*"):
        if path.is_file():
            assert (project.folder / path.relative_to(reproduced.folder)).read_bytes() == path.read_bytes(), path

    reports = read_yaml(project.folder / "reports.yaml")
    reports["runs"]["A-sts-lr-1"]["settings"]["lr"] = -1
    write_yaml(project.folder / "reports.yaml", reports)
    failed = project.call(*reproduce, fails=True)
    assert failed.returncode == 2
    assert "runs.A-sts-lr-1: lr = -1" in failed.stderr
    assert "error: stage 'validate' failed" in failed.stderr
    assert project.ran(failed) == ["validate"]
    one_error_line(project.call(*reproduce, "train@none", fails=True), 2, "train@none")
    one_error_line(project.call(*reproduce, "--jobs", "0", fails=True), 2, "--jobs 0")


class Stub:
    """As much of a DVC stage as the runner asks for."""

    def __init__(self, name: str, command: str, calls: list[tuple[str, str]]) -> None:
        self.addressing, self.cmd, self.calls, self.dvcfile = name, command, calls, self

    def changed(self) -> bool:
        return True

    def save(self) -> None:
        self.calls.append(("saved", self.addressing))

    def commit(self) -> None:
        self.calls.append(("committed", self.addressing))

    def dump_stages(self, stages: list["Stub"], update_pipeline: bool) -> None:
        assert not update_pipeline
        self.calls += [("recorded", stage.addressing) for stage in stages]


def test_what_ends_well_beside_a_failed_stage_is_recorded(capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[tuple[str, str]] = []
    slow = Stub("slow", "python -m timeit -n1 -r1 -s 'import time' 'time.sleep(2)'", calls)
    bad = Stub("bad", "python -m json.tool none.json", calls)
    after_bad, after_slow = Stub("after-bad", "python -m this", calls), Stub("after-slow", "python -m this", calls)
    with pytest.raises(SystemExit) as stopped:
        _Runner(2).run(TopologicalSorter({bad: [], slow: [], after_bad: [bad], after_slow: [slow]}))
    assert stopped.value.code not in (0, None)
    assert calls == [("saved", "slow"), ("committed", "slow"), ("recorded", "slow")]
    assert "error: stage 'bad' failed" in capfd.readouterr().err


@pytest.mark.pipeline
def test_an_experiment_retrains_one_model_and_shows_its_numbers(reproduced: Project) -> None:
    try:
        done = reproduced.call("dvc", "exp", "run", "--name", "slower", "-S", "lr=0.01")
        assert reproduced.ran(done) == ["train-study", "evaluate-study"]
        diff = json.loads(reproduced.call("dvc", "metrics", "diff", "--json").stdout)
        (changed,) = diff.get("diff", diff)
        assert changed == "metrics/study.json"
        shown = reproduced.call("dvc", "exp", "show", "--csv", "--no-pager").stdout
        rows = list(csv.DictReader(io.StringIO(shown)))
        row = next(row for row in rows if row["Experiment"] == "slower")
        assert float(row["lr"]) == 0.01
        study = json.loads((reproduced.folder / "metrics/study.json").read_text())
        for split in ("validation", "test"):
            for metric, value in study[split].items():
                assert float(row[f"{split}.{metric}"]) == pytest.approx(value, rel=1e-3)
        # One column a metric and a knob; DVC adds one for each file that a stage depends on.
        assert len([name for name in row if not (ROOT / name).exists() and "/" not in name]) <= 50
        changed = reproduced.call("dvc", "exp", "show", "--csv", "--no-pager", "--only-changed").stdout
        columns = next(csv.reader(io.StringIO(changed)))
        assert {"lr", "validation.pearson", "test.pearson"} <= set(columns)
        assert len(columns) <= 20
    finally:
        reproduced.call("git", "checkout", "--quiet", "--", ".")
        reproduced.call("dvc", "checkout", "--quiet")


@pytest.mark.pipeline
def test_a_bad_value_stops_an_experiment_with_one_line(reproduced: Project) -> None:
    try:
        done = reproduced.call("dvc", "exp", "run", "-S", "lr=-1", fails=True)
        errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        assert errors == ["error: params.yaml: lr = -1: Input should be greater than 0"]
        assert "Traceback" not in done.stderr
        one_error_line(reproduced.call(sys.executable, "-m", "stages.train", "--study", fails=True), 2, "lr = -1")
    finally:
        reproduced.call("git", "checkout", "--quiet", "--", ".")
        reproduced.call("dvc", "checkout", "--quiet")
