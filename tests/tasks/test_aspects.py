"""Keyword extraction: from offsets to tags and back, the networks, and the scores."""

import csv
import itertools
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import MIRROR
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from torch import Tensor

from stages.lib.files import ROOT
from stages.lib.task import Prepared
from stages.download.samples import glove, semeval2014
from stages.lib.errors import InputError
from stages.networks.sequence_tagger import CRFOutput, SequenceTagger, SoftmaxOutput
from stages.plot.figures import Sources, errors
from stages.tasks import aspects
from stages.tasks.aspects import TASK, Gold, sentences, target_encoding
from stages.lib.text import spans as text_spans
from stages.lib.text.parts_of_speech import PARTS_OF_SPEECH, number_parts_of_speech
from stages.lib.text.semeval import read_sentences

FILES = [name for names in aspects.FILES.values() for name in names]
SMALL = aspects.Preparation(max_length=30, word2vec_width=8, word2vec_epochs=1)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {role: tmp_path_factory.mktemp(role) for role in ("corpus", "vectors")}
    semeval2014.write(folders["corpus"], 0)
    glove.write(folders["vectors"], 0)
    return folders


@pytest.fixture(scope="module")
def prepared(raw: dict[str, Path]) -> Prepared:
    return TASK.prepare(raw, SMALL)


# ── Tokens and tags ───────────────────────────────────────────────────────────────────────────────────────────────────


def tokens(sentence: str) -> list[str]:
    return [sentence[start:end] for start, end in text_spans.tokenize(sentence)]


def test_words_and_marks_are_parted() -> None:
    assert tokens("I don't love the 13.3\" wi-fi, it’s") == [
        *("I", "do", "n't", "love", "the", "13.3", '"', "wi", "-", "fi", ",", "it", "’s")
    ]
    assert text_spans.spell("IT’s", [(0, 2), (2, 4)]) == ["it", "'s"]


@given(st.text())
def test_tokens_hold_every_character_but_white_space_in_order(sentence: str) -> None:
    places = text_spans.tokenize(sentence)
    assert "".join(sentence[start:end] for start, end in places) == "".join(sentence.split())
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(places))


def test_the_reports_route_leaves_stop_words_out_and_keeps_places() -> None:
    pytest.importorskip("jieba")
    sentence = "The quality of the food is great"
    places = text_spans.segment(sentence)
    assert [sentence[start:end] for start, end in places] == ["quality", "food", "great"]
    # A term whose inner words were left out comes back whole; one that ends with such a word does not.
    tags, lost = text_spans.bio_tags([(4, 23)], places)
    assert (tags, lost) == ([1, 2, 0], {})
    assert sentences.spans_of(tags, places) == [(4, 23)]
    assert text_spans.bio_tags([(4, 14)], places)[1] == {(4, 14): "borders"}
    assert text_spans.bio_tags([(12, 14)], places) == ([0, 0, 0], {(12, 14): "no token"})


def tag(sentence: str, *terms: tuple[int, int]) -> tuple[list[int], dict[tuple[int, int], str]]:
    return text_spans.bio_tags(terms, text_spans.tokenize(sentence))


def test_repeated_adjacent_nested_and_overlapping_terms() -> None:
    sentence = "food and food wine list"
    assert tag(sentence, (0, 4), (9, 13)) == ([1, 0, 1, 0, 0], {})
    assert tag(sentence, (9, 13), (14, 18)) == ([0, 0, 1, 1, 0], {})
    assert tag(sentence, (14, 18), (14, 23)) == ([0, 0, 0, 1, 2], {(14, 18): "overlapping"})
    assert tag(sentence, (9, 18), (14, 23)) == ([0, 0, 1, 2, 0], {(14, 23): "overlapping"})
    assert tag("a b c d", (0, 3), (2, 5)) == ([1, 2, 0, 0], {(2, 5): "overlapping"})
    assert tag("macbook", (0, 3)) == ([1], {(0, 3): "borders"})
    assert tag("", (0, 3)) == ([], {(0, 3): "no token"})


def test_a_tag_inside_behind_one_outside_begins_a_term_as_in_conlleval() -> None:
    words = [(0, 1), (2, 3), (4, 5)]
    for tags in itertools.product(range(3), repeat=3):
        names = [("O", "B-keyword", "I-keyword")[number] for number in tags]
        wanted = [(words[first][0], words[last][1]) for _, first, last in get_entities(names)]
        assert sentences.spans_of(tags, words) == wanted
    assert sentences.spans_of([1], [(0, 0)]) == []


