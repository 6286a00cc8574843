"""How sentiment classifiers are trained."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import BaseModel
from torch import Tensor, nn

from stages.lib.errors import InputError
from stages.lib.task import Batch, Split, Task
from stages.networks.layers.ragged import Ragged
from stages.networks.sentence_classifier import SentenceClassifier
from stages.networks.text_cnn import TextCNN
from stages.tasks.reviews.training.options import Options
from stages.tasks.reviews.training.reviews import Reviews

SPLITS = ("train", "validation", "test")
NETWORKS = {"sentence_classifier": SentenceClassifier, "text_cnn": TextCNN}
#: Training reviews that are scored during training beside the other splits, to show overfitting.
TRAIN_SAMPLE = 800
#: Distance of probabilities from 0 and 1 in the cross-entropy, as in scikit-learn.
EPSILON = torch.finfo(torch.float64).eps


class ReviewSentiment(Task):
    """Predicts the probability that a review is positive."""

    data_name = {"real": "rt-polarity, GloVe 6B 50-d", "sample": "sample data (generated)"}
    logged_splits = ("train_sample", "validation", "test")
    monitor = ("accuracy", True)
    higher_is_better = frozenset(f"{split}_accuracy" for split in logged_splits)

    def load(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], options: Options) -> dict[str, Split]:  # noqa: ARG002
        """Train, validation and test, and "train_sample", some of the training reviews."""
        splits = {
            split: Reviews(
                Ragged(tensors[f"{split}.token_ids"], tensors[f"{split}.offsets"]),
                tensors[f"{split}.labels"],
                tensors["vectors"],
            )
            for split in SPLITS
        }
        return {**splits, "train_sample": splits["train"].sample(TRAIN_SAMPLE)}

    def build(self, model: str, network: BaseModel, metadata: Mapping[str, Any]) -> nn.Module:
        """The network `model`. Raises InputError where reviews do not fit into `padded_length`."""
        padded_length = getattr(network, "padded_length", None)
        longest = metadata["max_length"]
        if padded_length is not None and padded_length < longest:
            raise InputError(f"padded_length = {padded_length}: reviews have up to {longest} words; give at least that")
        return NETWORKS[model](metadata["vocabulary"], metadata["width"], **network.model_dump())

    def training_step(self, network: nn.Module, batch: Batch, options: Options) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """Binary cross-entropy (nats)."""
        return F.binary_cross_entropy_with_logits(network(*batch.inputs), batch.target), {}

    def predict(self, network: nn.Module, batch: Batch) -> list[float]:
        """Probabilities of being positive."""
        return torch.sigmoid(network(*batch.inputs).float()).tolist()

    def curve_metrics(self, predictions: Sequence[float], targets: Sequence[float]) -> dict[str, float]:
        """Accuracy and binary cross-entropy (nats)."""
        probability, label = (torch.tensor(values, dtype=torch.float64) for values in (predictions, targets))
        return {
            "accuracy": ((probability > 0.5) == (label > 0.5)).double().mean().item(),
            "loss": F.binary_cross_entropy(probability.clamp(EPSILON, 1 - EPSILON), label).item(),
        }


TASK = ReviewSentiment()
