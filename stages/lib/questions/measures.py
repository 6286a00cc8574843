"""What a check measures: one number of every seed of a run."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from stages.lib.config_model import Id, Strict

Scale = Literal["linear", "log", "log2", "log10"]
Window = Literal[
    "all", "first fifth", "first third", "first half", "last half", "last third", "last fifth", "last tenth"
]
#: Numbers of a curve, and what each is on the page.
NUMBERS = {
    "first": "at the start",
    "last": "at the end",
    "lowest": "lowest",
    "highest": "highest",
    "level": "level at the end",
    "at": "at",
    "mean": "mean",
    "swing": "log of the swing",
    "slope": "slope",
    "steps_to": "log of the steps to a level",
    "plateau": "levels off at",
}


class Level(Strict):
    """The level that every run of `of` reaches at its end: the worst of their final levels, and no more than `at_most`.

    `at_most` bounds how far a run may have to go, such as 0.97 for a training accuracy, where 0.98 counts as saturated.
    """

    of: list[Id] = Field(min_length=1)
    at_most: float | None = None


class Until(Strict):
    """Where curves are cut: before the first seed of any run of the check passes `above` in `column`."""

    column: str
    above: float


class CurveNumber(Strict):
    """One number of one column of a training history; formulas in stages/lib/statistics/curves.py.

    first, last      the value at the start, at the end
    lowest, highest  over the window
    level            mean over the last tenth
    at               the value at x = `at`, between its neighbours
    mean             over the window
    swing            log of the standard deviation of first differences in the window
    slope            least squares over the window (by default the last fifth), a unit of x
    steps_to         log of the first x at which the curve has reached `level`
    plateau          the first x after which the mean stays within its noise

    column: as in the history, such as validation_mse or train_loss. less: another column, taken off point by point.
    x: the column that counts the progress: step, epoch or what else the history has.
    window: by name, or [from, to] in units of x.
    level: a number, a key of the question's `numbers`, "trivial" (the trivial predictor's), or final levels of runs.
    rising: whether larger is better; by default known from the metric, and false for a loss.
    until: cuts all curves of the check at the same x. needs: the x that a run must have come to, to decide anything.
    """

    column: str
    less: str | None = None
    number: Literal[
        "first", "last", "lowest", "highest", "level", "at", "mean", "swing", "slope", "steps_to", "plateau"
    ]
    x: str = "step"
    window: Window | tuple[float, float] | None = None
    at: float | None = None
    level: float | str | Level | None = None
    rising: bool | None = None
    until: Until | None = None
    needs: PositiveFloat | None = None

    @model_validator(mode="after")
    def _fits_the_number(self) -> Self:
        for key, number in (("at", "at"), ("level", "steps_to")):
            if (getattr(self, key) is not None) != (self.number == number):
                raise ValueError(f"`{key}` goes with number: {number}, which needs it")
        if self.window is not None and self.number in ("first", "last", "level", "at", "steps_to", "plateau"):
            raise ValueError(f"number: {self.number} has no window; only lowest, highest, mean, swing and slope have")
        if self.number in ("mean", "swing") and self.window is None:
            raise ValueError(f"number: {self.number} needs a window, such as `last half` or [200, 400]")
        if isinstance(self.window, tuple) and not self.window[0] < self.window[1]:
            raise ValueError(f"the window {list(self.window)} is empty")
        return self


class Quantity(Strict):
    """One number of every seed; either of the two.

    metric   a score, split.metric (validation.mse), with its outcomes by example where they are stored; or the name of
             a value of a computed statement
    curve    a number of a training history
    scale    taken of the number; `reported`, `at_least`, `at_most`, `above` and `below` are given as printed and are
             scaled too, margins and errors are on the scale
    """

    metric: str | None = None
    curve: CurveNumber | None = None
    scale: Scale = "linear"

    @model_validator(mode="after")
    def _measures_one(self) -> Self:
        if (self.metric is None) == (self.curve is None):
            raise ValueError("give either metric or curve")
        if self.curve is not None and self.curve.number in ("swing", "steps_to") and self.scale != "linear":
            raise ValueError(f"scale: {self.scale}: {self.curve.number} is a logarithm already")
        return self


class Measure(Quantity):
    """A quantity, or its difference from another one of the same run and seed.

    minus: taken off after both are scaled, such as the last third's swing minus the first third's.
    """

    minus: Quantity | None = None

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        return (self,) if self.minus is None else (self, self.minus)


#: One side of a comparison: a run, the mean of several, or a weighted sum of runs.
Side = Id | Annotated[list[Id], Field(min_length=2)] | dict[Id, float]


def weights(side: Side) -> dict[str, float]:
    """The weight of each run on a side."""
    if isinstance(side, str):
        return {side: 1.0}
    if isinstance(side, list):
        return {run: 1 / len(side) for run in side}
    return dict(side)