@given(st.lists(st.integers(0, 2), max_size=12))
def test_tags_survive_the_way_to_characters_and_back(tags: list[int]) -> None:
    words = [(2 * place, 2 * place + 1) for place in range(len(tags))]
    there = sentences.spans_of(tags, words)
    back, lost = text_spans.bio_tags(there, words)
    assert lost == {}
    assert sentences.spans_of(back, words) == there


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / FILES[0]).is_file(), reason="needs the real data in DATA_MIRROR")
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("way", ["all", "report"])
def test_every_real_term_comes_back_or_is_counted(name: str, way: str) -> None:
    split = {"all": text_spans.tokenize, "report": text_spans.segment}[way]
    missing = total = 0
    for sentence in read_sentences(MIRROR / name)[0]:
        words = split(sentence.text)
        tags, lost = text_spans.bio_tags(sentence.spans, words)
        assert set(sentences.spans_of(tags, words)) >= set(sentence.spans) - set(lost)
        assert not set(sentences.spans_of(tags, words)) & set(lost)
        missing, total = missing + len(lost), total + len(sentence.spans)
    assert missing <= (0.002 if way == "all" else 0.04) * total


# ── Preparation ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_splits_are_those_of_the_files_and_the_facts_count_them(prepared: Prepared) -> None:
    for domain in aspects.FILES:
        counts = {split: prepared.facts["splits"][f"{domain}.all.{split}"]["sentences"] for split in aspects.SPLITS}
        assert counts == {"train": 504, "validation": 56, "test": 150}
    assert len(prepared.words) + 2 == prepared.facts["vocabulary"] == len(prepared.tensors["glove"])
    assert list(prepared.words) == sorted(set(prepared.words))
    assert len(prepared.facts["files"]["Laptop_Train_v2.xml"]["repaired"]) > 0


def test_a_batch_holds_the_sentences_words_vectors_and_tags(prepared: Prepared) -> None:
    split = TASK.load(prepared.tensors, prepared.facts, aspects.Options(domain="restaurants"))["test"]
    index = torch.tensor([3, 77, 149])
    (numbers, vectors, characters, shapes, parts_of_speech, _, lengths), target = split.batch(index)
    number = {word: place for place, word in enumerate(prepared.words, start=2)}
    for row, place in enumerate(index.tolist()):
        gold = split.targets[place]
        words = text_spans.tokenize(gold.text)
        assert lengths[row] == len(words)
        spelled = text_spans.spell(gold.text, words)
        assert numbers[row].tolist() == [number[word] for word in spelled] + [0] * (numbers.shape[1] - len(words))
        assert list(map(tuple, target[row, : len(words), 1:].tolist())) == words
        assert sentences.spans_of(target[row, : len(words), 0].tolist(), words) == list(gold.spans)
        assert "".join(map(chr, characters[row, 0][characters[row, 0] > 0])) == spelled[0][: aspects.WORD_LENGTH]
    assert torch.equal(vectors[..., 8:], prepared.tensors["glove"][numbers])
    assert shapes.shape == parts_of_speech.shape == numbers.shape


def test_what_a_word_looks_like() -> None:
    words = ("food", "Food", "USB", "MacBook", "13inch", "!", "I")
    assert [text_spans.shape(word) for word in words] == [0, 1, 2, 3, 4, 5, 1]


def test_parts_of_speech_are_those_that_a_grammar_gives() -> None:
    words = ["The", "hard", "disk", "is", "very", "noisy", ",", "but", "I", "bought", "two", "of", "them", "."]
    tags = ["DT", "JJ", "NN", "VBZ", "RB", "JJ", ",", "CC", "PRP", "VBD", "CD", "IN", "PRP", "."]
    assert [PARTS_OF_SPEECH[number - 1] for number in number_parts_of_speech(words)] == tags


@given(st.lists(st.text(min_size=1).map(lambda text: "".join(text.split())).filter(bool)))
def test_every_word_gets_one_part_of_speech(words: list[str]) -> None:
    numbers = number_parts_of_speech(words)
    assert len(numbers) == len(words)
    assert all(0 <= number <= len(PARTS_OF_SPEECH) for number in numbers)


