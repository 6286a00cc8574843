"""Scores of image classification, from class probabilities and labels."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binned_statistic
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss
from torch import Tensor

from stages.lib.results import MetricDefinition
from stages.tasks.cifar10.training.images import CLASSES, Images

if TYPE_CHECKING:
    import pandas as pd

#: Bins of the calibration error (Guo et al. 2017).
BINS = 15
#: Misclassified test images that are kept for the figure.
SAMPLES = 15
#: Classes of which each one's accuracy is scored; more would be lost in the others' numbers.
MOST_SCORED_CLASSES = 100
#: Characters that MLflow takes in no metric's name.
_NOT_IN_METRICS = re.compile(r"[^\w.\- ]")

METRICS = {
    "accuracy": MetricDefinition("mean", ("correct",), larger_is_better=True),
    "loss": MetricDefinition("mean", ("loss",)),
    "calibration_error": MetricDefinition("seed"),
    **{f"accuracy_{name}": MetricDefinition("seed", larger_is_better=True) for name in CLASSES},
}


def scores(predictions: Sequence[Sequence[float]], targets: Sequence[int]) -> dict[str, float]:
    """Accuracy, loss (cross-entropy in nats) and calibration_error."""
    probabilities = _probabilities(predictions)
    return {
        "accuracy": float(accuracy_score(targets, probabilities.argmax(1))),
        "loss": float(log_loss(targets, probabilities, labels=range(probabilities.shape[1]))),
        "calibration_error": calibration_error(probabilities, np.asarray(targets)),
    }


def class_scores(
    predictions: Sequence[Sequence[float]], targets: Sequence[int], metadata: Mapping[str, Any]
) -> dict[str, float]:
    """accuracy_<class> on the images of each class that has any, for up to MOST_SCORED_CLASSES classes."""
    classes = metadata["classes"]
    if len(classes) > MOST_SCORED_CLASSES:
        return {}
    predicted, labels = _probabilities(predictions).argmax(1), range(len(classes))
    rows = confusion_matrix(targets, predicted, labels=labels)
    return {
        f"accuracy_{_NOT_IN_METRICS.sub('_', name)}": float(row[label] / row.sum())
        for name, label, row in zip(classes, labels, rows, strict=True)
        if row.sum()
    }


def outcomes(predictions: Sequence[Sequence[float]], targets: Sequence[int]) -> "pd.DataFrame":
    """Columns target, prediction: labels · correct: 0 or 1 · loss: −log of the probability of the true class ·
    confidence: the largest probability.
    """
    import pandas as pd

    probabilities = _probabilities(predictions)
    predicted, labels = probabilities.argmax(1), np.asarray(targets)
    # As log_loss clips.
    of_target = np.clip(probabilities[np.arange(len(labels)), labels], np.finfo(np.float64).eps, 1)
    return pd.DataFrame(
        {
            "target": labels,
            "prediction": predicted,
            "correct": (predicted == labels).astype(np.int8),
            "loss": -np.log(of_target),
            "confidence": probabilities.max(1),
        }
    )


def trivial(targets: Sequence[int]) -> dict[str, float]:
    """The accuracy of always naming the largest class, and the loss of its best guess, the class frequencies."""
    inputs = np.zeros((len(targets), 1))
    accuracy = DummyClassifier(strategy="most_frequent").fit(inputs, targets).score(inputs, targets)
    frequencies = DummyClassifier(strategy="prior").fit(inputs, targets).predict_proba(inputs)
    return {"accuracy": float(accuracy), "loss": float(log_loss(targets, frequencies, labels=np.unique(targets)))}


def calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Expected calibration error (Naeini et al. 2015): the mean distance of accuracy from confidence over equal bins,
    weighted by the examples in each. probabilities: [n, classes] · labels: [n].

    scikit-learn's calibration_curve has the bins but not how many examples are in each.
    """
    confidence = probabilities.max(1)
    excess = (probabilities.argmax(1) == labels) - confidence
    sums = binned_statistic(confidence, excess, statistic="sum", bins=BINS, range=(0, 1)).statistic
    return float(np.abs(sums).sum() / len(labels))


def plot_samples(split: Images, predictions: Sequence[Sequence[float]]) -> dict[str, Tensor]:
    """The misclassified images of highest confidence, most confident first: images [k, 32, 32, 3], and [k] each of
    index, target, prediction (labels) and confidence.
    """
    probabilities, targets = torch.tensor(predictions), torch.tensor(split.targets)
    confidence, predicted = probabilities.max(1)
    wrong = (predicted != targets).nonzero()[:, 0]
    order = wrong[confidence[wrong].argsort(descending=True, stable=True)][:SAMPLES]
    return {
        "images": split.images[order],
        "index": order,
        "target": targets[order],
        "prediction": predicted[order],
        "confidence": confidence[order],
    }


def _probabilities(predictions: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """[n, classes], with rows that sum to 1 in double precision, as log_loss expects."""
    probabilities = np.asarray(predictions, dtype=np.float64)
    return probabilities / probabilities.sum(1, keepdims=True)
