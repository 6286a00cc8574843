"""What is unpacked, and what is refused."""

import functools
import gzip
import hashlib
import os
import stat
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from download.helpers import BODY, Server, dataset, one_line, published, ranged, tarred, zipped

from stages.download.archives import extract, extract_member
from stages.download.catalogue import File, Remote
from stages.download.datasets import download
from stages.lib.errors import InputError

MEMBERS = {"top/a.txt": b"first" * 3000, "top/b/c.txt": os.urandom(20_000), "d": b""}


@pytest.mark.parametrize(("kind", "pack"), [("tar", tarred), ("zip", zipped)])
def test_an_archive_is_unpacked_in_its_own_layout(
    kind: str, pack: Callable[[dict[str, bytes]], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = pack(MEMBERS)
    Path("mirror").mkdir()
    Path("mirror/data.bin").write_bytes(packed)
    monkeypatch.setenv("DATA_MIRROR", str(Path("mirror").resolve()))
    download(dataset(published(packed, extract=kind)), Path("raw/d"))
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
            download(dataset(file), Path("raw/d"))
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
    download(dataset(published(within=(away, here))), Path("raw/d"))
    assert [path.name for path in Path("raw/d").iterdir()] == ["data.bin"]
    assert Path("raw/d/data.bin").read_bytes() == BODY


@pytest.mark.parametrize(
    ("content", "part"), [({"data.bin": BODY[::-1]}, "sha256"), ({"other": BODY}, "has no member data.bin")]
)
def test_a_member_is_checked_like_a_file(content: dict[str, bytes], part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = zipped(content)
    Path("mirror").mkdir()
    Path("mirror/x.zip").write_bytes(packed)
    monkeypatch.setenv("DATA_MIRROR", str(Path("mirror").resolve()))
    archive = Remote(name="x.zip", sha256=hashlib.sha256(packed).hexdigest())
    with pytest.raises(InputError) as error:
        download(dataset(published(within=(archive,))), Path("raw/d"))
    one_line(error, "x.zip", part)
    assert list(Path("raw").iterdir()) == []


def test_a_damaged_member_is_one_line() -> None:
    packed = bytearray(zipped({"data.bin": os.urandom(1000)}))
    packed[500] ^= 0xFF
    Path("x.zip").write_bytes(packed)
    with pytest.raises(InputError, match="truncated or damaged"):
        extract_member(Path("x.zip"), "data.bin", Path("out"))


@pytest.mark.parametrize(("kind", "pack"), [("tar", tarred), ("zip", zipped)])
@pytest.mark.parametrize("name", ["x" * 256, "é" * 128, f"a/{'x' * 256}/b"])
def test_a_name_of_more_than_255_bytes_is_one_line(
    kind: str, pack: Callable[[dict[str, bytes]], bytes], name: str
) -> None:
    Path("x").write_bytes(pack({name: b"content"}))
    Path("folder").mkdir()
    with pytest.raises(InputError) as error:
        extract(kind, Path("x"), Path("folder"))
    one_line(error, "longer than 255 bytes")
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(("kind", "pack"), [("tar", tarred), ("zip", zipped)])
def test_a_path_that_the_system_does_not_take_is_one_line(kind: str, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    Path("x").write_bytes(pack({"/".join(["x" * 200] * 30): b"content"}))
    Path("folder").mkdir()
    with pytest.raises(InputError, match="too long for this file system"):
        extract(kind, Path("x"), Path("folder"))


def test_a_zip_whose_names_are_not_the_utf_8_that_it_declares_is_one_line() -> None:
    content = zipped({"é.txt": b"content"}).replace("é".encode(), b"\xff\xff")
    Path("x.zip").write_bytes(content)
    Path("folder").mkdir()
    for unpack in (
        lambda: extract("zip", Path("x.zip"), Path("folder")),
        lambda: extract_member(Path("x.zip"), "data.bin", Path("out")),
    ):
        with pytest.raises(InputError, match="truncated or damaged") as error:
            unpack()
        one_line(error, "x.zip")


def test_a_tar_whose_names_are_not_utf_8_keeps_their_bytes() -> None:
    Path("x.tar").write_bytes(tarred({"name": b"content"}, "").replace(b"name", b"n\xffme", 1))
    Path("folder").mkdir()
    # The header's checksum no longer fits, which says as much as any other damage.
    with pytest.raises(InputError, match="truncated or damaged"):
        extract("tar", Path("x.tar"), Path("folder"))


def test_a_compression_that_takes_memory_at_will_is_refused() -> None:
    with zipfile.ZipFile("x.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("data.bin", BODY)
    with pytest.raises(InputError, match="truncated or damaged"):
        extract_member(Path("x.zip"), "data.bin", Path("out"))


@pytest.mark.parametrize("compression", ["", "gz", "bz2"])
def test_a_tar_may_be_compressed_or_not(compression: str) -> None:
    Path("x").write_bytes(tarred(MEMBERS, compression))
    Path("folder").mkdir()
    extract("tar", Path("x"), Path("folder"))
    assert Path("folder/top/b/c.txt").read_bytes() == MEMBERS["top/b/c.txt"]


def test_a_header_that_would_fill_the_memory_is_one_line() -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    mebibyte = gzip.compress(bytes(1 << 20))
    Path("x").write_bytes(gzip.compress(header.tobuf(tarfile.GNU_FORMAT)) + mebibyte * (1 << 10))
    Path("folder").mkdir()
    tracemalloc.start()
    with pytest.raises(InputError, match="truncated or damaged"):
        extract("tar", Path("x"), Path("folder"))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
