"""The kinds of checks. Each says in words what it checks, what it measures of which runs, and against what.

Margins and effects are fixed before results, each with its reason (`because`). Decisions: stages/lib/statistics.
"""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from stages.lib.config_model import Id, Strict
from stages.lib.questions.base import BaseCheck, Bearing, Bounded, Comparison, MeasuredCheck, Number
from stages.lib.questions.measures import Quantity, Side


class Directed(Comparison):
    """`run` above (higher) or below (lower) the other, by more than `smallest_effect` ("clearly", "much")."""

    kind: Literal["higher", "lower"]
    smallest_effect: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _has_reason(self) -> Self:
        self.needs_reason(smallest_effect=self.smallest_effect)
        return self


class Rising(MeasuredCheck):
    """The runs' numbers rise in this order."""

    kind: Literal["rising"]
    order: Annotated[list[Id], Field(min_length=2)]

    @property
    def sides(self) -> list[Side]:
        return list(self.order)


class Spread(Strict):
    """What a margin is planned with: standard deviations that are assumed before any result.

    seeds: over the seeds of a run. examples: over examples, of the difference of the two runs, if outcomes by example
    count; then `count` is the number of examples.
    """

    seeds: Annotated[float, Field(ge=0)]
    examples: Annotated[float, Field(ge=0)] = 0.0
    count: Annotated[int, Field(ge=2)] | None = None

    @model_validator(mode="after")
    def _is_some(self) -> Self:
        if not self.seeds and not self.examples:
            raise ValueError("a spread of 0 is no assumption")
        if bool(self.examples) != (self.count is not None):
            raise ValueError("`examples` and `count` go together")
        return self


class Equivalent(MeasuredCheck):
    """The runs lie within ±margin of one another, every pair of them; one run alone: of the number `of`."""

    kind: Literal["equivalent"]
    among: Annotated[list[Id], Field(min_length=1)]
    of: Number | None = None
    margin: PositiveFloat
    assumed_spread: Spread

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        self.needs_reason(margin=self.margin)
        if (self.of is not None) != (len(self.among) == 1):
            raise ValueError("`among` has two runs or more, or one run and the number `of`")
        return self

    @property
    def sides(self) -> list[Side]:
        return list(self.among)

    @property
    def _is_absolute(self) -> bool:
        return self.of is not None


class NotBetter(Comparison):
    """`run` is not better than the other by more than the margin."""

    kind: Literal["not_better"]
    margin: PositiveFloat
    assumed_spread: Spread
    larger_is_better: bool | None = None

    @model_validator(mode="after")
    def _has_reason(self) -> Self:
        self.needs_reason(margin=self.margin)
        return self


class PointsAround(Strict):
    """The error of a report's number is that of a single step: the standard deviation over this many points around."""

    points_around: Annotated[int, Field(ge=4)]


class Agrees(MeasuredCheck):
    """A report's number, a key of the question's `numbers`, could come from a run like ours.

    Contradicted only if it is off by more than `smallest_effect` too. `reported_error` overrides that of the number.
    """

    kind: Literal["agrees"]
    run: Side
    reported: str
    smallest_effect: Annotated[float, Field(ge=0)] = 0.0
    reported_error: PointsAround | None = None

    @model_validator(mode="after")
    def _has_reason(self) -> Self:
        self.needs_reason(smallest_effect=self.smallest_effect)
        return self

    @property
    def sides(self) -> list[Side]:
        return [self.run]

    @property
    def _is_absolute(self) -> bool:
        return True


class Reaches(MeasuredCheck, Bounded):
    """The mean over seeds reaches a number on this test set."""

    kind: Literal["reaches"]
    run: Side

    @model_validator(mode="after")
    def _has_bound(self) -> Self:
        if isinstance(self.bound, float):
            self.needs_reason(bound=repr(self.bound))
        return self

    @property
    def sides(self) -> list[Side]:
        return [self.run]

    @property
    def _is_absolute(self) -> bool:
        return True


