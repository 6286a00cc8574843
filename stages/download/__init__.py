"""Raw files of one data set: `python -m stages.download --profile full --dataset stsbenchmark`.

Profile sample makes them (samples/<dataset>.py); full and paper take the published ones (catalogue.yaml), from
DATA_MIRROR first. Real data never falls back to made ones.
"""

import argparse
import importlib
import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from stages.lib.files import project_root, atomic_folder
from stages.download.archives import extract, extract_member
from stages.download.catalogue import Dataset, File, Remote, read
from stages.download.transfer import NotServed, fetch
from stages.lib.errors import InputError

#: Outside the stage's output, which DVC deletes before each run.
PARTIAL = Path("data", ".partial")


class Found(NamedTuple):
    """A file, the remote that was fetched for it (itself, or an archive that holds it), and where that now lies."""

    file: File
    remote: Remote
    path: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", required=True, choices=("sample", "full", "paper"))
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--seed", type=int, default=0, help="of the made data (profile sample)")
    arguments = parser.parse_args()

    if arguments.seed < 0:
        raise InputError(f"--seed {arguments.seed}: give a whole number from 0 up")
    folder = Path("data", arguments.profile, "raw", arguments.dataset)
    if arguments.profile == "sample":
        make(arguments.dataset, folder, arguments.seed)
    else:
        datasets = read()
        if arguments.dataset not in datasets:
            raise InputError(f"--dataset {arguments.dataset}: not in the catalogue; it has {', '.join(datasets)}")
        dataset = datasets[arguments.dataset]
        if dataset.computed is not None:
            make(arguments.dataset, folder, arguments.seed, **dataset.computed)
        else:
            download(dataset, folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    print(f"{folder}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")


def make(dataset: str, folder: Path, seed: int, **arguments: int) -> None:
    """Sample data in the real files' formats, or data that is computed; the same seed gives the same bytes."""
    name = f"stages.download.samples.{dataset.replace('-', '_')}"
    if not dataset.replace("-", "_").isidentifier() or importlib.util.find_spec(name) is None:
        raise InputError(
            f"--dataset {dataset}: there is no sample of it; stages/download/samples has one module per sample"
        )
    with atomic_folder(folder) as temporary:
        importlib.import_module(name).write(temporary, seed, **arguments)


def download(dataset: Dataset, folder: Path) -> None:
    """The published files of a data set, all or none; what was fetched stays in data/.partial until all are there."""
    partials = PARTIAL / folder.name
    mirror = mirror_from_environment()
    found = [_find(file, mirror, partials) for file in dataset.files]
    with atomic_folder(folder) as temporary:
        for one in found:
            with _named(folder):
                _place(one, temporary)
    if partials.exists():
        shutil.rmtree(partials)


def mirror_from_environment() -> str | Path | None:
    """DATA_MIRROR as a URL prefix or a folder; a relative folder counts from the checkout, also within experiments."""
    text = os.environ.get("DATA_MIRROR", "").strip()
    if not text:
        return None
    if text.startswith(("http://", "https://")):
        return text.rstrip("/")
    folder = project_root() / Path(text).expanduser()
    if not folder.is_dir():
        raise InputError(f"DATA_MIRROR={text}: {folder} is no folder; correct or unset it")
    return folder


def _find(file: File, mirror: str | Path | None, partials: Path) -> Found:
    """Fetch a file, or the first of the archives that hold it; checked against its size and hash."""
    candidates = (file, *file.within)
    if isinstance(mirror, Path):
        for remote in candidates:
            path = mirror / remote.name
            if path.is_file():
                if flaw := remote.flaw(path):
                    raise InputError(f"{path}: {flaw}; replace the file, or unset DATA_MIRROR")
                return Found(file, remote, path)
    answers = []
    for remote in candidates:
        urls = [f"{mirror}/{remote.name}", *remote.urls] if isinstance(mirror, str) else remote.urls
        try:
            if urls:
                with _named(partials / remote.name):
                    fetch(remote, urls, partials / remote.name)
                return Found(file, remote, partials / remote.name)
        except NotServed as answer:
            answers.append(str(answer))
    raise InputError(_not_found(file, candidates, mirror, answers))


def _place(found: Found, folder: Path) -> None:
    file, remote, path = found
    if remote is not file:
        extract_member(path, file.name, folder / file.name)
        if flaw := file.flaw(folder / file.name):
            raise InputError(f"{path}: its member {file.name} has {flaw}; fetch the archive elsewhere")
    elif file.extract:
        extract(file.extract, path, folder)
    else:
        shutil.copyfile(path, folder / file.name)


def _not_found(file: File, candidates: tuple[Remote, ...], mirror: str | Path | None, answers: list[str]) -> str:
    names = " or ".join(remote.name for remote in candidates)
    if not answers:
        packing = f" is our own packing ({file.packing}), so no public server has it:" if file.packing else ":"
        present = f"{mirror} lacks it" if mirror else "it is not set"
        return f"{names}{packing} set DATA_MIRROR to a folder or URL prefix that has it (now {present})"
    return (
        f"{names}: {'; '.join(answers)}. Run the same command again to go on from what has come, "
        f"or set DATA_MIRROR to a folder or URL prefix that has it"
    )


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Writing to an open file raises errors without a name; the user wants to know which disk is full."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
