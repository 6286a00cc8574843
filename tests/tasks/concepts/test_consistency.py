from fractions import Fraction

import pytest

from stages.tasks.concepts import consistency


def test_grim_finds_a_mean_that_cannot_be() -> None:
    # The worked example of Brown & Heathers 2017: a mean of 5.19 of 28 whole numbers cannot be; of 5.18 it can.
    assert not consistency.grim("5.19", 28)
    assert consistency.grim("5.18", 28)
    # 100 answers give whole per cents; 10,000 give any four digits.
    assert not consistency.grim("0.7789", 100)
    assert all(consistency.grim(printed, 10_000) for printed in ("0.7789", "0.744", "0.7289", "0.7620", "0.7999"))


@pytest.mark.parametrize("fraction", [Fraction(23, 34), Fraction(23, 35), Fraction(31, 35), Fraction(1, 3)])
def test_fraction_comes_back_from_its_double(fraction: Fraction) -> None:
    assert consistency.smallest_fraction(float(fraction)) == fraction


def test_training_sizes_by_counting_batches() -> None:
    for batch_size, steps in ((64, 48), (60, 51), (1, 7)):
        by_counting = [n for n in range(1, 4000) if len(range(0, n, batch_size)) == steps]
        assert list(consistency.training_sizes(batch_size, steps)) == by_counting


def test_log_of_batch_64_is_not_one_of_batch_60() -> None:
    values = consistency.keyword_log(0).values
    assert values["first_step_of_epoch_20"] == 913
    assert values["last_step_of_epoch_20"] == 960 != values["last_step_of_epoch_20_batch_60"]
    for name, size in (("restaurants", 3041), ("laptops", 3045)):
        assert (values[f"steps_batch_64_{name}"], values[f"steps_batch_60_{name}"]) == (48, 51)
        assert values["smallest_training_set_both"] <= size <= values["largest_training_set_both"]
    assert values["f1"] == pytest.approx(0.6666666666666666, abs=1e-15)
    assert 19 < values["minutes_for_20_epochs"] < 20


def test_four_accuracies_are_not_of_one_network() -> None:
    values = consistency.baseline_accuracies(0).values
    assert values["standard_deviation"] > 9 * values["standard_error_of_one"]
    assert values["p_value_of_equal_accuracies"] < 1e-10


def test_equal_accuracies_have_no_small_p_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consistency, "BASELINE_ACCURACIES", (0.80, 0.801, 0.799, 0.803))
    assert consistency.baseline_accuracies(0).values["p_value_of_equal_accuracies"] > 0.5


def test_similarity_at_a_distance_of_500_is_zero_in_float32() -> None:
    values = consistency.manhattan_similarity(0).values
    assert values["similarity_at_500"] == values["gradient_at_500"] == 0
    # The smallest positive float32 is 2⁻¹⁴⁹, so exp(−d) rounds to 0 beyond 150 · ln 2 = 103.97.
    assert values["largest_distance_with_gradient"] == 103
