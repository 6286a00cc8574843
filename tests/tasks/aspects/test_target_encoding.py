"""The target encoding against counts of one word at a time."""

import math
import random

import torch
from torch import Tensor

from stages.tasks.aspects.training.target_encoding import FOLDS, encode_targets

#: A sentence: its words, and whether each is part of a term.
Sentence = list[tuple[int, bool]]


def count(sentences: list[Sentence], others: list[Sentence]) -> list[list[float]]:
    """The target encoding of `sentences` by the labels of `others`."""
    labels = [label for row in others for _, label in row]
    rows = []
    for sentence in sentences:
        words = [0, *(word for word, _ in sentence), 0]
        for position in range(1, len(words) - 1):
            rate, row = sum(labels) / len(labels), []
            for first, last in ((0, 0), (-1, 0), (0, 1)):
                key = words[position + first : position + last + 1]
                hits = [
                    other[at][1]
                    for other in others
                    for at in range(len(other))
                    if [0, *(word for word, _ in other), 0][at + 1 + first : at + 2 + last] == key
                ]
                shrunk = (sum(hits) + 2 * rate) / (len(hits) + 2)
                rate = shrunk if first == last else rate
                row += [math.log(shrunk / (1 - shrunk)) / 2, math.log(1 + len(hits)) / 2]
            rows.append(row)
    return rows


def flat(sentences: list[Sentence]) -> tuple[Tensor, Tensor, Tensor]:
    words, labels = zip(*(word for sentence in sentences for word in sentence), strict=True)
    return torch.tensor(words), torch.tensor([len(sentence) for sentence in sentences]), torch.tensor(labels)


def draw(sentences: int, words: int, seed: int) -> list[Sentence]:
    draws = random.Random(seed)
    lengths = [draws.randint(1, 5) for _ in range(sentences)]
    return [[(draws.randint(1, words), draws.random() < 0.3) for _ in range(length)] for length in lengths]


def test_other_splits_are_encoded_by_the_rates_of_all_training_sentences() -> None:
    train, test = draw(30, 6, 0), draw(20, 8, 1)
    found = encode_targets(*flat(train), *flat(test)[:2], is_training=False)
    torch.testing.assert_close(found, torch.tensor(count(test, train)), atol=1e-4, rtol=1e-4)


def test_a_training_sentence_is_encoded_by_the_other_folds_alone() -> None:
    train = draw(400, 6, 0)
    words, lengths, labels = flat(train)
    found = encode_targets(words, lengths, labels, words, lengths, is_training=True)
    # Another order of one fold's own labels: the rate of all words, and so this fold's encoding, stay as they were.
    fold = (torch.arange(len(lengths)) % FOLDS == 3).repeat_interleave(lengths)
    reversed_labels = labels.clone()
    reversed_labels[fold] = reversed_labels[fold].flip(0)
    other = encode_targets(words, lengths, reversed_labels, words, lengths, is_training=True)
    assert torch.equal(found[fold], other[fold])
    assert not torch.equal(found[~fold], other[~fold])
    rest = [sentence for number, sentence in enumerate(train) if number % FOLDS != 3]
    # The log-counts are the last column of each pair, and do not depend on the rate of all words.
    expected = torch.tensor(count(train[3::FOLDS], rest))[:, 1::2]
    torch.testing.assert_close(found[fold][:, 1::2], expected, atol=1e-5, rtol=1e-5)
