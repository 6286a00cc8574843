import torch
from torch import nn

from stages.networks.layers.word_vectors import WordVectors, pool


def test_tuned_vectors_start_as_the_given_ones_and_move() -> None:
    words = WordVectors(9, 3, "tuned")
    token_ids, vectors = torch.tensor([[4, 0]]), torch.randn(1, 2, 3)
    assert torch.equal(words(token_ids, vectors), vectors)
    words(token_ids, vectors).sum().backward()
    assert words.own.weight.grad[4].tolist() == [1, 1, 1]
    assert not words.own.weight.grad[0].any()


def test_fixed_vectors_learn_nothing_and_learned_ones_ignore_the_given() -> None:
    token_ids, vectors = torch.tensor([[4, 0, 2]]), torch.randn(1, 3, 3)
    fixed, learned = WordVectors(9, 3, "fixed"), WordVectors(9, 3, "learned")
    assert list(fixed.parameters()) == []
    assert torch.equal(fixed(token_ids, vectors), vectors)
    assert torch.equal(learned(token_ids, vectors), nn.functional.embedding(token_ids, learned.own.weight))
    assert not learned(token_ids, vectors)[0, 1].any()


def test_pooling_leaves_padding_out() -> None:
    rows, lengths = torch.randn(2, 4, 3), torch.tensor([4, 2])
    rows[1, 2:] = 1e3
    for pooling, reduce in (("mean", torch.mean), ("max", torch.amax)):
        wanted = torch.stack([reduce(rows[0], 0), reduce(rows[1, :2], 0)])
        torch.testing.assert_close(pool(rows, lengths, pooling), wanted)
