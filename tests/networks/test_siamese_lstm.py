"""The encoder against torch's own LSTM, and the heads against their formulas in other libraries."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks.reference_lstm import as_torch, padded, torch_states
from scipy.spatial import distance
from torch import Tensor, nn

from stages.networks.siamese_lstm import (
    ALIGNMENT_SHARPNESS,
    SiameseLSTM,
    align,
    cosine_similarity,
    manhattan_similarity,
    pearson_similarity,
)

WIDTH = 3
LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=6)
DIRECTIONS = st.sampled_from(["forward", "sum", "concat"])
thorough = settings(max_examples=25, deadline=None)


def encode(network: SiameseLSTM, vectors: Tensor, lengths: list[int]) -> Tensor:
    """The state of each sentence, paired with itself."""
    first, _ = network.encode_pairs(torch.cat([vectors, vectors]), torch.tensor(2 * lengths))
    return first


class Reference:
    """A network's encoder built from torch.nn.LSTM, one a layer, and plain loops."""

    def __init__(self, network: SiameseLSTM, width: int, hidden: int, directions: str) -> None:
        self.hidden, self.directions = hidden, directions
        self.lstms = []
        for layer in network.layers:
            self.lstms.append(as_torch(layer, width, hidden))
            width = 2 * hidden if directions == "concat" else hidden

    def join(self, forward: Tensor, backward: Tensor) -> Tensor:
        return torch.cat([forward, backward], -1) if self.directions == "concat" else forward + backward

    def encode(self, vectors: Tensor, lengths: list[int], pooling: str) -> Tensor:
        for lstm in self.lstms:
            vectors, ends = torch_states(lstm, vectors, lengths)
            if self.directions != "forward":
                vectors = self.join(vectors[..., : self.hidden], vectors[..., self.hidden :])
        if pooling == "last":
            return ends[0] if self.directions == "forward" else self.join(*ends)
        rows = []
        for sentence, length in zip(vectors, lengths, strict=True):
            words = [sentence[place] for place in range(length)]
            pooled = words[0]
            for word in words[1:]:
                pooled = torch.maximum(pooled, word) if pooling == "max" else pooled + word
            rows.append(pooled / length if pooling == "mean" else pooled)
        return torch.stack(rows)


@given(
    lengths=LENGTHS,
    hidden=st.integers(1, 4),
    layers=st.integers(1, 2),
    directions=DIRECTIONS,
    pooling=st.sampled_from(["last", "mean", "max"]),
)
@thorough
def test_the_encoder_equals_torch_forward_and_backward(
    lengths: list[int], hidden: int, layers: int, directions: str, pooling: str
) -> None:
    torch.manual_seed(sum(lengths))
    network = SiameseLSTM(WIDTH, hidden, layers, directions, pooling).double()
    reference = Reference(network, WIDTH, hidden, directions)
    first, second = (padded(lengths).requires_grad_() for _ in range(2))
    ours = encode(network, first, lengths)
    theirs = reference.encode(second, lengths, pooling)
    torch.testing.assert_close(ours, theirs)

    weights = torch.randn_like(theirs)
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    torch.testing.assert_close(first.grad, second.grad)
    for layer, lstm in zip(network.layers, reference.lstms, strict=True):
        for one, ending in zip(layer, ("", "_reverse"), strict=False):
            for name, parameter in one.named_parameters():
                # Where nothing reaches a parameter one side may hold no gradient and the other zeros.
                expected = getattr(lstm, name + ending).grad
                torch.testing.assert_close(
                    parameter.grad, torch.zeros_like(parameter) if expected is None else expected
                )


@pytest.mark.parametrize("directions", ["forward", "concat"])
def test_stacked_layers_equal_one_stacked_torch_lstm(directions: str) -> None:
    lengths, hidden = [5, 1, 5, 3], 4
    network = SiameseLSTM(WIDTH, hidden, 2, directions).double()
    both = directions == "concat"
    lstm = nn.LSTM(WIDTH, hidden, 2, batch_first=True, bidirectional=both).double()
    with torch.no_grad():
        for place, layer in enumerate(network.layers):
            for one, ending in zip(layer, ("", "_reverse"), strict=False):
                for name, parameter in one.named_parameters():
                    getattr(lstm, name.replace("_l0", f"_l{place}") + ending).copy_(parameter)
    vectors = padded(lengths)
    _, ends = torch_states(lstm, vectors, lengths)
    expected = torch.cat([ends[-2], ends[-1]], 1) if both else ends[-1]
    torch.testing.assert_close(encode(network, vectors, lengths), expected)


def similarities(network: SiameseLSTM, vectors: Tensor, lengths: list[int]) -> Tensor:
    return network(vectors, torch.tensor(lengths))


NETWORKS = st.builds(
    dict,
    layers=st.integers(1, 2),
    directions=DIRECTIONS,
    pooling=st.sampled_from(["last", "mean", "max"]),
    head=st.sampled_from(["cosine", "manhattan", "pearson", "fully_connected"]),
    head_sizes=st.sampled_from([(), (4,), (5, 3)]),
    symmetric=st.booleans(),
)


