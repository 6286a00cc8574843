import string
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import MIRROR
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.lib.errors import InputError
from stages.lib.text import preprocessing
from stages.lib.text.glove import read_vectors

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
    assert preprocessing.tokenize(sentence) == tokens


@given(st.text())
def test_tokenize_loses_nothing_but_blanks(sentence: str) -> None:
    assert "".join(preprocessing.tokenize(sentence)) == "".join(sentence.replace("’", "'").split())


def test_lower_case() -> None:
    assert preprocessing.lower_case(["The", "U.S.", "MOON", "é", "É"]) == ["the", "u.s.", "moon", "é", "é"]


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
    assert preprocessing.clean(tokens) == cleaned


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_clean_leaves_words_only(tokens: list[str]) -> None:
    cleaned = preprocessing.clean(tokens)
    assert preprocessing.clean(cleaned) == cleaned
    assert all(any(character.isalnum() for character in word) for word in cleaned)
    assert not {"_", *'!"#$%&()*+;<=>?@[]^`{|}~'} & set("".join(cleaned))


@given(st.lists(st.sampled_from(["a", "b", "c", "d"])), st.sets(st.sampled_from(["a", "b", "c", "d"])))
def test_drop_unknown_splits_in_order(tokens: list[str], known: set[str]) -> None:
    kept, dropped = preprocessing.drop_unknown(tokens, known)
    assert set(kept) <= known
    assert not set(dropped) & known
    assert sorted(kept + dropped) == sorted(tokens)
    merged, rest = list(kept), list(dropped)
    assert [(merged if token in known else rest).pop(0) for token in tokens] == tokens


@pytest.mark.parametrize(("length", "left"), [(3, ["a", "b", "c"]), (2, ["a", "b"]), (65, ["a", "b", "c"])])
def test_cut(length: int, left: list[str]) -> None:
    assert preprocessing.cut(["a", "b", "c"], length) == left


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
)
def test_read_vectors_finds_what_is_wanted(
    tmp_path_factory: pytest.TempPathFactory,
    table: dict[str, list[float]],
    absent: set[str],
    share: int,
    end: str,
) -> None:
    path = write(
        tmp_path_factory.getbasetemp() / "vectors.txt",
        [f"{word} {' '.join(map(repr, values))}" for word, values in table.items()],
        end,
    )
    wanted = list(table)[::share]
    words, vectors = read_vectors(path, {*wanted, *(absent - set(table))})
    assert words == wanted
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.array([table[word] for word in wanted], dtype=np.float32))


def test_words_that_begin_alike_are_told_apart(tmp_path: Path) -> None:
    names = ["in", "int", "internat", "international", "internationally", "internet", "i", "internationa"]
    path = write(tmp_path / "v.txt", [f"{name} {place} 0.5" for place, name in enumerate(names)])
    words, vectors = read_vectors(path, {"international", "i", "internat", "intern"})
    assert words == ["internat", "international", "i"]
    assert vectors[:, 0].tolist() == [2, 3, 6]


def test_the_first_of_two_lines_of_a_word_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", ["a 1 2", "b 3 4", "a 5 6"])
    words, vectors = read_vectors(path, {"a", "b"})
    assert words == ["a", "b"]
    assert vectors.tolist() == [[1, 2], [3, 4]]


def test_numbers_in_every_notation(tmp_path: Path) -> None:
    fields = ["1", "-0.5", ".25", "3.", "1e-05", "-2.5E+3", "0"]
    path = write(tmp_path / "v.txt", ["w " + " ".join(fields)])
    np.testing.assert_array_equal(
        read_vectors(path, {"w"})[1], np.array([[1, -0.5, 0.25, 3, 1e-5, -2500, 0]], dtype=np.float32)
    )


def test_windows_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_bytes(b"a 1 2\r\nb 3 4\r\nc 5 6\r\n")
    words, vectors = read_vectors(path, {"a", "c"})
    assert words == ["a", "c"]
    assert vectors.tolist() == [[1, 2], [5, 6]]


def test_nothing_wanted_or_nothing_found(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", ["a 1 2", "b 3 4"])
    for vocabulary in (set(), {"c"}):
        words, vectors = read_vectors(path, vocabulary)
        assert words == []
        assert vectors.shape == (0, 2)
        assert vectors.dtype == np.float32


GOOD = [f"{word} 1.5 -2 3e-05" for word in string.ascii_lowercase]


@pytest.mark.parametrize("number", [2, 13, 26])
@pytest.mark.parametrize("line", ["word 1.5 -2", "word 1.5 -2 3 4", "word "])
def test_a_wrong_number_of_values_names_file_and_line(tmp_path: Path, number: int, line: str) -> None:
    path = write(tmp_path / "v.txt", [*GOOD[: number - 1], line, *GOOD[number:]])
    with pytest.raises(InputError) as error:
        read_vectors(path, {"word", "a"})
    assert str(error.value).startswith(f"{path}, line {number}: {len(line.split()) - 1} values, but line 1 has 3")
    # Lines of other words are not read.
    assert read_vectors(path, {"a"})[1].tolist() == [[1.5, -2, np.float32(3e-5)]]


@pytest.mark.parametrize("line", ["x", "", "x "])
def test_a_first_line_without_values_is_refused(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "v.txt", [line, *GOOD])
    with pytest.raises(InputError, match=r"line 1: no values after the word: not a GloVe text file"):
        read_vectors(path, {"a"})


@pytest.mark.parametrize("field", ["abc", "1.2.3", "nan", "inf", "1e", "--1", "0x1", "1_0"])
def test_a_value_that_is_no_number_names_file_and_line(tmp_path: Path, field: str) -> None:
    path = write(tmp_path / "v.txt", ["a 1 2", f"b 1 {field}", "c 1 2"])
    with pytest.raises(InputError) as error:
        read_vectors(path, {"a", "b"})
    assert str(error.value).startswith(f"{path}, line 2: {field!r} is not a finite float32 number")


def test_a_value_beyond_float32_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "v.txt", ["a 1 2", "b 1 1e99"])
    with pytest.raises(InputError, match=r"line 2: '1e99' is not a finite float32 number"):
        read_vectors(path, {"b"})


def test_an_empty_a_missing_and_a_binary_file(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    with pytest.raises(InputError, match=r"empty.txt: the file is empty"):
        read_vectors(tmp_path / "empty.txt", {"a"})
    with pytest.raises(InputError, match=r"none.txt does not exist"):
        read_vectors(tmp_path / "none.txt", {"a"})
    (tmp_path / "zeros.bin").write_bytes(bytes(1 << 20))
    with pytest.raises(InputError, match=r"zeros.bin, line 1: no values after the word"):
        read_vectors(tmp_path / "zeros.bin", {"a"})


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
    words, vectors = read_vectors(glove, set(reference.index_to_key))
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
    tokens = [
        word
        for sentence in sentences
        for word in preprocessing.clean(preprocessing.lower_case(preprocessing.tokenize(sentence)))
    ]
    words, vectors = read_vectors(glove, set(tokens))
    assert vectors.shape == (len(words), 50)
    kept, _ = preprocessing.drop_unknown(tokens, set(words))
    assert len(kept) / len(tokens) > 0.99
