"""Questions and departures: what a report says, which runs are to answer it, and where our conditions differ.

A complete example, in reports/sts.yaml:

    questions:
      A-sts-hidden:
        report: A                               # or `ours`
        title: How many LSTM units?
        quote: "可以看到随着lstm隐藏层节点从32个开始增加，…"
        translation: "As the number of LSTM units grows from 32, the loss falls clearly, …"
        reported: "The loss falls clearly as units grow from 32; from 256 to 512 it falls less (picture)."
        basis: picture
        note: "Batch size and learning rate are open; ours are those of the best setting."
        figures: [A-sts-hidden]                 # the first gives runs and labels; left out: the figure of the same id
        metrics: [validation.mse, test.pearson] # columns of the table of runs
        stated: {steps: 1500}                   # settings that the report states; see `Question.stated`
        report_test: {kind: mean, items: 1500, std: 2.4}
        numbers:
          units_512: {value: 1.48, error: 0.05, because: "read off a curve"}
        readings: &sts_readings                 # the first is the main one
          "separate towers, as its curves show": {because: "the untrained curve starts at 2.5"}
          "shared towers, as described": {suffix: -shared}
        checks:
          - kind: rising
            statement: "each doubling from 32 to 256 units lowers the loss"
            order: [A-sts-hidden-256, A-sts-hidden-128, A-sts-hidden-64, A-sts-hidden-32]
            curve: {column: validation_mse, number: level}
          - kind: lower
            statement: "256 units end clearly below 32"
            run: A-sts-hidden-256
            against: A-sts-hidden-32
            smallest_effect: 0.15
            because: "report A calls 1.42 and 1.48 alike and 1.6 and 1.8 different"
            curve: {column: validation_mse, number: level}
          - kind: agrees
            statement: "512 units end at 1.48"
            run: A-sts-hidden-512
            reported: units_512
            smallest_effect: 0.1
            because: "half of 0.2, the smallest difference report A speaks of"
            curve: {column: validation_mse, number: level}
    departures:
      glove-50d: {text: "50-d GloVe vectors in place of 100-d", affects: [level], tasks: [sts]}
"""

from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from stages.lib.config_model import Id, Strict
from stages.lib.questions.base import BaseCheck, Bearing
from stages.lib.questions.checks import Agrees, Check, Exact, leaves

OURS = "ours"


class ReportedNumber(Strict):
    """A number as the report prints it, and what it is worth.

    value    as printed; in quotes where its last digits are zeros ("0.890")
    error    its standard error (on the scale of the checks that use it), with the reason
    items    size of the test set that it was taken on, where it is a share of it: asks whether the number is consistent
             with itself (GRIM)
    """

    value: float | str
    error: Annotated[float, Field(ge=0)] = 0.0
    because: str = ""
    items: PositiveInt | None = None

    @model_validator(mode="after")
    def _is_a_number(self) -> Self:
        try:
            float(self.value)
        except ValueError:
            raise ValueError(f"value = {self.value!r} is no number") from None
        if self.error and not self.because:
            raise ValueError(f"error = {self.error:g} without a reason: add `because`")
        return self

    @property
    def number(self) -> float:
        return float(self.value)


class ReportTest(Strict):
    """The test set of a report, to say what the report itself could have seen.

    kind and items as in stages.lib.statistics.detectable_by_report; value: about what it measured; std, for a mean: the
    standard deviation of single values; seed_spread: the report's own standard deviation over repetitions, where it is
    known.
    """

    kind: Literal["accuracy", "correlation", "f1", "mean"]
    items: PositiveInt
    value: float = 0.0
    std: PositiveFloat = 1.0
    seed_spread: Annotated[float, Field(ge=0)] = 0.0


class Replacement(Strict):
    """Which runs stand in for those of the question: run + suffix where there is such a run, or as `runs` says."""

    suffix: str = ""
    runs: dict[Id, Id] = {}
    because: str = ""

    def __call__(self, run: str, known: Any) -> str:
        return self.runs.get(run, run + self.suffix if run + self.suffix in known else run)


