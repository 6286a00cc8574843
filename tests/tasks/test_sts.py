"""Sentence pairs from files to tensors, batches and scores."""

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import MIRROR
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy import stats
from sklearn.metrics import mean_squared_error

from stages.lib.errors import InputError
from stages.lib.prediction import store_data
from stages.lib.task import Prepared, Split
from stages.tasks.sts import interaction, scoring, statements
from stages.tasks.sts.preparation import SPLIT_FILES, Settings, count_columns, prepare, read_pairs
from stages.tasks.sts.statements import STATEMENTS
from stages.tasks.sts.training.options import Options, SiameseLSTMOptions
from stages.tasks.sts.training.task import TASK

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


# ── Preparation ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lines_of_the_real_format_are_read(path: Path) -> None:
    path.write_text(REAL_FORMAT, encoding="utf-8")
    pairs = read_pairs(path)
    assert pairs["sentence1"].tolist() == ["A plane is taking off.", '"We won" he said', "It's 5\" long"]
    assert pairs["sentence2"].tolist() == ["An air plane is taking off.", 'He said "no', "the café"]
    assert pairs["score"].tolist() == [5.0, 0.4, 2.0]
    assert pairs["genre"].tolist() == ["main-captions", "main-news", "main-forums"]
    assert count_columns(pairs) == {"lines": 3, "lines_with_extra_columns": 1, "third_from_end_is_score": 2}


def test_windows_line_ends_and_blank_lines_change_nothing(path: Path, tmp_path: Path) -> None:
    path.write_text(REAL_FORMAT, encoding="utf-8")
    other = tmp_path / "other.csv"
    other.write_bytes(REAL_FORMAT.replace("\n", "\r\n\r\n").encode())
    assert read_pairs(other).equals(read_pairs(path))


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\x0b", "\x1c"])
def test_only_line_feeds_end_a_line(path: Path, separator: str) -> None:
    path.write_text(line(first=f"one{separator}two"), encoding="utf-8")
    assert read_pairs(path)["sentence1"].tolist() == [f"one{separator}two"]


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
    with pytest.raises(InputError, match="no sentence pairs") as error:
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


@pytest.fixture
def prepared(raw: dict[str, Path]) -> Prepared:
    return prepare(raw, Settings(max_length=4))


def test_metadata_of_a_corpus_counted_by_hand(prepared: Prepared) -> None:
    metadata = prepared.metadata
    assert (metadata["width"], metadata["vocabulary"], metadata["max_length"]) == (3, 5, 4)
    assert metadata["columns"] == {"lines": 5, "lines_with_extra_columns": 0, "third_from_end_is_score": 5}
    # Words: a man runs / a zzyx runs zzyx / a dog runs fast a dog runs / the dog / qqq www / a.
    assert metadata["splits"]["train"] == {
        "pairs": 3,
        "words": 19,
        "coverage": round(14 / 19, 6),
        "dropped": 5,
        "most_dropped": {"zzyx": 2, "qqq": 1, "the": 1, "www": 1},
        "truncated_sentences": 1,
        "empty_sentences": 1,
    }
    assert list(metadata["splits"]["train"]["most_dropped"]) == ["zzyx", "qqq", "the", "www"]
    assert metadata["splits"]["validation"]["coverage"] == 1
    assert metadata["splits"]["test"]["empty_sentences"] == 1
    assert metadata["splits"]["test"]["words"] == 2


def test_only_the_twenty_most_frequent_dropped_words_are_kept(raw: dict[str, Path]) -> None:
    words = [f"x{'abcdefghijklmnopqrstuvwxyz'[number]}x" for number in range(25)]
    text = " ".join(word for number, word in enumerate(words) for _ in range(number + 1))
    (raw["corpus"] / SPLIT_FILES["train"]).write_text(line(first=text))
    found = prepare(raw, Settings()).metadata["splits"]["train"]["most_dropped"]
    assert found == {word: number + 1 for number, word in reversed(list(enumerate(words))) if number >= 5}


@pytest.mark.parametrize("missing", ["corpus/sts-dev.csv", "vectors/glove.6B.50d.txt"])
def test_a_missing_raw_file_is_named(raw: dict[str, Path], missing: str) -> None:
    role, _, name = missing.partition("/")
    (raw[role] / name).unlink()
    with pytest.raises(InputError, match=rf"{role}.*{name}.*run `dvc repro -f download@{role}`"):
        prepare(raw, Settings())


