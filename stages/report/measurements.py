"""What a check compares: one number of every seed, and outcomes by example where they count."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from stages.lib.errors import InputError
from stages.lib.questions.checks import MeasuredCheck
from stages.lib.questions.measures import Quantity, Scale, Side, weights
from stages.lib.statistics import Measurements
from stages.report.curves import read_curve
from stages.report.measured import (
    NO_OUTCOMES,
    NOT_TRAINED,
    Measured,
    Unavailable,
    by_example,
    labels_of_examples,
    of_seeds,
    scaled,
    weighted,
)
from stages.report.stored import Results

if TYPE_CHECKING:
    from stages.lib.questions import Question


def measure(results: Results, question: "Question", check: MeasuredCheck, side: Side) -> Measured:
    """What a check measures of one of its sides. Raises Unavailable."""
    parts = [_measured(results, question, check, run) for run in weights(side)]
    if isinstance(side, str):
        return parts[0]
    return weighted(parts, list(weights(side).values()))


def _measured(results: Results, question: "Question", check: MeasuredCheck, run: str) -> Measured:
    found = _quantity(results, question, check, check, run)
    if check.minus is None:
        return found
    return weighted([found, _quantity(results, question, check, check.minus, run)], [1.0, -1.0])


def _quantity(results: Results, question: "Question", check: MeasuredCheck, quantity: Quantity, run: str) -> Measured:
    if quantity.metric is not None:
        return _metric(results, run, quantity.metric, quantity.scale)
    values = [read_curve(results, question, check, quantity.curve, run, seed) for seed in results.seeds(run)]
    if not values:
        raise Unavailable(NOT_TRAINED)
    numbers = scaled([value.value for value in values], quantity.scale)
    return Measured(Measurements(np.array(numbers)), all(value.reached for value in values))


def _metric(results: Results, run: str, metric: str, scale: Scale) -> Measured:
    values = list(results.score(run, metric).values())
    definition = results.definition(run, metric)
    if scale != "linear" or definition is None or definition.kind == "seed" or not np.isfinite(values).all():
        return of_seeds(scaled(values, scale))
    outcomes = results.outcomes(run, metric)
    if outcomes is None:
        raise Unavailable(NO_OUTCOMES)
    table = by_example(definition, outcomes)
    try:
        return Measured(replace(table, seeds=np.array(values)), labels=labels_of_examples(definition, outcomes[0]))
    except ValueError as error:
        group = results.group(run)
        raise InputError(
            f"{group.folder if group else ''}/outcomes.parquet: {run}: {metric} of the examples is not the one in"
            f" scores.json ({error}): they belong to other results; evaluate it again"
        ) from None
