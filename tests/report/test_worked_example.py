"""The worked example of docs/verdicts.md comes out as it says."""

import math

import numpy as np
import pytest

from stages.lib import statistics
from stages.lib.files import ROOT

WITH, WITHOUT, IMAGES = (0.741, 0.746, 0.738), (0.722, 0.729, 0.725), 10_000


def measurements(seeds: tuple[float, ...], share: float) -> statistics.Measurements:
    """Outcomes with these accuracies, of which the images before `share` are right and some after it."""
    rows = np.zeros((len(seeds), IMAGES))
    for row, accuracy in zip(rows, seeds, strict=True):
        row[: round(accuracy * IMAGES)] = 1
    shift = round(share * IMAGES)
    return statistics.Measurements(np.array(seeds), examples=np.roll(rows, shift, axis=1))


def test_the_numbers_of_the_worked_example() -> None:
    text = " ".join((ROOT / "docs/verdicts.md").read_text(encoding="utf-8").split())
    # Shifting one of the two by some images makes them err on different ones, until the variance is the example's.
    a = measurements(WITH, 0)
    shift = min(np.arange(0, 0.2, 0.001), key=lambda s: abs(_spread(a, measurements(WITHOUT, s)) - 0.12))
    b = measurements(WITHOUT, shift)
    assert _spread(a, b) == pytest.approx(0.12, abs=0.003)
    found = statistics.higher(a, b)
    assert found.outcome == "supported"
    assert f"0.0163 ± 2.09 · {found.estimate.standard_error:.4f}" in text
    assert found.estimate.degrees == pytest.approx(20, abs=0.5)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((0.0066, 0.0260), abs=2e-4)
    assert "[0.0066, 0.0260]" in text
    much = statistics.higher(a, b, 0.02)
    assert much.outcome == "inconclusive"
    assert (much.flips_at, much.detectable) == pytest.approx((0.026, 0.034), abs=5e-4)
    assert "*Flips at 0.026*" in text
    assert "*Would have been detected: 0.034*" in text


def _spread(a: statistics.Measurements, b: statistics.Measurements) -> float:
    return float(np.var(a.examples.mean(axis=0) - b.examples.mean(axis=0), ddof=1))


def test_the_errors_it_names() -> None:
    assert statistics.accuracy_error(0.71, 2662) == pytest.approx(0.009, abs=5e-4)
    assert round(23 / 34, 4) == 0.6765
    assert not statistics.grim("0.69", 2, 34)
    assert math.isclose(0.74167 - 0.72533, 0.0163, abs_tol=5e-5)
