"""Where MLflow is, whether it answers, and the process that talks to it. Imports mlflow nowhere: that costs seconds."""

import os
import re
import signal
import sqlite3
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stages.lib.files import ROOT, project_root
from stages.lib.tracking.records import reason

CONNECT_SECONDS = 3.0


class OutOfTime(BaseException):
    """MLflow did not answer in time. No Exception, so that no handler on the way takes it for an error of its own."""


def sync(profile: str, seconds: float = 120.0, *options: str) -> None:
    """Run `python -m stages.sync` for the outputs below the working directory, in a process of its own, and wait for it
    at most about `seconds`. What goes wrong is one line of warning.
    """
    command = [
        sys.executable,
        "-m",
        "stages.sync",
        "--profile",
        profile,
        "--seconds",
        str(seconds),
        "--quiet",
        *options,
    ]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    sys.stdout.flush()
    try:
        subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, timeout=seconds + 15, check=False)
    except (subprocess.TimeoutExpired, OSError):
        warn(f"MLflow at {shown_uri()} did not answer within {seconds + 15:.0f} s")


def sync_study(profile: str, seconds: float = 60.0) -> None:
    """The same for the experiment under study alone: call it before DVC removes an experiment's temporary folder."""
    sync(profile, seconds, "--study")


def connect() -> tuple[str, Path | None]:
    """Settle MLflow's environment for this process: nothing sent home, quick failures, this project's store by default,
    and a password in its own variable, so that no message repeats it. Returns the store's URI, and the file of a
    store on this machine.
    """
    defaults = {
        "MLFLOW_TRACKING_URI": f"sqlite:///{project_root() / 'mlflow.db'}",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }
    os.environ.update({name: value for name, value in defaults.items() if not os.environ.get(name)})
    uri = urlsplit(os.environ["MLFLOW_TRACKING_URI"])
    if uri.scheme in ("http", "https") and uri.username:
        os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(uri.username)
        os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(uri.password or "")
        os.environ["MLFLOW_TRACKING_URI"] = shown_uri()
    known = os.environ["MLFLOW_TRACKING_URI"]
    return known, Path(known.removeprefix("sqlite:///")).absolute() if uri.scheme == "sqlite" else None


def shown_uri() -> str:
    """The store's URI without user and password."""
    return without_password(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{project_root() / 'mlflow.db'}")


def without_password(text: str) -> str:
    """Text in which URIs have neither user nor password."""
    return re.sub(r"(?<=://)[^/\s]*@", "", text)


def unreachable(uri: str) -> str | None:
    """Why nothing can be behind `uri`; None if something may be. MLflow itself would retry for minutes."""
    try:
        if uri.startswith("http"):
            urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=CONNECT_SECONDS).close()
        elif uri.startswith("sqlite:///"):
            folder = Path(uri.removeprefix("sqlite:///")).absolute().parent
            if not os.access(folder, os.W_OK):
                return f"{folder} is not a writable folder"
    except urllib.error.HTTPError:
        return None
    except urllib.error.URLError as error:
        return None if isinstance(error.reason, ssl.SSLError) else reason(error.reason)
    except (OSError, ValueError) as error:
        return reason(error)
    return None


def repair_locations(database: Path) -> str | None:
    """MLflow keeps absolute paths; where this checkout was moved or copied, point them at where it is now. Returns the
    folder that they pointed at, if it was another.
    """
    columns = {"experiments": "artifact_location", "runs": "artifact_uri", "logged_models": "artifact_location"}
    if not database.exists():
        return None
    with closing(sqlite3.connect(database)) as connection, connection:
        places = connection.execute("SELECT artifact_location FROM experiments")
        old = next((place.partition("/mlartifacts/")[0] for (place,) in places if "/mlartifacts/" in place), "")
        if not old or old == str(database.parent):
            return None
        for table, column in columns.items():
            change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} LIKE ? || '/%'"
            connection.execute(change, (str(database.parent), len(old) + 1, old))
    return old


def lacks_nothing(database: Path, wanted: set[str]) -> bool:
    """Whether a store on this machine has all these digests, the last tags of its runs; without importing mlflow."""
    if not database.exists():
        return False
    query = "SELECT value FROM tags JOIN runs USING (run_uuid) WHERE key = 'synced' AND lifecycle_stage = 'active'"
    with closing(sqlite3.connect(database)) as connection:
        best = connection.execute("SELECT value FROM experiment_tags WHERE key LIKE 'best.%'")
        return wanted <= {value for (value,) in (*connection.execute(query), *best)}


def set_alarm(seconds: float) -> None:
    """Raise OutOfTime after so many seconds, and again each second, in case some code swallows it."""

    def ring(*_: object) -> None:
        raise OutOfTime(f"did not answer within {seconds:.0f} s")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)


def warn(problem: str) -> None:
    """One line on stderr, without any password."""
    print("warning: " + without_password(" ".join(problem.split())), file=sys.stderr)
