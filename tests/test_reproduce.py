"""Stages side by side: what is recorded, in which order, and what a user is told."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from dvc import rwlock
from dvc.fs import localfs
from stub_stages import Stub, is_cached, record

from stages.lib.errors import InputError
from stages.reproduce import child, cluster, recording, worker
from stages.reproduce.coordinator import Coordinator
from stages.reproduce.progress import Progress
from stages.reproduce.recording import keep_rwlock_in_memory, whole_rwlock
from stages.reproduce.wall_times import WallTimes


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wall times are written to the folder that a user works in; the fork server was started in the checkout."""
    child.prepare()
    monkeypatch.chdir(tmp_path)


def coordinator(jobs: int) -> Coordinator:
    return Coordinator(lambda: cluster.local(jobs), is_cached, record, WallTimes())


SLOW = "python -m timeit -n1 -r1 -s 'import time' 'time.sleep(2)'"
FAILS = "python -m json.tool none.json"


def test_a_failed_stage_stops_what_depends_on_it_and_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[tuple[str, str]] = []
    slow, bad = Stub("slow", SLOW, calls), Stub("bad", FAILS, calls)
    after_bad, after_slow = Stub("after-bad", "python -m this", calls), Stub("after-slow", "python -m this", calls)
    with pytest.raises(SystemExit) as stopped:
        coordinator(2).run({bad: [], slow: [], after_bad: [bad, slow], after_slow: [slow]})
    assert stopped.value.code not in (0, None)
    done = ("slow", "after-slow")
    assert calls == [(what, name) for name in done for what in ("saved", "committed")] + [("recorded", x) for x in done]
    written = capfd.readouterr()
    assert "none.json" in written.err
    assert "error: stage 'bad' failed" in written.err
    assert "Beautiful is better than ugly." in written.out


def test_the_last_line_of_a_running_stage_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "TELL_EVERY", 0.1)
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(Progress, "tell", lambda _, name, line: told.append((name, line)))
    work = "print('step 1'); print('step 2'); print('st', end='', flush=True); import time; time.sleep(2)"
    talks = Stub("talks", f'python -m timeit -n1 -r1 "{work}"', [])
    assert coordinator(1).run({talks: []}) == 1
    # What is not at its end yet is not shown; what timeit writes last may be seen or not.
    lines = list(dict.fromkeys(line for _, line in told))
    assert lines[:2] == ["", "step 2"]
    assert "st" not in lines


def test_a_line_is_cut_to_the_terminals_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    shown: list[str] = []
    with Progress([Stub("train@a", "python -m this", [])], WallTimes()) as progress:
        monkeypatch.setattr(progress, "line", SimpleNamespace(disable=False, close=progress.line.close))
        progress.line.set_description_str = shown.append
        progress.tell("train@a", "seed 0: step 100/1500, train_loss 1.25, validation_mse 2.25")
    assert shown[-1] == "1 running, 0 waiting, 0 done, time left unknown · seed 0: st"[:59]


def test_a_stage_starts_after_those_it_depends_on_and_only_if_it_changed() -> None:
    calls: list[tuple[str, str]] = []
    first, second = Stub("first", "python -m this", calls), Stub("second", "python -m this", calls)
    between = Stub("between", FAILS, calls, is_changed=False)
    assert coordinator(3).run({second: [between], between: [first], first: []}) == 2
    assert [call for call in calls if call[0] == "saved"] == [("saved", "first"), ("saved", "second")]


def test_the_longest_stage_starts_first(capfd: pytest.CaptureFixture[str]) -> None:
    known = coordinator(1)
    stages = [Stub(name, "python -m this", []) for name in ("root", "short", "long", "middle")]
    for stage, seconds in zip(stages, (1, 2, 300, 40), strict=True):
        known.wall_times.note(stage, seconds)
    # They wait for one more, so that all are there when the first of them starts.
    assert known.run({stages[0]: []} | {stage: [stages[0]] for stage in stages[1:]}) == 4
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("Running")]
    assert lines == [f"Running stage '{name}'" for name in ("root", "long", "middle", "short")]


def test_nothing_to_run_opens_no_cluster() -> None:
    @contextmanager
    def refuse() -> Iterator[None]:
        pytest.fail("a cluster was opened")
        yield

    assert Coordinator(refuse, is_cached, record, WallTimes()).run({Stub("one", FAILS, [], is_changed=False): []}) == 0


