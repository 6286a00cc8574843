"""Empty outbox/ into MLflow: `python -m stages.lib.tracking.sender`. Started by stages/tracking, or by hand.

Prints one line of JSON: {"sent": entries sent, "problem": null or text}.
"""

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from stages.lib.files import project_root, read_json
from stages.lib.errors import InputError, run
from stages.lib.tracking.outbox import environment, waiting
from stages.lib.tracking.to_mlflow import Sender

CONNECT_SECONDS = 3.0


def unreachable(uri: str) -> str | None:
    """Why no tracking server or database can be behind `uri`; None if one may be. Takes a few seconds at most.

    MLflow itself retries for minutes, and importing it costs seconds before the first try.
    """
    parts = urlsplit(uri)
    if parts.scheme in ("http", "https"):
        try:
            urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=CONNECT_SECONDS).close()
        except urllib.error.HTTPError:
            return None
        except urllib.error.URLError as error:
            return None if isinstance(error.reason, ssl.SSLError) else _reason(error.reason)
        except (OSError, ValueError) as error:
            return _reason(error)
    if parts.scheme == "sqlite":
        folder = Path(uri.removeprefix("sqlite:///")).parent
        if not os.access(folder, os.W_OK):
            return f"{folder} is no folder that can be written to"
    return None


def send_all(root: Path, deadline: float) -> tuple[int, str | None]:
    """Send what waits under `root`; returns how many entries went out and, if some did not, why."""
    uri = os.environ["MLFLOW_TRACKING_URI"]
    if problem := unreachable(uri):
        return 0, f"cannot be reached ({problem})"
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    sent, problem = 0, None
    stuck: set[str] = set()  # keys of entries that MLflow refused: what belongs to them waits with them
    tried: set[Path] = set()
    try:
        sender = Sender(MlflowClient(), root, local=urlsplit(uri).scheme == "sqlite")
        while new := [folder for folder in waiting(root) if folder not in tried]:
            for folder in new:
                if time.monotonic() > deadline:
                    return sent, problem or "needs more time"
                tried.add(folder)
                key = folder.name.rpartition("-")[2]
                if key in stuck or not (folder / "entry.json").exists():
                    continue
                try:
                    sender.send(read_json(folder / "entry.json"), folder)
                    shutil.rmtree(folder, ignore_errors=True)
                    sent += 1
                except (MlflowException, InputError, OSError, KeyError, ValueError) as error:
                    if not folder.exists():  # a live curve that its training has just taken back
                        continue
                    if reason := unreachable(uri):
                        return sent, f"cannot be reached ({reason})"
                    stuck.add(key)
                    problem = problem or f"did not take outbox/{folder.name} ({_reason(error)})"
    except (MlflowException, OSError) as error:
        return sent, f"cannot be used ({_reason(error)})"
    return sent, problem


def _reason(error: object) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200]


@contextlib.contextmanager
def _alone(place: Path, deadline: float) -> Iterator[bool]:
    """Whether this is the one process that sends; waits for another one until the deadline.

    One at a time: two could make the database, or the same run, twice. The lock ends with the process, however it ends.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    yield False
                    return
                time.sleep(0.2)
            else:
                yield True
                return


def main() -> None:
    parser = argparse.ArgumentParser(description="send what waits in outbox/ to MLflow")
    parser.add_argument("--root", type=Path, default=None, help="the folder that holds outbox/ and mlflow.db")
    parser.add_argument("--max-seconds", type=float, default=600.0)
    parser.add_argument("--nice", action="store_true", help="at low priority, beside a training")
    options = parser.parse_args()
    deadline = time.monotonic() + options.max_seconds
    root = (options.root or project_root()).resolve()
    # A server that takes connections and says nothing, or a hanging disk: nobody waits for this process for ever.
    signal.alarm(int(options.max_seconds) + 20)
    if options.nice:
        os.nice(10)
    os.environ.update(environment(root))
    os.chdir(root)  # MLflow makes some paths from the working directory
    sent, problem = 0, None
    with _alone(root / "outbox" / ".lock", deadline) as alone:
        for left in (root / "outbox").glob(".*.part"):  # by a process that was killed while it wrote
            if time.time() - left.stat().st_mtime > 86_400:
                shutil.rmtree(left, ignore_errors=True)
        if alone and waiting(root):
            sent, problem = send_all(root, deadline)
    print(json.dumps({"sent": sent, "problem": problem}))


if __name__ == "__main__":
    run(main)
