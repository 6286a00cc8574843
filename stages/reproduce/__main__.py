"""What `dvc repro` does, several stages at a time: `python -m stages.reproduce [TARGET …] [--jobs 2]`.

DVC runs one stage after another, and reads and writes all of dvc.lock after each. Here Dask runs every stage whose
dependencies are up to date, in a fork of a process that has loaded the libraries once, and dvc.lock is written once a
minute. DVC decides what has to run, what it depends on and what is recorded, so `dvc repro` then finds nothing to do.
"""

import argparse
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.reproduce.coordinator import Coordinator
from stages.reproduce.recording import keep_rwlock_in_memory, outdated, plan_of, restore, whole_rwlock, write_lock
from stages.reproduce.wall_times import WallTimes, duration


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help="as for `dvc repro`; default: the sample pipeline")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="stages at a time (default: %(default)s)")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS|FILE", help="run stages on this Dask cluster, not on this machine"
    )
    parser.add_argument("--dashboard", action="store_true", help="Dask's dashboard on http://127.0.0.1:8787")
    parser.add_argument("--plan", action="store_true", help="list what would run with its estimated time; run nothing")
    parser.add_argument(
        "--queue", action="store_true", help="run what `dvc exp run --queue` has queued, and no targets"
    )
    arguments = parser.parse_args()
    if arguments.jobs < 1:
        raise InputError(f"--jobs {arguments.jobs}: give 1 or more")

    def open_cluster(repo: Any) -> AbstractContextManager[Any]:
        from stages.reproduce import cluster

        if arguments.scheduler:
            return cluster.running(arguments.scheduler, has_remote="remote" in repo.config["core"])
        return cluster.local(arguments.jobs, arguments.dashboard)

    if arguments.queue:
        from stages.reproduce.sweep import run_queue

        if arguments.targets or arguments.plan:
            raise InputError("--queue takes no targets and no --plan: experiments know what they run")
        print(f"{run_queue(open_cluster)} experiments run")
    elif arguments.plan:
        show_plan(arguments.targets)
    else:
        count = reproduce(arguments.targets, open_cluster)
        print(f"{count} stages run" if count else "everything is up to date")


def reproduce(targets: Sequence[str], open_cluster: Callable[[Any], AbstractContextManager[Any]]) -> int:
    """Run what has changed of the targets (default: the sample pipeline) and of what they depend on; returns the number
    of stages run.

    Raises InputError for an unknown target. Where stages fail, this exits with the code of the first one.
    """
    with opened(targets) as (repo, plan):
        return Coordinator(lambda: open_cluster(repo), restore, write_lock, WallTimes()).run(plan)


def show_plan(targets: Sequence[str]) -> None:
    """Print what `reproduce` would run: each training with the time that it takes by itself, and how many others."""
    wall_times = WallTimes()
    with opened(targets) as (_, plan):
        stages = outdated(plan)
        estimates = {stage.addressing: wall_times.seconds(stage) for stage in stages}
    others = Counter(stage.name.partition("@")[0] for stage in stages)
    for stage in stages:
        if stage.name.startswith("train"):
            print(f"{stage.addressing}: {duration(estimates[stage.addressing])}")
    for verb, count in others.items():
        if not verb.startswith("train"):
            print(f"{verb}: {count} stages")
    known = [seconds for seconds in estimates.values() if seconds is not None]
    unknown = len(stages) - len(known)
    print(f"{len(stages)} stages: {duration(sum(known))} one after another, and {unknown} of unknown time")


@contextmanager
def opened(targets: Sequence[str]) -> Iterator[tuple[Any, dict[Any, list[Any]]]]:
    """DVC's repository, open and locked, and the plan of the targets. DVC's own errors become InputErrors."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.WARNING)  # it names the temporary file that `write_lock` has it write
    logging.getLogger("dvc.progress").setLevel(logging.CRITICAL)  # its bars would take turns with our line
    try:
        with whole_rwlock(), Repo() as repo, repo.lock:
            keep_rwlock_in_memory()
            yield repo, plan_of(repo, targets)
    except DvcException as error:
        raise InputError(str(error)) from error


if __name__ == "__main__":
    run_stage(main)
