"""Data of stages by way of DVC's remote, for workers that do not see the coordinator's disk.

A worker has a clone and a cache of its own. It takes a stage's inputs from the remote by their hashes and sends the
outputs there; the coordinator takes those and has DVC record them.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tenacity import RetryError, Retrying, stop_after_delay, wait_exponential

from stages.lib.errors import ServiceError
from stages.lib.files import ROOT

#: How long an unreachable remote is waited for, in seconds.
PATIENCE = 150.0
#: DVC's caches are not made for several threads.
ONE_AT_A_TIME = threading.Lock()
T = TypeVar("T")


@dataclass(frozen=True)
class Item:
    """A file or folder from the root of the checkout, as DVC knows it."""

    path: str
    md5: str
    size: int | None
    files: int | None

    @classmethod
    def of(cls, out: Any) -> "Item":
        """Of an output whose hash is known."""
        path = Path(out.fs_path).relative_to(ROOT).as_posix()
        return cls(path, out.hash_info.value, out.meta.size, out.meta.nfiles)

    def fill(self, out: Any) -> None:
        """Make it what an output is to have."""
        from dvc_data.hashfile.hash_info import HashInfo
        from dvc_data.hashfile.meta import Meta

        out.hash_info, out.meta, out.obj = HashInfo("md5", self.md5), Meta.from_dict(self.entry()), None

    def entry(self) -> dict[str, Any]:
        """As DVC writes it to its files."""
        entry = {"path": self.path, "hash": "md5", "md5": self.md5, "size": self.size, "nfiles": self.files}
        return {key: value for key, value in entry.items() if value is not None}


def fetch(items: Iterable[Item]) -> None:
    """Worker: put files and folders where they belong. Raises ServiceError where the remote does not have them."""
    with _outputs([item.entry() for item in items]) as (repo, outs):
        for out in outs:
            receive(repo, out)


def send(paths: Sequence[str]) -> tuple[Item, ...]:
    """Worker: put files and folders into the cache and the remote. Raises ServiceError where the remote is away."""
    with _outputs([{"path": path} for path in paths]) as (repo, outs):
        for out in outs:
            out.save()
            out.commit()
        for out in outs:
            push(repo, out)
        return tuple(Item.of(out) for out in outs)


def receive(repo: Any, out: Any) -> None:
    """Bring an output of a known hash from the remote into the cache and to its place."""
    if out.changed():
        persist(lambda: _transfer(repo.cloud.pull, out), f"fetch {out}")
        out.checkout(force=True)


def push(repo: Any, out: Any) -> None:
    """Put an output of a known hash from the cache into the remote."""
    persist(lambda: _transfer(repo.cloud.push, out), f"send {out}")


def _transfer(way: Callable[..., Any], out: Any) -> None:
    out.obj = None  # a folder's list may have been missing the last time
    objects = out.get_used_objs(force=True).get(None, set())
    if not objects:
        raise OSError(f"{out.hash_info.value} is not there")
    if failed := way(objects).failed:
        raise OSError(f"{len(failed)} of {len(objects)} files did not arrive")


def remote_files(folder: str) -> tuple[Any, str]:
    """The file system of DVC's remote, and a folder in it that DVC itself does not use."""
    from dvc.repo import Repo

    with ONE_AT_A_TIME, Repo(str(ROOT)) as repo:
        remote = repo.cloud.get_remote()
        return remote.fs, remote.fs.join(remote.path, folder)


def persist(work: Callable[[], T], what: str, patience: float | None = None) -> T:
    """The remote may be away for a moment. What its many kinds can raise has no common class but Exception."""
    try:
        return Retrying(stop=stop_after_delay(patience or PATIENCE), wait=wait_exponential(max=15))(work)
    except RetryError as error:
        reason = error.last_attempt.exception()
        raise ServiceError(f"DVC's remote cannot {what} ({reason}); run the same command again once it can") from None


@contextmanager
def _outputs(entries: list[dict[str, Any]]) -> Iterator[tuple[Any, list[Any]]]:
    """A DVC repository and outputs in it that belong to none of its stages."""
    from dvc.output import loadd_from
    from dvc.repo import Repo
    from dvc.stage import Stage

    logging.getLogger("dvc").setLevel(logging.CRITICAL)
    with ONE_AT_A_TIME, Repo(str(ROOT)) as repo:
        yield repo, loadd_from(Stage(repo, str(ROOT / "transfer.dvc"), wdir=str(ROOT)), entries)
