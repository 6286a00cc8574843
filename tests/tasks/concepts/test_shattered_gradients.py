import pytest
import torch

from stages.tasks.concepts import shattered_gradients


def test_autocorrelation_of_known_series() -> None:
    count = 4000
    waves = torch.sin(2 * torch.pi * torch.arange(count) * 10 / count)
    for lag in (1, 50, 100):
        expected = torch.cos(torch.tensor(2 * torch.pi * lag * 10 / count)).item()
        assert shattered_gradients.autocorrelation(waves, lag) == pytest.approx(expected, abs=0.03)
    noise = torch.randn(count, generator=torch.Generator().manual_seed(0))
    assert abs(shattered_gradients.autocorrelation(noise, 1)) < 4 / count**0.5


def test_gradients_are_slopes_of_the_same_network() -> None:
    """Numerically: the gradient at a point is what the output changes by, all other points left alone."""
    gradients = shattered_gradients.input_gradients(3, True, 0)
    network = shattered_gradients.build(3, True, 0)
    points = torch.linspace(-2, 2, shattered_gradients.POINTS, dtype=torch.float64).unsqueeze(1)
    with torch.no_grad():
        network(points)
        network.eval()
        step = 1e-7
        numeric = (network(points + step) - network(points - step)).squeeze(1) / (2 * step)
    torch.testing.assert_close(gradients, numeric, rtol=1e-4, atol=1e-5)


def test_correlations_fall_with_depth_and_more_slowly_with_shortcuts() -> None:
    values = shattered_gradients.gradient_correlations(0).values
    plain, residual = (
        [values[f"correlation_{name}_{depth}"] for depth in (2, 10, 50)] for name in ("plain", "residual")
    )
    assert plain == sorted(plain, reverse=True)
    assert plain[-1] < 0.25 < residual[-1]
