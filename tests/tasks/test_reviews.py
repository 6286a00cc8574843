from pathlib import Path

import pytest
import torch
from torch import nn

from stages.download.samples import glove, rtpolarity
from stages.lib.errors import InputError
from stages.networks.sentence_classifier import SentenceClassifier
from stages.networks.text_cnn import TextCNN
from stages.networks.layers.word_vectors import WordVectors
from stages.tasks import reviews


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {role: tmp_path_factory.mktemp(role) for role in ("corpus", "vectors")}
    rtpolarity.write(folders["corpus"], 0)
    glove.write(folders["vectors"], 0)
    return folders


def corpus(folder: Path, positive: list[str], negative: list[str], encoding: str = "utf-8") -> Path:
    folder.mkdir(exist_ok=True)
    for name, lines in (("rt-polarity.pos", positive), ("rt-polarity.neg", negative)):
        (folder / name).write_bytes("".join(f"{line} \n" for line in lines).encode(encoding))
    return folder


def test_both_encodings_give_the_same_reviews(tmp_path: Path) -> None:
    lines = ["a clichéd plot – and a naïve one…", "señor's “best” film"]
    found = [
        reviews.read_reviews(corpus(tmp_path / encoding, lines, lines, encoding) / "rt-polarity.pos")
        for encoding in ("utf-8", "cp1252")
    ]
    assert found[0][0] == found[1][0] == lines
    assert [about["encoding"] for _, about in found] == ["utf-8", "latin-1 (Windows-1252)"]


@pytest.mark.parametrize("wrong", [b"a caf\xe9 \x81 film\n", b"good\nba\x00d film\n", b"good \x07\n"])
def test_bytes_that_are_no_text_are_named(tmp_path: Path, wrong: bytes) -> None:
    (tmp_path / "rt-polarity.pos").write_bytes(wrong)
    with pytest.raises(InputError, match=r"rt-polarity\.pos, (byte 7|line [12])"):
        reviews.read_reviews(tmp_path / "rt-polarity.pos")


def test_empty_lines_are_left_out_and_counted_and_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "some").write_text("good film\n\n   \nbad film\n")
    (tmp_path / "none").write_text("\n\n")
    assert reviews.read_reviews(tmp_path / "some") == (
        ["good film", "bad film"],
        {"encoding": "utf-8", "empty_lines": 2},
    )
    with pytest.raises(InputError, match="none: the file holds no review"):
        reviews.read_reviews(tmp_path / "none")


def test_a_review_of_ten_thousand_words_is_cut_and_counted(raw: dict[str, Path], tmp_path: Path) -> None:
    lines = [f"a good film of {number}" for number in range(8)]
    folder = corpus(tmp_path / "long", [*lines[:7], "good " * 10_000], lines)
    tensors, facts, _ = reviews.TASK.prepare({"corpus": folder, "vectors": raw["vectors"]}, reviews.Preparation())
    assert facts["splits"]["test"]["truncated_reviews"] == 1
    assert tensors["test.offsets"].diff().max() == 51


def test_the_reports_split(raw: dict[str, Path], tmp_path: Path) -> None:
    folder = corpus(tmp_path / "real", [f"good {n}" for n in range(5331)], [f"bad {n}" for n in range(5331)])
    tensors, facts, _ = reviews.TASK.prepare({"corpus": folder, "vectors": raw["vectors"]}, reviews.Preparation())
    sizes = {name: split["reviews"] for name, split in facts["splits"].items()}
    assert sizes["train"] + sizes["validation"] == 8000
    assert sizes["test"] == 2 * 1331
    for name, size in sizes.items():
        assert tensors[f"{name}.labels"].sum() == size / 2


def test_words_come_back_as_numbers_with_their_vectors(raw: dict[str, Path]) -> None:
    from stages.lib import text

    tensors, facts, _ = reviews.TASK.prepare(raw, reviews.Preparation())
    split = reviews.TASK.load(tensors, facts, reviews.Options())["train"]
    first, _ = reviews.read_reviews(raw["corpus"] / "rt-polarity.pos")
    # The first sentence of the file is for validation, the second the first to train on.
    words = text.lower_case(text.tokenize(first[1]))
    (numbers, vectors, lengths), labels = split.batch(torch.tensor([0, 5]))
    assert lengths[0] == len(words)
    assert labels.tolist() == [1, 1]
    known, rows = text.read_vectors(raw["vectors"] / "glove.6B.50d.txt", set(words))
    for place, word in enumerate(words):
        torch.testing.assert_close(vectors[0, place], torch.from_numpy(rows[known.index(word)]))
    assert (numbers[0, lengths[0] :] == 0).all()


