"""What training, evaluation and `predict` share: a task's data from disk, and a network's predictions for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.lib.config import STUDY, Run
from stages.lib.files import read_json
from stages.lib.task import Batch, Split
from stages.lib.errors import InputError


def load_data(run: Run) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    """The facts and the tensors (memory-mapped) that preprocessing made for a run's task."""
    facts = read_json(run.data / "facts.json")
    return facts, load_file(run.data / "tensors.safetensors")


def load_words(run: Run) -> list[str]:
    """The words that the tensors' numbers stand for; none where the data are no text."""
    path = run.data / "words.txt"
    return path.read_text(encoding="utf-8").split("\n") if path.exists() else []


def load_trained(run: Run, seed: int) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """run.json and the weights of one seed. Raises InputError where they are missing or come from other settings."""
    stage = "train-study" if run.id == STUDY else f"train@{run.id}"
    remedy = f"with `profile: {run.profile}` in params.yaml, `dvc repro {stage}` trains it"
    weights = run.folder / f"seed-{seed}" / "weights.safetensors"
    for path in (run.folder / "run.json", weights):
        if not path.is_file():
            raise InputError(f"{path} does not exist; {remedy}")
    made = read_json(run.folder / "run.json")
    if (change := _change(made["config"], run.parameters())) is not None:
        raise InputError(f"{run.folder} was trained with {change}; {remedy} again")
    return made, load_file(weights)


def _change(then: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> str | None:
    """The first setting that is another now, in words; one that there was not yet at the time does not count."""
    for key, value in then.items():
        if isinstance(value, Mapping) and isinstance(now.get(key), Mapping):
            if (change := _change(value, now[key], f"{path}{key}.")) is not None:
                return change
        elif value != now.get(key):
            return f"{path}{key} = {value!r}, which now is {now.get(key)!r}"
    return None


@torch.no_grad()
def predict(
    ask: Callable[[nn.Module, Batch], Sequence[Any]],
    network: nn.Module,
    split: Split,
    to_device: Callable[[Batch], Batch],
    batch_size: int = 256,
) -> list[Any]:
    """One prediction an example, in the split's order; `ask` predicts a batch (a task's `predict`, say), `to_device`
    moves it to where the network is.
    """
    network.eval()
    found: list[Any] = [None] * len(split)
    for index in split.parts(batch_size):
        predictions = ask(network, to_device(split.batch(index)))
        for place, prediction in zip(index.tolist(), predictions, strict=True):
            found[place] = prediction
    return found