def test_what_is_in_the_cache_is_recorded_and_not_run() -> None:
    calls: list[tuple[str, str]] = []
    made, next_one = Stub("made", FAILS, calls), Stub("next", "python -m this", calls)
    cached = Coordinator(lambda: cluster.local(1), lambda stage: stage is made, record, WallTimes())
    assert cached.run({made: [], next_one: [made]}) == 1
    assert calls[-2:] == [("recorded", "made"), ("recorded", "next")]


def test_a_command_that_is_no_python_module_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[tuple[str, str]] = []
    with pytest.raises(SystemExit):
        coordinator(1).run({Stub("bad", "sh -c 'touch y'", calls): []})
    assert "does not start with `python -m`" in capfd.readouterr().err
    assert calls == []


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"GPU": 99}, "large asks for threads: 1, GPU: 99; no worker has that"),
        ({"memory": "900 TB"}, "large asks for threads: 1, memory: 9e+14; no worker has that"),
        ({"tape drives": 1}, "large asks for threads: 1, tape drives: 1; no worker has that"),
        ({"threads": "two"}, "dvc.yaml: large: meta: resources: threads: 'two' is no number"),
        ({"threads": -1}, "dvc.yaml: large: meta: resources: threads: -1 is not above zero"),
        ([1], "dvc.yaml: large: meta: resources: expected names with quantities"),
    ],
)
def test_what_no_worker_has_is_refused_before_anything_runs(resources: object, message: str) -> None:
    calls: list[tuple[str, str]] = []
    first, large = Stub("first", "python -m this", calls), Stub("large", "python -m this", calls, resources=resources)
    with pytest.raises(InputError) as refused:
        coordinator(1).run({first: [], large: [first]})
    assert message in str(refused.value)
    assert calls == []


def test_a_stage_gets_the_threads_that_it_asks_for(capfd: pytest.CaptureFixture[str]) -> None:
    command = "python -m timeit -n1 -r1 -s 'import torch' 'print(torch.get_num_threads(), \"threads\")'"
    assert coordinator(1).run({Stub("wide", command, [], resources={"threads": 2}): []}) == 1
    assert "2 threads" in capfd.readouterr().out
    assert coordinator(1).run({Stub("narrow", command, [], resources={"threads": 1}): []}) == 1
    assert "1 threads" in capfd.readouterr().out


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


def running(folder: Path) -> list[str]:
    return [info["cmd"] for info in json.loads((folder / "rwlock").read_text()).get("write", {}).values()]


def test_the_list_of_running_stages_moves_into_memory_with_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory, here, elsewhere = (tmp_path / name for name in ("memory", "here", "elsewhere"))
    memory.mkdir()
    monkeypatch.setattr(recording, "MEMORY", memory)
    locks = here / ".dvc" / "tmp"
    locks.mkdir(parents=True)
    with rwlock.rwlock(str(locks), localfs, "first", [], [str(here / "a")], False):
        keep_rwlock_in_memory(here)
        keep_rwlock_in_memory(here)  # it is there already
        (held,) = memory.iterdir()
        with whole_rwlock(), rwlock.rwlock(str(locks), localfs, "second", [], [str(here / "b")], False):
            assert running(locks) == ["first", "second"]
            assert json.loads(held.read_text()) == json.loads((locks / "rwlock").read_text())
        assert running(locks) == ["first"]
    assert (locks / "rwlock").is_symlink()
    assert not running(locks)
    assert list(memory.iterdir()) == [held]
    # A copy of the checkout, link and all, gets a list of its own.
    shutil.copytree(here, elsewhere, symlinks=True)
    keep_rwlock_in_memory(elsewhere)
    assert len(list(memory.iterdir())) == 2


def test_the_list_of_running_stages_stays_on_the_disk_where_no_file_system_is_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MEMORY", tmp_path / "none")
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    keep_rwlock_in_memory(tmp_path)
    with whole_rwlock(), rwlock.rwlock(str(tmp_path / ".dvc" / "tmp"), localfs, "x", [], [str(tmp_path / "a")], False):
        assert running(tmp_path / ".dvc" / "tmp") == ["x"]
    assert [path.name for path in (tmp_path / ".dvc" / "tmp").iterdir()] == ["rwlock"]
