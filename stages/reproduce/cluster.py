"""Where stages run: a Dask cluster inside this process, or one that is running already."""

import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

import dask
import psutil
from distributed import Client, Scheduler, SpecCluster, Worker
from tqdm import tqdm

from stages.lib.errors import InputError
from stages.lib.files import ROOT
from stages.reproduce import child
from stages.reproduce.facts import Facts, facts
from stages.reproduce.worker import Admission, Seen, look

#: Of Dask's own settings, those that cost time or mean nothing inside one process.
LOCAL = {
    "distributed.worker.profile.enabled": False,
    # Every 20 ms by default, which takes 3 % of a core beside a training.
    "distributed.admin.tick.interval": "1s",
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.worker-ttl": None,
}
#: Seconds until a scheduler has to answer, and until it has to have a worker.
ANSWER, WORKER = 4.0, 4.0
#: What workers take from the coordinator's environment where it is set there.
PASSED_ON = ("OMP_NUM_THREADS", "DATA_MIRROR", "MLFLOW_TRACKING_URI")


@dataclass(frozen=True)
class Site:
    """A cluster, and what each stage that is sent there needs besides its own: resources and environment.

    `token` is a file by which workers know the coordinator's disk; `apart` says that some do not see it.
    """

    client: Client
    resources: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    token: Path = Path()
    apart: bool = False


@contextmanager
def local(jobs: int, dashboard: bool = False) -> Iterator[Site]:
    """A scheduler and a worker inside this process, with `jobs` stages at a time."""
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    if dashboard and find_spec("bokeh") is None:
        raise InputError("--dashboard needs the package bokeh, which is not installed: `pip install bokeh`")
    child.prepare()
    resources = {
        "threads": max(jobs, os.cpu_count() or 1),
        "memory": psutil.virtual_memory().total,
        "GPU": len(list(Path("/dev").glob("nvidia[0-9]*"))),
    }
    # Dask has web servers in any case. They are seen on this machine alone, and without the dashboard have no page.
    pages = {"dashboard": dashboard, "dashboard_address": f"127.0.0.1:{8787 if dashboard else 0}"}
    scheduler = {"cls": Scheduler, "options": {"protocol": "inproc://", **pages}}
    options = {"nthreads": jobs, "resources": resources, "memory_limit": 0}
    worker = {"cls": Worker, "options": {**options, "dashboard": False, "dashboard_address": "127.0.0.1:0"}}
    no_pages = {} if dashboard else {"distributed.scheduler.http.routes": [], "distributed.worker.http.routes": []}
    with (
        dask.config.set(LOCAL | no_pages),
        SpecCluster(scheduler=scheduler, workers={0: worker}) as cluster,
        Client(cluster) as client,
    ):
        if dashboard:
            print(f"dashboard: http://127.0.0.1:{client.scheduler_info()['services']['dashboard']}/status", flush=True)
        yield Site(client)


@contextmanager
def running(where: str, has_remote: bool) -> Iterator[Site]:
    """The cluster of a scheduler's address, or of a file that `dask scheduler --scheduler-file` wrote.

    Raises InputError where no scheduler answers, and where none of its workers may run stages.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    is_file = Path(where).is_file()
    try:
        client = Client(timeout=ANSWER, **({"scheduler_file": where} if is_file else {"address": where}))
    except (OSError, ValueError) as error:
        raise InputError(f"--scheduler {where}: no scheduler answers there ({_line(error)})") from None
    token = Path(".dvc", "tmp", f"shared-disk-{uuid4().hex}")
    with client, dask.config.set({"distributed.comm.timeouts.connect": ANSWER}):
        registered = ""
        try:
            (ROOT / token).touch()
            seen = _look_at(client, where, token)
            mine = facts()
            apart = _admitted(seen, mine, where, has_remote)
            admission = Admission(f"reproduce-{uuid4().hex[:12]}", mine, token, apart)
            client.subscribe_topic(admission.name, lambda event: _tell_of_later(seen, **event[1]))
            client.register_plugin(admission)
            registered = admission.name
            environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
            yield Site(client, {admission.name: 1}, environment, token, apart)
        finally:
            if registered and client.status == "running":
                client.unregister_worker_plugin(registered)
            (ROOT / token).unlink(missing_ok=True)


def _look_at(client: Client, where: str, token: Path) -> dict[str, Seen]:
    """What the workers are like, after starting those again that have loaded other code than is there now."""
    deadline = time.monotonic() + WORKER
    while not client.scheduler_info(n_workers=-1)["workers"]:
        if time.monotonic() > deadline:
            raise InputError(f"--scheduler {where}: it has no worker; start one in a checkout of this commit")
        time.sleep(0.1)
    seen = _ask(client, token)
    stale = [name for name, it in seen.items() if it.facts.loaded != it.facts.code]
    if stale:
        try:
            client.restart_workers(stale, timeout=ANSWER)
        except (ValueError, TimeoutError):  # those without a nanny
            return seen
        seen = _ask(client, token)
    return seen


def _ask(client: Client, token: Path) -> dict[str, Seen]:
    answers = client.run(look, token, on_error="return")
    for name, answer in answers.items():
        if not isinstance(answer, Seen):
            raise InputError(
                f"worker {name} cannot load this project ({_line(answer)}); start it in a checkout of this commit:"
                " `python -m distributed.cli.dask_worker`"
            )
    return answers


def _admitted(seen: Mapping[str, Seen], mine: Facts, where: str, has_remote: bool) -> bool:
    """Say which workers are left out and why; returns whether one of the others does not see this disk."""
    reasons = {name: mine.refusals(it.facts) for name, it in seen.items()}
    for name, it in seen.items():
        if not (reasons[name] or it.shared or has_remote):
            reasons[name] = ["it does not see this disk, and DVC has no remote: `dvc remote add -d NAME URL`"]
    admitted = {name: it for name, it in seen.items() if not reasons[name]}
    if not admitted:
        name, (reason, *_) = next(iter(reasons.items()))
        raise InputError(f"--scheduler {where}: no worker may run stages; {name}: {reason}")
    for name, it in seen.items():
        _tell(name, reasons[name], mine.notes(it.facts) if name in admitted else [])
    return not all(it.shared for it in admitted.values())


def _tell_of_later(seen: Mapping[str, Seen], worker: str, refusals: list[str], notes: list[str]) -> None:
    """What a worker is like that was not there at the start."""
    if worker not in seen:
        _tell(worker, refusals, notes)


def _tell(name: str, refusals: Iterable[str], notes: Iterable[str]) -> None:
    for reason in refusals:
        tqdm.write(f"worker {name} is left out: {reason}", file=sys.stderr)
    for note in notes:
        tqdm.write(f"worker {name}: last bits may differ: {note}", file=sys.stderr)


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())
