"""Experiments that `dvc exp run --queue` has queued, as stages of a made-up pipeline in which none depends on another.

Each runs as with `dvc queue start`: in a temporary folder below .dvc/tmp, and DVC records it. So it needs a worker that
sees the coordinator's disk.
"""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.files import ROOT
from stages.reproduce.coordinator import Coordinator
from stages.reproduce.wall_times import WallTimes

if TYPE_CHECKING:
    from dvc.repo.experiments.queue.celery import LocalCeleryQueue

    from stages.reproduce.cluster import Site


@dataclass(frozen=True)
class Experiment:
    """What the coordinator asks of a stage."""

    name: str
    entry: str
    wdir: str = str(ROOT)
    meta: None = None
    outs: tuple[Any, ...] = ()
    path: str = "queue"

    @property
    def addressing(self) -> str:
        return f"experiment {self.name}"

    @property
    def path_in_repo(self) -> str:
        return self.path

    @property
    def cmd(self) -> str:
        return f"python -m stages.reproduce.sweep {shlex.quote(self.entry)}"

    def changed(self) -> bool:
        """None has run."""
        return True

    def save(self) -> None:
        """Its worker took it out of the queue."""

    def commit(self) -> None:
        """DVC has recorded the experiment where it ran."""


def run_queue(open_cluster: "Callable[[Any], AbstractContextManager[Site]]") -> int:
    """Run all queued experiments, as many at a time as the cluster has room for; returns how many."""
    from dvc.repo import Repo

    with Repo() as repo:
        queued = [
            Experiment(entry.name or entry.stash_rev[:7], json.dumps(entry.asdict()))
            for entry in repo.experiments.celery_queue.iter_queued()
        ]

        @contextmanager
        def on_one_disk() -> "Iterator[Site]":
            with open_cluster(repo) as site:
                if site.apart:
                    raise InputError("queued experiments run only on workers that see this disk")
                yield site

        runner = Coordinator(on_one_disk, lambda _: False, lambda _: None, WallTimes())
        return runner.run({experiment: [] for experiment in queued})


def main() -> None:
    """On a worker: one experiment, from DVC's entry of it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("entry")
    entry = json.loads(parser.parse_args().entry) | {"dvc_root": str(ROOT), "scm_root": str(ROOT)}
    # DVC starts `dvc` by its name.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

    from dvc.repo import Repo
    from dvc.repo.experiments.executor.base import ExecutorInfo
    from dvc.repo.experiments.queue.tasks import run_exp

    with Repo() as repo:
        queue = repo.experiments.celery_queue
        queue.celery.loader.import_default_modules()  # DVC's functions look for the current one
        run_exp(entry)
        _mark_done(queue, entry["stash_rev"])
        info = ExecutorInfo.load_json(queue.get_infofile_path(entry["stash_rev"]))
    if info.result is None or info.result.exp_hash is None:
        raise InputError(f"the experiment failed; `dvc queue logs {entry['name']}` shows what it wrote")


def _mark_done(queue: "LocalCeleryQueue", stash_rev: str) -> None:
    """Move an experiment that has ended, well or not, from DVC's queue to the finished ones, as DVC's own worker does:
    `dvc queue status` and `dvc queue logs` know it then. One that was killed stays queued and runs the next time.
    """
    from celery.states import SUCCESS

    app = queue.celery
    for message, entry in [*queue._iter_queued()]:
        if entry.stash_rev == stash_rev:
            app.backend.store_result(message.headers["id"], None, SUCCESS)  # of the task, which has ended
            path = Path(app._queued_msg_path_cache[message.delivery_tag])
            path.rename(Path(app.conf.broker_transport_options["processed_folder"], path.name))


if __name__ == "__main__":
    run_stage(main)
