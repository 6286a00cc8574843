"""What readers of the user's own files share: tables with line numbers, and splits."""

import csv
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.errors import InputError
from stages.lib.own_data.source import ALL, Source, find_files, split_examples, without_duplicates
from stages.lib.own_data.tables import TableFormat, read_numbers, read_table

FRACTIONS = {"validation": 0.1, "test": 0.2}
CELL = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8)


def source_of(path: Path = Path("data"), files: dict[str, Path] | None = None, seed: int = 0) -> Source:
    return Source(path, files or {ALL: path}, seed, FRACTIONS, Path("vectors"))


# ── Splits ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(counts=st.lists(st.integers(3, 60), min_size=1, max_size=8), seed=st.integers(0, 5))
def test_every_example_is_in_one_split_and_every_class_in_all(counts: list[int], seed: int) -> None:
    examples = [(label, number) for label, count in enumerate(counts) for number in range(count)]
    found = split_examples({ALL: examples}, source_of(seed=seed), lambda example: example[0])
    assert sorted(example for split in found.values() for example in split) == examples
    assert all(split == sorted(split) for split in found.values())
    of_class = {name: Counter(label for label, _ in split) for name, split in found.items()}
    for label, count in enumerate(counts):
        assert of_class["train"][label] >= 1
        for name, fraction in FRACTIONS.items():
            assert of_class[name][label] == max(1, round(fraction * count))
    assert found == split_examples({ALL: examples}, source_of(seed=seed), lambda example: example[0])


def test_another_seed_draws_others() -> None:
    first, second = (split_examples({ALL: range(100)}, source_of(seed=seed)) for seed in (0, 1))
    assert first["test"] != second["test"]
    # Of 20 tests each out of 100, four are expected in both; by chance alone hardly ever more than twelve.
    assert len({*first["test"]} & {*second["test"]}) < 13


def test_stated_splits_are_kept_and_validation_is_drawn_from_training() -> None:
    files = {"train": Path("a"), "test": Path("b")}
    found = split_examples({"train": range(50), "test": range(50, 60)}, source_of(files=files))
    assert found["test"] == [*range(50, 60)]
    assert len(found["validation"]) == 5
    assert sorted(found["train"] + found["validation"]) == [*range(50)]


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({ALL: []}, ["data: no example left for all"]),
        ({ALL: "ab"}, ["data: the data set has fewer than 3 examples"]),
        ({ALL: "aaaaab"}, ["class 'b' has fewer than 3 examples", "leave the class out"]),
        ({ALL: "aaaaabc"}, ["2 classes ('b', 'c') have fewer than 3"]),
        ({ALL: [f"{n}" for n in range(10_000)]}, ["10,000 classes ('0', '1', '2', …) have fewer"]),
        ({"train": "aabb", "test": []}, ["b: no example left for test"]),
        ({"train": "aabb", "test": "ac"}, ["b: class 'c' is not in the training examples"]),
    ],
)
def test_splits_that_cannot_be_get_one_line(parts: dict[str, Any], words: list[str]) -> None:
    files = None if ALL in parts else {"train": Path("a"), "test": Path("b")}
    label = (lambda _: None) if parts.get(ALL) == "ab" else (lambda example: example)
    with pytest.raises(InputError) as error:
        split_examples(parts, source_of(files=files), label)
    assert all(word in str(error.value) for word in words), error.value


def test_many_classes_are_split_in_a_moment() -> None:
    examples = [number % 10_000 for number in range(40_000)]
    found = split_examples({ALL: examples}, source_of(), lambda example: example)
    assert {name: len(split) for name, split in found.items()} == {
        "train": 20_000,
        "validation": 10_000,
        "test": 10_000,
    }


def test_duplicates_are_left_out_and_counted() -> None:
    assert without_duplicates([(1, "a"), (2, "a"), (1, "a")]) == ([(1, "a"), (2, "a")], 1)