class Proportion(MeasuredCheck, Bounded):
    """The share of seeds whose number is above or below a limit, against a bound."""

    kind: Literal["proportion"]
    run: Id
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _has_bound(self) -> Self:
        bound = self.bound
        if (self.above is None) == (self.below is None):
            raise ValueError("give either above or below: which seeds count")
        self.needs_reason(bound=repr(bound))
        return self

    @property
    def sides(self) -> list[Side]:
        return [self.run]

    @property
    def _is_absolute(self) -> bool:
        return True


class Possible(MeasuredCheck):
    """Something may happen: supported by one case, contradicted by none.

    Cases are the seeds of `among` whose number is above or below a limit; or `pairs` of runs of which the first is
    higher or lower (by its interval, after Holm's correction over the pairs).
    """

    kind: Literal["possible"]
    among: list[Id] = []
    above: float | None = None
    below: float | None = None
    pairs: list[tuple[Id, Id]] = []
    first_is: Literal["higher", "lower"] | None = None

    @model_validator(mode="after")
    def _has_cases(self) -> Self:
        if bool(self.among) == bool(self.pairs):
            raise ValueError("give either among or pairs")
        if bool(self.among) != ((self.above is None) != (self.below is None)):
            raise ValueError("`among` goes with either above or below: which seeds are cases")
        if bool(self.pairs) != (self.first_is is not None):
            raise ValueError("`pairs` goes with first_is: higher or lower")
        return self

    @property
    def sides(self) -> list[Side]:
        return [*self.among, *(run for pair in self.pairs for run in pair)]


class Exact(BaseCheck, Bounded):
    """A count, a formula or an identity, to a tolerance; of a computed statement, whose id may be left out."""

    kind: Literal["exact"]
    run: Id | None = None
    metric: str
    equals: Number | None = None
    tolerance: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _has_one_number(self) -> Self:
        if sum(value is not None for value in (self.equals, self.at_least, self.at_most)) != 1:
            raise ValueError("give exactly one of equals, at_least and at_most")
        self.needs_reason(tolerance=self.tolerance)
        return self

    @property
    def wanted(self) -> Number:
        return self.equals if self.equals is not None else self.bound

    @property
    def sides(self) -> list[Side]:
        return [] if self.run is None else [self.run]

    @property
    def rests_on(self) -> list[Bearing]:
        return self.bears_on or ["level"]


class Shown(MeasuredCheck):
    """Numbers that stand beside the checks and are not judged."""

    kind: Literal["shown"]
    among: Annotated[list[Id], Field(min_length=1)]

    @property
    def sides(self) -> list[Side]:
        return list(self.among)


class Combined(BaseCheck):
    """any: supported if one of its checks is, contradicted if all are. all: the other way round."""

    kind: Literal["any", "all"]
    checks: "Annotated[list[Check], Field(min_length=2)]"

    @property
    def runs(self) -> list[str]:
        return list(dict.fromkeys(run for check in self.checks for run in check.runs))

    @property
    def rests_on(self) -> list[Bearing]:
        return self.bears_on or list(dict.fromkeys(name for check in self.checks for name in check.rests_on))


Check = Annotated[
    Directed | Rising | Equivalent | NotBetter | Agrees | Reaches | Proportion | Possible | Exact | Shown | Combined,
    Field(discriminator="kind"),
]
Combined.model_rebuild()


def leaves(checks: "list[Check]") -> Iterator[BaseCheck]:
    """The checks that measure something, inside any and all too."""
    for check in checks:
        if isinstance(check, Combined):
            yield from leaves(check.checks)
        else:
            yield check


def quantities(check: BaseCheck) -> tuple[Quantity, ...]:
    """What a check measures."""
    if isinstance(check, Exact):
        return (Quantity(metric=check.metric),)
    return check.quantities if isinstance(check, MeasuredCheck) else ()
