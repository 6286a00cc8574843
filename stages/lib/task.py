"""The interface in which stages (verbs) and tasks (nouns) meet; a stage knows no task by name.

A task is a package, stages/tasks/<name>, and each stage imports the one module of it that it needs:

- `preparation`: `Settings` and `prepare(raw, settings) -> Prepared`
- `ingestion`: the same for the user's own data: `Format` and `ingest(source, format, settings) -> Prepared`, and
  `FIXED_OPTIONS` where only one value of an option fits them
- `training.options`: `Options` of the task, and `NETWORKS`, the options of each network; `training.task`: `TASK`
- `scoring`: `scores`, `outcomes`, `METRICS`, `trivial`, and where there is something to show, `class_scores`,
  `plot_samples` and `diagnostics`
- `interaction`: `INPUT_EXAMPLE`, `encode_input`, `format_prediction`, and `tabulate_prediction`, the same as columns
- `statements`: `STATEMENTS`, computed without training

`ingestion`, `interaction` and `statements` may be missing; what needs them then says so, and MLflow gets no model.

Only `training` shapes weights, so that a change anywhere else leaves a trained run up to date.
"""

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from stages.lib.errors import InputError

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn


#: Predicts a batch, one entry an example.
Predictor = Callable[[Any, "Batch"], Sequence[Any]]
TASKS = Path(__file__).parents[1] / "tasks"


class Batch(NamedTuple):
    """`inputs` are the network's positional arguments, `target` is what the loss compares its output with."""

    inputs: "tuple[Tensor, ...]"
    target: "Tensor"


class Prepared(NamedTuple):
    """What preprocessing makes: tensors by name, metadata (plain JSON values), and the words behind the token ids."""

    tensors: "dict[str, Tensor]"
    metadata: dict[str, Any]
    vocabulary: Sequence[str] = ()


class UserInput(NamedTuple):
    """What a user typed, as a batch of one; `notes` say what was changed on the way, such as words left out."""

    batch: Batch
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AugmentContext:
    """What augmentation may depend on: the examples `index` [B] of the batch, the epoch, and a generator that is seeded
    by the run's seed and the step alone, so that a resumed training draws the same.
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

    def eval_batches(self, size: int) -> "Iterator[Tensor]":
        """Indices that cover every example once, grouped so that a batch is cheap to evaluate."""
        import torch

        return iter(torch.arange(len(self)).split(size))


class Task(ABC):
    """The training side of a task. Methods get validated options and never read parameters or paths of their own."""

    #: Name of the data beside results, by "real" or "sample".
    data_name: ClassVar[Mapping[str, str]]
    #: Splits whose metrics training logs, where `load` gives them. Choices go by validation alone.
    logged_splits: ClassVar[tuple[str, ...]] = ("validation",)
    #: The validation metric that `keep_best` goes by, and whether higher is better.
    monitor: ClassVar[tuple[str, bool]]
    #: Curve columns for which higher is better; the others are errors.
    higher_is_better: ClassVar[frozenset[str]] = frozenset()

    def data_label(self, metadata: Mapping[str, Any]) -> str:
        """Name of the data of these metadata: where a task has several sources, or the user's own, which one."""
        return self.data_name["sample"] if metadata["sample"] else metadata.get("source", self.data_name["real"])

    def eval_splits(self, options: Any) -> tuple[str, ...]:  # noqa: ARG002
        """Splits that evaluation scores, where `load` gives them."""
        return ("validation", "test")

    @abstractmethod
    def load(self, tensors: "Mapping[str, Tensor]", metadata: Mapping[str, Any], options: Any) -> dict[str, Split]:
        """The splits "train" and "test", and "validation" unless the options have it trained on too."""

    @abstractmethod
    def build(self, model: str, network: Any, metadata: Mapping[str, Any]) -> "nn.Module":
        """The network called `model` with its options, for data with these metadata, with random weights."""

    def augment(self, batch: Batch, context: AugmentContext, options: Any) -> Batch:  # noqa: ARG002
        """A training batch changed at random, all of it at once; by default as it is."""
        return batch

    @abstractmethod
    def training_step(self, network: "nn.Module", batch: Batch, options: Any) -> "tuple[Tensor, dict[str, Tensor]]":
        """The loss (a scalar), and what else of the batch goes into the history, as train_<name>."""

    @abstractmethod
    def predict(self, network: "nn.Module", batch: Batch) -> Sequence[Any]:
        """One prediction an example, comparable with `Split.targets`."""

    def extra_predictors(self, options: Any) -> Mapping[str, Predictor]:  # noqa: ARG002
        """Other ways to predict with the same network, scored as <split>.<name>_<metric>; by default none."""
        return {}

    @abstractmethod
    def curve_metrics(self, predictions: Sequence[Any], targets: Sequence[Any]) -> dict[str, float]:
        """Metrics cheap enough to take during training; equal to those of the same name in `scoring`."""


def task_names() -> list[str]:
    """The packages of stages/tasks."""
    return sorted(path.parent.name for path in TASKS.glob("*/__init__.py"))


def has_module(task: str, part: str) -> bool:
    """Whether a task's package has a module, such as "interaction"."""
    path = TASKS.joinpath(task, *part.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def task_module(task: str, part: str) -> ModuleType:
    """A module of a task's package, such as "scoring". Raises InputError for an unknown task and for a part that this
    task does not have.
    """
    if task not in task_names():
        raise InputError(f"task {task!r} is unknown; choose one of {', '.join(task_names())}")
    if not has_module(task, part):
        raise InputError(f"task {task!r} has no {part.replace('.', ' ')}: nothing to run for it here")
    return importlib.import_module(f"stages.tasks.{task}.{part}")


def get_task(name: str) -> Task:
    """The `Task` of the package stages/tasks/<name>."""
    task: Task = task_module(name, "training.task").TASK
    return task
