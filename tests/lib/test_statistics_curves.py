"""Numbers of curves against curves of known shape."""

import math

import numpy as np
import pytest

from stages.lib.statistics import (
    NoValue,
    final_level,
    first,
    level_at,
    log_steps_to,
    log_swing,
    plateau,
)

X = np.arange(1.0, 101.0)


@pytest.fixture
def generator() -> np.random.Generator:
    return np.random.default_rng(7)


def test_swing_is_the_noise_whatever_the_trend(generator):
    noise = generator.normal(0, 0.3, size=5000)
    x = np.arange(5000.0)
    for trend in (0.0, -0.01):
        # Differences of independent values have √2 times their standard deviation.
        assert log_swing(x, trend * x + noise, 0, 5000) == pytest.approx(math.log(0.3 * math.sqrt(2)), abs=0.05)


def test_swing_is_of_the_window_and_a_ratio_of_swings_a_difference():
    calm = np.where(X < 50, 0.0, np.where(X % 2, 1.0, -1.0))
    assert log_swing(X, 3 * calm, 60, 90) - log_swing(X, calm, 60, 90) == pytest.approx(math.log(3))
    with pytest.raises(NoValue, match="straight line"):
        log_swing(X, calm, 1, 40)


def test_steps_to_a_level_of_an_exponential():
    """Against exp(-x/20), which is at a half at 20 log 2; interpolated on a grid of 1."""
    found = log_steps_to(X, np.exp(-X / 20), 0.5, falling=True)
    assert (math.exp(found.value), found.reached) == (pytest.approx(20 * math.log(2), abs=0.01), True)
    rising = log_steps_to(X, 1 - np.exp(-X / 20), 0.5, falling=False)
    assert rising.value == pytest.approx(found.value)


def test_one_lucky_point_is_no_arrival():
    y = np.exp(-X / 20)
    lucky = y.copy()
    lucky[4] = 0.1
    assert log_steps_to(X, lucky, 0.5, falling=True).value == pytest.approx(log_steps_to(X, y, 0.5, falling=True).value)


def test_level_that_is_never_or_always_reached():
    assert log_steps_to(X, np.exp(-X / 20), 0.0, falling=True) == (pytest.approx(math.log(100)), False)
    with pytest.raises(NoValue, match="reached already"):
        log_steps_to(X, np.exp(-X / 20), 1.0, falling=True)


def test_plateau_of_a_step_and_of_an_exponential(generator):
    step = np.where(X <= 40, 0.0, 1.0) + generator.normal(0, 0.05, size=100)
    found = plateau(X, step)
    assert (found.value, found.reached) == (pytest.approx(41, abs=2), True)
    # The faster of two curves levels off earlier, near the place where it is 1.4 standard deviations from its end.
    for time in (5, 15):
        places = [plateau(X, np.exp(-X / time) + generator.normal(0, 0.02, size=100)).value for _ in range(50)]
        assert np.median(places) == pytest.approx(time * math.log(1 / (1.4 * 0.02)), rel=0.25)


def test_plateau_of_noise_and_of_a_line(generator):
    starts = [plateau(X, generator.normal(size=100)).value for _ in range(50)]
    assert np.median(starts) <= 20
    assert plateau(X, -X) == (100.0, False)
    assert plateau(X, np.ones(100)) == (1.0, True)


def test_levels():
    y = X**2
    assert first(X, y) == 1
    assert level_at(X, y, 10) == 100
    assert level_at(X, y, 10.5) == pytest.approx((100 + 121) / 2)
    assert final_level(X, y) == pytest.approx(np.mean(np.arange(91, 101) ** 2))
    assert final_level([5.0], [2.0]) == 2.0
    with pytest.raises(NoValue, match="no value at 200"):
        level_at(X, y, 200)


SHAPES = {
    "log_swing": lambda x, y: log_swing(x, y, -np.inf, np.inf),
    "log_steps_to": lambda x, y: log_steps_to(x, y, 0.5, falling=True),
    "plateau": plateau,
}


@pytest.mark.parametrize("name", SHAPES)
def test_fewer_than_eight_points_decide_nothing(name, generator):
    with pytest.raises(NoValue, match="fewer than 8 decide nothing"):
        SHAPES[name](np.arange(7.0), 1 + generator.random(7))
    diverged = 1 + generator.random(100)
    diverged[-3:] = np.inf
    with pytest.raises(NoValue, match="not finite"):
        SHAPES[name](X, diverged)


def test_window_of_seven_points_decides_nothing(generator):
    y = generator.random(100)
    with pytest.raises(NoValue, match="7 points from 11 to 17"):
        log_swing(X, y, 11, 17)
    assert math.isfinite(log_swing(X, y, 11, 18))


def test_curve_that_goes_back_is_a_mistake():
    with pytest.raises(ValueError, match="must rise"):
        first([1.0, 1.0], [0.0, 0.0])
