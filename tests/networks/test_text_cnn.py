import pytest
import torch
from torch import nn

from stages.networks.text_cnn import TextCNN


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_padding_and_neighbours_do_not_matter(pooling: str) -> None:
    torch.manual_seed(0)
    network = TextCNN(20, 4, 7, 3, pooling, 0.5, "tuned").eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter)
    token_ids, vectors = torch.randint(1, 20, (3, 6)), torch.randn(3, 6, 4)
    lengths = torch.tensor([6, 2, 1])
    together = network(token_ids, vectors, lengths)
    alone = [
        network(token_ids[row : row + 1, :length], vectors[row : row + 1, :length], lengths[row : row + 1])
        for row, length in enumerate(lengths.tolist())
    ]
    torch.testing.assert_close(together, torch.cat(alone))


def test_it_is_the_reports_two_dimensional_convolution() -> None:
    torch.manual_seed(1)
    network = TextCNN(9, 5, 7, 3).eval()
    vectors = torch.randn(3, 20, 5)
    maps = nn.functional.conv2d(
        vectors.unsqueeze(1),
        network.convolution.weight.transpose(1, 2).unsqueeze(1),
        network.convolution.bias,
        padding=(1, 0),
    )
    sentence = nn.functional.avg_pool1d(torch.tanh(maps.squeeze(3)), 20).squeeze(2)
    expected = network.head(sentence).squeeze(1)
    torch.testing.assert_close(network(torch.ones(3, 20).long(), vectors, torch.full((3,), 20)), expected)