def test_order_decides_in_the_sample() -> None:
    """Of sentences that hold the same words, some are positive and some are negative."""
    import numpy as np

    random = np.random.default_rng(0)
    bags: dict[tuple[str, ...], set[str]] = {}
    for kind in ("positive", "negative"):
        for _ in range(4000):
            words = tuple(sorted(rtpolarity.sentence(kind, random).split()))
            bags.setdefault(words, set()).add(kind)
    assert sum(len(kinds) == 2 for kinds in bags.values()) > 50


def networks() -> list[nn.Module]:
    torch.manual_seed(0)
    made = [
        SentenceClassifier(20, 4, cell, 6, layers, both, pooling, (5,), "relu", 0.5, embeddings)
        for cell, layers, both, pooling, embeddings in (
            ("rnn", 1, False, "last", "fixed"),
            ("lstm", 2, True, "last", "tuned"),
            ("gru", 1, True, "max", "learned"),
            ("lstm", 1, False, "mean", "tuned"),
        )
    ]
    return [*made, *(TextCNN(20, 4, 7, 3, pooling, 0.5, "tuned") for pooling in ("mean", "max"))]


@pytest.mark.parametrize("place", range(6))
def test_padding_and_neighbours_do_not_matter(place: int) -> None:
    network = networks()[place].eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    numbers, vectors = torch.randint(1, 20, (3, 6)), torch.randn(3, 6, 4)
    lengths = torch.tensor([6, 2, 1])
    together = network(numbers, vectors, lengths)
    alone = [
        network(numbers[i : i + 1, :n], vectors[i : i + 1, :n], lengths[i : i + 1]) for i, n in enumerate([6, 2, 1])
    ]
    torch.testing.assert_close(together, torch.cat(alone))


def test_tuned_vectors_begin_as_the_given_ones_and_move() -> None:
    words = WordVectors(9, 3, "tuned")
    numbers, vectors = torch.tensor([[4, 0]]), torch.randn(1, 2, 3)
    assert torch.equal(words(numbers, vectors), vectors)
    words(numbers, vectors).sum().backward()
    assert words.own.weight.grad[4].tolist() == [1, 1, 1]
    assert not words.own.weight.grad[0].any()


def test_the_text_cnn_is_the_reports_two_dimensional_convolution() -> None:
    torch.manual_seed(1)
    network = TextCNN(9, 5, 7, 3).eval()
    vectors = torch.randn(3, 20, 5)
    two = nn.functional.conv2d(
        vectors.unsqueeze(1),
        network.convolution.weight.transpose(1, 2).unsqueeze(1),
        network.convolution.bias,
        padding=(1, 0),
    )
    sentence = nn.functional.avg_pool1d(torch.tanh(two.squeeze(3)), 20).squeeze(2)
    wanted = network.head(sentence).squeeze(1)
    torch.testing.assert_close(network(torch.ones(3, 20).long(), vectors, torch.full((3,), 20)), wanted)


def test_metrics_are_those_of_the_formulas() -> None:
    found = reviews.TASK.metrics([0.9, 0.2, 0.6, 0.5], [1.0, 0.0, 0.0, 1.0])
    assert found["accuracy"] == 0.5
    assert found["loss"] == pytest.approx(-torch.tensor([0.9, 0.8, 0.4, 0.5]).log().mean().item())


def test_training_on_the_sample_learns(raw: dict[str, Path]) -> None:
    tensors, facts, _ = reviews.TASK.prepare(raw, reviews.Preparation())
    splits = reviews.TASK.load(tensors, facts, reviews.Options())
    torch.manual_seed(0)
    options = reviews.ClassifierOptions(cell="gru", hidden_size=24, embeddings="fixed")
    network = reviews.TASK.build("sentence_classifier", options, facts)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for step in range(150):
        batch = splits["train"].batch(
            torch.randint(len(splits["train"]), (50,), generator=torch.Generator().manual_seed(step))
        )
        optimizer.zero_grad()
        reviews.TASK.loss(network, batch, reviews.Options()).backward()
        optimizer.step()
    test = splits["test"]
    with torch.no_grad():
        found = reviews.TASK.metrics(reviews.TASK.predict(network, test.batch(torch.arange(len(test)))), test.targets)
    assert found["accuracy"] > 0.8
