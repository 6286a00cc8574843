"""Writes are whole or not at all; damaged files are named."""

import errno
import json
from pathlib import Path

import pytest

from stages.lib import files
from stages.lib.errors import InputError
from stages.lib.files import atomic_file, atomic_folder, project_root, read_json, write_json, write_text


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


def test_what_outlives_an_experiment_belongs_to_the_checkout_it_was_queued_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ROOT", tmp_path / "checkout")
    assert project_root() == tmp_path / "checkout"
    monkeypatch.setattr(files, "ROOT", tmp_path / "checkout" / ".dvc" / "tmp" / "exps" / "tmpabc")
    assert project_root() == tmp_path / "checkout"
