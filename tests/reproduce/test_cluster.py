"""A cluster that is running already: which of its workers run stages, and what a user is told where none can."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from distributed import LocalCluster
from stub_stages import Stub, is_cached, record

from stages.lib.errors import InputError
from stages.reproduce import cluster, coordinator, facts, worker
from stages.reproduce.coordinator import Coordinator
from stages.reproduce.resources import check
from stages.reproduce.wall_times import WallTimes


@pytest.fixture(scope="module")
def dask() -> Iterator[LocalCluster]:
    """A scheduler that listens, and a worker; both in this process."""
    options = {"threads_per_worker": 1, "processes": False, "protocol": "tcp", "dashboard_address": None}
    pages = {"dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=1, resources={"GPU": 1}, scheduler_kwargs=pages, **options) as running:
        yield running


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user has written to .dvc/tmp, and looks for there."""
    monkeypatch.chdir(tmp_path)
    for module in (cluster, coordinator, worker):
        monkeypatch.setattr(module, "ROOT", tmp_path)
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)


def refusal(address: str, has_remote: bool = False) -> str:
    with pytest.raises(InputError) as refused, cluster.running(address, has_remote):
        pass
    return str(refused.value)


def test_stages_run_on_it(dask: LocalCluster, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    calls: list[tuple[str, str]] = []
    first = Stub("first", "python -m this", calls, resources={"GPU": 1})
    bad = Stub("bad", "python -m json.tool none.json", calls)
    runner = Coordinator(
        lambda: cluster.running(dask.scheduler_address, has_remote=False), is_cached, record, WallTimes()
    )
    with pytest.raises(SystemExit):
        runner.run({first: [], bad: [first]})
    assert calls == [("saved", "first"), ("committed", "first"), ("recorded", "first")]
    assert "none.json" in capfd.readouterr().err
    # Nothing is left on the disk or at the workers.
    assert not list((tmp_path / ".dvc" / "tmp").glob("shared*"))
    assert all("reproduce" not in name for it in dask.workers.values() for name in it.plugins)


def test_a_worker_that_comes_later_is_looked_at_too(dask: LocalCluster) -> None:
    with cluster.running(dask.scheduler_address, has_remote=False) as site:
        dask.scale(2)
        (name,) = site.resources
        deadline = time.monotonic() + 30
        while True:
            workers = site.client.scheduler_info(n_workers=-1)["workers"].values()
            if len(workers) == 2 and all(about["resources"].get(name) for about in workers):
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not site.apart
    dask.scale(1)


def test_a_user_is_told_of_a_later_worker_that_is_left_out(
    dask: LocalCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with cluster.running(dask.scheduler_address, has_remote=False):
        monkeypatch.setattr(worker, "ROOT", tmp_path / "another")
        dask.scale(2)
        deadline, told = time.monotonic() + 30, ""
        while "is left out" not in told and time.monotonic() < deadline:
            time.sleep(0.05)
            told += capfd.readouterr().err
        assert "is left out: it does not see this disk" in told
        (later,) = {it.address for it in dask.workers.values()} & set(told.split())
        assert later != next(iter(dask.workers.values())).address
    dask.scale(1)


def test_what_no_worker_has_is_refused(dask: LocalCluster) -> None:
    with cluster.running(dask.scheduler_address, has_remote=False) as site, pytest.raises(InputError) as refused:
        check(site.client, [Stub("large", "python -m this", [], resources={"GPU": 2})])
    assert str(refused.value) == "large asks for threads: 1, GPU: 2; no worker has that"


def test_no_scheduler_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "ANSWER", 0.5)
    assert "--scheduler tcp://127.0.0.1:9: no scheduler answers there" in refusal("tcp://127.0.0.1:9")
    assert "--scheduler none.json: no scheduler answers there" in refusal("none.json")


def test_no_worker_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "WORKER", 0.2)
    pages = {"dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=0, processes=False, protocol="tcp", scheduler_kwargs=pages) as empty:
        assert "it has no worker; start one" in refusal(empty.scheduler_address)


def test_a_worker_of_another_commit_is_refused(dask: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    here = replace(facts.facts(), commit="abc1234", code="another")
    monkeypatch.setattr(cluster, "facts", lambda: here)
    message = refusal(dask.scheduler_address)
    assert "no worker may run stages" in message
    assert "here it is abc1234" in message


def test_a_worker_without_the_disk_needs_a_remote(
    dask: LocalCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(worker, "ROOT", tmp_path / "another")
    assert "DVC has no remote: `dvc remote add" in refusal(dask.scheduler_address)
    with cluster.running(dask.scheduler_address, has_remote=True) as site:
        assert site.apart
