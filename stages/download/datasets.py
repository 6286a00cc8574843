"""The files of one data set, all or none of them."""

import importlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from stages.download.archives import extract, extract_member
from stages.download.catalogue import Dataset, File, Remote
from stages.download.transfer import NotServed, fetch
from stages.lib.errors import InputError
from stages.lib.files import atomic_folder, project_root

#: Partial downloads are kept here, outside the stage's output, which DVC deletes before each run.
PARTIAL = Path("data", ".partial")


class Located(NamedTuple):
    """A file of a data set, the remote that has it (the file itself or an archive around it), and its local path."""

    file: File
    remote: Remote
    path: Path


def write_sample(dataset: str, folder: Path, seed: int, **arguments: int) -> None:
    """Made-up or computed data in the published files' formats, by samples/<dataset>.py; equal seeds give equal bytes.

    Raises InputError where the data set has no sample.
    """
    name = f"stages.download.samples.{dataset.replace('-', '_')}"
    found = "." not in dataset and importlib.util.find_spec(name) is not None
    write = getattr(importlib.import_module(name), "write", None) if found else None
    if write is None:
        raise InputError(f"--dataset {dataset}: it has no sample; stages/download/samples has one module for each")
    with atomic_folder(folder) as temporary:
        write(temporary, seed, **arguments)


def download(dataset: Dataset, folder: Path) -> None:
    """The published files of a data set. Downloads stay in data/.partial until all are complete.

    Raises InputError where a file cannot be had, or is not the published one.
    """
    partials = PARTIAL / folder.name
    mirror = mirror_from_environment()
    located = [_locate(file, mirror, partials) for file in dataset.files]
    with atomic_folder(folder) as temporary:
        for one in located:
            with _with_file_name(folder):
                _place(one, temporary)
    if partials.exists():
        shutil.rmtree(partials)


def mirror_from_environment() -> str | Path | None:
    """DATA_MIRROR as a URL prefix or a folder. A relative folder is relative to the checkout, in experiments too."""
    text = os.environ.get("DATA_MIRROR", "").strip()
    if not text:
        return None
    if text.startswith(("http://", "https://")):
        return text.rstrip("/")
    folder = project_root() / Path(text).expanduser()
    if not folder.is_dir():
        raise InputError(f"DATA_MIRROR={text}: {folder} is not a folder; correct or unset it")
    return folder


def _locate(file: File, mirror: str | Path | None, partials: Path) -> Located:
    """The file itself, or the first archive that has it, verified: in the mirror's folder, or else downloaded."""
    candidates = (file, *file.within)
    if isinstance(mirror, Path):
        for remote in candidates:
            path = mirror / remote.name
            if path.is_file():
                if mismatch := remote.mismatch(path):
                    raise InputError(f"{path}: {mismatch}; replace the file, or unset DATA_MIRROR")
                return Located(file, remote, path)
    failures = []
    for remote in candidates:
        urls = [f"{mirror}/{remote.name}", *remote.urls] if isinstance(mirror, str) else remote.urls
        try:
            if urls:
                with _with_file_name(partials / remote.name):
                    fetch(remote, urls, partials / remote.name)
                return Located(file, remote, partials / remote.name)
        except NotServed as failure:
            failures.append(str(failure))
    raise InputError(_not_found(file, candidates, mirror, failures))


def _place(located: Located, folder: Path) -> None:
    file, remote, path = located
    if remote is not file:
        extract_member(path, file.name, folder / file.name)
        if mismatch := file.mismatch(folder / file.name):
            raise InputError(f"{path}: its member {file.name} has {mismatch}; get the archive elsewhere")
    elif file.extract:
        extract(file.extract, path, folder)
    else:
        shutil.copyfile(path, folder / file.name)


def _not_found(file: File, candidates: tuple[Remote, ...], mirror: str | Path | None, failures: list[str]) -> str:
    names = " or ".join(remote.name for remote in candidates)
    if not failures:
        packing = f" is our own packing ({file.packing}), which no public server has;" if file.packing else ":"
        present = f"{mirror} does not have it" if mirror else "it is not set"
        return f"{names}{packing} set DATA_MIRROR to a folder or URL prefix that has it (now {present})"
    return (
        f"{names}: {'; '.join(failures)}. Run the same command again to resume, or set DATA_MIRROR to a folder or URL"
        " prefix that has it"
    )


@contextmanager
def _with_file_name(path: Path) -> Iterator[None]:
    """Add the file name that errors of writing to an open file lack, so that the user learns which disk is full."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
