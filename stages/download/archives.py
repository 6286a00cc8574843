"""Archives that come from elsewhere: nothing but plain files and folders, and nothing outside the folder given."""

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from stages.lib.errors import InputError


def extract(kind: str, archive: Path, folder: Path) -> None:
    """Unpack a tar (compressed or not) or zip archive into `folder`, in its own layout.

    Raises InputError where a member's path leaves `folder`, a member is a link or a device, or the archive is truncated
    or damaged. Owners, modes and times are not taken over. Python's own `extractall` would do for tar, but its safe
    filter is missing from the first releases of Python 3.11 and there is none for zip.
    """
    UNPACKERS[kind](archive, folder)


def extract_member(archive: Path, name: str, target: Path) -> None:
    """Take the one file `name` out of a zip archive. Raises InputError where it is not there or damaged."""
    with _intact(archive), zipfile.ZipFile(archive) as content:
        try:
            source = content.open(name)
        except KeyError:
            raise InputError(f"{archive} holds no {name}; fetch the archive again") from None
        with source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 1 << 20)


def _extract_tar(archive: Path, folder: Path) -> None:
    with _intact(archive), tarfile.open(archive, "r:*") as content:
        for member in content:
            target = _inside(folder, member.name, archive)
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            if not member.isfile():
                raise InputError(f"{archive}: {member.name} is a link or a device; only files and folders are unpacked")
            target.parent.mkdir(parents=True, exist_ok=True)
            with content.extractfile(member) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
        # Only at its end does a compressed stream tell that nothing is missing and its checksum is right.
        while content.fileobj.read(1 << 20):
            pass


def _extract_zip(archive: Path, folder: Path) -> None:
    with _intact(archive), zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            target = _inside(folder, member.filename, archive)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise InputError(
                    f"{archive}: {member.filename} is a link or a device; only files and folders are unpacked"
                )
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with content.open(member) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)


UNPACKERS: dict[str, Callable[[Path, Path], None]] = {"tar": _extract_tar, "zip": _extract_zip}


def _inside(folder: Path, name: str, archive: Path) -> Path:
    """Where a member goes. Links are never made, so looking at the path's words is enough."""
    path = PurePosixPath(name)
    # A backslash or a colon would be a separator or a drive where Windows reads it.
    if path.is_absolute() or ".." in path.parts or any(mark in name for mark in "\\:\0"):
        raise InputError(f"{archive}: the path {name!r} leaves its folder; do not use this archive")
    return folder / path


@contextmanager
def _intact(archive: Path) -> Iterator[None]:
    damaged = (
        *(tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, BadGzipFile, EOFError),
        # Two members that want one name as file and as folder; an encrypted member; an unknown compression.
        *(FileExistsError, NotADirectoryError, IsADirectoryError, RuntimeError),
    )
    try:
        yield
    except damaged:
        raise InputError(f"{archive}: truncated or damaged archive; fetch it again") from None