def test_files_of_splits_are_looked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").touch()
    for splits, path, message in (
        (None, tmp_path / "none", "none does not exist"),
        ({"train": "a.csv", "test": "b.csv"}, tmp_path, "b.csv does not exist; correct splits.test"),
        ({"train": "a.csv", "test": "./a.csv"}, tmp_path, "two splits name the same file"),
        ({"train": "a.csv", "test": "b.csv"}, tmp_path / "a.csv", "splits name files in a folder"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            find_files(path, splits)
    assert find_files(tmp_path / "a.csv", None) == {ALL: tmp_path / "a.csv"}


# ── Tables ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6), delimiter=st.sampled_from(",;|"))
def test_what_the_standard_library_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    path = tmp_path_factory.mktemp("table") / "t.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows([("b", "a"), *rows])
    found, _ = read_table(path, {"first": "a", "second": "b"}, TableFormat(delimiter=delimiter))
    assert [(row.values["second"], row.values["first"]) for row in found] == rows
    assert [row.line for row in found] == [*range(2, len(rows) + 2)]


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'\xef\xbb\xbfa,b\r\n\r\n"one\r\ntwo",1\r\n , \r\nthree,2\r\n')
    rows, blank = read_table(tmp_path / "t.csv", {"a": "a"}, TableFormat())
    assert [(row.line, row.values["a"]) for row in rows] == [(3, "one two"), (6, "three")]
    assert blank == 2


def test_columns_have_numbers_where_there_is_no_header(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text('1\t"quoted\tx\n2\tplain\ty\textra\n')
    rows, _ = read_table(tmp_path / "t.tsv", {"text": 2, "label": 3}, TableFormat())
    assert [dict(row.values) for row in rows] == [{"text": '"quoted', "label": "x"}, {"text": "plain", "label": "y"}]


@pytest.mark.parametrize(
    ("content", "columns", "message"),
    [
        (b"text;label\na;b\n", {"t": "text"}, "line 1: one column; is the delimiter ';'?"),
        (b"a,b\n1,2\n", {"t": "text"}, "line 1: no column 'text'; there are 'a', 'b'. Give format.t"),
        (b"a,a\n1,2\n", {"t": "a"}, "line 1: two columns are called 'a'"),
        (b"a,b\n1,2\n1,2,3\n", {"t": "a"}, "line 3: 3 values where 2 are expected"),
        (b"1,2\n1\n", {"t": 2}, "line 2: 1 values where 2 are expected"),
        (b"a,b\n", {"t": "a"}, "a header and no records"),
        (b'a,b\n1,2\n"3,4\n5,6\n', {"t": "a"}, "line 3: a quotation mark is not closed"),
        (b'a,b\n"1"x,2\n', {"t": "a"}, "line 2: "),
        (b"a,b\n1,caf\xe9\n", {"t": "a"}, "line 2: byte 0xe9 is not utf-8 text; save the file as UTF-8"),
        (b"\xff\xfea\x00", {"t": "a"}, "UTF-16 text; save it as UTF-8"),
        (b"a,b\n1,\x00\n", {"t": "a"}, "line 2: a null character"),
        (b" \n\n", {"t": "a"}, "the file is empty"),
        (b"a,b\n1,2\n", {"t": "a", "u": 2}, "all columns by name, or all by number"),
    ],
)
def test_a_broken_table_gets_one_line(tmp_path: Path, content: bytes, columns: dict[str, Any], message: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError) as error:
        read_table(tmp_path / "t.csv", columns, TableFormat())
    assert message in str(error.value)
    assert str(error.value).startswith(f"{tmp_path / 't.csv'}")


def test_the_users_encoding_is_used(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("a\ncafé\n".encode("cp1252"))
    rows, _ = read_table(tmp_path / "t.csv", {"a": "a"}, TableFormat(encoding="cp1252"))
    assert rows[0].values["a"] == "café"
    with pytest.raises(InputError, match="encoding 'klingon' is unknown"):
        read_table(tmp_path / "t.csv", {"a": "a"}, TableFormat(encoding="klingon"))


def test_numbers_are_read_by_name_or_all(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("day,x,y\nmonday,1,2\ntuesday,3,4.5\n")
    assert read_numbers(tmp_path / "t.csv", TableFormat(), True, ["y", "x"]) == ([2, 3], [(2, 1), (4.5, 3)])
