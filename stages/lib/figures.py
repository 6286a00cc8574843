"""Figure entries of reports/*.yaml, one model a kind, and how each kind is to be read.

stages/plot/figures/<kind>.py draws a kind. An entry's runs come from its group and its baseline, the two evaluations
that DVC draws the figure again for.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from stages.lib.config_model import Id, Strict, check_model
from stages.lib.errors import InputError

Scale = Literal["linear", "log"]


class Figure(Strict):
    """What figures of every kind have. `runs`: the label of each run, in the order in which they are drawn.

    group, baseline: the groups that the runs are from; the same twice where they are from one.
    `x_label` and `y_label` name the axes, with units; `dvc plots` shows them too.
    """

    kind: str
    group: Id
    baseline: Id
    title: str
    caption: str = ""
    runs: dict[Id, str] = Field(min_length=1)
    x_label: str
    y_label: str

    #: What lines, bands and marks stand for. Printed on the figure and below it.
    reading: ClassVar[str]
    #: Whether evaluation keeps examples of its runs for it, as `plot_samples` of a task's scoring gives them.
    shows_examples: ClassVar[bool] = False

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        labels = list(self.runs.values())
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"two runs have the label {label!r}")
        return self


class Reference(Strict):
    """A horizontal line, such as the value that a report gives."""

    value: float
    label: str


class Curves(Figure):
    """One column of the training histories, a line a run.

    counts_as: how much one unit of x counts for in some runs, such as a step that evaluates the loss many times.
    """

    kind: Literal["curves"]
    curve: str
    x: Literal["step", "epoch"] = "step"
    y_scale: Scale = "linear"
    reference: Reference | None = None
    counts_as: dict[Id, float] = {}

    reading = (
        "Thick: smoothed (LOWESS over an eighth of the points; curves of fewer than 24 points are as logged). Thin: as"
        " logged, where a run has one seed. Band: lowest to highest seed around their mean."
    )

    @model_validator(mode="after")
    def _counts_runs(self) -> Self:
        _are_runs("counts_as", self.counts_as, self.runs)
        return self


class CurvePair(Figure):
    """Two columns of the training histories side by side, against epochs. `y_labels`: what their axes say."""

    kind: Literal["curve_pair"]
    curves: tuple[str, str]
    y_labels: tuple[str, str]

    reading = Curves.reading


class BatchAccuracy(Figure):
    """Accuracy of each batch of test images after training, and over all batches so far."""

    kind: Literal["batch_accuracy"]

    reading = (
        "Points: one batch of 50 test images each. Lines: accuracy over all batches so far. First seed of each run."
    )


class Confusion(Figure):
    """Of each class's test examples, the share that was taken for each class. `classes`: their names, by number."""

    kind: Literal["confusion"]
    runs: dict[Id, str] = Field(min_length=1, max_length=1)
    classes: list[str] = Field(min_length=2)

    reading = "Per cent of the row's test examples, mean over seeds; shares below 0.5 % are left blank."


class Errors(Figure):
    """What a tagger of terms got wrong on the test sentences, counted by kind of error."""

    kind: Literal["errors"]

    reading = (
        "Bars: mean over seeds. Lines: fewest to most. Missed: no prediction touches the term; wrong borders: the"
        " prediction touches a term and is none; invented: it touches none."
    )


class Forecast(Figure):
    """Forecasts along a sequence beside what came (`values`), or how their error grows (`error`).

    from_first: free running from the first point instead of the middle.
    """

    kind: Literal["forecast"]
    show: Literal["values", "error"] = "values"
    split: str = "test"
    from_first: bool = False

    @property
    def reading(self) -> str:  # type: ignore[override]
        if self.show == "values":
            return "Grey: the real sequence. Coloured: forecasts of the first seed, fed back as inputs."
        return (
            "Mean over the sequences, smoothed on a log scale (LOWESS over an eighth of the points)."
            " Lines: geometric mean over seeds. Bands: lowest to highest seed."
        )