def test_the_score_column_is_counted_from_the_prepared_data(tmp_path: Path) -> None:
    columns = {"lines": 8, "lines_with_extra_columns": 2, "third_from_end_is_score": 6}
    (tmp_path / "metadata.json").write_text(json.dumps({"columns": columns}))
    assert STATEMENTS["A-sts-column"].compute(0, tmp_path).values == columns | {"share": 0.75}


def test_a_step_of_both_widths_is_timed_on_the_same_pairs(
    prepared: Prepared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_data(tmp_path / "sts", prepared, {})
    losses = []

    def timed(networks: dict[str, Any], loss: Any, repeats: int) -> dict[str, float]:  # noqa: ARG001
        losses.append({name: loss(network).item() for name, network in networks.items()})
        units = {name: network.layers[0][0].hidden_size for name, network in networks.items()}
        assert units == {"seconds_256": 256, "seconds_512": 512}
        return {"seconds_256": 0.25, "seconds_512": 1.0}

    monkeypatch.setattr(statements, "step_seconds", timed)
    values = STATEMENTS["A-sts-slow"].compute(0, tmp_path / "sts").values
    assert values == {"seconds_256": 0.25, "seconds_512": 1.0, "seconds_512_over_256": 4.0}
    STATEMENTS["A-sts-slow"].compute(0, tmp_path / "sts")
    STATEMENTS["A-sts-slow"].compute(1, tmp_path / "sts")
    assert losses[0] == losses[1] != losses[2]


# ── Training ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def sentence_vectors(text: str, length: int) -> np.ndarray:
    """A sentence of the hand-made corpus with each of its words looked up."""
    words = [word.strip(".,!").lower() for word in text.split()]
    return np.array([VECTORS[word] for word in words if word in VECTORS][:length] or [(0, 0, 0)], dtype=np.float32)


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0], [1], [1, 1, 0]])
def test_a_batch_equals_a_lookup_word_by_word(prepared: Prepared, order: list[int]) -> None:
    split = TASK.load(prepared.tensors, prepared.metadata, Options())["train"]
    (vectors, lengths), target = split.batch(torch.tensor(order))
    wanted = [CORPUS["train"][number] for number in order]
    sentences = [sentence_vectors(pair[column], 4) for column in (1, 2) for pair in wanted]
    assert lengths.tolist() == [len(sentence) for sentence in sentences]
    assert vectors.shape == (len(sentences), max(map(len, sentences)), 3)
    for row, sentence in zip(vectors.numpy(), sentences, strict=True):
        assert np.array_equal(row[: len(sentence)], sentence)
        assert not row[len(sentence) :].any()
    assert target.tolist() == [float(pair[0]) for pair in wanted]
    assert split.targets == [float(pair[0]) for pair in CORPUS["train"]]


@pytest.fixture
def train(sts_data: Path) -> Split:
    return TASK.load(load_file(sts_data / "tensors.safetensors"), {}, Options())["train"]


def test_evaluation_batches_cover_every_pair_once_from_short_to_long(train: Split) -> None:
    batches = list(train.eval_batches(16))
    assert sorted(torch.cat(batches).tolist()) == list(range(len(train)))
    assert max(map(len, batches)) == 16
    longest = [int(train.batch(batch).inputs[1].max()) for batch in batches]
    assert longest == sorted(longest)


def test_losses_equal_their_formulas_and_the_distance_is_logged(train: Split) -> None:
    torch.manual_seed(0)
    network = TASK.build("siamese_lstm", SiameseLSTMOptions(hidden_size=5), {"width": 6}).eval()
    batch = train.batch(torch.arange(20))
    predicted, target = TASK.predict(network, batch), batch.target.tolist()
    states = [half.detach().numpy() for half in network.encode_pairs(*batch.inputs)]
    losses = {
        "mse": mean_squared_error(target, predicted),
        "pearson": 1 - stats.pearsonr(predicted, target).statistic,
    }
    for name, expected in losses.items():
        loss, logged = TASK.training_step(network, batch, Options(loss=name))
        assert loss.item() == pytest.approx(expected, rel=1e-4)
        assert logged["state_distance"].item() == pytest.approx(np.abs(states[0] - states[1]).sum(1).mean(), rel=1e-5)


def test_a_padded_length_below_the_longest_sentence_is_refused() -> None:
    with pytest.raises(InputError, match="padded_length = 64: sentences have up to 65 words"):
        TASK.build("siamese_lstm", SiameseLSTMOptions(padded_length=64), {"width": 6, "max_length": 65})
    TASK.build("siamese_lstm", SiameseLSTMOptions(padded_length=65), {"width": 6, "max_length": 65})


# ── Scoring ───────────────────────────────────────────────────────────────────────────────────────────────────────────

