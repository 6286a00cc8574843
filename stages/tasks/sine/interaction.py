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
    metadata: Mapping[str, Any],  # noqa: ARG001
    vocabulary: Sequence[str],  # noqa: ARG001
    options: Options,  # noqa: ARG001
) -> UserInput:
    """At least two numbers, as arguments or separated by commas; as many as were given, or FEWEST, are forecast."""
    known = torch.tensor([parse_sequence(",".join(user_input), "the sequence")])
    count = known.shape[1]
    points = torch.cat([known, known.new_zeros(1, max(FEWEST, count))], dim=1)
    return UserInput(Waves(points, [count]).batch(torch.tensor([0])))


def format_prediction(prediction: Sequence[float], user_input: Sequence[str], metadata: Mapping[str, Any]) -> str:  # noqa: ARG001
    """The forecast points, four decimals each."""
    return " ".join(f"{value:.4f}" for value in prediction)
