"""What checks of every kind have, of measured numbers, of two sides, and of a bound."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from stages.lib.config_model import Id, Strict
from stages.lib.questions.measures import Measure, Side, weights

Bearing = Literal["level", "order", "speed"]
#: A number, or a key of the question's `numbers`.
Number = float | str


class BaseCheck(Strict):
    """What checks of every kind have.

    statement      what is checked, in the report's sense, as a sentence
    because        the reason for the margin, effect, tolerance or threshold
    information    shown beside the others, and no part of the verdict
    ours           an addition of ours to a report's statement: shown, and no part of the verdict
    chose_reading  the reading that this number chose: under it the check is no evidence and is shown as information
    bears_on       what a departure must bear on to matter; by default known from the kind and the measure
    """

    kind: str
    statement: str
    because: str = ""
    information: bool = False
    ours: bool = False
    chose_reading: str | None = None
    bears_on: list[Bearing] | None = None

    @property
    def sides(self) -> list[Side]:
        """What is compared, in order; numbers are left out."""
        return []

    @property
    def runs(self) -> list[str]:
        """Ids of every run that the check needs."""
        return list(dict.fromkeys(run for side in self.sides for run in weights(side)))

    def needs_reason(self, **values: Any) -> None:
        given = [name for name, value in values.items() if value]
        if given and not self.because:
            raise ValueError(f"{given[0]} = {values[given[0]]} without a reason: add `because`")


class MeasuredCheck(BaseCheck, Measure):
    """A check of measured numbers. gate: whether every run must first beat the trivial predictor."""

    gate: bool = True

    @property
    def measure(self) -> Measure:
        return Measure(metric=self.metric, curve=self.curve, scale=self.scale, minus=self.minus)

    @property
    def runs(self) -> list[str]:
        levels = [q.curve.level for q in self.quantities if q.curve is not None]
        return list(dict.fromkeys([*super().runs, *(run for level in levels for run in getattr(level, "of", ()))]))

    @property
    def rests_on(self) -> list[Bearing]:
        """What a departure must bear on to matter for this check."""
        if self.bears_on is not None:
            return self.bears_on
        if any(q.curve and q.curve.number in ("steps_to", "slope", "plateau") for q in self.quantities):
            return ["speed"]
        return ["level"] if self._is_absolute else ["order"]

    @property
    def _is_absolute(self) -> bool:
        return False


class Comparison(MeasuredCheck):
    """`run` against another one, each of several in turn, or a number.

    If a number itself is the other side, it is known exactly, such as 0 for a slope.
    """

    run: Side
    against: Side | float | None = None
    against_each: Annotated[list[Id], Field(min_length=2)] | None = None

    @model_validator(mode="after")
    def _has_other_side(self) -> Self:
        if (self.against is None) == (self.against_each is None):
            raise ValueError("give either against or against_each")
        for other in self.others:
            if not isinstance(other, float) and (both := set(weights(self.run)) & set(weights(other))):
                raise ValueError(f"{sorted(both)[0]} is on both sides; put a sum of runs on one side, against 0")
        return self

    @property
    def others(self) -> list[Side | float]:
        if self.against_each is not None:
            return list(self.against_each)
        return [] if self.against is None else [self.against]

    @property
    def sides(self) -> list[Side]:
        return [self.run, *(other for other in self.others if not isinstance(other, float))]

    @property
    def _is_absolute(self) -> bool:
        # Numbers of one run that are subtracted, such as late and early swing, are compared, and so are runs that are.
        compares = self.minus is not None or (isinstance(self.run, dict) and len(self.run) > 1)
        return any(isinstance(other, float) for other in self.others) and not compares


class Bounded(Strict):
    """One bound: a number, a key of the question's `numbers`, or "trivial", the trivial predictor's score."""

    at_least: Number | None = None
    at_most: Number | None = None

    @property
    def bound(self) -> Number:
        """The one bound. Raises ValueError where there is none, or two."""
        bounds = [bound for bound in (self.at_least, self.at_most) if bound is not None]
        if len(bounds) != 1:
            raise ValueError("give either at_least or at_most")
        return bounds[0]
