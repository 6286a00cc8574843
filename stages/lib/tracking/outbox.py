"""outbox/: one folder for each thing that MLflow has not been told yet, and the process that is to tell it."""

import contextlib
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from stages.lib.files import project_root, whole_folder


def outbox(root: Path | None = None) -> Path:
    return (root or project_root()) / "outbox"


def waiting(root: Path | None = None) -> list[Path]:
    """Entries in the outbox, the oldest first."""
    # Names begin with nanoseconds since 1970 and end with a hash of the key; temporary ones begin with a dot.
    return sorted(folder for folder in outbox(root).glob("[0-9]*") if folder.is_dir())


def environment(root: Path | None = None) -> dict[str, str]:
    """The environment MLflow is run in: nothing sent home, quick failures, this project's store by default."""
    defaults = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{(root or project_root()) / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    return {**defaults, **{name: value for name, value in os.environ.items() if value or name not in defaults}}


def shown_uri() -> str:
    """The tracking server's address without any password in it."""
    return re.sub(r"(?<=://)[^/]*@", "", environment()["MLFLOW_TRACKING_URI"])


def sender_command(max_seconds: float, *options: str) -> list[str]:
    root, seconds = str(project_root()), str(max_seconds)
    return [sys.executable, "-m", "stages.lib.tracking.sender", "--root", root, "--max-seconds", seconds, *options]


def outcome(stdout: str, stderr: str) -> str | None:
    """What went wrong, from the sender's last line; None if nothing did."""
    try:
        return json.loads(stdout.strip().splitlines()[-1])["problem"]
    except (json.JSONDecodeError, IndexError):
        return f"could not be told ({(stderr.strip().splitlines() or ['the sending process was stopped'])[-1]})"


def warn(problem: str | None) -> bool:
    if problem is None:
        return False
    count = len({folder.name.rpartition("-")[2] for folder in waiting()})
    runs = "1 run waits" if count == 1 else f"{count} runs wait"
    ends = "is" if count == 1 else "are"
    line = f"warning: MLflow at {shown_uri()} {problem}; {runs} in outbox/ and {ends} sent by the next stage"
    print(" ".join(line.split()), file=sys.stderr)
    return True


@contextlib.contextmanager
def new_entry(kind: str, key: str) -> Iterator[Path]:
    """A folder that gets its name in the outbox when the block ends well."""
    with whole_folder(place(kind, key)) as folder:
        yield folder


def place(kind: str, key: str) -> Path:
    return outbox() / f"{time.time_ns()}-{os.getpid()}-{kind}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """A full disk or a read-only outbox must not fail a stage whose own work is done."""
    try:
        yield
    except OSError as error:
        print(f"warning: MLflow will not hear of this run: {error}", file=sys.stderr)
