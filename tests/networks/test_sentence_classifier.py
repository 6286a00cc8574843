import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from stages.networks.sentence_classifier import SentenceClassifier

VOCABULARY, WIDTH = 20, 4
NETWORKS = [
    {"cell": "rnn"},
    {"cell": "lstm", "layers": 2, "bidirectional": True, "embeddings": "tuned"},
    {"cell": "gru", "bidirectional": True, "pooling": "max", "embeddings": "learned"},
    {"cell": "lstm", "pooling": "mean", "head_sizes": (5,), "activation": "sigmoid", "embeddings": "tuned"},
    {"cell": "rnn", "padded_length": 9},
]


@pytest.mark.parametrize("options", NETWORKS)
def test_a_sentence_gets_the_same_logit_alone_as_padded_among_others(options: dict) -> None:
    torch.manual_seed(0)
    network = SentenceClassifier(VOCABULARY, WIDTH, hidden_size=6, dropout=0.5, **options).eval()
    lengths = torch.tensor([6, 2, 1])
    token_ids, vectors = torch.randint(1, VOCABULARY, (3, 6)), torch.randn(3, 6, WIDTH)
    for row, length in enumerate(lengths.tolist()):
        token_ids[row, length:], vectors[row, length:] = 0, 0
    together = network(token_ids, vectors, lengths)
    alone = [
        network(token_ids[row : row + 1, :length], vectors[row : row + 1, :length], lengths[row : row + 1])
        for row, length in enumerate(lengths.tolist())
    ]
    torch.testing.assert_close(together, torch.cat(alone))


def test_the_state_is_read_at_the_last_word_or_at_the_last_padded_step() -> None:
    torch.manual_seed(0)
    vectors, lengths = torch.randn(1, 3, WIDTH), torch.tensor([3])
    token_ids = torch.ones(1, 3, dtype=torch.long)
    for padded_length, steps in ((None, 3), (7, 7)):
        network = SentenceClassifier(VOCABULARY, WIDTH, "lstm", 6, padded_length=padded_length)
        cell = nn.LSTMCell(WIDTH, 6)
        cell.load_state_dict(
            {name.removesuffix("_l0"): value for name, value in network.recurrent.layers[0][0].state_dict().items()}
        )
        state = torch.zeros(1, 6), torch.zeros(1, 6)
        for step in range(steps):
            state = cell(vectors[:, step] if step < 3 else torch.zeros(1, WIDTH), state)
        torch.testing.assert_close(network(token_ids, vectors, lengths), network.head(state[0]).squeeze(1))


@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (1, True), (3, True)])
def test_an_lstm_reads_its_state_as_torchs_own(layers: int, bidirectional: bool) -> None:
    torch.manual_seed(0)
    network = SentenceClassifier(VOCABULARY, WIDTH, "lstm", 6, layers, bidirectional).double()
    theirs = nn.LSTM(WIDTH, 6, layers, batch_first=True, bidirectional=bidirectional).double()
    names = [f"_l{layer}{direction}" for layer in range(layers) for direction in ("", "_reverse")[: 1 + bidirectional]]
    ours = [cell for layer in network.recurrent.layers for cell in layer]
    with torch.no_grad():
        for cell, name in zip(ours, names, strict=True):
            for own, parameter in cell.named_parameters():
                getattr(theirs, own.removesuffix("_l0") + name).copy_(parameter)
    lengths, vectors = torch.tensor([2, 5, 3]), torch.randn(3, 5, WIDTH, dtype=torch.float64)
    packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
    expected = theirs(packed)[1][0][-1 - bidirectional :].transpose(0, 1).flatten(1)
    logits = network(torch.ones(3, 5, dtype=torch.long), vectors, lengths)
    torch.testing.assert_close(logits, network.head(expected).squeeze(1))


def test_dropout_acts_in_training_alone() -> None:
    torch.manual_seed(0)
    network = SentenceClassifier(VOCABULARY, WIDTH, hidden_size=16, head_sizes=(8,), dropout=0.5)
    inputs = torch.ones(1, 3, dtype=torch.long), torch.randn(1, 3, WIDTH), torch.tensor([3])
    assert len({network(*inputs).item() for _ in range(5)}) > 1
    network.eval()
    assert len({network(*inputs).item() for _ in range(5)}) == 1
