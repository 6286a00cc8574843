"""Target encoding (Micci-Barreca 2001): how often a word is part of a term in other sentences."""

import torch
from torch import Tensor

#: Folds of the training sentences; a training sentence is encoded by the labels of the other folds.
FOLDS = 10
#: Words of the prior rate that are added to every count.
PRIOR_WEIGHT = 2.0
#: Values per word: log-odds and log-count of the word alone, after the previous word, and before the next.
ENCODING_WIDTH = 6


def encode_targets(
    train_ids: Tensor, train_lengths: Tensor, in_term: Tensor, token_ids: Tensor, lengths: Tensor, is_training: bool
) -> Tensor:
    """Cross-fitted target encoding [M, ENCODING_WIDTH] of the words `token_ids` [M].

    train_ids, in_term: [N], the words of the training split and whether each is part of a term · train_lengths,
    lengths: words per sentence; both splits are sentence after sentence. Token ids are above 0.

    For the word alone, for the pair with the previous word and for the pair with the next: the log-odds of the rate at
    which the word is part of a term, and the logarithm of its count. The rate of a pair is shrunk towards that of its
    word, and the rate of a word towards that of all words.

    is_training: `token_ids` are the training split itself. Counts that include a sentence's own labels would tell the
    network the answer, so each sentence is encoded by the other folds.
    """
    fold = (torch.arange(len(train_lengths)) % FOLDS).repeat_interleave(train_lengths)
    # No sentence is in fold FOLDS, so nothing is left out.
    left_out = fold if is_training else torch.full((len(token_ids),), FOLDS)
    prior: Tensor = in_term.double().mean()
    columns: list[Tensor] = []
    train_keys, keys = _word_and_pair_keys(train_ids, train_lengths), _word_and_pair_keys(token_ids, lengths)
    for known, wanted in zip(train_keys, keys, strict=True):
        hits, count = (_count(known, fold, weights, wanted, left_out) for weights in (in_term.double(), None))
        rate = (hits + PRIOR_WEIGHT * prior) / (count + PRIOR_WEIGHT)
        prior = prior if columns else rate
        columns += [rate.logit(eps=1e-6), count.log1p()]
    # Halved, they are about as large as the other inputs of the network.
    return torch.stack(columns, dim=1).float() / 2


def _word_and_pair_keys(token_ids: Tensor, lengths: Tensor) -> Tensor:
    """Keys [3, N] of each word, of the word with the previous one, and with the next; id 0 is past a sentence's end."""
    ends = lengths.cumsum(0)
    before, after = token_ids.roll(1), token_ids.roll(-1)
    before[ends - lengths], after[ends - 1] = 0, 0
    return torch.stack([token_ids, before << 32 | token_ids, token_ids << 32 | after])


def _count(known: Tensor, fold: Tensor, weights: Tensor | None, wanted: Tensor, left_out: Tensor) -> Tensor:
    """How often (or with what sum of weights) each key of `wanted` [M] is in `known` [N] outside its fold `left_out`
    [M].
    """
    numbers = torch.cat([known, wanted]).unique(return_inverse=True)[1]
    cells = numbers[: len(known)] * (FOLDS + 1) + fold
    size = (int(numbers.max()) + 1) * (FOLDS + 1)
    counts = torch.bincount(cells, weights, size).view(-1, FOLDS + 1).double()
    numbers = numbers[len(known) :]
    return counts.sum(1)[numbers] - counts[numbers, left_out]
