"""A check with other runs, as a reading or an alternative has it."""

from collections.abc import Callable
from typing import Any

from stages.lib.questions.checks import BaseCheck, Combined, Exact, MeasuredCheck
from stages.lib.questions.measures import Level, Quantity

#: Fields of checks that hold ids of runs.
RUNS = ("run", "against", "against_each", "order", "among", "pairs")


def replace_runs(check: BaseCheck, rename: Callable[[str], str], question: str) -> BaseCheck:
    """The check with every run id replaced by what `rename` gives for it; one that is left out is the question's id."""
    if isinstance(check, Combined):
        return check.model_copy(update={"checks": [replace_runs(part, rename, question) for part in check.checks]})
    if isinstance(check, Exact):
        return check.model_copy(update={"run": rename(check.run or question)})
    changes: dict[str, Any] = {
        name: _renamed(getattr(check, name), rename) for name in RUNS if name in type(check).model_fields
    }
    if isinstance(check, MeasuredCheck):
        changes["curve"] = _curve(check, rename)
        if check.minus is not None:
            changes["minus"] = check.minus.model_copy(update={"curve": _curve(check.minus, rename)})
    return check.model_copy(update=changes)


def _renamed(value: Any, rename: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return rename(value)
    if isinstance(value, dict):
        return {rename(run): weight for run, weight in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_renamed(item, rename) for item in value)
    return value


def _curve(quantity: Quantity, rename: Callable[[str], str]) -> Any:
    curve = quantity.curve
    if curve is None or not isinstance(curve.level, Level):
        return curve
    level = curve.level.model_copy(update={"of": [rename(run) for run in curve.level.of]})
    return curve.model_copy(update={"level": level})
