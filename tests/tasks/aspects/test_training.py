"""Batches, splits, and the way from tags to terms."""

import itertools

import torch
from seqeval.metrics.sequence_labeling import get_entities

from stages.download.samples.semeval2014 import COUNTS
from stages.lib.task import Prepared
from stages.lib.text import spans
from stages.tasks.aspects import preparation
from stages.tasks.aspects.training.options import Options, TaggerOptions
from stages.tasks.aspects.training.sentences import term_spans
from stages.tasks.aspects.training.task import SPLITS, TASK


def test_an_inside_tag_after_an_outside_one_begins_a_term_as_in_conlleval() -> None:
    words = [(0, 1), (2, 3), (4, 5)]
    for tags in itertools.product(range(3), repeat=3):
        names = [("O", "B-keyword", "I-keyword")[tag] for tag in tags]
        expected = [(words[first][0], words[last][1]) for _, first, last in get_entities(names)]
        assert term_spans(tags, words) == expected
    assert term_spans([1], [(0, 0)]) == []


def test_a_batch_holds_the_words_of_its_sentences_their_vectors_and_tags(prepared: Prepared) -> None:
    split = TASK.load(prepared.tensors, prepared.metadata, Options(domain="restaurants"))["test"]
    index = torch.tensor([3, 77, COUNTS["test"] - 1])
    (token_ids, vectors, characters, shapes, parts_of_speech, _, lengths), target = split.batch(index)
    token_id = {word: number for number, word in enumerate(prepared.vocabulary, start=2)}
    for row, number in enumerate(index.tolist()):
        sentence = split.targets[number]
        words = spans.tokenize(sentence.text)
        assert lengths[row] == len(words)
        spelled = spans.spell(sentence.text, words)
        padding = [0] * (token_ids.shape[1] - len(words))
        assert token_ids[row].tolist() == [token_id[word] for word in spelled] + padding
        assert list(map(tuple, target[row, : len(words), 1:].tolist())) == words
        assert term_spans(target[row, : len(words), 0].tolist(), words) == list(sentence.spans)
        first_word = characters[row, 0][characters[row, 0] > 0]
        assert "".join(map(chr, first_word)) == spelled[0][: preparation.WORD_LENGTH]
        assert shapes[row, : len(words)].tolist() == [spans.shape(sentence.text[slice(*word)]) for word in words]
    assert torch.equal(vectors[..., 8:], prepared.tensors["glove"][token_ids])
    assert parts_of_speech.shape == token_ids.shape


def test_a_splits_encoding_depends_on_training_labels_alone(prepared: Prepared) -> None:
    first = TASK.load(prepared.tensors, prepared.metadata, Options())
    changed = dict(prepared.tensors)
    for split in ("validation", "test"):
        changed[f"laptops.all.{split}.tags"] = torch.zeros_like(changed[f"laptops.all.{split}.tags"])
    second = TASK.load(changed, prepared.metadata, Options())
    for split in SPLITS:
        assert torch.equal(first[split].words["encoding"].values, second[split].words["encoding"].values)
    train, words = (prepared.tensors[f"laptops.all.{split}.token_ids"] for split in ("train", "test"))
    expected = torch.stack([(train == word).sum() for word in words]).float().log1p() / 2
    torch.testing.assert_close(first["test"].words["encoding"].values[:, 1], expected)


def test_a_refit_also_trains_on_the_validation_sentences(prepared: Prepared) -> None:
    apart = TASK.load(prepared.tensors, prepared.metadata, Options())
    splits = TASK.load(prepared.tensors, prepared.metadata, Options(refit=True))
    assert set(splits) == {"train", "test"}
    assert splits["train"].gold == [*apart["train"].gold, *apart["validation"].gold]
    last = len(apart["train"]) + 3
    found, expected = splits["train"].batch(torch.tensor([last])), apart["validation"].batch(torch.tensor([3]))
    # All but the target encoding, which now knows more sentences.
    for one, other in zip(
        (*found.inputs[:5], found.inputs[6]), (*expected.inputs[:5], expected.inputs[6]), strict=True
    ):
        assert torch.equal(one, other)
    assert torch.equal(found.target, expected.target)
    known = torch.cat([prepared.tensors[f"laptops.all.{split}.token_ids"] for split in ("train", "validation")])
    counts = torch.stack([(known == word).sum() for word in prepared.tensors["laptops.all.test.token_ids"]])
    torch.testing.assert_close(splits["test"].words["encoding"].values[:, 1], counts.float().log1p() / 2)


def test_training_sentences_are_scored_on_request(prepared: Prepared) -> None:
    assert TASK.eval_splits(Options()) == ("validation", "test")
    asked = TASK.eval_splits(Options(score_training=True))
    assert set(asked) == {"train", "validation", "test"}
    assert set(TASK.load(prepared.tensors, prepared.metadata, Options(score_training=True))) == set(asked)


def test_a_sentence_without_a_word_has_no_term(prepared: Prepared) -> None:
    """Its one placeholder word has no characters, whatever its tag."""
    torch.manual_seed(0)
    network = TASK.build("sequence_tagger", TaggerOptions(hidden_size=3), prepared.metadata).eval()
    batch = TASK.load(prepared.tensors, prepared.metadata, Options())["test"].batch(torch.tensor([0]))
    inputs = (*(tensor[:, :1] for tensor in batch.inputs[:-1]), torch.tensor([1]))
    with torch.no_grad():
        network.members[0].scores.bias[1] = 100
        assert TASK.predict(network, batch._replace(inputs=inputs, target=batch.target[:, :1])) != [[]]
        assert TASK.predict(network, batch._replace(inputs=inputs, target=torch.zeros(1, 1, 3).long())) == [[]]


def test_training_on_the_sample_learns(prepared: Prepared) -> None:
    splits = TASK.load(prepared.tensors, prepared.metadata, Options())
    torch.manual_seed(0)
    options = TaggerOptions(hidden_size=24, vectors="glove", embeddings="tuned", constrain_transitions=True)
    network = TASK.build("sequence_tagger", options, prepared.metadata)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for step in range(60):
        index = torch.randint(len(splits["train"]), (50,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss, _ = TASK.training_step(network, splits["train"].batch(index), Options())
        loss.backward()
        optimizer.step()
    test = splits["test"]
    with torch.no_grad():
        found = TASK.predict(network.eval(), test.batch(torch.arange(len(test))))
    assert TASK.curve_metrics(found, test.targets)["f1"] > 0.8
