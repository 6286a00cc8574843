"""Data by way of a remote, between two checkouts that have no file in common."""

import subprocess
import threading
import time
from pathlib import Path

import dask
import pytest

from stages.lib.errors import ServiceError
from stages.reproduce import checkpoints, transfer
from stages.reproduce.checkpoints import RemoteCheckpoints, checkpoint_pattern

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


def test_a_training_goes_on_elsewhere_from_its_newest_checkpoint(
    tmp_path: Path, remote: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, *setting = remote
    lines = ["[core]", "remote = store", "analytics = false", "['remote \"store\"']", f"url = {url}"]
    lines += [" = ".join(setting)] if setting else []
    folders = {}
    for name in ("killed", "next"):
        folders[name] = tmp_path / name / "models" / ".resume"
        subprocess.run(["git", "init", "--quiet", tmp_path / name], check=True)
        (tmp_path / name / ".dvc").mkdir()
        (tmp_path / name / ".dvc" / "config").write_text("\n".join(lines))

    def at(name: str) -> RemoteCheckpoints:
        for module in (checkpoints, transfer):
            monkeypatch.setattr(module, "ROOT", tmp_path / name)
        return RemoteCheckpoints(checkpoint_pattern("python -m stages.train --profile full --run a --lr 1"))

    with dask.config.set({"stages.checkpoint-seconds": 0}):
        killed = at("killed")
        killed.fetch()  # the first worker finds none
        folders["killed"].mkdir(parents=True)
        for content in (b"step 100", b"step 200"):
            (folders["killed"] / "full-a-0.pt").write_bytes(content)
            (folders["killed"] / "full-b-0.pt").write_bytes(b"of another run")
            killed.send()
        other = at("next")
        for _ in range(2):
            other.fetch()
            assert {path.name: path.read_bytes() for path in folders["next"].iterdir()} == {"full-a-0.pt": b"step 200"}
            (folders["next"] / "full-a-0.pt").write_bytes(b"step 50, from before the other worker took over")
        other.remove()
        (folders["next"] / "full-a-0.pt").unlink()
        other.fetch()
        assert not [*folders["next"].iterdir()]


def test_nothing_but_a_training_has_checkpoints(checkouts: tuple[Path, Path, Path]) -> None:
    here, _, remote = checkouts
    assert checkpoint_pattern("python -m stages.evaluate --profile full --group a") == ""
    of_none = RemoteCheckpoints("")
    for work in (of_none.fetch, of_none.send, of_none.remove):
        work()
    assert not remote.exists()
    assert not (here / "models").exists()


def test_a_checkpoint_that_does_not_arrive_stops_no_training(
    checkouts: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _, remote = checkouts
    for module in (checkpoints, transfer):
        monkeypatch.setattr(module, "ROOT", here)
    monkeypatch.setattr(checkpoints, "PATIENCE", 0.5)
    (here / "models" / ".resume").mkdir(parents=True)
    (here / "models" / ".resume" / "full-a-0.pt").write_bytes(b"step 100")
    remote.write_text("a file where the remote's folder belongs")
    said: list[str] = []
    monkeypatch.setattr(checkpoints.log, "warning", lambda form, *values: said.append(form % values))
    with dask.config.set({"stages.checkpoint-seconds": 0}):
        RemoteCheckpoints("full-a-*.pt").send()
    (line,) = said
    assert "cannot send full-a-*.pt" in line