NUMBERS = st.floats(0, 5, width=32).map(lambda value: round(value, 3))


@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=40))
@settings(max_examples=40, deadline=None)
def test_scores_equal_numpys_formulas_and_curves_equal_scores(pairs: list[tuple[float, float]]) -> None:
    predictions, targets = map(list, zip(*pairs, strict=True))
    scores = scoring.scores(predictions, targets)
    error = np.subtract(predictions, targets)
    assert scores["mse"] == pytest.approx(np.mean(error**2), abs=1e-12)
    assert scores["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), abs=1e-12)
    if min(np.ptp(predictions), np.ptp(targets)) > 0:
        assert scores["pearson"] == pytest.approx(np.corrcoef(predictions, targets)[0, 1], abs=1e-6)
        ranks = [stats.rankdata(values) for values in (predictions, targets)]
        assert scores["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1])
    else:
        assert scores["pearson"] == scores["spearman"] == 0
    curves = TASK.curve_metrics(predictions, targets)
    assert curves == pytest.approx({"mse": scores["mse"], "pearson": scores["pearson"]}, abs=1e-6)


def test_every_metric_follows_from_columns_of_the_outcomes() -> None:
    predictions, targets = [1.0, 2.0, 4.5, 3.0], [0.0, 2.5, 5.0, 3.0]
    outcomes, scores = scoring.outcomes(predictions, targets), scoring.scores(predictions, targets)
    assert scores.keys() == scoring.METRICS.keys()
    computed = {
        "mean": lambda table: table.iloc[:, 0].mean(),
        "pearson": lambda table: table.corr("pearson").iloc[0, 1],
        "spearman": lambda table: table.corr("spearman").iloc[0, 1],
    }
    for name, metric in scoring.METRICS.items():
        if metric.kind != "seed":
            assert computed[metric.kind](outcomes[list(metric.columns)]) == pytest.approx(scores[name])


def test_the_trivial_prediction_is_the_mean() -> None:
    targets = [0.0, 1.0, 5.0, 2.0]
    scores = scoring.trivial(targets)
    assert scores["mse"] == pytest.approx(np.var(targets))
    assert (scores["pearson"], scores["spearman"]) == (0, 0)


# ── Interaction ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_typed_sentences_are_encoded_as_in_preparation(prepared: Prepared) -> None:
    split = TASK.load(prepared.tensors, prepared.metadata, Options())["train"]
    rest = (prepared.tensors, prepared.metadata, prepared.vocabulary, Options())
    notes_of = {
        0: ("no word vector, dropped: zzyx, zzyx",),
        1: ("truncated to the first 4 of 7 words", "no word vector, dropped: the"),
    }
    for number, expected in notes_of.items():
        batch, notes = interaction.encode_input(CORPUS["train"][number][1:], *rest)
        for one, other in zip(batch.inputs, split.batch(torch.tensor([number])).inputs, strict=True):
            assert torch.equal(one, other)
        assert notes == expected


def test_one_sentence_and_a_sentence_of_unknown_words_are_refused(prepared: Prepared) -> None:
    rest = (prepared.tensors, prepared.metadata, prepared.vocabulary, Options())
    with pytest.raises(InputError, match="expected two sentences, each in quotation marks; got 1"):
        interaction.encode_input(["a man"], *rest)
    with pytest.raises(InputError, match="'Qqq!': none of its words has a vector"):
        interaction.encode_input(["a man", "Qqq!"], *rest)


def test_the_answer_names_the_scale() -> None:
    assert interaction.format_prediction(3.14159, [], {}) == "similarity 3.14 (0: unrelated, 5: equivalent)"


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / "Stsbenchmark.tar.gz").is_file(), reason="needs the real data in DATA_MIRROR")
def test_the_published_files_have_their_published_size(tmp_path: Path) -> None:
    """5,749, 1,500 and 1,379 pairs (Cer et al. 2017)."""
    with tarfile.open(MIRROR / "Stsbenchmark.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    pairs = {name: read_pairs(next(tmp_path.rglob(file))) for name, file in SPLIT_FILES.items()}
    assert {name: len(frame) for name, frame in pairs.items()} == {"train": 5749, "validation": 1500, "test": 1379}
    for frame in pairs.values():
        assert (frame["sentence1"].str.strip() != "").all()
        assert (frame["sentence2"].str.strip() != "").all()
        assert (frame["score"].min(), frame["score"].max()) == (0, 5)
    # Counted with `awk -F'\t' 'NF > 7'`.
    assert sum(count_columns(frame)["lines_with_extra_columns"] for frame in pairs.values()) == 503
