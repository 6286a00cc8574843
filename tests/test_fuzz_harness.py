"""Inputs that took a parser down, or reach what few others do, are read or refused in one line; changed ones too."""

import random
from pathlib import Path

import pytest
from fuzz_harness import CORPUS, PARSERS, parse

INPUTS = sorted(path.relative_to(CORPUS).as_posix() for path in CORPUS.rglob("*") if path.is_file())
#: Changed copies of each input.
COPIES = 20


def test_every_parser_has_inputs() -> None:
    assert {name.partition("/")[0] for name in INPUTS} == {*PARSERS}


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    parse(name.partition("/")[0], (CORPUS / name).read_bytes(), tmp_path)


@pytest.mark.parametrize("name", INPUTS)
def test_changed_bytes_are_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    generator, content = random.Random(name), (CORPUS / name).read_bytes()
    for _ in range(COPIES):
        parse(name.partition("/")[0], changed(content, generator), tmp_path)


def changed(content: bytes, generator: random.Random) -> bytes:
    """A few bytes or bits replaced, left out, repeated or put in."""
    copy = bytearray(content)
    for _ in range(generator.choice((1, 1, 2, 4))):
        start = generator.randrange(len(copy) + 1)
        end = min(start + generator.choice((0, 1, 1, 2, 4, 16)), len(copy))
        repeated, other = copy[start:end] * 2, generator.randbytes(end - start)
        new = generator.choice((b"", b"\0", b"\xff", b"\n", b"9", repeated, other))
        copy[start:end] = new
        if copy and generator.random() < 0.5:
            copy[generator.randrange(len(copy))] ^= 1 << generator.randrange(8)
    return bytes(copy)
