"""What training, evaluation and `predict` share: a task's data from disk, and a network's predictions for it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.common.config import Run
from stages.common.storage import read_json
from stages.common.task import Batch, Split


def load_data(run: Run) -> tuple[dict[str, Any], Mapping[str, Tensor]]:
    """The facts and the tensors (memory-mapped) that preprocessing made for a run's task."""
    facts = read_json(run.data / "facts.json")
    return facts, load_file(run.data / "tensors.safetensors")


def load_words(run: Run) -> list[str]:
    """The words that the tensors' numbers stand for; none where the data are no text."""
    path = run.data / "words.txt"
    return path.read_text(encoding="utf-8").split("\n") if path.exists() else []


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