def test_a_sentence_of_ten_thousand_words_and_one_without_a_word(tmp_path: Path, raw: dict[str, Path]) -> None:
    for name in FILES:
        (tmp_path / name).write_text((raw["corpus"] / name).read_text())
    file = tmp_path / "Laptops_Test_Gold.xml"
    texts = {"long": "word " * 10_000, "stop": "the"}
    more = "".join(f'<sentence id="{name}"><text>{text}</text></sentence>' for name, text in texts.items())
    file.write_text(file.read_text().replace("</sentences>", more + "</sentences>"))
    tensors, facts, _ = TASK.prepare({"corpus": tmp_path, "vectors": raw["vectors"]}, SMALL)
    assert facts["splits"]["laptops.all.test"]["truncated_sentences"] == 1
    splits = TASK.load(tensors, facts, aspects.Options(words="report"))
    numbers, *_, lengths = splits["test"].batch(torch.tensor([150, 151])).inputs
    assert lengths.tolist() == [30, 1]
    assert numbers[1].tolist() == [sentences.UNKNOWN] + [0] * 29
    network = TASK.build("sequence_tagger", aspects.TaggerOptions(hidden_size=3, characters="lstm"), facts)
    assert TASK.predict(network.eval(), splits["test"].batch(torch.tensor([151]))) == [[]]


def test_word2vec_is_the_same_whatever_python_hashes() -> None:
    code = (
        "from stages.lib.text.word2vec import train_word2vec as t; import hashlib;"
        "w, v = t([['the', 'hard', 'disk'], ['is', 'very', 'noisy', 'the']] * 20, 12, 3);"
        "print(w, hashlib.sha256(v.tobytes()).hexdigest())"
    )
    made = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(made) == 1


# ── Target encoding ───────────────────────────────────────────────────────────────────────────────────────────────────


def counted(sentences: list[list[tuple[int, bool]]], others: list[list[tuple[int, bool]]]) -> list[list[float]]:
    """The target encoding of `sentences` by the labels of `others`, counted one word at a time."""
    labels = [label for row in others for _, label in row]
    rows = []
    for sentence in sentences:
        words = [0, *(word for word, _ in sentence), 0]
        for place in range(1, len(words) - 1):
            rate, row = sum(labels) / len(labels), []
            for first, last in ((place, place), (place - 1, place), (place, place + 1)):
                found = [
                    other[at][1]
                    for other in others
                    for at in range(len(other))
                    if [0, *(word for word, _ in other), 0][at + 1 + first - place : at + 2 + last - place]
                    == words[first : last + 1]
                ]
                here = (sum(found) + 2 * rate) / (len(found) + 2)
                rate = here if first == last else rate
                row += [math.log(here / (1 - here)) / 2, math.log(1 + len(found)) / 2]
            rows.append(row)
    return rows


def flat(sentences: list[list[tuple[int, bool]]]) -> tuple[Tensor, Tensor, Tensor]:
    words, labels = zip(*(word for sentence in sentences for word in sentence), strict=True)
    return torch.tensor(words), torch.tensor([len(sentence) for sentence in sentences]), torch.tensor(labels)


def draw(count: int, words: int, seed: int) -> list[list[tuple[int, bool]]]:
    draws = random.Random(seed)
    lengths = [draws.randint(1, 5) for _ in range(count)]
    return [[(draws.randint(1, words), draws.random() < 0.3) for _ in range(length)] for length in lengths]


def test_held_out_words_are_told_the_rates_of_all_training_sentences() -> None:
    known, asked = draw(30, 6, 0), draw(20, 8, 1)
    found = target_encoding.encode_targets(*flat(known), *flat(asked)[:2], is_training=False)
    torch.testing.assert_close(found, torch.tensor(counted(asked, known)), atol=1e-4, rtol=1e-4)


