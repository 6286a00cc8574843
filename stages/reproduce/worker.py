"""A stage as a task of a Dask worker, which stays alive whatever becomes of the stage."""

import multiprocessing
import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from distributed import Status, Worker, WorkerPlugin, get_worker

from stages.lib.files import ROOT
from stages.reproduce import child
from stages.reproduce.checkpoints import RemoteCheckpoints
from stages.reproduce.facts import Facts, facts
from stages.reproduce.transfer import Item, fetch, send

#: How long a stage has to stop on SIGTERM before it is killed.
TERMINATE_SECONDS = 10.0
#: Seconds between two looks whether a running stage is still wanted.
LOOK_EVERY = 0.2
#: Seconds between two looks at what a running stage has written.
TELL_EVERY = 5.0
#: Of what a stage writes to stdout and stderr, this much of the end is kept.
KEPT_BYTES = 1 << 20
#: Of the resource that says that a worker may run stages; each stage takes one.
UNLIMITED = 1e6


@dataclass(frozen=True)
class Job:
    """A stage, as a worker has to know it. `folder` is taken from the root of the checkout, `environment` is set over
    the worker's own. `inputs`, `outputs` and `checkpoints` are for workers that do not see the coordinator's disk.
    """

    name: str
    command: str
    folder: str
    environment: Mapping[str, str]
    #: The topic of Dask's events that hear of a stage's start and of its last line.
    topic: str
    #: A file that those have which see it.
    token: Path = Path()
    inputs: tuple[Item, ...] = ()
    outputs: tuple[str, ...] = ()
    #: Pattern of the names of its checkpoints; empty where it has none.
    checkpoints: str = ""


@dataclass(frozen=True)
class Result:
    """How a stage ended. `code` is its exit code; below zero: the signal that killed it."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    #: What it made, where that is in the remote alone.
    sent: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Admission(WorkerPlugin):
    """Looks at each worker of a running cluster, also at those that come later: only one that passes gets the resource
    `name`, for which every stage of this coordinator asks. What it finds is an event of Dask's under the topic `name`.
    """

    name: str
    mine: Facts
    token: Path
    #: Whether a worker may do without the coordinator's disk.
    apart: bool

    async def setup(self, worker: Worker) -> None:
        """Called by Dask in the worker's process."""
        seen = look(self.token)
        refusals = self.mine.refusals(seen.facts)
        if not (seen.shared or self.apart):
            refusals.append("it does not see this disk, and the workers that were there at the start do")
        notes = [] if refusals else self.mine.notes(seen.facts)
        worker.log_event(self.name, {"worker": worker.address, "refusals": refusals, "notes": notes})
        if refusals:
            return
        # Dask's nanny makes its worker a process that may have no children, unless it is told otherwise beforehand.
        multiprocessing.current_process().daemon = False
        child.prepare()
        has = worker.state.total_resources
        memory = worker.memory_manager.memory_limit or 0
        default = {"threads": float(worker.state.nthreads), "memory": float(memory)}
        await worker.set_resources(**{self.name: UNLIMITED}, **{key: default[key] for key in default if key not in has})
        # The scheduler looks for stages that wait for a worker when one joins, or goes from paused to running.
        worker.status = Status.paused
        worker.status = Status.running


@dataclass(frozen=True)
class Seen:
    """What a worker is like, and whether it sees the coordinator's disk."""

    facts: Facts
    shared: bool


def look(token: Path) -> Seen:
    """Of this process."""
    return Seen(facts(), (ROOT / token).exists())


def run(job: Job) -> Result:
    """Run a stage to its end, or until nobody wants it any more: it was cancelled, or its coordinator is gone."""
    worker = get_worker()
    key = worker.get_current_task()
    worker.log_event(job.topic, {"name": job.name, "line": ""})
    start = told = time.monotonic()
    apart = bool(job.outputs) and not (ROOT / job.token).exists()
    checkpoints = RemoteCheckpoints(job.checkpoints if apart else "")
    if apart:
        fetch(job.inputs)
        checkpoints.fetch()
    with tempfile.TemporaryDirectory() as folder:
        process = child.start(job.command, str(ROOT / job.folder), job.environment, Path(folder))
        try:
            while not wait([process.sentinel], LOOK_EVERY) and _is_wanted(worker, key):
                checkpoints.send()
                if time.monotonic() >= told + TELL_EVERY:
                    worker.log_event(job.topic, {"name": job.name, "line": _last_line(Path(folder, "stdout"))})
                    told = time.monotonic()
        finally:
            process.terminate()
            process.join(TERMINATE_SECONDS)
            process.kill()
            process.join()
        written = [_end(Path(folder, name)) for name in ("stdout", "stderr")]
    code = process.exitcode or 0
    sent = send(job.outputs) if apart and not code else ()
    if not code:
        checkpoints.remove()
    return Result(code, *written, time.monotonic() - start, sent)


def _is_wanted(worker: Worker, key: object) -> bool:
    task = worker.state.tasks.get(key)
    return task is not None and task.state == "executing" and worker.status in (Status.running, Status.paused)


def _end(path: Path, most: int = KEPT_BYTES) -> str:
    """The last part of a file."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - most, 0), os.SEEK_SET)
        return file.read().decode(errors="replace")


def _last_line(path: Path) -> str:
    """The last complete line of a file that grows, as far as a terminal may show it."""
    lines = _end(path, 2000).rpartition("\n")[0].splitlines()
    return lines[-1] if lines else ""
