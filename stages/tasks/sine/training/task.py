"""The training side of sine forecasting."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn

from stages.lib.task import Batch, Split, Task
from stages.tasks.sine.training.options import Options
from stages.tasks.sine.training.waves import Wave, Waves, lag

#: Test splits whose known points are disturbed: the standard deviation of the noise; a wave has amplitude 1.
NOISE = {"noisy_test": 0.05, "slightly_noisy_test": 0.01}
#: Draws of the noise for each test sequence.
NOISE_DRAWS = 4


class SineForecasting(Task):
    data_name = {"real": "100 computed sine waves", "sample": "sample data (generated)"}
    monitor = ("mse", False)

    def eval_splits(self, options: Options) -> tuple[str, ...]:  # noqa: ARG002
        return ("validation", "test", "long_test", *NOISE)

    def load(self, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any], options: Options) -> dict[str, Split]:  # noqa: ARG002
        """Training reads every point (teacher forcing); forecasts start at the middle, and in validation and test also
        at the second point.

        long_test: the test sequences, continued to 2.5 times their length · noisy_test, slightly_noisy_test: the test
        sequences with the same noise on the known points for every network.
        """
        length = metadata["points"]
        middle, test = length // 2, tensors["test"]
        splits = {
            "train": Waves(tensors["train"], [length]),
            "validation": Waves(tensors["validation"], [middle, 1]),
            "test": Waves(test, [middle, 1]),
            "long_test": Waves(tensors["long_test"], [middle]),
        }
        repeated = test.repeat(NOISE_DRAWS, 1)
        noise = torch.from_numpy(np.random.default_rng(0).standard_normal(repeated.shape, dtype=np.float32))
        for name, std in NOISE.items():
            splits[name] = Waves(repeated, [middle], repeated + std * noise)
        return splits

    def build(self, model: str, network: BaseModel, metadata: Mapping[str, Any]) -> nn.Module:  # noqa: ARG002
        from stages.networks.forecaster import Forecaster

        return Forecaster(**network.model_dump())

    def training_step(self, network: nn.Module, batch: Batch, options: Options) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: ARG002
        """Mean squared error of the next point."""
        return nn.functional.mse_loss(network(*batch.inputs), batch.target), {}

    def predict(self, network: nn.Module, batch: Batch) -> list[list[float]]:
        """The forecasts of the T − start points after the known ones."""
        forecasts = network(*batch.inputs).float().tolist()
        return [row[start - 1 :] for start, row in zip(batch.inputs[1].tolist(), forecasts, strict=True)]

    def curve_metrics(self, predictions: Sequence[Sequence[float]], targets: Sequence[Wave]) -> dict[str, float]:
        """Metrics mse: of the forecasts from the middle on · one_point_mse and one_point_lag (points, mean over the
        sequences): of the forecasts from the second point on.
        """
        errors: dict[str, list[float]] = {}
        for forecast, wave in zip(predictions, targets, strict=True):
            values, real = (torch.tensor(part, dtype=torch.float64) for part in (forecast, wave.points[wave.start :]))
            prefix = "one_point_" if wave.start == 1 else ""
            errors.setdefault(f"{prefix}mse", []).append((values - real).square().mean().item())
            if wave.start == 1:
                errors.setdefault("one_point_lag", []).append(lag(values, real))
        return {name: sum(values) / len(values) for name, values in errors.items()}


TASK = SineForecasting()
