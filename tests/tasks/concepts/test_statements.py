import math
from pathlib import Path

import pytest

from stages.tasks.concepts.statements import STATEMENTS

#: Experiments of some seconds, whose parts have tests of their own.
TRAINED = {"E-theory-bn-lr", "E-bn-faster", "E-theory-imbalance"}


@pytest.mark.parametrize("name", sorted(set(STATEMENTS) - TRAINED))
def test_statement_computes_numbers_that_its_seed_repeats(name: str) -> None:
    statement = STATEMENTS[name]
    result = statement.compute(0, Path("no data"))
    assert result.values
    assert all(isinstance(value, int | float) and math.isfinite(value) for value in result.values.values())
    assert all(len(row) == len(result.columns) for row in result.rows)
    again = statement.compute(0, Path("no data"))
    assert again.values == result.values
    assert list(again.rows) == list(result.rows)


@pytest.mark.parametrize("name", [name for name in STATEMENTS if STATEMENTS[name].seeds > 1 and name not in TRAINED])
def test_other_seed_draws_something_else(name: str) -> None:
    first, second = (STATEMENTS[name].compute(seed, Path("no data")).values for seed in (0, 1))
    assert set(first) == set(second)
    assert first != second


def test_experiments_have_at_least_three_seeds() -> None:
    assert all(STATEMENTS[name].seeds >= 3 for name in TRAINED)
