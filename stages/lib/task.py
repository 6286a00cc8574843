"""The interface in which stages (verbs) and tasks (nouns) meet; a stage knows no task by name."""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import BaseModel

from stages.lib.errors import InputError

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


class Batch(NamedTuple):
    """`inputs` are the network's positional arguments, `target` is what the loss compares its output with."""

    inputs: "tuple[Tensor, ...]"
    target: "Tensor"


class Prepared(NamedTuple):
    """What preprocessing makes: tensors by name, facts about the data (plain JSON values), and the words that the
    tensors' numbers stand for, in their order.
    """

    tensors: "dict[str, Tensor]"
    facts: dict[str, Any]
    words: Sequence[str] = ()


class Example(NamedTuple):
    """What a user typed, as a batch of one; `notes` say what was done to it, such as words left out."""

    batch: Batch
    notes: tuple[str, ...] = ()


class Place(NamedTuple):
    """Where a training batch stands: the examples `index` [B] of the split, in epoch `epoch`. All that is drawn for it
    comes from `generator`, seeded by the seed and the step alone, so that a resumed training draws the same.
    """

    index: "Tensor"
    epoch: int
    generator: "Generator"


class Split(ABC):
    """Examples held in memory; a batch is cut out with tensor operations."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def batch(self, index: "Tensor") -> Batch:
        """The examples at `index` [B] (int64)."""

    @property
    @abstractmethod
    def targets(self) -> Sequence[Any]:
        """What is to be predicted, one entry an example."""

    def parts(self, size: int) -> "Iterator[Tensor]":
        """Indices that cover every example once, in batches that are cheap to evaluate."""
        import torch

        return iter(torch.arange(len(self)).split(size))


def word_places(starts: "Tensor", lengths: "Tensor") -> "tuple[Tensor, Tensor]":
    """Where the words of sentences stand in one flat row of all: places [B, T], T the longest length, and whether a
    word is there [B, T]. Places beyond a sentence's end are 0. Given where each begins and its length, both [B].
    """
    import torch

    steps = torch.arange(int(lengths.max()))
    inside = steps < lengths.unsqueeze(1)
    return (starts.unsqueeze(1) + steps) * inside, inside


class Task(ABC):
    """One report task. Methods get validated options and never read parameters or paths of their own."""

    #: What the data is called beside results, by "real" or "sample".
    data_name: ClassVar[Mapping[bool, str]]
    #: Settings of preprocessing, of the task itself (such as the loss), and of each network by its module's name.
    Preparation: ClassVar[type[BaseModel]]
    Options: ClassVar[type[BaseModel]]
    networks: ClassVar[Mapping[str, type[BaseModel]]]
    #: Splits whose metrics training records, as the curves a report wants, where `load` gives them. Choices go by
    #: validation all the same.
    watched: ClassVar[tuple[str, ...]] = ("validation",)
    #: Splits that evaluation scores, where `load` gives them.
    held_out: ClassVar[tuple[str, ...]] = ("validation", "test")
    #: The validation metric that early stopping and best weights go by, and whether more of it is better.
    monitor: ClassVar[tuple[str, bool]]
    #: Curve columns for which larger is better; every other curve is an error.
    rising: ClassVar[frozenset[str]] = frozenset()

    def data_called(self, facts: Mapping[str, Any]) -> str:
        """What the data of these facts are called beside results; a task with several sources says which one."""
        return self.data_name["sample" if facts["sample"] else "real"]

    @abstractmethod
    def prepare(self, raw: Mapping[str, Path], options: Any) -> Prepared:
        """Turn the raw data sets (folders by catalogue name) into tensors."""

    @abstractmethod
    def load(self, tensors: "Mapping[str, Tensor]", facts: Mapping[str, Any], options: Any) -> dict[str, Split]:
        """The splits "train" and "test", and "validation" unless the options have it trained on too."""

    @abstractmethod
    def build(self, model: str, network: Any, facts: Mapping[str, Any]) -> "nn.Module":
        """The network called `model` for data with these facts, its weights drawn from torch's generator."""

    @abstractmethod
    def loss(self, network: "nn.Module", batch: Batch, options: Any) -> "Tensor":
        """The training loss of a batch, a scalar."""

    def augment(self, batch: Batch, place: Place, options: Any) -> Batch:  # noqa: ARG002
        """A training batch changed at random, all of it at once; by default as it is."""
        return batch

    def learn(self, network: "nn.Module", batch: Batch, options: Any) -> "tuple[Tensor, dict[str, Tensor]]":
        """The training loss, and what else of the batch goes into the history, as train_<name>; by default nothing."""
        return self.loss(network, batch, options), {}

    @abstractmethod
    def predict(self, network: "nn.Module", batch: Batch) -> Sequence[Any]:
        """One prediction an example, comparable with `Split.targets`."""

    def further_predictions(self, options: Any) -> "Mapping[str, Callable[[nn.Module, Batch], Sequence[Any]]]":  # noqa: ARG002
        """Other ways to predict with the same network, whose metrics evaluation adds as <name>_<metric>; by default
        none.
        """
        return {}

    @abstractmethod
    def metrics(self, predictions: Sequence[Any], targets: Sequence[Any]) -> dict[str, float]:
        """Scores by the field's names, cheap enough to take during training."""

    @abstractmethod
    def example(
        self,
        given: Sequence[str],
        tensors: "Mapping[str, Tensor]",
        facts: Mapping[str, Any],
        words: Sequence[str],
        options: Any,
    ) -> Example:
        """What a user typed, for `predict`. Raises InputError where that is not what the task wants."""

    @abstractmethod
    def describe(self, prediction: Any, given: Sequence[str], facts: Mapping[str, Any]) -> str:
        """One of `predict`'s predictions in words, for the user who gave `given`."""

    def exhibits(self, split: Split, predictions: Sequence[Any]) -> "dict[str, Tensor]":  # noqa: ARG002
        """Test examples that a figure shows beside their predictions, as tensors by name; by default none."""
        return {}

    def scores(self, predictions: Sequence[Any], targets: Sequence[Any]) -> dict[str, float]:
        """All scores of the evaluation stage; by default those of `metrics`."""
        return self.metrics(predictions, targets)


def get(name: str) -> Task:
    """The task of the package stages/tasks/<name>, which names it `TASK`."""
    known = sorted(path.parent.name for path in (Path(__file__).parents[1] / "tasks").glob("*/__init__.py"))
    if name not in known:
        raise InputError(f"task: {name!r} is not known; choose one of {', '.join(known)}")
    task = getattr(importlib.import_module(f"stages.tasks.{name}"), "TASK", None)
    if task is None:
        raise InputError(f"task: {name!r} is computed by `python -m stages.compute` and has nothing to train or prepare")
    return task
