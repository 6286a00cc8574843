"""Data by way of a remote, between two checkouts that have no file in common."""

import subprocess
import threading
import time
from pathlib import Path

import pytest

from stages.lib.errors import ServiceError
from stages.reproduce import transfer

CONTENT = {"folder/one.txt": "1", "folder/deep/two.txt": "2", "file.txt": "3"}


@pytest.fixture
def checkouts(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Two, and the folder that is their remote."""
    remote = tmp_path / "remote"
    for name in ("here", "there"):
        (tmp_path / name / ".dvc").mkdir(parents=True)
        subprocess.run(["git", "init", "--quiet", tmp_path / name], check=True)
        config = f"[core]\n    remote = store\n    analytics = false\n['remote \"store\"']\n    url = {remote}\n"
        (tmp_path / name / ".dvc" / "config").write_text(config)
        (tmp_path / name / ".gitignore").write_text("/folder\n/file.txt\n")
    for name, text in CONTENT.items():
        path = tmp_path / "here" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "here", tmp_path / "there", remote


def test_what_one_checkout_sends_another_fetches(
    checkouts: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there, _ = checkouts
    monkeypatch.setattr(transfer, "ROOT", here)
    items = transfer.send(["folder", "file.txt"])
    assert [(item.path, item.files) for item in items] == [("folder", 2), ("file.txt", None)]
    monkeypatch.setattr(transfer, "ROOT", there)
    (there / "folder").mkdir()
    (there / "folder" / "old.txt").write_text("of an earlier stage")
    (there / "file.txt").write_text("of an earlier stage")
    transfer.fetch(items)
    found = {str(path.relative_to(there)): path.read_text() for path in (there / "folder").rglob("*.txt")}
    assert found | {"file.txt": (there / "file.txt").read_text()} == CONTENT
    assert subprocess.run(["git", "status", "--porcelain"], cwd=there, capture_output=True, check=True).stdout == (
        b"?? .dvc/\n?? .gitignore\n"
    )


def test_a_remote_that_comes_back_is_waited_for(
    checkouts: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _, remote = checkouts
    monkeypatch.setattr(transfer, "ROOT", here)
    remote.write_text("a file where the remote's folder belongs")

    def come_back() -> None:
        time.sleep(1)
        remote.unlink()

    thread = threading.Thread(target=come_back)
    thread.start()
    assert transfer.send(["file.txt"])
    thread.join()
    assert len([path for path in remote.rglob("*") if path.is_file()]) == 1


def test_a_remote_that_is_gone_is_one_line(checkouts: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    here, there, remote = checkouts
    monkeypatch.setattr(transfer, "PATIENCE", 0.5)
    monkeypatch.setattr(transfer, "ROOT", here)
    items = transfer.send(["folder", "file.txt"])
    remote.rename(remote.with_name("elsewhere"))
    monkeypatch.setattr(transfer, "ROOT", there)
    with pytest.raises(ServiceError, match="cannot fetch"):
        transfer.fetch(items)
    remote.write_text("a file where the remote's folder belongs")
    monkeypatch.setattr(transfer, "ROOT", here)
    (here / "file.txt").write_text("changed")
    with pytest.raises(ServiceError, match="cannot send"):
        transfer.send(["file.txt"])
