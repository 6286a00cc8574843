"""Sentence pairs from files to tensors, batches and scores."""

import math
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MIRROR
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_squared_error

from stages.lib.task import get
from stages.lib.errors import InputError
from stages.tasks.sts import SPLIT_FILES, Options, Preparation, read_pairs

TASK = get("sts")
# Lines of the kinds that the published files have: seven columns, nine with sources and licence, quotes of any kind.
REAL_FORMAT = (
    "main-captions\tMSRvid\t2012test\t0001\t5.000\tA plane is taking off.\tAn air plane is taking off.\n"
    'main-news\theadlines\t2015\t0009\t0.40\t"We won" he said\tHe said "no\n'
    "main-forums\tdeft-forum\t2014\t0003\t2\tIt's 5\" long\tthe café\tsource one\tsource two\n"
)


def line(score: str = "3.2", first: str = "A man runs.", second: str = "A dog runs.") -> str:
    return f"genre\tfile\t2012\t0001\t{score}\t{first}\t{second}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sts-train.csv"


def test_lines_of_the_real_format_are_read(path: Path) -> None:
    path.write_text(REAL_FORMAT, encoding="utf-8")
    firsts, seconds, scores = read_pairs(path)
    assert firsts == ["A plane is taking off.", '"We won" he said', "It's 5\" long"]
    assert seconds == ["An air plane is taking off.", 'He said "no', "the café"]
    assert scores == [5.0, 0.4, 2.0]


def test_windows_line_ends_and_blank_lines_change_nothing(path: Path, tmp_path: Path) -> None:
    path.write_text(REAL_FORMAT, encoding="utf-8")
    other = tmp_path / "other.csv"
    other.write_bytes(REAL_FORMAT.replace("\n", "\r\n\r\n").encode())
    assert read_pairs(other) == read_pairs(path)


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\x0b", "\x1c"])
def test_only_line_feeds_end_a_line(path: Path, separator: str) -> None:
    path.write_text(line(first=f"one{separator}two"), encoding="utf-8")
    assert read_pairs(path)[0] == [f"one{separator}two"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a\tb\tc\td\t1.0\tonly one\n", ["line 3", "'sentence2'", "7"]),
        ("a\tb\tc\td\t1.0\n", ["line 3", "'sentence1'"]),
        ("a b c d 1.0 one two\n", ["line 3", "'file'"]),
        *((line(score), ["line 3", repr(score), "0 to 5"]) for score in ("five", "", "5.01", "-0.1", "nan", "inf")),
    ],
)
def test_a_bad_line_is_named(path: Path, content: str, words: list[str]) -> None:
    path.write_text(line() + line() + content + line(), encoding="utf-8")
    with pytest.raises(InputError) as error:
        read_pairs(path)
    assert str(error.value).startswith(f"{path}, ")
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_an_empty_file_is_named(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(InputError, match="no sentence pair") as error:
        read_pairs(path)
    assert str(path) in str(error.value)


def test_another_encoding_is_named(path: Path) -> None:
    path.write_bytes((line() + line(first="café")).encode("latin-1"))
    with pytest.raises(InputError, match=rf"byte {len(line()) + line(first='café').index('é')}: not UTF-8") as error:
        read_pairs(path)
    assert str(path) in str(error.value)


VECTORS = {"a": (1, 0, 0), "man": (0, 2, 0), "dog": (0, 0, 3), "runs": (1, 1, 1), "fast": (-1, 0.5, 0)}
CORPUS = {
    # Known words in capitals, an unknown word twice, and a sentence that is cut at four words.
    "train": [
        ("1.0", "A man runs.", "A zzyx runs zzyx!"),
        ("4.5", "A dog runs fast a dog runs", "the dog"),
        ("0.0", "Qqq, www.", "A"),
    ],
    "validation": [("2.5", "man", "dog man")],
    "test": [("5", "... !", "fast dog")],
}


@pytest.fixture
def raw(tmp_path: Path) -> dict[str, Path]:
    folders = {role: tmp_path / role for role in ("corpus", "vectors")}
    for folder in folders.values():
        folder.mkdir()
    for split, pairs in CORPUS.items():
        (folders["corpus"] / SPLIT_FILES[split]).write_text("".join(line(*pair) for pair in pairs))
    rows = [" ".join([word, *map(str, vector)]) for word, vector in VECTORS.items()]
    (folders["vectors"] / "glove.6B.50d.txt").write_text("\n".join(["unused 9 9 9", *rows]) + "\n")
    return folders


def test_the_facts_of_a_corpus_counted_by_hand(raw: dict[str, Path]) -> None:
    facts = TASK.prepare(raw, Preparation(max_length=4)).facts
    assert (facts["width"], facts["vocabulary"]) == (3, 5)
    # Words: a man runs / a zzyx runs zzyx / a dog runs fast a dog runs / the dog / qqq www / a.
    assert facts["splits"]["train"] == {
        "pairs": 3,
        "words": 19,
        "coverage": round(14 / 19, 6),
        "dropped": 5,
        "most_dropped": {"zzyx": 2, "qqq": 1, "the": 1, "www": 1},
        "truncated_sentences": 1,
        "empty_sentences": 1,
    }
    assert list(facts["splits"]["train"]["most_dropped"]) == ["zzyx", "qqq", "the", "www"]
    assert facts["splits"]["validation"]["coverage"] == 1
    assert facts["splits"]["test"]["empty_sentences"] == 1
    assert facts["splits"]["test"]["words"] == 2


def test_only_the_twenty_most_frequent_dropped_words_are_told(raw: dict[str, Path]) -> None:
    words = [f"x{'abcdefghijklmnopqrstuvwxyz'[place]}x" for place in range(25)]
    text = " ".join(word for place, word in enumerate(words) for _ in range(place + 1))
    (raw["corpus"] / SPLIT_FILES["train"]).write_text(line(first=text))
    told = TASK.prepare(raw, Preparation()).facts["splits"]["train"]["most_dropped"]
    assert told == {word: place + 1 for place, word in reversed(list(enumerate(words))) if place >= 5}


def sentence_vectors(text: str, length: int) -> np.ndarray:
    """What a sentence of the hand-made corpus must look like, by looking each of its words up."""
    words = [word.strip(".,!").lower() for word in text.split()]
    return np.array([VECTORS[word] for word in words if word in VECTORS][:length] or [(0, 0, 0)], dtype=np.float32)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0], [1], [1, 1, 0]])
