"""Unpacking archives that come from elsewhere: plain files only, and nothing outside the given folder."""

import errno
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from stages.lib.archives import CHUNK, tar_members
from stages.lib.errors import InputError

#: Bytes in a file name, on every common file system.
LONGEST_NAME = 255


def extract(kind: str, archive: Path, folder: Path) -> None:
    """Unpack a tar (plain, gzip or bzip2) or zip archive into `folder`, with its own layout.

    Raises InputError where a member's path leaves `folder` or is too long, where a member is a link or a device, and
    where the archive is truncated or damaged. Owners, modes and times are not restored. `extractall` would do for tar,
    but its safe filter is missing in early releases of Python 3.11, and there is none for zip.
    """
    UNPACKERS[kind](archive, folder)


def extract_member(archive: Path, name: str, target: Path) -> None:
    """Extract the file `name` from a zip archive. Raises InputError where it is missing or damaged."""
    with _readable_zip(archive), zipfile.ZipFile(archive) as content:
        if name not in content.namelist():
            raise InputError(f"{archive} has no member {name}; download the archive again")
        _extract_zip_member(content, content.getinfo(name), target)


def _extract_tar(archive: Path, folder: Path) -> None:
    with _consistent_names(archive):
        for member in tar_members(archive):
            target = _inside(folder, member.name, archive)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                for chunk in member.chunks():
                    file.write(chunk)


def _extract_zip(archive: Path, folder: Path) -> None:
    with _consistent_names(archive), _readable_zip(archive), zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            if not member.filename:
                raise zipfile.BadZipFile("a member without a name")
            target = _inside(folder, member.filename, archive)
            if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise InputError(f"{archive}: {member.filename} is a link or a device; do not use this archive")
            if not member.is_dir():
                target.parent.mkdir(parents=True, exist_ok=True)
                _extract_zip_member(content, member, target)


UNPACKERS: dict[str, Callable[[Path, Path], None]] = {"tar": _extract_tar, "zip": _extract_zip}


def _extract_zip_member(content: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    # LZMA takes as much memory as the archive asks for.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile("unknown compression")
    with content.open(member) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, CHUNK)


def _inside(folder: Path, name: str, archive: Path) -> Path:
    """The path of a member in `folder`. Links are never created, so the parts of the path are all there is to check."""
    path = PurePosixPath(name)
    # On Windows a backslash is a separator and a colon belongs to a drive.
    if path.is_absolute() or ".." in path.parts or any(letter in name for letter in "\\:\0"):
        raise InputError(f"{archive}: the path {name[:200]!r} leaves its folder; do not use this archive")
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in path.parts):
        raise InputError(f"{archive}: the name {name[:50]!r}… is longer than {LONGEST_NAME} bytes")
    return folder / path


@contextmanager
def _consistent_names(archive: Path) -> Iterator[None]:
    """InputError for members whose names clash, one as a file and one as a folder, or whose paths are too long."""
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InputError(f"{archive}: truncated or damaged archive; download it again") from None
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise InputError(f"{archive}: the path of a member is too long for this file system") from None


@contextmanager
def _readable_zip(archive: Path) -> Iterator[None]:
    """InputError for what zipfile raises where an archive is damaged, encrypted, or has names that are not UTF-8."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OverflowError, struct.error):
        raise InputError(f"{archive}: truncated or damaged archive; download it again") from None
    except OSError as error:
        # Where a member begins before the file does.
        if error.errno != errno.EINVAL:
            raise
        raise InputError(f"{archive}: truncated or damaged archive; download it again") from None
