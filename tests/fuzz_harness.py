"""Whatever bytes a parser is given, it reads them or raises InputError, which users see as one line.

`PYTHONPATH=.:tests python tests/fuzz_harness.py semeval --seconds 60` has Atheris (`pip install atheris`, in an
environment of its own) change the files of tests/corpus/semeval for so many seconds of processor time, guided by the
branches that they take. Inputs that reach new ones are kept in fuzz/semeval, and one for each kind of error other than
InputError in fuzz/semeval-found; the command then ends with 1.
"""

import argparse
import io
import math
import os
import shutil
import tarfile
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import chdir, suppress
from pathlib import Path
from typing import Any

from stages.lib.errors import InputError
from stages.lib.files import ROOT

CORPUS = ROOT / "tests" / "corpus"
#: Bytes of an input. Small ones are read fast, and take the same branches.
LONGEST = 16_384
#: Megabytes that a process may take, the libraries it has loaded included.
MOST_MEMORY = 1_500
#: Modules whose branches are followed: ours, and readers in Python.
FOLLOWED = ["stages", "yaml", "pickletools", "PIL", "gzip", "zipfile"]
WORDS = ["a", "man", "eats"]


def semeval(path: Path) -> None:
    from stages.lib.text.semeval import read_sentences
    from stages.tasks.aspects.preparation import TOKENIZERS, encode_words

    for sentence in read_sentences(path)[0]:
        for tokenize in TOKENIZERS.values():
            tokens = tokenize(sentence.text)
            spelled = [sentence.text[start:end] for start, end in tokens]
            encode_words([sentence.text], [sentence.spans], [tokens], [spelled], {})


def sts(path: Path) -> None:
    from stages.tasks.sts.preparation import count_columns, read_pairs, split_words

    pairs = read_pairs(path)
    count_columns(pairs)
    for sentence in pairs["sentence1"]:
        split_words(sentence)


def glove(path: Path) -> None:
    from stages.lib.text.glove import read_vectors

    read_vectors(path, WORDS)


def tar(path: Path) -> None:
    from stages.download.archives import extract

    extract("tar", path, folder(path))


def zipped(path: Path) -> None:
    from stages.download.archives import extract, extract_member

    extract("zip", path, folder(path))
    extract_member(path, "a.txt", path.with_name("a.txt"))


def folder(path: Path) -> Path:
    """An empty one beside the file."""
    shutil.rmtree(path.with_name("unpacked"), ignore_errors=True)
    path.with_name("unpacked").mkdir()
    return path.with_name("unpacked")


def reviews(path: Path) -> None:
    from stages.tasks.reviews.preparation.tensors import TOKENIZATIONS, read_reviews

    for review in read_reviews(path)[0]:
        for tokens in TOKENIZATIONS.values():
            tokens(review)


def pickled(path: Path) -> None:
    from stages.tasks.cifar10.preparation.archives import read_official

    packed, content = path.with_name("packed"), path.read_bytes()
    with tarfile.open(packed, "w") as archive:
        member = tarfile.TarInfo("data_batch_1")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    read_official(packed)


def cifar10(path: Path) -> None:
    from stages.tasks.cifar10.preparation.archives import read_jpeg_copy, read_official

    for read in (read_jpeg_copy, read_official):
        with suppress(InputError):
            read(path)


def image(path: Path) -> None:
    from stages.tasks.cifar10.preparation.image_files import center_crop_and_resize, decode

    center_crop_and_resize(decode(path.read_bytes(), str(path)))


def sine(path: Path) -> None:
    from stages.tasks.sine.preparation import read_sequences

    read_sequences(path)


def reports(path: Path) -> None:
    from stages.lib.config import load_reports
    from stages.validate import validate

    shutil.rmtree(path.with_name("reports"), ignore_errors=True)
    path.with_name("reports").mkdir()
    shutil.copyfile(path, path.parent / "reports" / "a.yaml")
    shutil.copyfile(ROOT / "params.yaml", path.with_name("params.yaml"))
    with chdir(path.parent):
        validate(load_reports(), "sample")