def test_a_batch_equals_a_lookup_word_by_word(raw: dict[str, Path], order: list[int]) -> None:
    tensors, facts, _ = TASK.prepare(raw, Preparation(max_length=4))
    split = TASK.load(tensors, facts, Options())["train"]
    (vectors, lengths), target = split.batch(torch.tensor(order))
    wanted = [CORPUS["train"][place] for place in order]
    sentences = [sentence_vectors(pair[column], 4) for column in (1, 2) for pair in wanted]
    assert lengths.tolist() == [len(sentence) for sentence in sentences]
    assert vectors.shape == (len(sentences), max(map(len, sentences)), 3)
    for got, sentence in zip(vectors.numpy(), sentences, strict=True):
        assert np.array_equal(got[: len(sentence)], sentence)
        assert not got[len(sentence) :].any()
    assert target.tolist() == [float(pair[0]) for pair in wanted]
    assert split.targets == [float(pair[0]) for pair in CORPUS["train"]]


def test_parts_cover_every_pair_once(sts_data: Path) -> None:
    from safetensors.torch import load_file

    split = TASK.load(load_file(sts_data / "tensors.safetensors"), {}, Options())["train"]
    parts = list(split.parts(16))
    assert sorted(torch.cat(parts).tolist()) == list(range(len(split)))
    assert max(map(len, parts)) == 16
    # Cheap to evaluate: the batches' longest sentences grow from part to part.
    longest = [int(split.batch(part).inputs[1].max()) for part in parts]
    assert longest == sorted(longest)


def test_a_missing_raw_file_is_named(raw: dict[str, Path]) -> None:
    (raw["corpus"] / "sts-dev.csv").unlink()
    with pytest.raises(InputError, match=r"corpus: sts-dev\.csv is missing; run `dvc repro -f download@corpus`"):
        TASK.prepare(raw, Preparation())


NUMBERS = st.floats(0, 5, width=32).map(lambda value: round(value, 3))


@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=60))
@settings(max_examples=60, deadline=None)
def test_metrics_equal_scipy_and_sklearn(pairs: list[tuple[float, float]]) -> None:
    predictions, targets = map(list, zip(*pairs, strict=True))
    scores = TASK.scores(predictions, targets)
    assert scores["mse"] == pytest.approx(mean_squared_error(targets, predictions), rel=1e-5, abs=1e-9)
    if min(np.ptp(predictions), np.ptp(targets)) < 1e-2:
        return
    assert scores["pearson"] == pytest.approx(stats.pearsonr(predictions, targets).statistic, abs=1e-4)
    assert scores["spearman"] == pytest.approx(stats.spearmanr(predictions, targets).statistic, abs=1e-6)
    assert TASK.metrics(predictions, targets) == {name: scores[name] for name in ("mse", "pearson")}


def test_a_constant_prediction_correlates_with_nothing() -> None:
    scores = TASK.scores([2.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0])
    assert (scores["pearson"], scores["spearman"]) == (0, 0)


def test_losses_equal_their_formulas(sts_data: Path) -> None:
    from safetensors.torch import load_file

    split = TASK.load(load_file(sts_data / "tensors.safetensors"), {}, Options())["train"]
    torch.manual_seed(0)
    network = TASK.build("siamese_lstm", TASK.networks["siamese_lstm"](hidden_size=5), {"width": 6}).eval()
    batch = split.batch(torch.arange(20))
    predicted, wanted = TASK.predict(network, batch), batch.target.tolist()
    mse, r = mean_squared_error(wanted, predicted), stats.pearsonr(predicted, wanted).statistic
    for loss, value in {"mse": mse, "pearson": 1 - r, "mse_pearson": mse + 1 - r}.items():
        assert TASK.loss(network, batch, Options(loss=loss)).item() == pytest.approx(value, rel=1e-4)


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / "Stsbenchmark.tar.gz").is_file(), reason="needs the real data in DATA_MIRROR")
def test_the_published_files_have_their_published_size(tmp_path: Path) -> None:
    """5,749, 1,500 and 1,379 pairs (Cer et al. 2017)."""
    with tarfile.open(MIRROR / "Stsbenchmark.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    pairs: dict[str, Any] = {name: read_pairs(next(tmp_path.rglob(file))) for name, file in SPLIT_FILES.items()}
    assert {name: len(scores) for name, (_, _, scores) in pairs.items()} == {
        "train": 5749,
        "validation": 1500,
        "test": 1379,
    }
    for firsts, seconds, scores in pairs.values():
        assert len(firsts) == len(seconds) == len(scores)
        assert all(sentence.strip() for sentence in firsts + seconds)
        assert math.isclose(min(scores), 0)
        assert math.isclose(max(scores), 5)
