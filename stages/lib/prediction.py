"""What training, evaluation and `predict` share: a task's data from disk, and a network's predictions for it."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from stages.lib.config import Run
from stages.lib.errors import InputError
from stages.lib.files import read_json, read_tensors, read_text
from stages.lib.results import remedy
from stages.lib.task import Batch, Predictor, Split


def load_data(run: Run) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    """The metadata and the tensors (memory-mapped) that preprocessing made for a run's task."""
    return read_json(run.data / "metadata.json"), read_tensors(run.data / "tensors.safetensors")


def load_vocabulary(run: Run) -> list[str]:
    """The words that token ids stand for; none where the data are not text."""
    path = run.data / "vocabulary.txt"
    return read_text(path).split("\n") if path.exists() else []


def load_trained(run: Run, seed: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """run.json and the weights of one seed. Raises InputError where they are missing or come from other settings."""
    command = remedy(run.profile, run.target)
    weights = run.folder / f"seed-{seed}" / "weights.safetensors"
    for path in (run.folder / "run.json", weights):
        if not path.is_file():
            raise InputError(f"{path} does not exist; {command} trains it")
    about = read_json(run.folder / "run.json")
    if (change := changed_setting(about["config"], run.parameters())) is not None:
        raise InputError(f"{run.folder} was trained with {change}; {command} trains it again")
    return about, read_tensors(weights)


def changed_setting(then: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> str | None:
    """The first setting changed since training; one that did not exist at the time does not count."""
    for key, value in then.items():
        if isinstance(value, Mapping) and isinstance(now.get(key), Mapping):
            if (change := changed_setting(value, now[key], f"{prefix}{key}.")) is not None:
                return change
        elif value != now.get(key):
            return f"{prefix}{key} = {value!r}, now {now.get(key)!r}"
    return None


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