def test_a_training_sentence_is_told_the_counts_of_the_other_parts_alone() -> None:
    known = draw(400, 6, 0)
    words, lengths, hits = flat(known)
    found = target_encoding.encode_targets(words, lengths, hits, words, lengths, is_training=True)
    # Another order of one part's own labels: the rate of all words, and so what this part is told, stay as they were.
    mine = (torch.arange(len(lengths)) % target_encoding.ENCODING_PARTS == 3).repeat_interleave(lengths)
    turned = hits.clone()
    turned[mine] = turned[mine].flip(0)
    other = target_encoding.encode_targets(words, lengths, turned, words, lengths, is_training=True)
    assert torch.equal(found[mine], other[mine])
    assert not torch.equal(found[~mine], other[~mine])
    rest = [sentence for place, sentence in enumerate(known) if place % target_encoding.ENCODING_PARTS != 3]
    third = known[3 :: target_encoding.ENCODING_PARTS]
    # The counts' logs are the last column of each pair, and need no rate of all words.
    torch.testing.assert_close(found[mine][:, 1::2], torch.tensor(counted(third, rest))[:, 1::2], atol=1e-5, rtol=1e-5)


def test_the_encoding_that_a_split_is_loaded_with_knows_training_labels_alone(prepared: Prepared) -> None:
    first = TASK.load(prepared.tensors, prepared.facts, aspects.Options())
    changed = dict(prepared.tensors)
    for split in ("validation", "test"):
        changed[f"laptops.all.{split}.tags"] = torch.zeros_like(changed[f"laptops.all.{split}.tags"])
    second = TASK.load(changed, prepared.facts, aspects.Options())
    for split in aspects.SPLITS:
        assert torch.equal(first[split].encoding, second[split].encoding)
    tensors = prepared.tensors
    train, words = tensors["laptops.all.train.words"], tensors["laptops.all.test.words"]
    wanted = torch.stack([(train == word).sum() for word in words]).float().log1p() / 2
    torch.testing.assert_close(first["test"].encoding[:, 1], wanted)


def test_a_refit_learns_from_the_validation_sentences_too_and_is_not_validated(prepared: Prepared) -> None:
    apart = TASK.load(prepared.tensors, prepared.facts, aspects.Options())
    splits = TASK.load(prepared.tensors, prepared.facts, aspects.Options(refit=True))
    assert set(splits) == {"train", "test"}
    assert splits["train"].gold == [*apart["train"].gold, *apart["validation"].gold]
    last = len(apart["train"]) + 3
    found, wanted = splits["train"].batch(torch.tensor([last])), apart["validation"].batch(torch.tensor([3]))
    for place in (0, 1, 2, 3, 4, 6):  # all but the target encoding, which knows more sentences now
        assert torch.equal(found.inputs[place], wanted.inputs[place])
    assert torch.equal(found.target, wanted.target)
    tensors = prepared.tensors
    seen = torch.cat([tensors[f"laptops.all.{split}.words"] for split in ("train", "validation")])
    counts = torch.stack([(seen == word).sum() for word in tensors["laptops.all.test.words"]])
    torch.testing.assert_close(splits["test"].encoding[:, 1], counts.float().log1p() / 2)


# ── Networks ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def paths(scores: Tensor, output: CRFOutput) -> dict[tuple[int, ...], Tensor]:
    """The score of every tag sequence for scores [T, 3], written out."""
    crf, found = output.crf, {}
    for tags in itertools.product(range(3), repeat=len(scores)):
        total = crf.start_transitions[tags[0]] + crf.end_transitions[tags[-1]]
        total = total + sum(scores[place, one] for place, one in enumerate(tags))
        found[tags] = total + sum(crf.transitions[one, other] for one, other in itertools.pairwise(tags))
    return found


@pytest.mark.parametrize("forbid", [False, True])
def test_the_crf_is_the_sum_over_all_sequences_and_padding_counts_for_nothing(forbid: bool) -> None:
    torch.manual_seed(0)
    output, scores = CRFOutput(forbid), torch.randn(2, 5, 3)
    tags = torch.tensor([[1, 2, 0, 1, 2], [0, 1, 2, 0, 0]])
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    found = output.loss(scores, tags, mask)
    wanted = 0.0
    for row, length in enumerate((5, 3)):
        every = paths(scores[row, :length], output)
        wanted += torch.stack(list(every.values())).logsumexp(0) - every[tuple(tags[row, :length].tolist())]
        best = max(every, key=lambda one: every[one])
        assert output.decode(scores, mask)[row] == list(best)
    torch.testing.assert_close(found, wanted / 2)


