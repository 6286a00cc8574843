"""Killed at any moment, the same command started again ends with the same bytes."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dvc import rwlock
from dvc.fs import localfs
from kill_harness import REPRODUCE, kill_at_random
from small_project import BEST, Project, lengthen, stages_run

from stages.lib.recovery import mend

TRAIN = (sys.executable, "-m", "stages.train", "--profile", "sample", "--run", BEST)
#: Writes a file in place, a part every fifth of a second.
SLOW_WRITER = """
import sys, time

with open(sys.argv[1], "w", buffering=1) as file:
    for number in range(8):
        file.write(f"{number}\\n-")
        time.sleep(0.2)
    file.write("end\\n")
"""


@pytest.mark.kills
def test_twenty_kills_end_in_the_same_hashes(tmp_path: Path) -> None:
    count = kill_at_random(Project(tmp_path), 20)
    assert count.total() - count["finished"] == 20
    assert count["finished"] >= 1


@pytest.fixture
def locks(tmp_path: Path) -> Path:
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    (tmp_path / "full").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", ["dvc.lock", "full/dvc.lock"])
@pytest.mark.parametrize("left", [0, 1, 20, -1])
def test_a_lock_that_was_cut_off_comes_back(
    locks: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, left: int
) -> None:
    monkeypatch.setattr("stages.lib.recovery.QUIET_SECONDS", 0.1)
    path, content = locks / name, b"schema: '2.0'\nstages:\n  validate:\n    cmd: python -m stages.validate\n"
    path.write_bytes(content)
    mend(locks)
    assert capsys.readouterr().err == ""
    path.write_bytes(content[:left])
    mend(locks)
    assert path.read_bytes() == content
    assert capsys.readouterr().err == f"{name} was cut off by a killed process; its last complete copy is back\n"


def test_a_lock_that_is_being_written_is_left_alone(locks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.lib.recovery.QUIET_SECONDS", 1.0)
    path = locks / "dvc.lock"
    path.write_text("schema: '2.0'\n")
    mend(locks)
    writer = subprocess.Popen([sys.executable, "-c", SLOW_WRITER, str(path)])
    while path.read_text().startswith("schema"):
        time.sleep(0.01)
    mend(locks)
    assert writer.wait() == 0
    assert path.read_text().endswith("end\n")


@pytest.mark.parametrize("content", [b"", b'{"write": {', b"\xff\xfe"])
@pytest.mark.parametrize("linked", [False, True], ids=["on the disk", "in memory"])
def test_an_unreadable_list_of_running_stages_is_removed(
    locks: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, linked: bool
) -> None:
    monkeypatch.setattr("stages.lib.recovery.QUIET_SECONDS", 0.1)
    path = locks / ".dvc" / "tmp" / "rwlock"
    if linked:
        path.symlink_to(locks / "list")
    path.write_text('{"read": {}}')
    mend(locks)
    assert path.exists()
    path.write_bytes(content)
    mend(locks)
    assert not path.exists()
    with rwlock.rwlock(str(path.parent), localfs, "next", [], [str(locks / "a")], False):
        assert path.exists()


def test_a_link_to_a_list_in_the_memory_of_another_machine_is_removed(locks: Path) -> None:
    path = locks / ".dvc" / "tmp" / "rwlock"
    path.symlink_to(locks / "none" / "list")
    mend(locks)
    assert not path.is_symlink()


def children(process: int) -> list[int]:
    """The processes below another one, from /proc."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(words[1]) == process and words[0] != "Z":
            found.append(int(stat.parent.name))
    return found + [below for child in found for below in children(child)]


@pytest.fixture(scope="module")
def long_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One whose training takes longer than any test; everything before it is done."""
    project = Project(tmp_path_factory.mktemp("long"))
    lengthen(project, 1_000_000)
    project.call(*REPRODUCE, "preprocess@sts")
    return project


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("command", "shell"),
    # DVC starts a stage through the user's shell. bash gives its place to a single command; dash stays and waits.
    [(REPRODUCE, "sh"), (("dvc", "repro"), "sh"), (("dvc", "repro"), "bash")],
    ids=["reproduce", "dvc-sh", "dvc-bash"],
)
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_children_end_with_their_parent(
    long_project: Project, command: tuple[str, ...], shell: str, sent: signal.Signals
) -> None:
    process = subprocess.Popen(
        [*command, f"train@{BEST}"],
        cwd=long_project.folder,
        env=long_project.environment | {"SHELL": f"/bin/{shell}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    training = long_project.folder / "models" / "sample" / BEST / f".{BEST}.part"
    shutil.rmtree(training, ignore_errors=True)  # what a kill before this one left
    deadline = time.monotonic() + 120
    while not training.exists():
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.2)
    below = children(process.pid)
    assert below
    os.kill(process.pid, sent)
    output = process.communicate(timeout=60)[0]
    assert process.returncode != 0
    deadline = time.monotonic() + 10
    while any(Path("/proc", str(child)).exists() for child in below):
        assert time.monotonic() < deadline, output
        time.sleep(0.1)
    if sent == signal.SIGTERM and command == REPRODUCE:
        assert process.returncode == 130
        assert "interrupted; run the same command again to resume" in output
        assert "Traceback" not in output
    assert stages_run(long_project.call(*REPRODUCE, "preprocess@sts")) == []
