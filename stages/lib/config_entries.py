"""What an entry of reports/*.yaml, beside runs, figures and questions, and params.yaml may hold."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt

from stages.lib.config_model import Id, Strict
from stages.train.settings import Settings

#: `own` has the data sets of the user; the other two are of the five reports.
Profile = Literal["sample", "full", "own"]


class Limits(Strict):
    """Upper bounds that a profile sets on the cost of every run; the sample profile's keep `make` short."""

    batch_size: PositiveInt | None = None
    steps: PositiveInt | None = None
    epochs: PositiveInt | None = None
    seeds: PositiveInt | None = None
    validate_every: PositiveInt | None = None

    def cut(self, settings: Settings) -> Settings:
        """The settings, each at most its limit."""
        bounds = {name: bound for name, bound in self if bound is not None and getattr(settings, name) is not None}
        return settings.model_copy(update={name: min(bound, getattr(settings, name)) for name, bound in bounds.items()})


class GroupEntry(Strict):
    """Runs of one network that are evaluated in one process; in profile own also on one data set, `data`."""

    task: Id
    model: Id
    data: Id | None = None


class TaskEntry(Strict):
    """A prepared data set: its raw data sets by catalogue name, and settings of its preparation."""

    corpus: Id
    vectors: Id | None = None
    settings: dict[str, Any] = {}


class ComputedEntry(Strict):
    """A group of statements that are computed without training, from data/<profile>/<data>.

    networks: two entries of stages/networks that DVC is to watch; DVC wants both, so `layers` may fill a place.
    """

    task: Id
    data: Id
    networks: tuple[Id, Id]


class SourceEntry(Strict):
    """One of the reports."""

    title: str
    tasks: str


class Heading(Strict):
    """What the page says of a task."""

    title: str
    text: str = ""


class StudyParams(Strict):
    """The keys of params.yaml besides the training settings of the experiment under study."""

    profile: Profile
    root: Literal[".", ".."]
    params: str
    limits: Limits
    seed: Annotated[int, Field(ge=0)]
    task: Id
    model: Id
    networks: dict[str, dict[str, Any]]
    options: dict[str, dict[str, Any]]
