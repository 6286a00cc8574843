"""The tagger: its output layers against sums over all tag sequences, its features, and its ensemble."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from stages.networks.sequence_tagger import CharacterCNN, CRFOutput, SequenceTagger, SoftmaxOutput

WIDTHS = {"word2vec": 8, "glove": 5}
ENCODING = 6
OPTIONS: list[dict[str, Any]] = [
    {},
    {"vectors": "glove", "embeddings": "tuned", "output": "softmax"},
    {"vectors": "both", "characters": "cnn", "shapes": True, "constrain_transitions": True},
    {"vectors": "both", "ensemble_size": 2},
    {"target_encoding": True, "variational": True, "dropout": 0.5, "parts_of_speech": True},
]


def path_scores(emissions: Tensor, output: CRFOutput) -> dict[tuple[int, ...], Tensor]:
    """The score of every tag sequence for emissions [T, 3], written out."""
    crf, found = output.crf, {}
    for tags in itertools.product(range(3), repeat=len(emissions)):
        total = crf.start_transitions[tags[0]] + crf.end_transitions[tags[-1]]
        total = total + sum(emissions[word, tag] for word, tag in enumerate(tags))
        found[tags] = total + sum(crf.transitions[one, other] for one, other in itertools.pairwise(tags))
    return found


@pytest.mark.parametrize("constrain", [False, True])
def test_the_crf_sums_over_all_sequences_and_padding_counts_for_nothing(constrain: bool) -> None:
    torch.manual_seed(0)
    output, emissions = CRFOutput(constrain), torch.randn(2, 5, 3)
    tags = torch.tensor([[1, 2, 0, 1, 2], [0, 1, 2, 0, 0]])
    mask = torch.arange(5) < torch.tensor([[5], [3]])
    loss = output.loss(emissions, tags, mask)
    expected = 0.0
    for row, length in enumerate((5, 3)):
        paths = path_scores(emissions[row, :length], output)
        expected += torch.stack(list(paths.values())).logsumexp(0) - paths[tuple(tags[row, :length].tolist())]
        best = max(paths, key=lambda one: paths[one])
        assert output.decode(emissions, mask)[row] == list(best)
    torch.testing.assert_close(loss, expected / 2)


def test_constrained_transitions_never_come_out_even_after_weight_decay() -> None:
    torch.manual_seed(1)
    emissions, mask = 5 * torch.randn(40, 7, 3), torch.ones(40, 7, dtype=torch.bool)
    free = [row for output in (CRFOutput(False), SoftmaxOutput(False)) for row in output.decode(emissions, mask)]
    assert any(two == (0, 2) for row in free for two in itertools.pairwise([0, *row]))
    for output in (CRFOutput(True), SoftmaxOutput(True)):
        if isinstance(output, CRFOutput):
            optimizer = torch.optim.AdamW(output.parameters(), lr=0.1, weight_decay=1.0)
            for _ in range(5):
                optimizer.zero_grad()
                output.loss(emissions, torch.zeros(40, 7).long(), mask).backward()
                optimizer.step()
        for row in output.decode(emissions, mask):
            assert (0, 2) not in itertools.pairwise([0, *row])


def test_a_constrained_softmax_finds_the_most_likely_allowed_sequence() -> None:
    torch.manual_seed(2)
    emissions = 3 * torch.randn(20, 4, 3)
    decoded = SoftmaxOutput(True).decode(emissions, torch.ones(20, 4, dtype=torch.bool))
    for rows, tags in zip(emissions.log_softmax(2), decoded, strict=True):
        allowed = [p for p in itertools.product(range(3), repeat=4) if (0, 2) not in itertools.pairwise((0, *p))]
        likelihood = {path: sum(rows[word, tag].item() for word, tag in enumerate(path)) for path in allowed}
        assert tuple(tags) == max(allowed, key=likelihood.__getitem__)


def test_the_softmax_is_the_cross_entropy_of_real_words() -> None:
    torch.manual_seed(0)
    emissions, tags = torch.randn(2, 4, 3), torch.randint(3, (2, 4))
    mask = torch.arange(4) < torch.tensor([[4], [2]])
    logs = emissions.log_softmax(2)
    expected = -sum(logs[row, word, tags[row, word]] for row, length in ((0, 4), (1, 2)) for word in range(length)) / 2
    torch.testing.assert_close(SoftmaxOutput(False).loss(emissions, tags, mask), expected)


def sentences(lengths: list[int]) -> tuple[Tensor, ...]:
    """Random inputs of sentences with these lengths, zeros at padding."""
    count, steps = len(lengths), max(lengths)
    mask = torch.arange(steps) < torch.tensor(lengths).unsqueeze(1)
    token_ids = torch.randint(1, 50, (count, steps)) * mask
    vectors = torch.randn(count, steps, sum(WIDTHS.values())) * mask.unsqueeze(2)
    characters = torch.randint(1, 128, (count, steps, 7)) * mask.unsqueeze(2)
    shapes, parts_of_speech = torch.randint(6, (count, steps)) * mask, torch.randint(45, (count, steps)) * mask
    encoding = torch.randn(count, steps, ENCODING) * mask.unsqueeze(2)
    return token_ids, vectors, characters, shapes, parts_of_speech, encoding, torch.tensor(lengths)


@pytest.mark.parametrize("options", OPTIONS)
def test_a_sentence_gets_the_same_emissions_alone_as_padded_among_others(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    network = SequenceTagger(50, WIDTHS, ENCODING, hidden_size=6, **options).eval()
    lengths = [5, 1, 8, 3]
    inputs = sentences(lengths)
    together = network(*inputs)
    assert together.shape == (options.get("ensemble_size", 1), 4, 8, 3)
    tags, losses = torch.randint(3, (4, 8)), []
    mask = torch.arange(8) < inputs[-1].unsqueeze(1)
    decoded = network.decode(together, mask)
    for row, length in enumerate(lengths):
        alone = network(*(tensor[row : row + 1, :length] for tensor in inputs[:-1]), inputs[-1][row : row + 1])
        torch.testing.assert_close(together[:, row, :length], alone[:, 0], atol=1e-5, rtol=1e-4)
        assert network.decode(alone, mask[row : row + 1, :length])[0] == decoded[row]
        losses.append(network.loss(alone, tags[row : row + 1, :length], mask[row : row + 1, :length]))
    torch.testing.assert_close(network.loss(together, tags, mask), torch.stack(losses).mean())


def test_the_lstm_is_torchs_and_reads_the_chosen_vectors() -> None:
    torch.manual_seed(0)
    network = SequenceTagger(50, WIDTHS, vectors="glove", hidden_size=6).eval()
    (member,) = network.members
    lstm = nn.LSTM(5, 6, batch_first=True, bidirectional=True)
    back = {f"{name}_reverse": value for name, value in member.back.state_dict().items()}
    lstm.load_state_dict(member.ahead.state_dict() | back)
    inputs = sentences([5, 5, 5])
    expected = member.scores(lstm(inputs[1][..., 8:])[0])
    torch.testing.assert_close(network(*inputs)[0], expected, atol=1e-5, rtol=1e-4)


def test_the_character_cnn_is_a_maximum_over_windows_of_three() -> None:
    torch.manual_seed(0)
    network = CharacterCNN(4)
    codes = torch.tensor([[5, 9, 7, 0, 0], [3, 0, 0, 0, 0]])
    for word, length, kernels in ((codes[0], 3, network(codes)[0]), (codes[1], 1, network(codes)[1])):
        rows = torch.cat([torch.zeros(1, 25), network.characters(word[:length]), torch.zeros(1, 25)])
        weight, bias = network.convolution.weight, network.convolution.bias
        windows = torch.stack([(weight * rows[n : n + 3].t()).sum((1, 2)) + bias for n in range(length)])
        torch.testing.assert_close(kernels, windows.amax(0).relu())


def test_variational_dropout_has_one_mask_a_sentence_and_spares_the_encoding() -> None:
    torch.manual_seed(0)
    network = SequenceTagger(
        50, {"word2vec": 40}, 6, target_encoding=True, variational=True, dropout=0.5, input_dropout=0.25, hidden_size=7
    )
    (member,) = network.members
    inputs: list[Any] = []
    member.ahead.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    zeros, lengths = torch.zeros(200, 5).long(), torch.full((200,), 5)
    encoding = torch.full((200, 5, 6), 3.0)
    network(zeros, torch.ones(200, 5, 40), zeros.unsqueeze(2), zeros, zeros, encoding, lengths)
    rows = torch.zeros(1000, 46).index_copy(0, inputs[0].source, inputs[0].words).view(200, 5, 46)
    assert (rows[:, :, :40] == rows[:, :1, :40]).all()
    assert (rows[:, :, 40:] == 3).all()
    kept = rows[:, 0, :40]
    torch.testing.assert_close(kept[kept > 0], torch.full_like(kept[kept > 0], 1 / 0.75))
    assert float((kept > 0).float().mean()) == pytest.approx(0.75, abs=0.02)
    assert len(kept.unique(dim=0)) > 190


def test_an_ensemble_decodes_from_averaged_emissions_and_transitions() -> None:
    torch.manual_seed(0)
    network = SequenceTagger(50, WIDTHS, hidden_size=6, ensemble_size=2).eval()
    for output in network.outputs:
        nn.init.normal_(output.crf.transitions)
    inputs = sentences([4, 4, 4])
    emissions, mask = network(*inputs), torch.ones(3, 4, dtype=torch.bool)
    average = CRFOutput(False)
    states = [output.state_dict() for output in network.outputs]
    average.load_state_dict({name: (states[0][name] + states[1][name]) / 2 for name in states[0]})
    for row, tags in enumerate(network.decode(emissions, mask)):
        paths = path_scores(emissions[:, row].mean(0), average)
        assert tuple(tags) == max(paths, key=lambda one: paths[one])
