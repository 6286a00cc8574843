import math

import pytest
import torch

from stages.tasks.concepts import optimizers


def test_momentum_of_the_report_is_torchs_at_a_tenth_of_the_rate() -> None:
    values = optimizers.momentum(0).values
    assert values["torch_step_over_report_step"] == pytest.approx(1 / (1 - 0.9))
    assert values["torch_step_over_sgd_step"] == pytest.approx(10)
    assert values["report_step_over_sgd_step"] == pytest.approx(1)
    assert values["dampened_difference_but_for_first_gradient"] < 1e-12
    assert values["path_difference_at_10_times_the_rate"] < 1e-12
    # Dampening leaves out the first step, whose trace is gone by the last.
    assert values["dampened_first_step_over_report_step"] == pytest.approx(10)
    assert values["dampened_step_over_report_step"] == pytest.approx(1)


def test_adam_and_adagrad() -> None:
    values = optimizers.adam(0).values
    assert values["adam_difference_from_torch"] < 1e-12
    assert values["adagrad_difference_from_torch"] < 1e-12
    assert values["first_step_over_bias_corrected"] == pytest.approx((1 - 0.9) / math.sqrt(1 - 0.999))
    assert values["step_10000_over_bias_corrected"] == pytest.approx(1 / math.sqrt(1 - 0.999**10_000))
    # A sum of equal squares grows with the steps; a running mean stays.
    assert values["adagrad_rate_10000_over_1000"] == pytest.approx(math.sqrt(1000 / 10_000))
    assert values["adam_rate_10000_over_1000"] == pytest.approx(1)
    # V = 1 + 0.001 · (100² − 1) · 0.999ᵏ after k steps; half the rate is V = 4.
    expected = math.log(3 / (0.001 * (100**2 - 1))) / math.log(0.999)
    assert values["steps_below_half_rate_after_gradient_of_100"] == pytest.approx(expected, abs=8)


def test_running_mean_of_a_constant_and_by_recursion() -> None:
    constant = optimizers.running_mean(torch.full((50, 2), 9.0, dtype=torch.float64), 0.999)
    assert constant[:, 0].tolist() == pytest.approx([9 * (1 - 0.999**step) for step in range(1, 51)])
    values, mean = torch.randn(20, 3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64)
    for value, found in zip(values, optimizers.running_mean(values, 0.9), strict=True):
        mean = 0.9 * mean + 0.1 * value
        torch.testing.assert_close(found, mean)
