"""Target encoding (Micci-Barreca 2001): how often the words of a sentence are in a term elsewhere."""

import torch
from torch import Tensor

#: Parts of the training sentences, of which a sentence is not told its own; how many words of the prior rate are added
#: to a count; and values a word, two for it alone, behind the word before, and before the next.
ENCODING_PARTS, PRIOR_WEIGHT, ENCODING_WIDTH = 10, 2.0, 6


def encode_targets(
    words: Tensor, lengths: Tensor, inside: Tensor, asked: Tensor, asked_lengths: Tensor, is_training: bool
) -> Tensor:
    """How often words are in a term in the training sentences: target encoding (Micci-Barreca 2001), cross-fitted.

    [M, ENCODING_WIDTH] for word numbers (above 0) `asked` [M], given the training split's words [N] and whether each is
    `inside` a term [N]; both splits are sentence after sentence, of these lengths. Of each word, of it behind the one
    before it and of it before the next: the log-odds of its rate, and the logarithm of its count. A pair's rate is
    drawn to its word's, a word's to that of all words.

    is_training: the asked words are the training split itself. Counts that held a sentence's own labels would tell the
    network the answer, so each sentence is told those of the other parts.
    """
    part = (torch.arange(len(lengths)) % ENCODING_PARTS).repeat_interleave(lengths)
    # Nothing lies in the part behind the last one, so nothing is taken off.
    own = part if is_training else torch.full((len(asked),), ENCODING_PARTS)
    prior: Tensor = inside.double().mean()
    columns: list[Tensor] = []
    for known, wanted in zip(_alone_and_paired(words, lengths), _alone_and_paired(asked, asked_lengths), strict=True):
        hits, found = (_tally(known, part, weights, wanted, own) for weights in (inside.double(), None))
        rate = (hits + PRIOR_WEIGHT * prior) / (found + PRIOR_WEIGHT)
        prior = prior if columns else rate
        columns += [rate.logit(eps=1e-6), found.log1p()]
    # Halved, they are about as large as the other values that a network reads.
    return torch.stack(columns, dim=1).float() / 2


def _alone_and_paired(words: Tensor, lengths: Tensor) -> Tensor:
    """Keys [3, N] of each word, of it with the one before, and of it with the next; beyond a sentence stands 0."""
    ends = lengths.cumsum(0)
    before, after = words.roll(1), words.roll(-1)
    before[ends - lengths], after[ends - 1] = 0, 0
    return torch.stack([words, before << 32 | words, words << 32 | after])


def _tally(known: Tensor, part: Tensor, weights: Tensor | None, wanted: Tensor, own: Tensor) -> Tensor:
    """How often (or with what sum of weights) each key of `wanted` [M] is in `known` [N] outside the part `own` [M]."""
    numbers = torch.cat([known, wanted]).unique(return_inverse=True)[1]
    places = numbers[: len(known)] * (ENCODING_PARTS + 1) + part
    size = (int(numbers.max()) + 1) * (ENCODING_PARTS + 1)
    counts = torch.bincount(places, weights, size).view(-1, ENCODING_PARTS + 1).double()
    numbers = numbers[len(known) :]
    return counts.sum(1)[numbers] - counts[numbers, own]