def make_network(choice: dict[str, Any], hidden: int = 4) -> SiameseLSTM:
    torch.manual_seed(1)
    return SiameseLSTM(WIDTH, hidden, **choice).double()


def check_padding(choice: dict[str, Any], lengths: list[int], extra: int) -> None:
    network, lengths = make_network(choice), lengths * 2
    vectors = padded(lengths)
    longer = torch.full((len(lengths), max(lengths) + extra, WIDTH), torch.nan, dtype=torch.float64)
    for place, length in enumerate(lengths):
        longer[place, :length] = vectors[place, :length]
    expected = similarities(network, vectors, lengths)
    assert expected.isfinite().all()
    assert torch.equal(similarities(network, longer, lengths), expected)


@given(choice=NETWORKS, lengths=LENGTHS)
@thorough
def test_padding_is_never_read(choice: dict[str, Any], lengths: list[int]) -> None:
    check_padding(choice, lengths, extra=0)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_padding_may_be_longer_than_the_longest_sentence(pooling: str) -> None:
    check_padding({"pooling": pooling}, [2, 4, 1], extra=3)


@given(choice=NETWORKS, pairs=st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=5))
@thorough
def test_a_pair_gets_the_same_similarity_in_any_batch(choice: dict[str, Any], pairs: list[tuple[int, int]]) -> None:
    network, count = make_network(choice), len(pairs)
    lengths = [first for first, _ in pairs] + [second for _, second in pairs]
    vectors = padded(lengths)
    together = similarities(network, vectors, lengths)
    assert ((together >= 0) & (together <= 5)).all()
    for row, (first, second) in enumerate(pairs):
        alone = similarities(network, vectors[[row, count + row], : max(first, second)], [first, second])
        torch.testing.assert_close(alone, together[row : row + 1])


@given(choice=NETWORKS, pairs=st.lists(st.tuples(st.integers(1, 7), st.integers(1, 7)), min_size=1, max_size=5))
@thorough
def test_symmetric_heads_ignore_which_sentence_is_first(choice: dict[str, Any], pairs: list[tuple[int, int]]) -> None:
    network = make_network(choice | {"symmetric": True})
    lengths = [first for first, _ in pairs] + [second for _, second in pairs]
    vectors = padded(lengths)
    swapped = torch.cat([*vectors.chunk(2)[::-1]])
    other = lengths[len(pairs) :] + lengths[: len(pairs)]
    torch.testing.assert_close(similarities(network, swapped, other), similarities(network, vectors, lengths))


def by_pairs(score: Callable[[np.ndarray, np.ndarray], float], first: Tensor, second: Tensor) -> Tensor:
    return torch.tensor([score(one, other) for one, other in zip(first.numpy(), second.numpy(), strict=True)])


