"""Tar archives that come from elsewhere, read in bounded memory and without unpacking them."""

import bz2
import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, cast

from stages.lib.errors import InputError

#: Bytes that the headers of one member may take; tarfile would read a header of any size into memory.
HEADER_LIMIT = 1 << 16
CHUNK = 1 << 20
Stream = IO[bytes] | gzip.GzipFile | bz2.BZ2File


class Member(NamedTuple):
    """A file in an archive, which can be read until the next member is asked for."""

    archive: Path
    name: str
    size: int
    content: IO[bytes]

    def chunks(self) -> Iterator[bytes]:
        """The content, piece by piece. Raises InputError where the archive is damaged."""
        with intact(self.archive):
            while chunk := self.content.read(CHUNK):
                yield chunk


def tar_members(archive: Path) -> Iterator[Member]:
    """The files of a tar archive (plain, gzip or bzip2), in the archive's order; folders are skipped.

    Raises InputError where a member is a link, a device or a sparse file, where the headers of one take more than
    HEADER_LIMIT bytes, and where the archive is truncated or damaged, which for compressed ones shows at the end.
    """
    with intact(archive), _decompressed(archive) as file:
        stream = _BoundedReader(file)
        with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:") as opened:
            content: Any = opened  # published types leave out what is cleared below
            while True:
                stream.allowance = HEADER_LIMIT
                member = content.next()
                if member is None:
                    break
                # tarfile would keep every member and every global header.
                content.members.clear()
                content.pax_headers.clear()
                if member.isdir():
                    continue
                if not member.isfile() or member.issparse():
                    raise InputError(f"{archive}: {member.name[:200]} is a link or a device; do not use this archive")
                stream.allowance = member.size
                yield Member(archive, member.name, member.size, content.extractfile(member))
        # The checksum of a compressed stream is at its end.
        while file.read(CHUNK):
            pass


@contextmanager
def intact(archive: Path) -> Iterator[None]:
    """Turn what reading a damaged tar archive raises into InputError; other errors of the system pass through."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, OverflowError, RecursionError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise InputError(f"{archive}: truncated or damaged archive; download it again") from None


class _BoundedReader:
    """The part of a file's interface that tarfile uses. Reading more than `allowance` bytes is an error."""

    def __init__(self, file: Stream) -> None:
        self.file = file
        self.allowance = HEADER_LIMIT
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        self.allowance -= size
        if self.allowance < 0:
            raise tarfile.ReadError("header too large")
        return self.file.read(size)


def _decompressed(archive: Path) -> Stream:
    with archive.open("rb") as file:
        start = file.read(3)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(archive)
    return bz2.open(archive) if start == b"BZh" else archive.open("rb")