class Question(Strict):
    """A statement of a report (or an addition of ours), the runs that answer it, and the checks.

    readings      two ways to understand the report. Every check is judged under each; the first is the main one, chosen
                  by a fact that is independent of the checks (`because`), and the others stand beside it.
    alternatives  choices that the report leaves open, such as the domain: the statement is supported if it is under one
                  of them (all checks under the same), contradicted if it is under all.
    stated        settings that the report states for the question's runs, and that are checked against them: a run that
                  is shorter than a stated `steps` or `epochs`, or has another value, needs a departure that names the
                  setting. A list gives several values that the report has.
    looks         how often it is judged, each time with more seeds: 2 if seeds are added because the first look left
                  it open. Each look has an equal part of the 5 %.
    runs          labels of runs that no figure of the question shows
    """

    report: str
    title: str
    quote: str = ""
    translation: str = ""
    reported: str = ""
    basis: Literal["", "text", "picture", "table", "print-out", "formula"] = ""
    note: str = ""
    figures: list[Id] | None = None
    runs: dict[Id, str] = {}
    metrics: list[str] = []
    stated: dict[str, Any] = {}
    looks: PositiveInt = 1
    numbers: dict[str, ReportedNumber] = {}
    report_test: ReportTest | None = None
    readings: dict[str, Replacement] = {}
    alternatives: dict[str, Replacement] = {}
    checks: Annotated[list[Check], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        if self.report != OURS:
            for key in ("quote", "reported"):
                if not getattr(self, key):
                    raise ValueError(f"`{key}` is missing; a statement of a report needs the report's own words")
        for kind, given in (("readings", self.readings), ("alternatives", self.alternatives)):
            if len(given) == 1:
                raise ValueError(f"`{kind}` has one entry; it takes two or none")
        if self.readings:
            main = next(iter(self.readings.items()))
            if not main[1].because:
                raise ValueError(f"reading {main[0]!r} is the main one: say by which fact in `because`")
        if not any(counts(check) for check in self.checks):
            raise ValueError("no check is judged; without one there is no verdict")
        for check in leaves(self.checks):
            self._check_references(check)
        return self

    def _check_references(self, check: BaseCheck) -> None:
        if check.chose_reading is not None and check.chose_reading not in self.readings:
            raise ValueError(
                f"chose_reading = {check.chose_reading!r}: the readings are {', '.join(self.readings) or 'none'}"
            )
        names: list[Any] = [check.reported] if isinstance(check, Agrees) else []
        names += [getattr(check, key, None) for key in ("at_least", "at_most", "equals", "of")]
        names += [q.curve.level for q in getattr(check, "quantities", ()) if q.curve is not None]
        for name in names:
            if isinstance(name, str) and name not in self.numbers and (isinstance(check, Exact) or name != "trivial"):
                raise ValueError(
                    f"{check.statement!r}: {name!r} is no key of `numbers` ({', '.join(self.numbers) or 'none'})"
                )

    def number(self, value: float | str) -> float:
        """A number, or that of a key of `numbers`."""
        return self.numbers[value].number if isinstance(value, str) else value


def counts(check: Check) -> bool:
    """Whether a check is part of the verdict, whatever the reading."""
    return not check.information and not check.ours and check.kind != "shown"


class Departure(Strict):
    """Where our conditions differ from the report's: declared once, for every run that it touches.

    affects    level: absolute numbers; order: comparisons; speed: convergence
    settings   names of `stated` settings whose difference it declares, such as steps
    runs, tasks, groups, data, questions   what it touches: ids or patterns (A-cnn-*); data: names as on the page.
               A run is touched if it fits every list that is given.
    """

    text: str
    affects: Annotated[list[Bearing], Field(min_length=1)]
    settings: list[str] = []
    runs: list[str] = []
    tasks: list[str] = []
    groups: list[str] = []
    data: list[str] = []
    questions: list[str] = []

    @model_validator(mode="after")
    def _touches_something(self) -> Self:
        if not any((self.runs, self.tasks, self.groups, self.data, self.questions)):
            raise ValueError("it touches nothing: give runs, tasks, groups, data or questions")
        return self

    def touches(self, **about: str | None) -> bool:
        """Whether it fits a run with these `runs`, `tasks`, `groups`, `data` and `questions`, one name each.

        A name that is None is unknown, and fits.
        """
        return all(
            name is None or not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
            for name, patterns in ((about[key], getattr(self, key)) for key in about)
        )
