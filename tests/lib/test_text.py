import string
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import MIRROR
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib import text
from stages.lib.errors import InputError

real = pytest.mark.skipif(not (MIRROR / "glove.6B.50d.zip").is_file(), reason="needs the real data in DATA_MIRROR")


# What the Penn Treebank's tokenizer, which GloVe's corpus went through, makes of these; marks are tokens of their own.
@pytest.mark.parametrize(
    ("sentence", "tokens"),
    [
        ("A plane is taking off.", ["A", "plane", "is", "taking", "off", "."]),
        ("I don't; you can't", ["I", "do", "n't", ";", "you", "ca", "n't"]),
        ("the man's dog, they're", ["the", "man", "'s", "dog", ",", "they", "'re"]),
        ("A well-known T-shirt", ["A", "well-known", "T-shirt"]),
        ("The U.S. dollar", ["The", "U.S.", "dollar"]),
        ("1,000 at 10:30, 1.5% of $3", ["1,000", "at", "10:30", ",", "1.5", "%", "of", "$", "3"]),
        ('a "superman" shirt', ["a", '"', "superman", '"', "shirt"]),
        ("'quoted' words", ["'", "quoted", "'", "words"]),
        ("O'Neill o'clock", ["O'Neill", "o'clock"]),
        ("a--b", ["a", "-", "-", "b"]),
        ("it’s", ["it", "'s"]),
        ("  \t ", []),
        ("", []),
    ],
)
def test_tokenize(sentence: str, tokens: list[str]) -> None:
    assert text.tokenize(sentence) == tokens


@given(st.text())
def test_tokenize_loses_nothing_but_blanks(sentence: str) -> None:
    assert "".join(text.tokenize(sentence)) == "".join(sentence.replace("’", "'").split())


def test_lower_case() -> None:
    assert text.lower_case(["The", "U.S.", "MOON", "é", "É"]) == ["the", "u.s.", "moon", "é", "é"]


@pytest.mark.parametrize(
    ("tokens", "cleaned"),
    [
        (["a", ".", "!", '"', "b"], ["a", "b"]),
        (["well-known", "t-shirt", "-", "--"], ["well-known", "t-shirt"]),
        (["-dash", "dash-"], ["dash", "dash"]),
        (["wo*rd", "w@x", "a_b"], ["word", "wx", "ab"]),
        (["n't", "'s", "u.s.", "10:30", "3,000", "o'clock"], ["n't", "'s", "u.s.", "10:30", "3,000", "o'clock"]),
        (["$", "%", "'", "—", "€"], []),
    ],
)
def test_clean(tokens: list[str], cleaned: list[str]) -> None:
    assert text.clean(tokens) == cleaned


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_clean_leaves_words_only(tokens: list[str]) -> None:
    cleaned = text.clean(tokens)
    assert text.clean(cleaned) == cleaned
    assert all(any(character.isalnum() for character in word) for word in cleaned)
    assert not {"_", *'!"#$%&()*+;<=>?@[]^`{|}~'} & set("".join(cleaned))


@given(st.lists(st.sampled_from(["a", "b", "c", "d"])), st.sets(st.sampled_from(["a", "b", "c", "d"])))
def test_drop_unknown_splits_in_order(tokens: list[str], known: set[str]) -> None:
    kept, dropped = text.drop_unknown(tokens, known)
    assert set(kept) <= known
    assert not set(dropped) & known
    assert sorted(kept + dropped) == sorted(tokens)
    merged, rest = list(kept), list(dropped)
    assert [(merged if token in known else rest).pop(0) for token in tokens] == tokens


@pytest.mark.parametrize(("length", "left"), [(3, ["a", "b", "c"]), (2, ["a", "b"]), (65, ["a", "b", "c"])])
def test_cut(length: int, left: list[str]) -> None:
    assert text.cut(["a", "b", "c"], length) == left


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=12)
VALUES = st.floats(-1e4, 1e4, width=32)


def write(path: Path, lines: list[str], end: str = "\n") -> Path:
    path.write_bytes(("\n".join(lines) + end if lines else "").encode())
    return path


@settings(max_examples=60, deadline=None)
@given(
    table=st.integers(1, 6).flatmap(
        lambda width: st.dictionaries(WORDS, st.lists(VALUES, min_size=width, max_size=width), min_size=1, max_size=40)
    ),
    absent=st.sets(WORDS, max_size=5),
    share=st.sampled_from([1, 2, 3]),
    end=st.sampled_from(["\n", ""]),
    block=st.sampled_from([256, 300, 1 << 19]),
)
def test_read_vectors_finds_what_is_wanted(
    tmp_path_factory: pytest.TempPathFactory,
    table: dict[str, list[float]],
    absent: set[str],
    share: int,
    end: str,
    block: int,
) -> None:
    path = write(
        tmp_path_factory.getbasetemp() / "vectors.txt",
        [f"{word} {' '.join(map(repr, values))}" for word, values in table.items()],
        end,
    )
    wanted = list(table)[::share]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text, "_BLOCK", block)
        words, vectors = text.read_vectors(path, {*wanted, *(absent - set(table))})
    assert words == wanted
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.array([table[word] for word in wanted], dtype=np.float32))


def test_words_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    names = ["in", "int", "internat", "international", "internationally", "internet", "i", "internationa"]
    path = write(tmp_path / "v.txt", [f"{name} {place} 0.5" for place, name in enumerate(names)])
    words, vectors = text.read_vectors(path, {"international", "i", "internat", "intern"})
    assert words == ["internat", "international", "i"]
    assert vectors[:, 0].tolist() == [2, 3, 6]


