"""Reviews from files to token ids, batches and scores, and the gates of an LSTM."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import MIRROR
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from stages.download.samples import glove, rtpolarity
from stages.lib.errors import InputError
from stages.lib.task import Prepared
from stages.lib.text.glove import read_vectors
from stages.networks.sentence_classifier import SentenceClassifier
from stages.tasks.reviews import interaction, preparation, scoring
from stages.tasks.reviews.preparation import Settings, prepare, read_reviews
from stages.tasks.reviews.statements import STATEMENTS
from stages.tasks.reviews.training.options import ClassifierOptions, Options, TextCNNOptions
from stages.tasks.reviews.training.task import TASK


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {role: tmp_path_factory.mktemp(role) for role in ("corpus", "vectors")}
    rtpolarity.write(folders["corpus"], 0)
    glove.write(folders["vectors"], 0)
    return folders


@pytest.fixture(scope="module")
def prepared(raw: dict[str, Path]) -> Prepared:
    return prepare(raw, Settings())


def corpus(folder: Path, positive: list[str], negative: list[str], encoding: str = "utf-8") -> Path:
    folder.mkdir(exist_ok=True)
    for name, lines in (("rt-polarity.pos", positive), ("rt-polarity.neg", negative)):
        (folder / name).write_bytes("".join(f"{line} \n" for line in lines).encode(encoding))
    return folder


# ── Preparation ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_both_encodings_give_the_same_reviews(tmp_path: Path) -> None:
    lines = ["a clichéd plot – and a naïve one…", "señor's “best” film"]
    found = [
        read_reviews(corpus(tmp_path / encoding, lines, lines, encoding) / "rt-polarity.pos")
        for encoding in ("utf-8", "cp1252")
    ]
    assert found[0][0] == found[1][0] == lines
    assert [about["encoding"] for _, about in found] == ["utf-8", "latin-1 (Windows-1252)"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a caf\xe9 \x81 film\n", "byte 7: 0x81 is neither UTF-8 nor latin-1 text"),
        (b"good\nba\x00d film\n", r"line 2: control character '\\x00'"),
        (b"good \x07\n", r"line 1: control character '\\x07'"),
        (b"\n\n", "no reviews in the file"),
    ],
)
def test_bad_files_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "rt-polarity.pos").write_bytes(content)
    with pytest.raises(InputError, match=rf"rt-polarity\.pos\S* ?{message}"):
        read_reviews(tmp_path / "rt-polarity.pos")


def test_empty_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    (tmp_path / "some").write_text("good film\n\n   \nbad film\n")
    assert read_reviews(tmp_path / "some") == (["good film", "bad film"], {"encoding": "utf-8", "empty_lines": 2})


def test_a_review_of_ten_thousand_words_is_truncated_and_counted(raw: dict[str, Path], tmp_path: Path) -> None:
    lines = [f"a good film of {number}" for number in range(8)]
    folder = corpus(tmp_path / "long", [*lines[:7], "good " * 10_000], lines)
    tensors, metadata, _ = prepare({"corpus": folder, "vectors": raw["vectors"]}, Settings())
    assert metadata["splits"]["test"]["truncated_reviews"] == 1
    assert tensors["test.offsets"].diff().max() == 51
    assert metadata["files"]["rt-polarity.pos"]["longest_review"]["whitespace"] == 10_000


def test_the_reports_split(raw: dict[str, Path], tmp_path: Path) -> None:
    folder = corpus(tmp_path / "real", [f"good {n}" for n in range(5331)], [f"bad {n}" for n in range(5331)])
    tensors, metadata, _ = prepare({"corpus": folder, "vectors": raw["vectors"]}, Settings())
    sizes = {name: split["reviews"] for name, split in metadata["splits"].items()}
    assert sizes["train"] + sizes["validation"] == 8000
    assert sizes["test"] == 2 * 1331
    for name, size in sizes.items():
        assert tensors[f"{name}.labels"].sum() == size / 2


def test_token_ids_stand_for_words_and_their_vectors(raw: dict[str, Path], prepared: Prepared) -> None:
    split = TASK.load(prepared.tensors, prepared.metadata, Options())["train"]
    reviews, _ = read_reviews(raw["corpus"] / "rt-polarity.pos")
    # The first review of the file is for validation, the second the first to train on.
    words = preparation.split_words(reviews[1])
    (token_ids, vectors, lengths), labels = split.batch(torch.tensor([0, 5]))
    assert lengths[0] == len(words)
    assert labels.tolist() == [1, 1]
    assert [prepared.vocabulary[number - 2] for number in token_ids[0, : len(words)].tolist()] == words
    known, rows = read_vectors(raw["vectors"] / "glove.6B.50d.txt", set(words))
    for position, word in enumerate(words):
        torch.testing.assert_close(vectors[0, position], torch.from_numpy(rows[known.index(word)]))
    assert (token_ids[0, lengths[0] :] == 0).all()


def test_words_without_a_vector_that_training_has_once_are_unknown(raw: dict[str, Path], tmp_path: Path) -> None:
    reviews = [f"the film {word}" for word in ("qzx", "qzx", "qzx", "vwv", *["is"] * 8)]
    folder = corpus(tmp_path / "rare", reviews, ["the film"] * 12)
    tensors, metadata, vocabulary = prepare({"corpus": folder, "vectors": raw["vectors"]}, Settings())
    assert "qzx" in vocabulary
    assert "vwv" not in vocabulary
    assert metadata["splits"]["train"]["unknown"] == 1
    assert not tensors["vectors"][[0, 1, vocabulary.index("qzx") + 2]].any()


def test_the_longest_review_by_several_tokenizations(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "corpus", ["good", "well-made , isn't it ?", "good"], ["bad .", "bad", "."])
    for name in ("vectors", "prepared"):
        (tmp_path / name).mkdir()
    (tmp_path / "vectors/glove.6B.50d.txt").write_text("good 1 2\n")
    metadata = prepare({"corpus": folder, "vectors": tmp_path / "vectors"}, Settings()).metadata
    (tmp_path / "prepared/metadata.json").write_text(json.dumps(metadata))
    result = STATEMENTS["C-rev-lengths"].compute(0, tmp_path / "prepared")
    assert result.values == {
        "positive_whitespace": 5,
        "positive_whitespace_without_punctuation": 3,
        "positive_treebank": 6,
        "positive_treebank_without_punctuation": 4,
        "positive_words_and_punctuation": 9,
        "negative_whitespace": 2,
        "negative_whitespace_without_punctuation": 1,
        "negative_treebank": 2,
        "negative_treebank_without_punctuation": 1,
        "negative_words_and_punctuation": 2,
    }
    assert len(result.rows) == len(result.values)


def test_too_few_reviews_are_refused(raw: dict[str, Path], tmp_path: Path) -> None:
    folder = corpus(tmp_path / "few", ["good", "better"], ["bad", "worse"])
    with pytest.raises(InputError, match="too few reviews"):
        prepare({"corpus": folder, "vectors": raw["vectors"]}, Settings())


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / "rt-polarity.pos").is_file(), reason="needs the real data in DATA_MIRROR")
def test_the_published_files_have_their_published_size() -> None:
    """5,331 of each class (Pang & Lee 2005)."""
    for name in preparation.FILES:
        assert len(read_reviews(MIRROR / name)[0]) == 5331


# ── Training ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_training_sample_is_of_training_reviews_and_evenly_spread(prepared: Prepared) -> None:
    splits = TASK.load(prepared.tensors, prepared.metadata, Options())
    train, sample = splits["train"], splits["train"].sample(5)
    index = torch.linspace(0, len(train) - 1, 5).long()
    for one, other in zip(sample.batch(torch.arange(5)).inputs, train.batch(index).inputs, strict=True):
        assert torch.equal(one, other)
    assert sample.targets == train.labels[index].tolist()
    assert len(splits["train_sample"]) == min(800, len(train))
    assert set(TASK.logged_splits) == {"train_sample", "validation", "test"}


def test_a_padded_length_below_the_longest_review_is_refused(prepared: Prepared) -> None:
    with pytest.raises(InputError, match="padded_length = 9: reviews have up to 51 words"):
        TASK.build("sentence_classifier", ClassifierOptions(padded_length=9), prepared.metadata)
    TASK.build("sentence_classifier", ClassifierOptions(padded_length=51), prepared.metadata)
    TASK.build("text_cnn", TextCNNOptions(), prepared.metadata)


def test_the_loss_is_the_cross_entropy_of_the_predictions(prepared: Prepared) -> None:
    torch.manual_seed(0)
    network = TASK.build("sentence_classifier", ClassifierOptions(hidden_size=5), prepared.metadata).eval()
    batch = TASK.load(prepared.tensors, prepared.metadata, Options())["test"].batch(torch.arange(20))
    loss, logged = TASK.training_step(network, batch, Options())
    assert logged == {}
    assert loss.item() == pytest.approx(scoring.scores(TASK.predict(network, batch), batch.target.tolist())["loss"])


def test_training_on_the_sample_learns(prepared: Prepared) -> None:
    splits = TASK.load(prepared.tensors, prepared.metadata, Options())
    torch.manual_seed(0)
    network = TASK.build("sentence_classifier", ClassifierOptions(cell="gru", hidden_size=24), prepared.metadata)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(150):
        index = torch.randint(len(splits["train"]), (50,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss, _ = TASK.training_step(network, splits["train"].batch(index), Options())
        loss.backward()
        optimizer.step()
    test = splits["test"]
    with torch.no_grad():
        predictions = TASK.predict(network.eval(), test.batch(torch.arange(len(test))))
    assert TASK.curve_metrics(predictions, test.targets)["accuracy"] > 0.8


# ── Scoring ───────────────────────────────────────────────────────────────────────────────────────────────────────────

PROBABILITIES = st.one_of(st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1))


@given(st.lists(st.tuples(PROBABILITIES, st.sampled_from([0.0, 1.0])), min_size=1, max_size=30))
@settings(max_examples=25, deadline=None)
def test_curves_and_outcomes_have_the_numbers_of_the_scores(pairs: list[tuple[float, float]]) -> None:
    predictions, targets = map(list, zip(*pairs, strict=True))
    scores, outcomes = scoring.scores(predictions, targets), scoring.outcomes(predictions, targets)
    assert TASK.curve_metrics(predictions, targets) == pytest.approx(scores)
    of_examples = {name: metric for name, metric in scoring.METRICS.items() if metric.kind != "seed"}
    assert scores.keys() == of_examples.keys()
    for name, metric in of_examples.items():
        assert metric.kind == "mean"
        assert outcomes[list(metric.columns)].mean().item() == pytest.approx(scores[name])


def test_scores_are_those_of_the_formulas() -> None:
    scores = scoring.scores([0.9, 0.2, 0.6, 0.5], [1.0, 0.0, 0.0, 1.0])
    assert scores["accuracy"] == 0.5
    assert scores["loss"] == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.5]).mean())


def test_the_trivial_classifier_knows_the_class_frequencies() -> None:
    scores = scoring.trivial([1.0, 1.0, 1.0, 0.0])
    assert scores["accuracy"] == 0.75
    assert scores["loss"] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))


def test_gate_products_are_derivatives_of_a_step_of_the_lstm() -> None:
    """o · tanh′(c) = ∂h/∂c and i · tanh′(z) = ∂c/∂z, by autograd through torch's equations, word by word."""
    torch.manual_seed(0)
    network = SentenceClassifier(20, 4, "lstm", 6).double()
    for parameter in network.recurrent.parameters():
        nn.init.normal_(parameter)
    lengths = torch.tensor([3, 5])
    vectors = torch.randn(2, 5, 4, dtype=torch.float64)
    products = scoring.gate_products(network, torch.zeros(2, 5, dtype=torch.long), vectors, lengths)
    weights = network.recurrent.layers[0][0]
    expected: dict[str, list[torch.Tensor]] = {name: [] for name in products}
    for row, length in enumerate(lengths.tolist()):
        h, c = torch.zeros(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
        for x in vectors[row, :length]:
            gates = weights.weight_ih_l0 @ x + weights.bias_ih_l0 + weights.weight_hh_l0 @ h + weights.bias_hh_l0
            i, f, z, o = gates.detach().chunk(4)
            z.requires_grad_()
            c = f.sigmoid() * c + i.sigmoid() * z.tanh()
            expected["input_product"].append(torch.autograd.grad(c.sum(), z)[0])
            c = c.detach().requires_grad_()
            h = o.sigmoid() * c.tanh()
            expected["output_product"].append(torch.autograd.grad(h.sum(), c)[0])
            expected["forget_product"].append(f.sigmoid() * torch.autograd.grad(c.tanh().sum(), c)[0])
            h, c = h.detach(), c.detach()
    for name, rows in expected.items():
        torch.testing.assert_close(products[name].detach(), torch.stack(rows))


def test_the_gates_of_an_lstm_are_measured_and_of_no_other_network(prepared: Prepared) -> None:
    splits = TASK.load(prepared.tensors, prepared.metadata, Options())
    torch.manual_seed(0)
    options = [ClassifierOptions(cell="lstm", hidden_size=5), ClassifierOptions(cell="gru", hidden_size=5)]
    lstm, gru = (TASK.build("sentence_classifier", one, prepared.metadata) for one in options)
    with torch.no_grad():
        for parameter in lstm.recurrent.parameters():
            parameter.zero_()
        # Blocks i, f, z, o of 5 rows: without weights σ is 1/2 and the derivative of a tanh is 1, but for open gates f.
        lstm.recurrent.layers[0][0].bias_ih_l0[5:10] = 5
    values = scoring.diagnostics(lstm, splits)
    assert values.keys() <= {f"test.{name}" for name in scoring.METRICS}
    for name, product in (("forget", 1 / (1 + math.exp(-5))), ("output", 0.5), ("input", 0.5)):
        assert values[f"test.{name}_product_small"] == 0
        assert values[f"test.{name}_product_large"] == (product > 0.9)
        assert values[f"test.{name}_product_median"] == pytest.approx(product)
        assert values[f"test.{name}_product_largest"] == pytest.approx(product)
    assert scoring.diagnostics(gru, splits) == {}
    assert scoring.diagnostics(TASK.build("text_cnn", TextCNNOptions(), prepared.metadata), splits) == {}


# ── Interaction ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_typed_review_is_encoded_as_in_preparation(raw: dict[str, Path], prepared: Prepared) -> None:
    reviews, _ = read_reviews(raw["corpus"] / "rt-polarity.pos")
    split = TASK.load(prepared.tensors, prepared.metadata, Options())["train"]
    rest = (prepared.tensors, prepared.metadata, prepared.vocabulary, Options())
    for typed in ([reviews[1]], reviews[1].split()):
        batch, notes = interaction.encode_input(typed, *rest)
        for one, other in zip(batch.inputs, split.batch(torch.tensor([0])).inputs, strict=True):
            assert torch.equal(one, other)
        assert notes == ()


def test_the_user_is_told_what_was_not_read(prepared: Prepared) -> None:
    rest = (prepared.tensors, prepared.metadata, prepared.vocabulary, Options())
    notes = interaction.encode_input(["qwertz the the qwertz", "the " * 60], *rest).notes
    assert notes == ("out of vocabulary, mapped to <unk>: qwertz", "truncated to the first 51 of 64 words")
    with pytest.raises(InputError, match="the review is empty"):
        interaction.encode_input([" "], *rest)


def test_the_more_likely_class_is_told() -> None:
    assert interaction.format_prediction(0.75, [], {}) == "positive (probability 0.750)"
    assert interaction.format_prediction(0.25, [], {}) == "negative (probability 0.750)"