def params(path: Path) -> None:
    from stages.lib.config_params import read_limits, read_study

    shutil.copyfile(path, path.with_name("params.yaml"))
    with chdir(path.parent):
        read_limits("sample")
        read_study("sample")


def catalogue(path: Path) -> None:
    from stages.download.catalogue import read_catalogue

    read_catalogue(path)


def checkpoint(path: Path) -> None:
    from stages.train.checkpoint import read

    read(path)


def tensors(path: Path) -> None:
    from stages.lib.files import read_tensors

    read_tensors(path)
    read_tensors(path, "numpy")


def table(path: Path) -> None:
    from stages.lib.results import read_table

    read_table(path)


def history(path: Path) -> None:
    from stages.evaluate.evaluation import read_history

    read_history(path)


def scores(path: Path) -> None:
    from stages.lib.files import read_json

    read_json(path)


def typed(path: Path) -> None:
    """What a user types after `python -m stages.predict`, for each task that takes text."""
    import torch

    from stages.lib.task import task_module

    text = path.read_bytes().decode("utf-8", "surrogateescape")
    known, about = {"vectors": torch.zeros(len(WORDS) + 2, 4)}, {"max_length": 50}
    for task, words in (("sts", text.split("\n")), ("reviews", [text]), ("sine", text.split(" "))):
        options = task_module(task, "training.options").Options()
        with suppress(InputError):
            task_module(task, "interaction").encode_input(words, known, about, WORDS, options)


PARSERS: dict[str, Callable[[Path], None]] = {
    **{"semeval": semeval, "sts": sts, "glove": glove, "tar": tar, "zip": zipped, "reviews": reviews},
    **{"pickle": pickled, "cifar10": cifar10, "image": image, "sine": sine, "reports": reports, "params": params},
    **{"catalogue": catalogue, "checkpoint": checkpoint, "tensors": tensors, "table": table, "history": history},
    **{"scores": scores, "typed": typed},
}


def parse(name: str, content: bytes, scratch: Path) -> None:
    """Give a parser these bytes as a file in the folder `scratch`. Raises what is no InputError."""
    path = scratch / "input"
    path.write_bytes(content)
    with suppress(InputError):
        PARSERS[name](path)


def fuzz(name: str, seconds: float) -> None:
    """Ends the process: with 0, or with 1 where there was an error of another kind than InputError."""
    import atheris

    kept, findings = (ROOT / "fuzz" / suffix for suffix in (name, f"{name}-found"))
    kept.mkdir(parents=True, exist_ok=True)
    found: set[Any] = set()
    count, end = 0, math.inf
    with tempfile.TemporaryDirectory() as scratch:

        def run(content: bytes) -> None:
            nonlocal count
            count += 1
            try:
                parse(name, content, Path(scratch))
            except Exception as error:  # noqa: BLE001 - any kind is a finding
                frame = traceback.extract_tb(error.__traceback__)[-1]
                kind = type(error), frame.filename, frame.lineno
                if kind not in found:
                    found.add(kind)
                    findings.mkdir(exist_ok=True)
                    (findings / str(len(found))).write_bytes(content)
                    traceback.print_exception(error)
            if time.process_time() > end:
                shutil.rmtree(scratch)
                print(f"{name}: {count} inputs, {len(found)} kinds of errors", flush=True)
                os._exit(bool(found))  # Atheris has no other way out that keeps the exit code

        # Only modules that are imported in here are followed.
        with atheris.instrument_imports(include=FOLLOWED):
            for path in sorted((CORPUS / name).iterdir()):
                run(path.read_bytes())
        end = time.process_time() + seconds
        limits = [
            f"-max_len={LONGEST}",
            f"-rss_limit_mb={MOST_MEMORY}",
            "-timeout=600",
            f"-artifact_prefix={findings}-",
        ]
        atheris.Setup(["fuzz", str(kept), str(CORPUS / name), *limits], run)
        atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parser", choices=PARSERS)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    fuzz(arguments.parser, arguments.seconds)


if __name__ == "__main__":
    main()
