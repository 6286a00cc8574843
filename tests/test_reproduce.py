"""Stages side by side: what is recorded, and in which order."""

import json
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from dvc import rwlock
from dvc.fs import localfs

from stages.reproduce import _Runner, whole_rwlock


class Stub:
    """As much of a DVC stage as the runner asks for."""

    wdir = "."

    def __init__(self, name: str, command: str, calls: list[tuple[str, str]], is_changed: bool = True) -> None:
        self.addressing, self.cmd, self.calls, self.is_changed = name, command, calls, is_changed
        self.path = "dvc.yaml"

    def changed(self) -> bool:
        return self.is_changed

    def save(self) -> None:
        self.calls.append(("saved", self.addressing))

    def commit(self) -> None:
        self.calls.append(("committed", self.addressing))


def record(stages: list[Stub]) -> None:
    for stage in stages:
        stage.calls.append(("recorded", stage.addressing))


def test_what_ends_well_beside_a_failed_stage_is_recorded(capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[tuple[str, str]] = []
    slow = Stub("slow", "python -m timeit -n1 -r1 -s 'import time' 'time.sleep(2)'", calls)
    bad = Stub("bad", "python -m json.tool none.json", calls)
    after_bad, after_slow = Stub("after-bad", "python -m this", calls), Stub("after-slow", "python -m this", calls)
    with pytest.raises(SystemExit) as stopped:
        _Runner(2, record).run(TopologicalSorter({bad: [], slow: [], after_bad: [bad], after_slow: [slow]}))
    assert stopped.value.code not in (0, None)
    assert calls == [("saved", "slow"), ("committed", "slow"), ("recorded", "slow")]
    assert "error: stage 'bad' failed" in capfd.readouterr().err


def test_a_stage_starts_after_those_it_depends_on_and_only_if_it_changed() -> None:
    calls: list[tuple[str, str]] = []
    first, second = Stub("first", "python -m this", calls), Stub("second", "python -m this", calls)
    between = Stub("between", "python -m json.tool none.json", calls, is_changed=False)
    assert _Runner(3, record).run(TopologicalSorter({second: [between], between: [first], first: []})) == 2
    assert [call for call in calls if call[0] == "saved"] == [("saved", "first"), ("saved", "second")]


def test_a_command_that_is_no_python_module_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[tuple[str, str]] = []
    with pytest.raises(SystemExit):
        _Runner(1, record).run(TopologicalSorter({Stub("bad", "sh -c 'touch y'", calls): []}))
    assert "does not start with `python -m`" in capfd.readouterr().err
    assert calls == []


def test_a_kill_leaves_the_list_of_running_stages_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """DVC empties the file before it writes; whatever happens until it has, a reader finds the old list or the new."""
    path, dump = tmp_path / "rwlock", json.dump
    path.write_text('{"read": {}, "write": {}}')
    seen = []

    def watched(content: object, file: object) -> None:
        seen.append(json.loads(path.read_text()))
        dump(content, file)

    monkeypatch.setattr("json.dump", watched)
    with whole_rwlock(), rwlock.rwlock(str(tmp_path), localfs, "first", [], [str(tmp_path / "a")], False):
        running = json.loads(path.read_text())
        with rwlock.rwlock(str(tmp_path), localfs, "second", [], [str(tmp_path / "b")], False):
            pass
    assert [info["cmd"] for info in running["write"].values()] == ["first"]
    assert [len(content["write"]) for content in seen] == [0, 1, 2, 1]
    assert not json.loads(path.read_text()).get("write")
    # Outside, a stage of `dvc repro` empties it first.
    with pytest.raises(json.JSONDecodeError), rwlock.rwlock(str(tmp_path), localfs, "x", [], [str(tmp_path)], False):
        pass
