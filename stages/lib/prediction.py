"""What training, evaluation and `predict` share: a task's data from disk, and a network's predictions for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from stages.lib.config_run import Run
from stages.lib.errors import InputError
from stages.lib.files import atomic_folder, read_json, read_tensors, read_text, write_json, write_tensors, write_text
from stages.lib.results import remedy
from stages.lib.task import Batch, Predictor, Prepared, Split, Task, task_module


def load_data(run: Run) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    """The metadata and the tensors (memory-mapped) that preprocessing made for a run's task."""
    return read_json(run.data / "metadata.json"), read_tensors(run.data / "tensors.safetensors")


def store_data(folder: Path, prepared: Prepared, about: Mapping[str, Any]) -> None:
    """Write what `load_data` and `load_vocabulary` read; `about` comes first in the metadata."""
    tensors, metadata, vocabulary = prepared
    with atomic_folder(folder) as temporary:
        write_tensors(temporary / "tensors.safetensors", {name: value.contiguous() for name, value in tensors.items()})
        if vocabulary:
            write_text(temporary / "vocabulary.txt", "\n".join(vocabulary))
        write_json(temporary / "metadata.json", {**about, **metadata})


def load_vocabulary(run: Run) -> list[str]:
    """The words that token ids stand for; none where the data are not text."""
    path = run.data / "vocabulary.txt"
    return read_text(path).split("\n") if path.exists() else []


def load_trained(run: Run, seed: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """run.json and the weights of one seed. Raises InputError where they are missing, come from other settings, or do
    not fit the network.
    """
    command = remedy(run.profile, run.target)
    file = run.folder / f"seed-{seed}" / "weights.safetensors"
    for path in (run.folder / "run.json", file):
        if not path.is_file():
            raise InputError(f"{path} does not exist; {command} trains it")
    about = read_json(run.folder / "run.json")
    if (change := changed_setting(about["config"], run.parameters())) is not None:
        raise InputError(f"{run.folder} was trained with {change}; {command} trains it again")
    weights = read_tensors(file)
    if misfit := _misfit(run, weights):
        raise InputError(f"{file}: {misfit}; {command} trains it again")
    return about, weights


def _misfit(run: Run, weights: Mapping[str, Tensor]) -> str | None:
    """The first tensor that the run's network lacks, or has in another shape; None where all fit."""
    with torch.device("meta"):  # no memory, no random numbers
        network = run.task.build(run.model, run.network, read_json(run.data / "metadata.json"))
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            return f"there is no tensor {name!r}"
        if name not in expected:
            return f"{run.model} has no tensor {name!r}"
        if expected[name] != found[name]:
            return f"{name!r} has the shape {list(found[name])}, {run.model} has {list(expected[name])}"
    return None


def changed_setting(then: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> str | None:
    """The first setting changed since training; one that did not exist at the time does not count."""
    for key, value in then.items():
        if isinstance(value, Mapping) and isinstance(now.get(key), Mapping):
            if (change := changed_setting(value, now[key], f"{prefix}{key}.")) is not None:
                return change
        elif value != now.get(key):
            return f"{prefix}{key} = {value!r}, now {now.get(key)!r}"
    return None


def collate(batches: Sequence[Batch]) -> Batch:
    """One batch of batches of one: as in a split, shorter inputs are padded with zeros to the longest. Where an example
    has several rows (both sentences of a pair), all first rows come first.
    """
    columns = list(zip(*((*batch.inputs, batch.target) for batch in batches), strict=True))
    *inputs, target = [_stack(tensors) for tensors in columns]
    return Batch(tuple(inputs), target)


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    shape = [max(sizes) for sizes in zip(*(tensor.shape for tensor in tensors), strict=True)]
    stacked = tensors[0].new_zeros(len(tensors), *shape)
    for row, tensor in zip(stacked, tensors, strict=True):
        row[tuple(slice(size) for size in tensor.shape)] = tensor
    return stacked.transpose(0, 1).flatten(0, 1)


@dataclass(frozen=True)
class Predicting:
    """A trained network, and what it takes to answer to what a user gives."""

    task: Task
    interaction: ModuleType
    network: nn.Module
    options: Any
    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, Any]
    vocabulary: Sequence[str]

    @classmethod
    def load(cls, run: Run, seed: int) -> "Predicting":
        """Raises InputError where the run is not trained."""
        _, weights = load_trained(run, seed)
        metadata, tensors = load_data(run)
        network = run.task.build(run.model, run.network, metadata).eval()
        network.load_state_dict(weights)
        interaction = task_module(run.task_name, "interaction")
        return cls(run.task, interaction, network, run.options, tensors, metadata, load_vocabulary(run))

    @torch.inference_mode()
    def predict(
        self, user_inputs: Sequence[Sequence[str]], where: Sequence[str] = ()
    ) -> list[tuple[Any, tuple[str, ...]]]:
        """The prediction for each input, in one batch, and what was changed on the way. Raises InputError, which begins
        with the input's `where`, for one that the task cannot use.
        """
        encoded = []
        for number, user_input in enumerate(user_inputs):
            try:
                encoded.append(
                    self.interaction.encode_input(
                        user_input, self.tensors, self.metadata, self.vocabulary, self.options
                    )
                )
            except InputError as error:
                raise InputError(f"{where[number]}: {error}" if where else str(error)) from None
        predictions = self.task.predict(self.network, collate([one.batch for one in encoded]))
        return [(prediction, one.notes) for prediction, one in zip(predictions, encoded, strict=True)]


@torch.no_grad()
def predict(
    predictor: Predictor,
    network: nn.Module,
    split: Split,
    to_device: Callable[[Batch], Batch],
    batch_size: int = 256,
) -> list[Any]:
    """One prediction an example, in the split's order, by a task's `predict` or one of its extra predictors.

    `to_device` moves a batch to the network's device.
    """
    network.eval()
    found: list[Any] = [None] * len(split)
    for index in split.eval_batches(batch_size):
        predictions = predictor(network, to_device(split.batch(index)))
        for position, prediction in zip(index.tolist(), predictions, strict=True):
            found[position] = prediction
    return found
