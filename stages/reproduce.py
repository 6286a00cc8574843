"""What `dvc repro` does, several stages at a time: `python -m stages.reproduce [TARGET …] [--jobs 2]`.

DVC runs one stage after another, and reads and writes all of dvc.lock after each. Here every stage whose dependencies
are up to date runs in a fork of this process, which has loaded the libraries once, and dvc.lock is written once a
minute. DVC decides what has to run, what it depends on and what is recorded, so `dvc repro` then finds nothing to do.
"""

import argparse
import logging
import multiprocessing
import os
import runpy
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from graphlib import TopologicalSorter
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from stages.lib.errors import InputError, run_stage
from stages.lib.files import atomic_file
from stages.lib.recovery import RUNNING, end_with_parent

#: Seconds between two writes of dvc.lock. Finished stages are also recorded on the way out.
RECORD_EVERY = 60.0
#: The sample pipeline.
PIPELINE = "dvc.yaml"
#: How long stages have to stop on Ctrl-C or SIGTERM before they are killed.
TERMINATE_SECONDS = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="as for `dvc repro`; default: the sample pipeline")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="stages at a time (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        raise InputError(f"--jobs {arguments.jobs}: give 1 or more")
    count = reproduce(arguments.targets, arguments.jobs)
    print(f"{count} stages run" if count else "everything is up to date")


def reproduce(targets: Sequence[str], jobs: int) -> int:
    """Run what has changed of the targets (default: the sample pipeline) and of what they depend on; returns the number
    of stages run.

    Raises InputError for an unknown target. After a failure no stage is started; running ones are waited for and
    recorded, then this exits with the failed stage's code.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.WARNING)  # it names the temporary file that `write_lock` has it write
    try:
        with whole_rwlock(), Repo() as repo, repo.lock:
            plan = _plan(repo, targets)
            _load_libraries()
            return _Runner(jobs, write_lock).run(plan)
    except DvcException as error:
        raise InputError(str(error)) from error


def _plan(repo: Any, targets: Sequence[str]) -> "TopologicalSorter[Any]":
    """The stages to check, each with those that it depends on."""
    import networkx

    graph = repo.index.graph
    named = [stage for target in targets or [PIPELINE] for stage in repo.stage.collect(target)]
    wanted = set(named).union(*(networkx.descendants(graph, stage) for stage in named))
    return TopologicalSorter({stage: list(graph.successors(stage)) for stage in wanted})


def _load_libraries() -> None:
    """What most stages import and read, so that their forks start with it."""
    import lightning_fabric  # noqa: F401
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import safetensors.torch  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.metrics  # noqa: F401
    import yaml  # noqa: F401
    from pydantic import BaseModel, Field, TypeAdapter  # noqa: F401  (pydantic imports its parts on first use)

    from stages.lib.config import load_reports

    load_reports()


class _Runner:
    def __init__(self, jobs: int, record: Callable[[list[Any]], None]) -> None:
        self.jobs, self.record = jobs, record
        self.fork = multiprocessing.get_context("fork")
        self.running: dict[int, tuple[Any, Any]] = {}
        self.unrecorded: list[Any] = []
        self.recorded = time.monotonic()
        self.failed = 0

    def run(self, plan: "TopologicalSorter[Any]") -> int:
        count = 0
        plan.prepare()
        waiting: list[Any] = []
        try:
            while plan.is_active() and not (self.failed and not self.running):
                waiting += plan.get_ready()
                while waiting and len(self.running) < self.jobs and not self.failed:
                    stage = waiting.pop(0)
                    if stage.changed():
                        self._start(stage)
                    else:
                        plan.done(stage)
                        waiting += plan.get_ready()
                for stage in self._finished():
                    count += 1
                    plan.done(stage)
                if time.monotonic() > self.recorded + RECORD_EVERY:
                    self._record()
        finally:
            for process, _ in self.running.values():
                process.terminate()
            for process, _ in self.running.values():
                process.join(TERMINATE_SECONDS)
                process.kill()
            self._record()
        if self.failed:
            sys.exit(self.failed)
        return count

    def _start(self, stage: Any) -> None:
        print(f"Running stage '{stage.addressing}'", flush=True)
        process = self.fork.Process(target=_run_command, args=(stage.cmd, stage.wdir, os.getpid()))
        process.start()
        self.running[process.sentinel] = process, stage

    def _finished(self) -> Iterable[Any]:
        """Stages that have ended, after waiting for at least one; their outputs are in DVC's cache."""
        for sentinel in wait(list(self.running)) if self.running else ():
            process, stage = self.running.pop(sentinel)
            process.join()
            if process.exitcode:
                print(f"error: stage '{stage.addressing}' failed", file=sys.stderr)
                self.failed = process.exitcode if process.exitcode > 0 else 1
                continue
            stage.save()
            stage.commit()
            self.unrecorded.append(stage)
            yield stage

    def _record(self) -> None:
        for path in {stage.path for stage in self.unrecorded}:
            self.record([stage for stage in self.unrecorded if stage.path == path])
        self.unrecorded, self.recorded = [], time.monotonic()


def write_lock(stages: list[Any]) -> None:
    """Record stages of one pipeline. DVC writes its dvc.lock in place, so that a kill would leave a part of it."""
    from dvc.dvcfile import Lockfile

    path = Path(stages[0].path).with_suffix(".lock")
    with atomic_file(path) as temporary:
        if path.exists():
            shutil.copyfile(path, temporary)
        Lockfile(stages[0].repo, str(temporary)).dump_stages(stages)


@contextmanager
def whole_rwlock() -> Iterator[None]:
    """DVC writes its list of running stages in place too, a few times a stage. In here it edits a copy, which then
    takes the list's place; whoever edits it holds DVC's lock of the whole repository, so nobody else does meanwhile.
    """
    from dvc import rwlock

    edit = rwlock._edit_rwlock

    @contextmanager
    def edit_copy(folder: str, *options: Any) -> Iterator[Any]:
        path, copy = Path(folder, RUNNING.name), Path(folder, "reproduce", RUNNING.name)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes() if path.exists() else b"{}")
        with edit(str(copy.parent), *options) as content:
            yield content
        os.replace(copy, path)

    rwlock._edit_rwlock = edit_copy
    try:
        yield
    finally:
        rwlock._edit_rwlock = edit


def _run_command(command: str, folder: str, parent: int) -> None:
    """In a fork: `python -m stages.x options`, as that command line would run it in the stage's working directory."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(parent)
    os.chdir(folder)
    python, option, module, *options = shlex.split(command)
    if (python, option) != ("python", "-m"):
        raise InputError(f"dvc.yaml: the command {command!r} does not start with `python -m`")
    sys.argv = [module, *options]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    run_stage(main)
