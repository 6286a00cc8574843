import pytest
import torch
from torch import Tensor

from stages.networks.forecaster import Forecaster


def one_by_one(network: Forecaster, points: Tensor, known: int) -> Tensor:
    """Forecasts of one sequence [T], each from a fresh pass over all that was read before."""
    read, forecasts = points[:known].tolist(), []
    for step in range(1, len(points)):
        inputs = torch.tensor(read[:step], dtype=network.dtype).view(-1, 1, 1)
        outputs, _ = network.recurrent(inputs)
        forecasts.append(network.head(outputs[-1]).item())
        if step >= known:
            read.append(forecasts[-1])
    return torch.tensor(forecasts, dtype=network.dtype)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_past_the_known_points_forecasts_are_read(cell: str) -> None:
    torch.manual_seed(0)
    network = Forecaster(cell, 5, (4,))
    points, known = torch.randn(3, 9), torch.tensor([9, 4, 1])
    expected = torch.stack([one_by_one(network, row, n) for row, n in zip(points, known.tolist(), strict=True)])
    torch.testing.assert_close(network(points, known), expected)
    # One pass, where every point is known.
    torch.testing.assert_close(network(points[:1], known[:1]), expected[:1])


def test_linear_layers_and_precision_are_as_asked() -> None:
    network = Forecaster("lstm", 5, (4, 3), dtype="float32")
    assert [tuple(layer.weight.shape) for layer in network.head] == [(4, 5), (3, 4), (1, 3)]
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert {parameter.dtype for parameter in Forecaster().parameters()} == {torch.float64}
