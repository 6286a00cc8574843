"""Writes are whole or not at all; damaged files are named."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from stages.lib import files
from stages.lib.errors import InputError
from stages.lib.files import (
    atomic_file,
    atomic_folder,
    project_root,
    read_json,
    read_tensors,
    read_yaml,
    write_json,
    write_tensors,
    write_text,
)


class Stopped(Exception):
    pass


def stop_after_writing(path: Path) -> None:
    path.write_text("half")
    raise Stopped


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    write_text(path, "first")
    with pytest.raises(Stopped), atomic_file(path) as temporary:
        stop_after_writing(temporary)
    assert path.read_text() == "first"
    write_text(path, "second")
    assert [(found.name, found.read_text()) for found in path.parent.iterdir()] == [("file.txt", "second")]


def test_a_folder_that_fails_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder"
    with atomic_folder(path) as temporary:
        (temporary / "a").write_text("first")
        assert not path.exists()
    with pytest.raises(Stopped), atomic_folder(path) as temporary:
        stop_after_writing(temporary / "b")
    assert [found.name for found in path.iterdir()] == ["a"]
    with atomic_folder(path) as temporary:
        (temporary / "b").write_text("second")
    assert [found.name for found in path.iterdir()] == ["b"]
    assert [found.name for found in path.parent.iterdir()] == ["folder"]


def test_what_a_killed_process_left_is_no_part_of_the_next_folder(tmp_path: Path) -> None:
    left = tmp_path / ".folder.part"
    left.mkdir()
    (left / "half").write_text("written")
    with atomic_folder(tmp_path / "folder") as temporary:
        (temporary / "a").write_text("all")
    assert [found.name for found in (tmp_path / "folder").iterdir()] == ["a"]


def test_a_full_disk_is_named_by_the_file(tmp_path: Path) -> None:
    """Python's buffered writes raise an error without a name."""
    with pytest.raises(OSError, match="No space left") as error, atomic_file(tmp_path / "file"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert error.value.filename == str(tmp_path / "file")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [1, {"a": float("-inf")}]])
def test_json_holds_no_number_that_json_has_not(tmp_path: Path, value: object) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"a": value})
    assert list(tmp_path.iterdir()) == []


def test_json_is_read_back(tmp_path: Path) -> None:
    content = {"b": [1, 2.5, None], "a": {"text": "相似度"}}
    write_json(tmp_path / "a.json", content)
    assert read_json(tmp_path / "a.json") == content == json.loads((tmp_path / "a.json").read_bytes())
    with pytest.raises(InputError, match=r"none\.json does not exist"):
        read_json(tmp_path / "none.json")
    (tmp_path / "a.json").write_text('{"a": 1,\n"b"}')
    with pytest.raises(InputError, match=r"a\.json, line 2: not JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"a": "\xe9"}', r"not UTF-8 text from byte 7 on"),
        (b"[1]", r"not a JSON object"),
        (b"[" * 100_000, r"not JSON \(maximum recursion depth"),
        (b'{"a": ' + b"1" * 5000 + b"}", r"not JSON \(Exceeds the limit"),
    ],
)
def test_damaged_json_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.json: {words}.*; delete it and run `dvc repro`"):
        read_json(tmp_path / "a.json")


def test_what_a_file_lacks_is_named(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"splits": {"train": {"pairs": 3}}})
    content = read_json(tmp_path / "a.json")
    assert content["splits"].get("test") is None
    with pytest.raises(InputError, match=r"a\.json has no 'words'; delete it and run `dvc repro`"):
        content["splits"]["train"]["words"]


@pytest.mark.parametrize("library", ["torch", "numpy"])
def test_damaged_tensors_are_named(tmp_path: Path, library: Any) -> None:
    path = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match=r"a\.safetensors does not exist; `dvc repro` makes it"):
        read_tensors(path, library)
    write_tensors(path, {"a": torch.arange(6).reshape(2, 3)})
    whole = path.read_bytes()
    found = read_tensors(path, library)
    assert {name: tensor.tolist() for name, tensor in found.items()} == {"a": [[0, 1, 2], [3, 4, 5]]}
    with pytest.raises(InputError, match=r"a\.safetensors has no 'b'"):
        found["b"]
    other_type = whole.replace(b'"I64"', b'"X64"')
    assert other_type != whole
    for content in (b"", whole[:20], whole[:-1], b"\xff" * 100, whole[8:], other_type):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"a\.safetensors: damaged \(.*\); delete it and run `dvc repro`"):
            read_tensors(path, library)


NINE_TIMES = [f"a{number}: &a{number} [" + ",".join([f"*a{number - 1}"] * 9) + "]" for number in range(1, 30)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: " + "[" * 100_000, "line 1: too many lists or mappings in one another"),
        ("\n".join(["a0: &a0 [x]", *NINE_TIMES]), "at most 1,000,000 values"),
        ("a: &a [*a]", "at most 1,000,000 values"),
        ("a: [" + "1," * 500_000 + "]", "more than 1,000,000 bytes"),
        ("a: 1\n? [b]\n: 1\n", "line 2: a list or a mapping is no key"),
        ("a: 2020-99-99", "cannot be read"),
        ("a: " + "1" * 5000, "cannot be read"),
    ],
)
def test_yaml_that_no_parser_survives_is_refused(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "a.yaml").write_text(content)
    with pytest.raises(InputError, match=words):
        read_yaml(tmp_path / "a.yaml")


def test_what_outlives_an_experiment_belongs_to_the_checkout_it_was_queued_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROOT", tmp_path / "checkout")
    assert project_root() == tmp_path / "checkout"
    monkeypatch.setattr(files, "ROOT", tmp_path / "checkout" / ".dvc" / "tmp" / "exps" / "tmpabc")
    assert project_root() == tmp_path / "checkout"
