"""What own/data/data.yaml may hold: the user's own data sets, of which each is prepared as data/own/<name>."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, NonNegativeInt, model_validator

from stages.lib.config_entries import StudyParams
from stages.lib.config_model import Id, Strict, check_id, check_model
from stages.lib.errors import InputError
from stages.lib.files import read_yaml
from stages.lib.task import task_module, task_names

OWN_DATA = Path("own", "data", "data.yaml")
Share = Annotated[float, Field(gt=0, lt=0.5)]


class SplitFiles(Strict):
    """The file or folder of each split, below the data set's path. Validation is drawn where it has none."""

    train: str
    validation: str | None = None
    test: str


class Fractions(Strict):
    """Of the examples that are drawn for validation and for testing; the others are for training."""

    validation: Share = 0.1
    test: Share = 0.1


class OwnDataset(Strict):
    """One of the user's data sets: `path` is a file or a folder; `format` says how the task reads it, and `settings`
    are those of the task's preparation.
    """

    task: Id
    path: Annotated[str, Field(min_length=1)]
    licence: Annotated[str, Field(min_length=1)]
    splits: SplitFiles | None = None
    fractions: Fractions = Fractions()
    seed: NonNegativeInt = 0
    format: dict[str, Any] = {}
    settings: dict[str, Any] = {}

    @model_validator(mode="after")
    def _draws_one_way(self) -> Self:
        if self.splits and "test" in self.fractions.model_fields_set:
            raise ValueError("splits has a test file: leave fractions.test out")
        return self


class OwnParams(StudyParams):
    """The keys of own/params.yaml besides the training settings."""

    #: A data set of own/data/data.yaml.
    data: Id
    #: The file of word vectors, or a folder with GloVe's, from the repository's root.
    vectors: str


def read_own_datasets(root: Path = Path()) -> dict[str, OwnDataset]:
    """The user's data sets by name. Raises InputError, naming file and key, for an entry that is not valid."""
    path = root / OWN_DATA
    content = read_yaml(path)
    if set(content) != {"datasets"} or not isinstance(content["datasets"], dict):
        raise InputError(f"{path}: give one key, datasets: a mapping of names to data sets")
    found = {}
    for name, entry in content["datasets"].items():
        where = f"{path}: datasets.{name}"
        check_id(name, f"{path}: datasets:")
        if name in task_names():
            raise InputError(f"{where}: this is the name of a task; choose another")
        found[name] = check_model(OwnDataset, entry, where)
    return found


def own_dataset(name: str, datasets: Mapping[str, OwnDataset], where: str) -> OwnDataset:
    """The data set of this name. Raises InputError where there is none."""
    if name not in datasets:
        has = f"it has {', '.join(datasets)}" if datasets else "it has none yet; docs/own-data.md says how to add one"
        raise InputError(f"{where}: data = {name!r}: {OWN_DATA} has no such data set; {has}")
    return datasets[name]


def check_own_data(name: str, task: str, datasets: Mapping[str, OwnDataset], where: str) -> None:
    """Raises InputError where there is no such data set, or where it is another task's."""
    found = own_dataset(name, datasets, where)
    if found.task != task:
        raise InputError(f"{where}: task = {task!r}: data set {name} is of task {found.task}; {OWN_DATA} says so")


def own_format(name: str, dataset: OwnDataset) -> tuple[Any, Any]:
    """The checked `format` and `settings` of a data set, as its task knows them. Raises InputError."""
    where = f"{OWN_DATA}: datasets.{name}"
    ingestion, preparation = (task_module(dataset.task, part) for part in ("ingestion", "preparation"))
    return (
        check_model(ingestion.Format, dataset.format, f"{where}.format"),
        check_model(preparation.Settings, dataset.settings, f"{where}.settings"),
    )
