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
    plain = [values[f"correlation_plain_{depth}"] for depth in (2, 8, 64)]
    assert plain == sorted(plain, reverse=True)
    assert plain[-1] < 0.25 < values["correlation_residual_64"]
    assert values["correlation_per_doubling_plain"] < values["correlation_per_doubling_residual"] < 0


def test_slope_is_that_of_the_curve_in_the_figure() -> None:
    result = shattered_gradients.gradient_correlations(0)
    points = torch.tensor([(x, y) for series, x, y in result.rows if series == "residual"]).double()
    design = torch.stack([points[:, 0].log2(), torch.ones(len(points), dtype=torch.float64)], 1)
    slope = torch.linalg.lstsq(design, points[:, 1:]).solution[0].item()
    assert result.values["correlation_per_doubling_residual"] == pytest.approx(slope)