def test_what_is_forbidden_never_comes_out_and_weight_decay_does_not_bring_it_back() -> None:
    torch.manual_seed(1)
    scores, mask = 5 * torch.randn(40, 7, 3), torch.ones(40, 7, dtype=torch.bool)
    free = [row for output in (CRFOutput(False), SoftmaxOutput(False)) for row in output.decode(scores, mask)]
    assert any(two == [0, 2] for row in free for two in map(list, itertools.pairwise([0, *row])))
    for output in (CRFOutput(True), SoftmaxOutput(True)):
        if isinstance(output, CRFOutput):
            optimizer = torch.optim.AdamW(output.parameters(), lr=0.1, weight_decay=1.0)
            for _ in range(5):
                optimizer.zero_grad()
                output.loss(scores, torch.zeros(40, 7).long(), mask).backward()
                optimizer.step()
        for row in output.decode(scores, mask):
            assert (0, 2) not in itertools.pairwise([0, *row])


def test_the_softmax_is_the_cross_entropy_of_real_words() -> None:
    torch.manual_seed(0)
    scores, tags = torch.randn(2, 4, 3), torch.randint(3, (2, 4))
    mask = torch.arange(4) < torch.tensor([[4], [2]])
    likely = scores.log_softmax(2)
    wanted = -sum(likely[row, word, tags[row, word]] for row, length in ((0, 4), (1, 2)) for word in range(length)) / 2
    torch.testing.assert_close(SoftmaxOutput(False).loss(scores, tags, mask), wanted)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"vectors": "glove", "embeddings": "tuned", "output": "softmax"},
    {"vectors": "both", "characters": "cnn", "shapes": True, "forbid": True},
    {"vectors": "both", "characters": "lstm", "members": 2, "word_dropout": 0.3},
    {"target_encoding": True, "variational": True, "dropout": 0.5, "parts_of_speech": True},
]


@pytest.mark.parametrize("options", OPTIONS)
def test_a_sentence_gets_the_same_tags_alone_as_padded_among_others(
    options: dict[str, Any], prepared: Prepared
) -> None:
    torch.manual_seed(0)
    network = TASK.build("sequence_tagger", aspects.TaggerOptions(hidden_size=6, **options), prepared.facts).eval()
    split = TASK.load(prepared.tensors, prepared.facts, aspects.Options())["test"]
    together = split.batch(torch.arange(20))
    scores = network(*together.inputs)
    for place in range(20):
        alone = split.batch(torch.tensor([place]))
        length = int(alone.inputs[-1])
        torch.testing.assert_close(scores[:, place, :length], network(*alone.inputs)[:, 0], atol=1e-5, rtol=1e-4)
        assert TASK.predict(network, alone)[0] == TASK.predict(network, together)[place]
    loss = [TASK.loss(network, split.batch(torch.tensor([place])), aspects.Options()) for place in range(20)]
    torch.testing.assert_close(TASK.loss(network, together, aspects.Options()), torch.stack(loss).mean())


def test_the_lstm_is_torchs_and_reads_the_chosen_vectors() -> None:
    torch.manual_seed(0)
    network = SequenceTagger(50, {"word2vec": 8, "glove": 50}, vectors="glove", hidden_size=6).eval()
    (member,) = network.members
    lstm = torch.nn.LSTM(50, 6, batch_first=True, bidirectional=True)
    back = {f"{name}_reverse": value for name, value in member.back.state_dict().items()}
    lstm.load_state_dict(member.ahead.state_dict() | back)
    vectors = torch.randn(3, 5, 58)
    nothing = torch.zeros(3, 5).long()
    given = (nothing.unsqueeze(2), nothing, nothing, torch.zeros(3, 5, 0), torch.full((3,), 5))
    found = network(nothing, vectors, *given)
    torch.testing.assert_close(found[0], member.scores(lstm(vectors[..., 8:])[0]), atol=1e-5, rtol=1e-4)


def test_a_sentences_words_lose_the_same_values_and_the_encoding_none() -> None:
    torch.manual_seed(0)
    network = SequenceTagger(
        50, {"word2vec": 40}, 6, target_encoding=True, variational=True, dropout=0.5, input_dropout=0.25, hidden_size=7
    )
    (member,) = network.members
    read: list[Tensor] = []
    member.ahead.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    nothing, lengths = torch.zeros(200, 5).long(), torch.full((200,), 5)
    encoding = torch.full((200, 5, 6), 3.0)
    network(nothing, torch.ones(200, 5, 40), nothing.unsqueeze(2), nothing, nothing, encoding, lengths)
    rows = torch.zeros(1000, 46).index_copy(0, read[0].source, read[0].words).view(200, 5, 46)
    assert (rows[:, :, :40] == rows[:, :1, :40]).all()
    assert (rows[:, :, 40:] == 3).all()
    kept = rows[:, 0, :40]
    torch.testing.assert_close(kept[kept > 0], torch.full_like(kept[kept > 0], 1 / 0.75))
    assert float((kept > 0).float().mean()) == pytest.approx(0.75, abs=0.02)
    assert len(kept.unique(dim=0)) > 190


