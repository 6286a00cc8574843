"""How sentence similarity is trained."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.lib.errors import InputError
from stages.lib.task import Batch, Split, Task
from stages.networks.layers.ragged import Ragged
from stages.networks.siamese_lstm import SiameseLSTM
from stages.tasks.sts.training.options import Options, SiameseLSTMOptions
from stages.tasks.sts.training.pairs import SentencePairs

SPLITS = ("train", "validation", "test")


class SentenceSimilarity(Task):
    """Predicts the similarity of two sentences, from 0 to 5."""

    data_name = {"real": "STS Benchmark, GloVe 6B 50-d", "sample": "sample data (generated)"}
    monitor = ("pearson", True)
    higher_is_better = frozenset({"validation_pearson"})

    def load(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], options: Options) -> dict[str, Split]:  # noqa: ARG002
        """Train, validation and test, as published."""
        return {
            split: SentencePairs(
                Ragged(tensors[f"{split}.token_ids"], tensors[f"{split}.offsets"]),
                tensors[f"{split}.similarity"],
                tensors["vectors"],
            )
            for split in SPLITS
        }

    def build(self, model: str, network: SiameseLSTMOptions, metadata: Mapping[str, Any]) -> nn.Module:  # noqa: ARG002
        """A `SiameseLSTM`. Raises InputError where sentences do not fit into `padded_length`."""
        steps = network.padded_length
        if steps is not None and steps < (longest := metadata["max_length"]):
            raise InputError(f"padded_length = {steps}: sentences have up to {longest} words; give at least that")
        return SiameseLSTM(metadata["width"], **network.model_dump())

    def training_step(self, network: nn.Module, batch: Batch, options: Options) -> tuple[Tensor, dict[str, Tensor]]:
        """MSE (squared score points) or 1 − Pearson's r; logs the mean of ‖h₁ − h₂‖₁ over the batch."""
        first, second = network.encode_pairs(*batch.inputs)
        distance = (first - second).detach().abs().sum(1).mean()
        predicted = network.head(first, second)
        loss = F.mse_loss(predicted, batch.target) if options.loss == "mse" else 1 - pearson(predicted, batch.target)
        return loss, {"state_distance": distance}

    def predict(self, network: nn.Module, batch: Batch) -> list[float]:
        """Similarities from 0 to 5."""
        return network(*batch.inputs).float().tolist()

    def curve_metrics(self, predictions: Sequence[float], targets: Sequence[float]) -> dict[str, float]:
        """MSE (squared score points) and Pearson's r over the whole split."""
        predicted, target = (torch.tensor(values, dtype=torch.float64) for values in (predictions, targets))
        return {"mse": F.mse_loss(predicted, target).item(), "pearson": pearson(predicted, target).item()}


def pearson(first: Tensor, second: Tensor) -> Tensor:
    """Pearson's r of two vectors; 0 where one of them is constant."""
    return F.cosine_similarity(first - first.mean(), second - second.mean(), dim=0)


TASK = SentenceSimilarity()
