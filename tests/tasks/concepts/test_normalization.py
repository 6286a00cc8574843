import math

import pytest

from stages.tasks.concepts import normalization


def test_shares_are_those_of_the_distributions() -> None:
    values = normalization.output_distribution(0).values
    assert values["largest_absolute_mean"] < 1e-5
    assert values["largest_difference_of_variance_from_1"] < 1e-4
    assert values["share_within_2_normal"] == pytest.approx(math.erf(2 / math.sqrt(2)), abs=2e-3)
    # Uniform with variance 1 ends at √3; exponential with mean 1 lies above it with probability 1/e.
    assert values["share_within_2_uniform"] == 1
    assert values["share_above_0_exponential"] == pytest.approx(1 / math.e, abs=2e-3)
    assert values["share_within_2_exponential"] == pytest.approx(1 - math.exp(-3), abs=2e-3)
