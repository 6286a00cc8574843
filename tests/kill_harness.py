"""Kills at random moments, over every stage and both commands: `python tests/kill_harness.py --kills 200`.

A small project is reproduced again and again; each time the whole process group, or the parent process alone, gets a
SIGKILL at a random moment, and the same work is started again at once. Whenever it comes to its end, everything that
DVC has recorded is compared with an undisturbed run, and the project is emptied.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from small_project import Project, stages_run

from stages.lib.files import read_yaml

REPRODUCE = (sys.executable, "-m", "stages.reproduce", "--jobs", "2")
DVC = ("dvc", "repro")
NAMES = {REPRODUCE: "stages.reproduce", DVC: "dvc repro"}
MADE = ("data", "models", "metrics", "dvc.lock", ".dvc/cache", ".dvc/tmp")


def kill_at_random(project: Project, kills: int, seed: int = 0) -> Counter[str]:
    """Kill `kills` times; returns how often which command was killed in which way, and how often the work was finished.

    Raises AssertionError where a command fails, or ends with other hashes than an undisturbed run.
    """
    generator, seconds = random.Random(seed), {}
    for command in (DVC, REPRODUCE):
        empty(project)
        start = time.monotonic()
        project.call(*command)
        seconds[command] = time.monotonic() - start
    expected = recorded(project)
    empty(project)
    count: Counter[str] = Counter()
    command = DVC
    while count.total() - count["finished"] < kills:
        print(dict(count), file=sys.stderr, flush=True)
        killed = kill_once(project, command, generator.uniform(0.2, seconds[command] / 2), generator.random() < 0.5)
        if killed:
            count[f"{NAMES[command]}, {killed}"] += 1
        else:
            check(project, expected)
            empty(project)
            count["finished"] += 1
        # A kill while DVC itself writes is mended by any command of this project, which `dvc repro` is not.
        command = REPRODUCE if killed and command == DVC else generator.choice((DVC, REPRODUCE))
    project.call(*REPRODUCE)
    check(project, expected)
    count["finished"] += 1
    return count


def kill_once(project: Project, command: tuple[str, ...], after: float, group: bool) -> str:
    """Start a command and kill it after so many seconds; returns what was killed, nothing where it ended before."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            command, cwd=project.folder, env=project.environment, start_new_session=True, stdout=output, stderr=output
        )
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
            process.wait()
            return "process group" if group else "parent alone"
        output.seek(0)
        assert process.returncode == 0, f"{command} ended with {process.returncode}: {output.read()}"
    return ""


def recorded(project: Project) -> dict[str, dict[str, str]]:
    """The hashes of every stage's outputs."""
    stages = read_yaml(project.folder / "dvc.lock")["stages"]
    return {name: {out["path"]: out["md5"] for out in stage["outs"]} for name, stage in stages.items()}


def check(project: Project, expected: dict[str, dict[str, str]]) -> None:
    """Everything has the hashes of an undisturbed run, and is where DVC expects it."""
    assert recorded(project) == expected
    assert stages_run(project.call("dvc", "repro")) == []


def empty(project: Project) -> None:
    for name in MADE:
        path = project.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, number in sorted(kill_at_random(Project(Path(folder)), arguments.kills, arguments.seed).items()):
            print(f"{name}: {number}")


if __name__ == "__main__":
    main()
