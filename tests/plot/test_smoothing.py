import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.plot.smoothing import FRACTION, POINTS, smooth, smooth_log, thin


@given(slope=st.floats(-100, 100), start=st.floats(-100, 100), n=st.integers(1, 400), gap=st.floats(0.01, 50))
@settings(max_examples=60, deadline=None)
def test_smoothing_keeps_a_straight_line(slope, start, n, gap):
    x = gap * np.arange(n)
    line = start + slope * x
    assert np.allclose(smooth(x, line), line, rtol=1e-6, atol=1e-6 * (1 + abs(slope) * gap * n))


@given(rate=st.floats(-0.05, 0.05), n=st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_log_smoothing_keeps_exponential_decay(rate, n):
    x = np.arange(n)
    assert np.allclose(smooth_log(x, np.exp(rate * x)), np.exp(rate * x), rtol=1e-6)


@pytest.mark.parametrize("place", [0, 3, 40, 99])
def test_smoothing_is_the_weighted_straight_line_fit(place):
    x, values = np.arange(100.0), np.random.default_rng(1).normal(size=100)
    count = int(100 * FRACTION)
    near = np.sort(np.argsort(np.abs(x - place), kind="stable")[:count])
    farthest = np.abs(near - place).max()
    tricube = (1 - (np.abs(near - place) / farthest) ** 3) ** 3
    # np.polyfit weighs residuals, not their squares.
    fit = np.polyfit(x[near], values[near], 1, w=np.sqrt(tricube))
    assert smooth(x, values)[place] == pytest.approx(np.polyval(fit, place), abs=1e-6)


def test_the_ends_of_a_falling_curve_are_not_lifted():
    x = np.arange(200.0)
    noise = np.random.default_rng(0).normal(scale=0.01, size=200)
    smoothed = smooth(x, 2 - x / 200 + noise)
    # A moving average of 25 points would end half a window, 0.06, above.
    assert smoothed[-1] == pytest.approx(2 - 199 / 200, abs=0.02)
    assert smoothed[0] == pytest.approx(2, abs=0.02)


def test_smoothing_stays_within_the_values():
    step = np.repeat([0.0, 1.0], [4, 60])  # fitted lines begin below 0 here
    assert smooth(np.arange(64.0), step).min() == 0
    assert smooth(np.arange(64.0), step[::-1]).max() <= 1


def test_smoothing_calms_noise():
    noise = np.random.default_rng(0).normal(size=1000)
    assert smooth(np.arange(1000.0), noise).std() < 0.2 * noise.std()


def test_short_curves_are_as_logged():
    values = np.random.default_rng(0).normal(size=23)
    assert (smooth(np.arange(23.0), values) == values).all()


@given(n=st.integers(1, 5000))
@settings(max_examples=60, deadline=None)
def test_thinning_keeps_both_ends_and_stays_small(n):
    kept = thin(n)
    assert kept[0] == 0
    assert kept[-1] == n - 1
    assert len(kept) == min(n, POINTS)
    assert (np.diff(kept) > 0).all()
