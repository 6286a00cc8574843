"""Servers that are dead, hang, or want a password; stores that cannot be used. Each is one line of warning."""

import base64
import http.server
import os
import shutil
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tracking_project import all_runs, client, closed_port

from stages.lib import tracking
from stages.lib.files import ROOT
from stages.lib.tracking.connection import connect, shown_uri, unreachable, without_password
from stages.sync import sync_profiles

pytestmark = pytest.mark.filterwarnings("ignore::Warning:mlflow")


@contextmanager
def serving(answer: "type[http.server.BaseHTTPRequestHandler]") -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), answer)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that has gone
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def one_line(capfd: pytest.CaptureFixture[str], *words: str) -> None:
    found = capfd.readouterr()
    assert found.out == ""
    assert found.err.startswith("warning: ")
    assert found.err.count("\n") == 1, found.err
    assert all(word in found.err for word in words), found.err


@pytest.mark.usefixtures("trained")
def test_the_environment_is_quiet_by_default_and_the_users_own_settings_win(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    assert connect() == (f"sqlite:///{ROOT}/mlflow.db", ROOT / "mlflow.db")
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == os.environ["DO_NOT_TRACK"] == "true"
    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"


@pytest.mark.usefixtures("trained")
def test_a_password_is_kept_out_of_the_uri_and_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://ann%40lab:p%2Fw%3A@host:1/x")
    assert shown_uri() == "https://host:1/x"
    assert connect() == ("https://host:1/x", None)
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "ann@lab"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "p/w:"
    assert without_password("no route to postgresql://ann:p@w@host/db, try") == "no route to postgresql://host/db, try"


@pytest.mark.usefixtures("trained")
def test_an_unreachable_server_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://ann:secret@127.0.0.1:{closed_port()}")
    tracking.sync("full")
    one_line(capfd, "MLflow at http://127.0.0.1:", "cannot be reached (Connection refused)", "sent the next time")


def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        assert unreachable(f"http://127.0.0.1:{silent.getsockname()[1]}") == "timed out"
        assert time.monotonic() - started < 30


class Trickling(http.server.BaseHTTPRequestHandler):
    """Healthy; every other answer comes a byte a second and never ends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"OK" if self.path == "/health" else b"{")
        while self.path != "/health":
            self.wfile.write(b" ")
            time.sleep(1)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.pipeline
@pytest.mark.usefixtures("trained")
def test_a_server_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    with serving(Trickling) as port:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
        tracking.sync("full", seconds=10)
    one_line(capfd, f"MLflow at http://127.0.0.1:{port} did not answer within 10 s")


class Guarded(http.server.BaseHTTPRequestHandler):
    """Wants a password and records which ones it was given."""

    seen: set[str] = set()

    def do_GET(self) -> None:
        self.seen.add(self.headers.get("Authorization", ""))
        self.send_response(200 if self.path == "/health" else 401)
        self.end_headers()
        self.wfile.write(b"who are you?")

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.pipeline
@pytest.mark.usefixtures("trained")
def test_a_refused_password_is_one_warning_without_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with serving(Guarded) as port:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://reviewer:s%40crt@127.0.0.1:{port}")
        tracking.sync("full")
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "401" in error
    assert not any(word in error for word in ("reviewer", "s%40crt", "s@crt"))
    assert f"Basic {base64.b64encode(b'reviewer:s@crt').decode()}" in Guarded.seen


@pytest.mark.usefixtures("trained")
def test_a_store_without_a_folder_is_one_warning(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{Path.cwd()}/absent/mlflow.db")
    tracking.sync("full")
    one_line(capfd, "absent/mlflow.db cannot be reached (", "absent is not a writable folder)")


def make_newer(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")


def make_read_only(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        # What a read-only file gives to users other than root.
        connection.execute("CREATE TRIGGER no BEFORE INSERT ON experiments BEGIN SELECT RAISE(ABORT, 'readonly'); END")


@pytest.mark.pipeline
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (make_newer, "out-of-date database schema"),
        (make_read_only, "readonly"),
        (lambda path: path.write_bytes(b"no database" * 99), "not a database"),
    ],
)
def test_a_store_that_cannot_be_used_is_one_warning(
    store: Path, capfd: pytest.CaptureFixture[str], change: Callable[[Path], object], says: str
) -> None:
    change(store)
    tracking.sync("full")
    one_line(capfd, "MLflow", says)


@pytest.mark.pipeline
def test_a_locked_store_is_one_warning(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(store, isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        tracking.sync("full")
        connection.execute("ROLLBACK")
    one_line(capfd, "MLflow", "locked")


@pytest.mark.pipeline
def test_a_copied_checkout_keeps_its_files_to_itself(trained: Path, sync_here: Callable[..., int]) -> None:
    sync_here()
    before = {path: path.stat().st_ctime_ns for path in trained.glob("mlartifacts/**/*")}
    copy = trained.parent / "copy"
    shutil.copytree(trained, copy)
    os.chdir(copy)
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{copy}/mlflow.db"
    history = Path("models/full/g/slow/seed-0/history.csv")
    text = history.read_text()
    history.unlink()
    history.write_text(text.replace("0.1", "0.2"))
    sent, (line,) = sync_profiles(["full"])
    assert sent == 1
    assert str(trained) in line
    assert str(copy) in line
    assert sync_profiles(["full"]) == (0, [])
    assert {path: path.stat().st_ctime_ns for path in trained.glob("mlartifacts/**/*")} == before
    for run in all_runs():
        assert run.info.artifact_uri.startswith(f"{copy}/mlartifacts/sts/")
        assert Path(client().download_artifacts(run.info.run_id, "history.csv")).is_file()
        model = client().get_logged_model(run.outputs.model_outputs[0].model_id)
        assert Path(model.artifact_location, "MLmodel").is_file()
