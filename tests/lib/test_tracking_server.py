"""A real MLflow server over HTTP, its runs in PostgreSQL: Debian's, started here on the loopback interface."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tracking_project import all_runs, client, closed_port, contents, write_verdicts

from stages.lib import tracking
from stages.lib.files import ROOT
from stages.sync import sync_profiles

pytestmark = [pytest.mark.pipeline, pytest.mark.filterwarnings("ignore::Warning:mlflow")]

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
USER = "reviewer"
PASSWORD = "s3cret@word"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URI of a new database in a cluster of its own."""
    if not BINARIES:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    # PostgreSQL refuses to run as root, and other users cannot enter pytest's folders.
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder, port = Path(tempfile.mkdtemp(prefix="postgresql-")), closed_port()
    if as_user:
        shutil.chown(folder, "postgres")

    def call(name: str, *words: str) -> None:
        command = [*as_user, str(BINARIES[-1] / name), *words]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)

    call("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", USER)
    settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
    call("pg_ctl", "-D", str(folder / "data"), "-l", str(folder / "log"), "-w", "-o", settings, "start")
    try:
        call("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", USER, "mlflow")
        yield f"postgresql://{USER}:{PASSWORD.replace('@', '%40')}@127.0.0.1:{port}/mlflow"
    finally:
        call("pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "stop")
        shutil.rmtree(folder)


@contextmanager
def serving(folder: Path, port: int, *options: str) -> Iterator["subprocess.Popen[bytes]"]:
    """`mlflow server` on the loopback interface, once it answers."""
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (folder / "log").open("w") as log:
        environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
        places: dict[str, Any] = {"cwd": folder, "env": environment, "stdout": log, "stderr": log}
        process = subprocess.Popen([*command, *options], start_new_session=True, **places)
        try:
            for _ in range(1200):
                if process.poll() is not None:
                    pytest.fail((folder / "log").read_text())
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                    break
                except (urllib.error.URLError, OSError):
                    time.sleep(0.1)
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def test_runs_files_and_models_in_postgresql(
    trained: Path, sync_here: Callable[..., int], postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    write_verdicts()
    sync_here()
    expected = contents()
    port = closed_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    places = ("--backend-store-uri", postgresql, "--artifacts-destination", str(trained / "server-files"))
    with serving(trained / "server", port, *places):
        assert sync_profiles(["full"]) == (3, [])
        assert contents() == expected
        assert sync_profiles(["full"]) == (0, [])
        assert contents() == expected
        pair = {"first": "a man is playing", "second": "a dog sleeps"}
        assert "similarity" in mlflow.pyfunc.load_model("models:/sts@best").predict(pair)[0]
        assert len(list(trained.glob("server-files/**/weights.safetensors"))) == 3
    # Without the server: PostgreSQL itself, whose password no message shows.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgresql)
    assert len(all_runs()) == 3


def test_a_server_that_is_killed_in_the_middle_gets_the_rest_later(
    trained: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copyfile(empty_store, trained / "server.db")
    port = closed_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    database = f"sqlite:///{trained}/server.db"
    places = ("--backend-store-uri", database, "--artifacts-destination", str(trained / "server-files"))
    with serving(trained / "server", port, *places) as process:
        command = [sys.executable, "-m", "stages.sync", "--profile", "full", "--quiet"]
        syncing = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)})
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not list(trained.glob("server-files/**/MLmodel")):
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
        assert syncing.wait() == 0
    error = capfd.readouterr().err
    assert error.startswith("warning: MLflow")
    assert error.count("\n") == 1
    with serving(trained / "server", port, *places):
        tracking.sync("full")
        assert capfd.readouterr().err == ""
        for run in contents():
            assert (run["status"], len(run["metrics"]["train.loss"]), len(run["models"])) == ("FINISHED", 12, 1)
        models = client().search_logged_models([all_runs()[0].info.experiment_id])
        assert [str(model.status) for model in models] == ["READY"] * 3


def test_a_server_without_access_to_its_files_gets_the_values(
    trained: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(empty_store, trained / "server.db")
    port = closed_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(trained / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    places = ("--backend-store-uri", f"sqlite:///{trained}/server.db", "--no-serve-artifacts")
    with serving(trained / "server", port, *places, "--default-artifact-root", "s3://no-such-bucket/files"):
        sent, (problem,) = sync_profiles(["full"])
        assert sent == 3
        assert "took no files of slow seed 0 (Unable to locate credentials)" in problem
        assert all(len(run["metrics"]["train.loss"]) == 12 for run in contents_without_files())


def contents_without_files() -> list[dict[str, Any]]:
    return [
        {"metrics": {"train.loss": client().get_metric_history(run.info.run_id, "train.loss")}} for run in all_runs()
    ]
