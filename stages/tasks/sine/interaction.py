"""A sequence from the user, and its forecast as text."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from stages.lib.task import UserInput
from stages.tasks.sine.preparation import parse_sequence
from stages.tasks.sine.training.options import Options
from stages.tasks.sine.training.waves import Waves

#: The fewest points that are forecast.
FEWEST = 20

#: What a user gives, by name: the input example of logged models, from which their signature follows.
INPUT_EXAMPLE = {"points": [0.0, 0.0998, 0.1987, 0.2955, 0.3894]}


def encode_input(
    user_input: Sequence[str],
    tensors: Mapping[str, Tensor],  # noqa: ARG001
    metadata: Mapping[str, Any],
    vocabulary: Sequence[str],  # noqa: ARG001
    options: Options,  # noqa: ARG001
) -> UserInput:
    """At least two numbers, as arguments or separated by commas; as many as were given, or FEWEST, are forecast."""
    mean, std = _units(metadata)
    known = (torch.tensor([parse_sequence(",".join(user_input), "the sequence")]) - mean) / std
    count = known.shape[1]
    points = torch.cat([known, known.new_zeros(1, _forecast_length(user_input))], dim=1)
    return UserInput(Waves(points, [count]).batch(torch.tensor([0])))


def format_prediction(prediction: Sequence[float], user_input: Sequence[str], metadata: Mapping[str, Any]) -> str:
    """The forecast points, four decimals each. In a batch, forecasts are as long as the longest."""
    mean, std = _units(metadata)
    return " ".join(f"{value * std + mean:.4f}" for value in prediction[: _forecast_length(user_input)])


def tabulate_prediction(
    prediction: Sequence[float], user_input: Sequence[str], metadata: Mapping[str, Any]
) -> dict[str, object]:
    """forecast: the points, with spaces between them."""
    return {"forecast": format_prediction(prediction, user_input, metadata)}


def _forecast_length(user_input: Sequence[str]) -> int:
    return max(FEWEST, len(",".join(user_input).split(",")))


def _units(metadata: Mapping[str, Any]) -> tuple[float, float]:
    """Mean and standard deviation by which the training series were scaled; sine waves were not."""
    return metadata.get("mean", 0.0), metadata.get("std", 1.0)