def test_members_are_averaged(prepared: Prepared) -> None:
    torch.manual_seed(0)
    split = TASK.load(prepared.tensors, prepared.facts, aspects.Options())["test"]
    batch = split.batch(torch.arange(30))
    one = TASK.build("sequence_tagger", aspects.TaggerOptions(hidden_size=6), prepared.facts).eval()
    two = TASK.build("sequence_tagger", aspects.TaggerOptions(hidden_size=6, members=2), prepared.facts).eval()
    for name, value in one.state_dict().items():
        for member in ("0", "1"):
            two.state_dict()[name.replace(".0.", f".{member}.", 1)].copy_(value)
    assert TASK.predict(one, batch) == TASK.predict(two, batch)


def test_training_on_the_sample_learns(prepared: Prepared) -> None:
    splits = TASK.load(prepared.tensors, prepared.facts, aspects.Options())
    torch.manual_seed(0)
    options = aspects.TaggerOptions(hidden_size=24, vectors="glove", embeddings="tuned", forbid=True)
    network = TASK.build("sequence_tagger", options, prepared.facts)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for step in range(60):
        index = torch.randint(504, (50,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        TASK.loss(network, splits["train"].batch(index), aspects.Options()).backward()
        optimizer.step()
    test = splits["test"]
    with torch.no_grad():
        found = TASK.predict(network.eval(), test.batch(torch.arange(len(test))))
    assert TASK.metrics(found, test.targets)["f1"] > 0.8


# ── Scores ────────────────────────────────────────────────────────────────────────────────────────────────────────────

sequences = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=8), min_size=1, max_size=6
)


@given(sequences)
def test_exact_spans_are_scored_as_by_seqeval(rows: list[list[tuple[int, int]]]) -> None:
    names = ("O", "B-keyword", "I-keyword")
    wanted = [[names[one] for one, _ in row] for row in rows]
    found = [[names[other] for _, other in row] for row in rows]
    golds, predictions = [], []
    for row in rows:
        words = [(2 * place, 2 * place + 1) for place in range(len(row))]
        text = " ".join(chr(97 + place) for place in range(len(row)))
        golds.append(Gold(text, tuple(sentences.spans_of([one for one, _ in row], words))))
        predictions.append(sentences.spans_of([other for _, other in row], words))
    scores = TASK.metrics(predictions, golds)
    given_tags = {"y_true": wanted, "y_pred": found, "zero_division": 0}
    assert scores["precision"] == pytest.approx(precision_score(**given_tags))
    assert scores["recall"] == pytest.approx(recall_score(**given_tags))
    assert scores["f1"] == pytest.approx(f1_score(**given_tags))


def test_the_reports_rule_counts_distinct_strings() -> None:
    gold = Gold("Food and food, wine  list", ((0, 4), (9, 13), (15, 25)))
    assert gold.keywords == {"food", "wine list"}
    scores = TASK.metrics([[(0, 4)]], [gold])
    assert (scores["recall"], scores["keyword_recall"]) == (pytest.approx(1 / 3), 0.5)
    assert scores["precision"] == scores["keyword_precision"] == 1


def test_scores_by_the_terms_length() -> None:
    gold = [Gold("food and wine list", ((0, 4), (9, 18))), Gold("the hard disk light", ((4, 19),))]
    scores = TASK.scores([[(0, 4), (9, 13)], [(4, 19)]], gold)
    assert (scores["precision_one_word"], scores["recall_one_word"]) == (0.5, 1)
    assert scores["f1_two_words"] == 0
    assert scores["f1_three_words_or_more"] == 1


def test_a_gold_sentence_prints_with_its_terms_marked() -> None:
    assert str(Gold("hard disk", ((0, 9), (5, 9)))) == "⟦hard ⟦disk⟧⟧"
    assert str(Gold("ab", ((0, 1), (1, 2)))) == "⟦a⟧⟦b⟧"


