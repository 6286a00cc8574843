"""Checkpoints by way of DVC's remote: where a worker is gone for good, its training goes on elsewhere.

They lie beside DVC's own files, in the remote's folder `resume`, by name. A training itself tells a checkpoint that is
whole and its own from any other (stages/train/checkpoint.py), so nothing is checked here.
"""

import logging
import shlex
import time
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import dask

from stages.lib.errors import ServiceError
from stages.lib.files import ROOT
from stages.reproduce.transfer import persist, remote_files

#: Seconds between two looks for a new checkpoint, if Dask's configuration does not say otherwise. What a killed worker
#: has done since is done again.
SEND_EVERY = 120.0
#: Seconds after which a checkpoint that does not arrive is left to the next time; the stage goes on meanwhile.
PATIENCE = 20.0
LOCAL = Path("models", ".resume")
log = logging.getLogger("distributed.worker")


class RemoteCheckpoints:
    """Those of one stage, in both places.

    pattern: of their names, a glob; empty where the stage trains nothing.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.every = float(dask.config.get("stages.checkpoint-seconds", SEND_EVERY))
        self._due = time.monotonic() + self.every
        self._sent: dict[Path, int] = {}
        self._remote: tuple[Any, str] | None = None

    def fetch(self) -> None:
        """Before the stage starts: those of the worker that had it last are the newest. Raises ServiceError where the
        remote is away.
        """
        if self.pattern:
            persist(self._fetch, f"fetch {self.pattern}")

    def send(self) -> None:
        """While the stage runs: from time to time, those that are new."""
        if self.pattern and time.monotonic() >= self._due:
            self._try(self._send, "send")
            self._due = time.monotonic() + self.every

    def remove(self) -> None:
        """After a stage that ended well."""
        if self.pattern:
            self._try(self._remove, "remove")

    def _try(self, work: Any, verb: str) -> None:
        try:
            persist(work, f"{verb} {self.pattern}", PATIENCE)
        except ServiceError as error:
            log.warning("%s", error)

    def _folder(self) -> tuple[Any, str]:
        if self._remote is None:
            self._remote = remote_files("resume")
        return self._remote

    def _kept(self) -> list[str]:
        files, folder = self._folder()
        found = files.find(folder) if files.exists(folder) else ()
        return [path for path in found if fnmatchcase(files.name(path), self.pattern)]

    def _fetch(self) -> None:
        files, _ = self._folder()
        for path in self._kept():
            (ROOT / LOCAL).mkdir(parents=True, exist_ok=True)
            files.get_file(path, str(ROOT / LOCAL / files.name(path)))

    def _send(self) -> None:
        files, folder = self._folder()
        for path in sorted((ROOT / LOCAL).glob(self.pattern)):
            written = path.stat().st_mtime_ns
            if self._sent.get(path) != written:
                # A worker killed on the way leaves the checkpoint before this one.
                files.makedirs(folder, exist_ok=True)
                files.put_file(str(path), files.join(folder, f".{path.name}.part"))
                files.move(files.join(folder, f".{path.name}.part"), files.join(folder, path.name))
                self._sent[path] = written

    def _remove(self) -> None:
        files, _ = self._folder()
        for path in self._kept():
            files.remove(path)


def checkpoint_pattern(command: str) -> str:
    """The names of a stage's checkpoints, as stages/train/trainer.py gives them; empty where it trains nothing."""
    words = shlex.split(command)
    if "stages.train" not in words:
        return ""
    profile, run = (words[words.index(option) + 1] for option in ("--profile", "--run"))
    return f"{profile}-{run}-*.pt"