class Lines(Figure):
    """Series of a computed statement's table: y against x."""

    kind: Literal["lines"]
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"

    @property
    def reading(self) -> str:  # type: ignore[override]
        mean = "geometric mean" if self.y_scale == "log" else "mean"
        return f"Lines: {mean} over seeds, as computed (not smoothed). Bands: lowest to highest seed."


class Matrices(Figure):
    """Small matrices of a computed statement, each above what was made of it."""

    kind: Literal["matrices"]

    reading = "Cells other than 0 are shaded."


class Mistakes(Figure):
    """The test images about which a run was most sure and wrong. `classes`: their names, by number."""

    kind: Literal["mistakes"]
    runs: dict[Id, str] = Field(min_length=1, max_length=1)
    classes: list[str] = Field(min_length=2)

    reading = "Below each image: predicted class and its probability, then the true class. First seed."
    shows_examples = True


class Specification(Figure):
    """Specification curve: one number of many variants of a run, sorted, above the choices that each variant makes.

    metric: a score, such as validation.mse. reported: the report's number. main: the run that is judged, as the report
    describes it or as its curves show; the first, unless another is named. The choices are the settings in which the
    runs differ.

    U. Simonsohn, J. P. Simmons, L. D. Nelson, Nature Human Behaviour 4 (2020) 1208.
    """

    kind: Literal["specification"]
    runs: dict[Id, str] = Field(min_length=2)
    metric: str
    reported: float | None = None
    main: Id | None = None
    y_scale: Scale = "linear"

    reading = (
        "One column a variant, sorted by its mean over seeds. Above: mean, its 95 % interval over seeds, and the seeds"
        " (small); one more run may well lie outside. Below: its choices, among the settings in which the runs differ."
    )

    @model_validator(mode="after")
    def _main_is_a_run(self) -> Self:
        _are_runs("main", [self.main] if self.main else [], self.runs)
        return self

    @property
    def main_run(self) -> str:
        """Id of the run that is judged."""
        return self.main or next(iter(self.runs))


class Levels(Figure):
    """Dot plot: one score of each run, and what the report gives for it. reported: by run."""

    kind: Literal["levels"]
    metric: str
    reported: dict[Id, float] = {}
    x_scale: Scale = "linear"

    reading = "Filled: mean and its 95 % interval over seeds. Small: the seeds. Hollow: the report's number."

    @model_validator(mode="after")
    def _reported_of_runs(self) -> Self:
        _are_runs("reported", self.reported, self.runs)
        return self


def _are_runs(key: str, ids: Any, runs: Mapping[str, str]) -> None:
    for name in ids:
        if name not in runs:
            raise ValueError(f"{key}: {name!r} is not one of the figure's runs ({', '.join(runs)})")


KINDS: dict[str, type[Figure]] = {
    get_args(model.model_fields["kind"].annotation)[0]: model
    for model in (
        Curves,
        CurvePair,
        BatchAccuracy,
        Confusion,
        Errors,
        Forecast,
        Lines,
        Matrices,
        Mistakes,
        Specification,
        Levels,
    )
}


def parse_figure(content: Any, where: str) -> Figure:
    """The checked entry of one figure. `where` names file and key for the message of an InputError."""
    kind = content.get("kind") if isinstance(content, Mapping) else None
    if kind not in KINDS:
        raise InputError(f"{where}: kind = {kind!r}: there is no such kind; allowed are {', '.join(KINDS)}")
    return check_model(KINDS[kind], content, where)


def check_groups(figure: Figure, group_of: Mapping[str, str], where: str) -> None:
    """Check that every run exists and belongs to the figure's group or baseline; raises InputError.

    group_of: the group of each run and computed statement. DVC draws a figure again when these two groups change and
    for no others, so that a run from elsewhere would go stale.
    """
    for run in figure.runs:
        if run not in group_of:
            raise InputError(f"{where}: runs: there is no run {run!r}")
        if group_of[run] not in (figure.group, figure.baseline):
            raise InputError(
                f"{where}: runs: {run!r} belongs to the group {group_of[run]!r}, which is neither the figure's group"
                f" {figure.group!r} nor its baseline {figure.baseline!r}"
            )
