"""A Git repository with this one's code and dvc.yaml, and a few runs that train in a moment."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from conftest import write_yaml

from stages.lib.files import ROOT, read_yaml

BEST, OTHER, FIGURE, COUNTS = "A-sts-best", "A-sts-lr-1", "A-sts-lr", "sts-statements"
FULL = ("full/dvc.yaml", "full/params.yaml")
STAGES = {
    "validate",
    *("download@stsbenchmark", "download@glove", "preprocess@sts"),
    *(f"train@{BEST}", f"train@{OTHER}", f"evaluate@{BEST}", f"evaluate@{FIGURE}", f"compute@{COUNTS}"),
    *(f"figure@{FIGURE}", "report", "train-study", "evaluate-study"),
}

# Python imports this at its start; each stage then leaves a list of the project's files that it opened and imported.
WATCHER = """
import atexit, json, os, sys

words = sys.orig_argv
folder = os.environ.get("WATCH_FOLDER", "")
if folder and "-m" in words and words[words.index("-m") + 1].startswith("stages."):
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
        content = {"words": words[words.index("-m") + 1:], "opened": sorted(opened), "imported": sorted(imported)}
        with open(os.path.join(folder, f"{os.getpid()}.json"), "w") as file:
            json.dump(content, file)

    atexit.register(leave)
    sys.addaudithook(hook)
"""


def small_reports() -> dict[str, dict[str, Any]]:
    """The content of reports/ by file name; all of dvc.yaml's files have to be there."""
    common = read_yaml(ROOT / "reports" / "common.yaml")
    files: dict[str, dict[str, Any]] = {path.name: {"runs": {}} for path in (ROOT / "reports").glob("*.yaml")}
    files["common.yaml"] = {
        "title": common["title"],
        "sources": {"A": common["sources"]["A"]},
        "headings": {"sts": common["headings"]["sts"]},
        "datasets": ["stsbenchmark", "glove"],
        "tasks": {"sts": common["tasks"]["sts"]},
    }
    best = {"group": BEST, "task": "sts", "model": "siamese_lstm", "hidden_size": 8, "optimizer": "sgd", "lr": 1.0}
    best |= {"batch_size": 35, "schedule": "staircase", "decay_rate": 0.96, "decay_steps": 100, "steps": 3000}
    group = {"task": "sts", "model": "siamese_lstm"}
    shown = {"runs": {BEST: "decaying", OTHER: "constant"}, "curve": "validation_mse", "x_label": "step"}
    check = {"kind": "lower", "statement": "a decaying rate ends lower", "run": BEST, "against": OTHER}
    files["sts.yaml"] = {
        "groups": {BEST: group, FIGURE: group},
        "runs": {BEST: best, OTHER: best | {"group": FIGURE, "schedule": "constant", "lr": 0.5}},
        "computed": {COUNTS: {"task": "sts", "data": "sts", "networks": ["layers", "siamese_lstm.py"]}},
        "figures": {
            FIGURE: {"kind": "curves", "group": FIGURE, "baseline": BEST, "title": "Rate", "y_label": "MSE", **shown}
        },
        "questions": {
            FIGURE: {
                **{"report": "A", "title": "Does decay help?", "quote": "有帮助", "translation": "It helps."},
                **{"reported": "It ends lower.", "basis": "text", "metrics": ["validation.mse"]},
                "checks": [check | {"metric": "validation.mse"}],
            }
        },
    }
    return files


class Project:
    """`call` runs commands in it as a user would, with this Python's environment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        for name in ("stages", ".dvc/plots"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "full").mkdir()
        for name in ("dvc.yaml", ".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore", *FULL):
            shutil.copyfile(ROOT / name, folder / name)
        for name, content in small_reports().items():
            write_yaml(folder / "reports" / name, content)
        params = read_yaml(ROOT / "params.yaml")
        params["networks"] = {params["model"]: {"hidden_size": 6}}
        write_yaml(folder / "params.yaml", params)
        (folder / "watch").mkdir()
        (folder / "watch" / "sitecustomize.py").write_text(WATCHER)
        (folder / ".gitignore").open("a").write("/watch/\n")
        self.environment = environment(folder)
        self.call("git", "init", "--quiet")
        self.commit()

    def call(self, *words: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
        """Run a command; whether it fails has to be said."""
        done = subprocess.run(words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == fails, f"{words}: {done.stdout}\n{done.stderr}"
        return done

    def add_remote(self, url: str, *setting: str, scope: str = "--local") -> None:
        """A DVC remote `store`, for this checkout or (`--project`) for its clones too."""
        self.call("dvc", "remote", "add", scope, "--force", "store", url)
        if setting:
            self.call("dvc", "remote", "modify", scope, "store", *setting)
            self.environment |= {name: value for name, value in os.environ.items() if name.startswith("AWS_")}

    def commit(self) -> None:
        self.call("git", "add", "--all")
        self.call("git", "commit", "--quiet", "--message", "state")

    def watched(self) -> list[dict[str, Any]]:
        """What each stage opened and imported."""
        return [json.loads(path.read_text()) for path in (self.folder / "watch").glob("*.json")]


def environment(folder: Path) -> dict[str, str]:
    """Of commands in a small project: nothing is sent, and Git has an author."""
    author = {f"GIT_{role}_{part}": "test@localhost" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    return {
        **os.environ,
        **author,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "watch"),
        "WATCH_FOLDER": str(folder / "watch"),
        # Nothing listens there: MLflow is told nothing, and no stage fails for it.
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
        "DVC_NO_ANALYTICS": "1",
        # Empty means that Python keeps compiled modules beside the code, as it does for most users.
        "PYTHONDONTWRITEBYTECODE": "",
    }


def lengthen(project: Project, steps: int) -> None:
    """Have every run train for so many steps."""
    for name in ("params.yaml", "reports/sts.yaml"):
        path = project.folder / name
        lengthened = re.sub(r"\bsteps: \d+", f"steps: {steps}", path.read_text())
        path.write_text(lengthened.replace("validate_every: 1", "validate_every: 10000"))
    project.commit()


def stages_run(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The stages that a command has run, in their order."""
    return re.findall(r"Running stage '([^']+)'", done.stdout)


def resolved_stages(folder: Path) -> dict[str, Any]:
    """Each stage's command, parameter files, deps and outs, as DVC resolves the root's dvc.yaml."""
    from dvc.repo import Repo

    found = {}
    with Repo(str(folder)) as repo:
        for stage in repo.index.stages:
            if stage.path_in_repo != "dvc.yaml":
                continue
            found[stage.name] = {
                "words": shlex.split(stage.cmd),
                "params": {dep.def_path for dep in stage.deps if hasattr(dep, "params")},
                "deps": {dep.def_path for dep in stage.deps if not hasattr(dep, "params")},
                "outs": {out.def_path: out.use_cache for out in stage.outs},
            }
    return found