def test_the_first_of_two_lines_of_a_word_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", ["a 1 2", "b 3 4", "a 5 6"])
    words, vectors = text.read_vectors(path, {"a", "b"})
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1, 2], [3, 4]]


def test_numbers_in_every_notation(tmp_path: Path) -> None:
    fields = ["1", "-0.5", ".25", "3.", "1e-05", "-2.5E+3", "0"]
    path = write(tmp_path / "v.txt", ["w " + " ".join(fields)])
    np.testing.assert_array_equal(
        text.read_vectors(path, {"w"})[1], np.array([[1, -0.5, 0.25, 3, 1e-5, -2500, 0]], dtype=np.float32)
    )


def test_windows_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(b"a 1 2\r\nb 3 4\r\nc 5 6\r\n")
    words, vectors = text.read_vectors(path, {"a", "c"})
    assert words == ["a", "c"]
    assert vectors.tolist() == [[1, 2], [5, 6]]


def test_nothing_wanted_or_nothing_found(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", ["a 1 2", "b 3 4"])
    for vocabulary in (set(), {"c"}):
        words, vectors = text.read_vectors(path, vocabulary)
        assert words == []
        assert vectors.shape == (0, 2)
        assert vectors.dtype == np.float32


GOOD = [f"{word} 1.5 -2 3e-05" for word in string.ascii_lowercase]


@pytest.mark.parametrize("place", [1, 2, 13, 26])
@pytest.mark.parametrize("line", ["x 1.5 -2", "x 1.5 -2 3 4", "x", ""])
@pytest.mark.parametrize("block", [300, 1 << 19])
def test_a_wrong_number_of_values_names_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: int, line: str, block: int
) -> None:
    monkeypatch.setattr(text, "_BLOCK", block)
    lines = [*GOOD[: place - 1], line, *GOOD[place:]]
    path = write(tmp_path / "v.txt", lines)
    for vocabulary in ({"x", "a"}, set(string.ascii_lowercase), {"nothing"}):
        with pytest.raises(InputError) as error:
            text.read_vectors(path, vocabulary)
        message = str(error.value)
        assert "\n" not in message
        # Where the first line is the odd one, it is the second that differs from what went before.
        found = 1 if place == 1 and len(line) < 2 else max(place, 2)
        assert message.startswith(f"{path}, line {found}: ")


def test_two_errors_that_make_up_for_each_other_are_seen_in_wanted_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", ["a 1 2 3", "b 1 2", "c 1 2 3 4"])
    with pytest.raises(InputError, match=r"line 2: 2 values where the first line has 3"):
        text.read_vectors(path, {"b"})
    assert text.read_vectors(path, {"a"})[1].tolist() == [[1, 2, 3]]


@pytest.mark.parametrize("field", ["abc", "1.2.3", "nan", "inf", "1e", "--1", "0x1", "1_0"])
def test_a_value_that_is_no_number_names_file_and_line(tmp_path: Path, field: str) -> None:
    path = write(tmp_path / "v.txt", ["a 1 2", f"b 1 {field}", "c 1 2"])
    with pytest.raises(InputError) as error:
        text.read_vectors(path, {"a", "b"})
    assert str(error.value).startswith(f"{path}, line 2: {field!r} is no number")


def test_a_value_beyond_float32_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", ["a 1 2", "b 1 1e99"])
    with pytest.raises(InputError, match="too large"):
        text.read_vectors(path, {"b"})


def test_an_empty_a_missing_and_a_binary_file(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    with pytest.raises(InputError, match=r"empty.txt: the file is empty"):
        text.read_vectors(tmp_path / "empty.txt", {"a"})
    with pytest.raises(InputError, match=r"none.txt does not exist"):
        text.read_vectors(tmp_path / "none.txt", {"a"})
    (tmp_path / "zeros.bin").write_bytes(bytes(1 << 20))
    with pytest.raises(InputError, match=r"zeros.bin: no line break"):
        text.read_vectors(tmp_path / "zeros.bin", {"a"})


def test_keyed_vectors_answers_queries() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1]], dtype=np.float32)
    keyed = text.keyed_vectors(["king", "queen", "apple"], vectors)
    assert [word for word, _ in keyed.most_similar("king")] == ["queen", "apple"]
    np.testing.assert_array_equal(keyed["apple"], vectors[2])


@pytest.fixture(scope="module")
def glove(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("glove")
    with zipfile.ZipFile(MIRROR / "glove.6B.50d.zip") as archive:
        return Path(archive.extract("glove.6B.50d.txt", folder))


@real
@pytest.mark.real
def test_the_real_file_reads_as_gensim_reads_it(glove: Path) -> None:
    from gensim.models import KeyedVectors

    reference = KeyedVectors.load_word2vec_format(str(glove), no_header=True, limit=5000)
    words, vectors = text.read_vectors(glove, set(reference.index_to_key))
    assert words == reference.index_to_key
    np.testing.assert_array_equal(vectors, reference.vectors)


@real
@pytest.mark.real
def test_nearly_every_word_of_the_real_sentences_has_a_vector(glove: Path) -> None:
    import tarfile

    sentences: list[str] = []
    with tarfile.open(MIRROR / "Stsbenchmark.tar.gz") as archive:
        for name in ("train", "dev", "test"):
            lines = archive.extractfile(f"stsbenchmark/sts-{name}.csv").read().decode().splitlines()
            sentences += [field for line in lines for field in line.split("\t")[5:7]]
    assert len(sentences) == 2 * 8628
    tokens = [word for sentence in sentences for word in text.clean(text.lower_case(text.tokenize(sentence)))]
    words, vectors = text.read_vectors(glove, set(tokens))
    assert vectors.shape == (len(words), 50)
    kept, _ = text.drop_unknown(tokens, set(words))
    assert len(kept) / len(tokens) > 0.99