# ── What a user types ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", ["all", "report"])
def test_a_typed_sentence_is_read_as_in_preparation(words: str, prepared: Prepared) -> None:
    options = aspects.Options(words=words)
    split = TASK.load(prepared.tensors, prepared.facts, options)["test"]
    tensors, facts, vocabulary = prepared
    example = TASK.example([split.targets[5].text], tensors, facts, vocabulary, options)
    wanted = split.batch(torch.tensor([5]))
    for one, other in zip(example.batch.inputs, wanted.inputs, strict=True):
        assert torch.equal(one.long(), other.long()) or torch.equal(one, other)
    notes = TASK.example(["A qwertz keyboard"], tensors, facts, vocabulary, options).notes
    assert any("qwertz" in note for note in notes)
    with pytest.raises(InputError, match="empty"):
        TASK.example(["  "], tensors, facts, vocabulary, options)


def test_keywords_are_told_once_each(prepared: Prepared) -> None:
    said = TASK.describe([(0, 4), (9, 13)], ["food and food"], prepared.facts)
    assert said.splitlines() == ["keywords: food", "⟦food⟧ and ⟦food⟧"]
    assert TASK.describe([], ["Fine."], prepared.facts).startswith("no keyword")


# ── The figure of errors, and the sample ──────────────────────────────────────────────────────────────────────────────


def test_errors_are_told_apart_and_listed_in_their_sentences(tmp_path: Path) -> None:
    folder = tmp_path / "metrics/full/predictions/g"
    folder.mkdir(parents=True)
    gold = [Gold("the hard disk and fan", ((4, 13), (18, 21))), Gold("fine", ()), Gold("good food", ((5, 9),))]
    found: list[list[tuple[int, int]]] = [[(9, 13)], [(0, 4)], [(5, 9)]]
    with (folder / "r-seed-0.csv").open("w", newline="") as file:
        rows = [("test", place, *pair) for place, pair in enumerate(zip(gold, found, strict=True))]
        csv.writer(file).writerows([("split", "index", "target", "prediction"), *rows])
    entry = errors.Entry(kind="errors", group="g", title="t", runs={"r": "ours"}, x_label="errors")
    table = errors.read(entry, Sources("full", {"r": {"group": "g"}}, tmp_path))
    assert [(row[3], row[-2], row[-1]) for row in table.rows] == [
        ("missed", "the ⟦hard disk⟧ and ⟦fan⟧", "the hard ⟦disk⟧ and fan"),
        ("wrong borders", "the ⟦hard disk⟧ and ⟦fan⟧", "the hard ⟦disk⟧ and fan"),
        ("invented", "fine", "⟦fine⟧"),
    ]
    axes = Figure().add_subplot()
    errors.draw(entry, table, axes)
    assert [bar.get_width() for bar in axes.patches] == [1, 1, 1]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4)), max_size=4))
def test_marks_can_be_taken_off_again(places: list[tuple[int, int]]) -> None:
    spans = []
    for start, length in sorted(places):
        if not spans or start >= spans[-1][1]:
            spans.append((start, start + length))
    text = "a sentence of words"
    assert errors.unmark(errors.mark(text, spans)) == (text, spans)
    assert errors.mark(text, spans) == sentences.mark(text, spans)


def test_the_sample_has_what_real_files_have_and_the_same_bytes_each_time(raw: dict[str, Path], tmp_path: Path) -> None:
    semeval2014.write(tmp_path, 0)
    for name in FILES:
        content = (raw["corpus"] / name).read_text(encoding="utf-8")
        assert (tmp_path / name).read_text(encoding="utf-8") == content
        assert "&amp;" in content
        assert "&quot;" in content
        sentences, facts = read_sentences(tmp_path / name)
        assert len({sentence.text for sentence in sentences}) == len(sentences)
        terms = [[s.text[slice(*span)] for span in s.spans] for s in sentences]
        assert {len(term.split()) for row in terms for term in row} >= {1, 2, 3}
        assert any(len(row) > len(set(row)) for row in terms)
        assert [] in terms
        assert facts["dropped"] == []
    semeval2014.write(tmp_path, 1)
    assert (tmp_path / FILES[0]).read_bytes() != (raw["corpus"] / FILES[0]).read_bytes()
