"""Which workers are refused, and which noted."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stages.reproduce import facts as module
from stages.reproduce.facts import Facts

MINE = Facts("abc1234", "code", "code", "3.11", {"torch": "2.13.0", "numpy": "2.1.0"}, "EPYC 9", "1")


def test_an_equal_machine_is_neither_refused_nor_noted() -> None:
    assert MINE.refusals(MINE) == MINE.notes(MINE) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"commit": "def5678", "code": "other", "loaded": "other"}, ("commit def5678", "here it is abc1234")),
        ({"loaded": "older"}, ("changed since it was started",)),
        ({"python": "3.13"}, ("Python is 3.13", "3.11")),
        ({"packages": {"torch": "2.12.0"}}, ("torch is 2.12.0", "2.13.0", "1 more")),
    ],
)
def test_what_would_make_something_else_is_refused(change: dict[str, object], words: tuple[str, ...]) -> None:
    (reason,) = MINE.refusals(replace(MINE, **change))
    assert all(word in reason for word in words)


def test_what_moves_the_last_bits_is_noted() -> None:
    other = replace(MINE, processor="Xeon", threads="64")
    assert MINE.refusals(other) == []
    processor, threads = MINE.notes(other)
    assert "Xeon" in processor
    assert "OMP_NUM_THREADS" in threads


def test_the_code_is_what_git_would_have_and_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / "stages").mkdir()
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    hashes = []
    for name, content in (("dvc.yaml", "a"), ("stages/a.py", "a"), ("stages/a.py", "b"), ("stages/new.py", "")):
        (tmp_path / name).write_text(content)
        hashes.append(module._code())
    assert len(set(hashes)) == 4
    for name in ("stages/a.pyc", "README.md"):
        (tmp_path / name).write_text("no stage reads it")
        assert module._code() == hashes[-1]
