"""Scores of sentiment classifiers, and what the gates of a trained LSTM do."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, log_loss

from stages.lib.results import MetricDefinition
from stages.lib.task import Split

if TYPE_CHECKING:
    from torch import Tensor, nn

METRICS = {
    "accuracy": MetricDefinition("mean", ("correct",), larger_is_better=True),
    "loss": MetricDefinition("mean", ("loss",)),
    # Of LSTMs, from `diagnostics`.
    **{
        f"{gate}_product_{number}": MetricDefinition("seed")
        for gate in ("forget", "output", "input")
        for number in ("small", "large", "median", "largest")
    },
}
#: A product of derivatives below the first counts as 0, above the second as 1 (D-theory-gate).
SMALL, LARGE = 0.1, 0.9


def scores(predictions: Sequence[float], targets: Sequence[float]) -> dict[str, float]:
    """Accuracy and binary cross-entropy (nats) of probabilities of being positive."""
    return {
        "accuracy": float(accuracy_score(np.asarray(targets) > 0.5, np.asarray(predictions) > 0.5)),
        "loss": float(log_loss(targets, predictions, labels=[0, 1])),
    }


def outcomes(predictions: Sequence[float], targets: Sequence[float]) -> pd.DataFrame:
    """One row per review: target (1 positive), predicted probability, correct (0 or 1), and the loss in nats, minus the
    log-probability of the true class.
    """
    target, prediction = np.asarray(targets), np.asarray(predictions, dtype=float)
    likelihood = np.where(target > 0.5, prediction, 1 - prediction)
    return pd.DataFrame(
        {
            "target": target.astype(np.int8),
            "prediction": prediction,
            "correct": ((prediction > 0.5) == (target > 0.5)).astype(np.int8),
            "loss": -np.log(likelihood.clip(np.finfo(float).eps)),
        }
    )


def trivial(targets: Sequence[float]) -> dict[str, float]:
    """The scores of a classifier that knows only how frequent the classes are."""
    no_features = np.zeros((len(targets), 1))
    classifier = DummyClassifier(strategy="prior").fit(no_features, targets)
    return scores((classifier.predict_proba(no_features) @ classifier.classes_).tolist(), targets)


def diagnostics(network: "nn.Module", splits: Mapping[str, Split]) -> dict[str, float]:
    """How the products of a gate and a tanh derivative are distributed in a trained LSTM, over the words of the test
    split (D-theory-gate); nothing for other networks.

    For each of `gate_products`: test.<product>_small and _large, the shares below SMALL and above LARGE; _median and
    _largest.
    """
    import torch

    from stages.networks.sentence_classifier import SentenceClassifier, StackedLSTM

    if not isinstance(network, SentenceClassifier) or not isinstance(network.recurrent, StackedLSTM):
        return {}
    if len(network.recurrent.layers) > 1 or len(network.recurrent.layers[0]) > 1:
        return {}
    network.eval()
    device = next(network.parameters()).device
    found: dict[str, list[Tensor]] = {}
    with torch.no_grad():
        for index in splits["test"].eval_batches(256):
            inputs = (tensor.to(device) for tensor in splits["test"].batch(index).inputs)
            for name, product in gate_products(network, *inputs).items():
                found.setdefault(name, []).append(product.flatten().cpu())
    values = {}
    for name, parts in found.items():
        product = torch.cat(parts)
        values[f"test.{name}_small"] = (product < SMALL).double().mean().item()
        values[f"test.{name}_large"] = (product > LARGE).double().mean().item()
        values[f"test.{name}_median"] = product.median().item()
        values[f"test.{name}_largest"] = product.max().item()
    return values


def gate_products(
    network: "nn.Module", token_ids: "Tensor", vectors: "Tensor", lengths: "Tensor"
) -> "dict[str, Tensor]":
    """Products of a gate σ and the derivative of the tanh beside it, [words, hidden_size], in a one-layer LSTM.

    forget_product: f · tanh′(c), the report's simplified cell · output_product: o · tanh′(c) = ∂h/∂c ·
    input_product: i · tanh′(z) = ∂c/∂z, z what the candidate's tanh is applied to.
    """
    import torch
    import torch.nn.functional as F

    from stages.networks.layers.packed_lstm import pack, unpack
    from stages.networks.layers.ragged import length_mask

    lstm, words = network.recurrent.layers[0][0], network.words(token_ids, vectors)
    packed = pack(words, lengths)
    states = unpack(packed, lstm(packed), words.shape[1])
    before = F.pad(states, (0, 0, 1, 0))[:, :-1]
    gates = F.linear(words, lstm.weight_ih_l0, lstm.bias_ih_l0) + F.linear(before, lstm.weight_hh_l0, lstm.bias_hh_l0)
    i, f, z, o = gates[length_mask(lengths, words.shape[1])].chunk(4, dim=1)
    i, f, o = i.sigmoid(), f.sigmoid(), o.sigmoid()
    # A state is o · tanh(c), so it gives tanh(c) back.
    tanh_c = states[length_mask(lengths, words.shape[1])] / o
    slope = 1 - torch.square(tanh_c)
    return {
        "forget_product": f * slope,
        "output_product": o * slope,
        "input_product": i * (1 - z.tanh().square()),
    }