@pytest.mark.parametrize(
    ("head", "formula"),
    [
        (cosine_similarity, lambda one, other: (2 - distance.cosine(one, other)) * 2.5),
        (manhattan_similarity, lambda one, other: 5 * math.exp(-distance.cityblock(one, other))),
        (pearson_similarity, lambda one, other: (np.corrcoef(one, other)[0, 1] + 1) * 2.5),
    ],
)
def test_heads_equal_their_formulas(head: Callable[..., Tensor], formula: Callable[..., float]) -> None:
    first, second = torch.randn(2, 20, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(head(first, second), by_pairs(formula, first, second).double())


@pytest.mark.parametrize("head", [cosine_similarity, manhattan_similarity, pearson_similarity])
def test_equal_states_get_the_highest_similarity(head: Callable[..., Tensor]) -> None:
    states = torch.randn(5, 6, dtype=torch.float64)
    torch.testing.assert_close(head(states, states), torch.full((5,), 5.0, dtype=torch.float64))


@pytest.mark.parametrize("sizes", [(), (7,), (6, 4)])
@pytest.mark.parametrize("symmetric", [False, True])
def test_the_fully_connected_head_equals_its_formula(sizes: tuple[int, ...], symmetric: bool) -> None:
    torch.manual_seed(0)
    network = SiameseLSTM(WIDTH, 5, head="fully_connected", head_sizes=sizes, symmetric=symmetric, dropout=0.4)
    network = network.double().eval()
    lengths = [3, 1, 4, 2]
    vectors = padded(lengths)
    first, second = (states.detach().numpy() for states in network.encode_pairs(vectors, torch.tensor(lengths)))

    difference = np.abs(first - second) if symmetric else first - second
    values = np.concatenate([difference, first * second], axis=1)
    layers = [module for module in network.head.modules() if isinstance(module, nn.Linear)]
    assert [layer.out_features for layer in layers] == [*sizes, 1]
    for layer in layers:
        values = 1 / (1 + np.exp(-(values @ layer.weight.detach().numpy().T + layer.bias.detach().numpy())))
    np.testing.assert_allclose(similarities(network, vectors, lengths).detach().numpy(), 5 * values[:, 0])


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    network = SiameseLSTM(WIDTH, 16, head="fully_connected", head_sizes=(8,), dropout=0.5).double()
    vectors, lengths = padded([4, 2]), [4, 2]
    assert len({similarities(network, vectors, lengths).item() for _ in range(5)}) > 1
    network.eval()
    assert len({similarities(network, vectors, lengths).item() for _ in range(5)}) == 1


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("directions", ["forward", "sum", "concat"])
@pytest.mark.parametrize(("head", "sizes"), [("cosine", ()), ("fully_connected", (25,)), ("fully_connected", (64, 25))])
def test_parameter_counts(layers: int, directions: str, head: str, sizes: tuple[int, ...]) -> None:
    hidden, width, expected = 11, 50, 0
    for _ in range(layers):
        passes = 1 if directions == "forward" else 2
        expected += passes * 4 * hidden * (width + hidden + 2)
        width = 2 * hidden if directions == "concat" else hidden
    if head == "fully_connected":
        before = 2 * width
        for size in (*sizes, 1):
            expected += (before + 1) * size
            before = size
    network = SiameseLSTM(50, hidden, layers, directions, head=head, head_sizes=sizes)
    assert sum(parameter.numel() for parameter in network.parameters()) == expected


def test_alignment_equals_its_formula_word_by_word() -> None:
    lengths = [3, 1, 2, 5]
    vectors = padded(lengths)
    aligned = align(vectors, torch.tensor(lengths))
    for sentence, other in ((0, 2), (1, 3), (2, 0), (3, 1)):
        words = vectors[other, : lengths[other]].numpy()
        for position in range(lengths[sentence]):
            word = vectors[sentence, position].numpy()
            likeness = np.array([1 - distance.cosine(word, one) for one in words])
            weights = np.exp(ALIGNMENT_SHARPNESS * likeness)
            counterpart = weights @ words / weights.sum()
            wanted = np.concatenate([word, abs(word - counterpart), word * counterpart])
            np.testing.assert_allclose(aligned[sentence, position].numpy(), wanted, rtol=1e-10)


def test_an_aligned_network_ignores_padding_and_order() -> None:
    torch.manual_seed(0)
    options = {"pooling": "max", "directions": "concat", "head": "fully_connected", "head_sizes": (4,)}
    network = SiameseLSTM(WIDTH, 5, symmetric=True, alignment=True, **options).double().eval()
    lengths = torch.tensor([3, 1, 2, 5])
    vectors = padded(lengths.tolist())
    expected = network(vectors, lengths)
    torch.testing.assert_close(network(vectors.roll(2, 0), lengths.roll(2)), expected)
    longer = torch.cat([vectors, torch.randn(4, 2, WIDTH, dtype=torch.float64)], dim=1)
    torch.testing.assert_close(network(longer, lengths), expected)
    alone = network(vectors[[1, 3]], lengths[[1, 3]])
    torch.testing.assert_close(alone, expected[1:])


def test_separate_towers_are_two_networks() -> None:
    torch.manual_seed(0)
    network = SiameseLSTM(WIDTH, 5, 2, "concat", towers="separate").double()
    lengths = [3, 1, 4, 2]
    vectors = padded(lengths)
    first, second = network.encode_pairs(vectors, torch.tensor(lengths))
    for states, layers, half in ((first, network.layers, slice(2)), (second, network.second_layers, slice(2, 4))):
        shared = SiameseLSTM(WIDTH, 5, 2, "concat").double()
        shared.layers.load_state_dict(layers.state_dict())
        torch.testing.assert_close(encode(shared, vectors[half], lengths[half]), states)
    # The same sentence has another state in the other place.
    assert not torch.allclose(*network.encode_pairs(vectors[[0, 0]], torch.tensor([3, 3])))


def test_a_normal_input_layer_is_a_linear_layer_before_the_lstm() -> None:
    torch.manual_seed(0)
    network = SiameseLSTM(50, 60, input_layer="normal").double()
    weight, bias = network.input_layer.weight, network.input_layer.bias
    assert weight.shape == (60, 50)
    assert abs(weight.mean().item()) < 4 / math.sqrt(weight.numel())
    assert weight.std().item() == pytest.approx(1, rel=0.05)
    assert bias.tolist() == pytest.approx([0.1] * 60)
    lengths = [3, 1]
    vectors = padded(lengths, 50)
    _, ends = torch_states(as_torch(network.layers[0], 60, 60), nn.functional.linear(vectors, weight, bias), lengths)
    torch.testing.assert_close(encode(network, vectors, lengths), ends[0])


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_with_a_padded_length_padding_counts_as_words(pooling: str) -> None:
    torch.manual_seed(0)
    network = SiameseLSTM(WIDTH, 5, pooling=pooling, padded_length=9).double()
    plain = SiameseLSTM(WIDTH, 5, pooling=pooling).double()
    plain.load_state_dict(network.state_dict())
    lengths = [3, 1, 4, 2]
    vectors = padded(lengths)
    for row, length in enumerate(lengths):
        vectors[row, length:] = 0
    zeros = torch.zeros(4, 5, WIDTH, dtype=torch.float64)
    expected = plain(torch.cat([vectors, zeros], dim=1), torch.tensor([9] * 4))
    torch.testing.assert_close(similarities(network, vectors, lengths), expected)
