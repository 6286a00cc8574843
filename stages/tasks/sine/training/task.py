"""Sine forecasting (report C): learn to name the next point of a wave, then go on alone from one's own forecasts."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, BeforeValidator, ConfigDict, PositiveInt
from torch import Tensor, nn

from stages.lib.task import Batch, Example, Prepared, Split, Task
from stages.lib.errors import InputError

#: The last sequences of the file are for testing.
HELD_OUT = 2
#: How far ahead or behind a forecast is looked for, in points; half a wave is 63.
FARTHEST_LAG = 60

#: How many points `stages.predict` forecasts at least.
AHEAD = 20

Forecast = Sequence[float | None]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Preparation(_Strict):
    pass


class Options(_Strict):
    pass


class ForecasterOptions(_Strict):
    cell: Literal["rnn", "lstm", "gru"] = "rnn"
    hidden_size: PositiveInt = 51
    #: On the command line a list of one is a single value.
    head_sizes: Annotated[tuple[PositiveInt, ...], BeforeValidator(lambda v: [v] if isinstance(v, str) else v)] = ()
    implementation: Literal["own", "torch"] = "torch"
    dtype: Literal["float32", "float64"] = "float32"


class Waves(Split):
    """Sequences `points` [n, T], each once for every entry of `starts`: how many of its first points may be read."""

    def __init__(self, points: Tensor, starts: Sequence[int]) -> None:
        self.points = points.repeat(len(starts), 1)
        self.known = torch.tensor(starts).repeat_interleave(len(points))

    def __len__(self) -> int:
        return len(self.points)

    @property
    def targets(self) -> list[list[float]]:
        return self.points.tolist()

    def batch(self, index: Tensor) -> Batch:
        """Inputs: points [B, T] and how many are known [B]; target: points 1 to T − 1 [B, T − 1]."""
        return Batch((self.points[index], self.known[index]), self.points[index, 1:])

    def parts(self, size: int) -> Iterator[Tensor]:
        """Sequences that start alike go together, so that few steps are taken one by one."""
        return (part for start in self.known.unique() for part in (self.known == start).nonzero()[:, 0].split(size))


class SineForecasting(Task):
    data_name = {"real": "100 computed sine waves", "sample": "sample data (generated)"}
    Preparation = Preparation
    Options = Options
    networks = {"forecaster": ForecasterOptions}
    held_out = ("validation", "test", "long_test")
    monitor = ("mse", False)

    def prepare(self, raw: Mapping[str, Path], options: Preparation) -> Prepared:  # noqa: ARG002
        """Facts: sequences, points a sequence, and how many sequences are for testing."""
        points, validation, longer = (
            read_sequences(raw["corpus"] / f"{name}.csv") for name in ("sine", "validation", "longer")
        )
        if len(points) <= HELD_OUT or points.shape[1] != validation.shape[1] or points.shape[1] < 4:
            raise InputError(
                f"{raw['corpus']}: {HELD_OUT + 1} sequences of at least 4 points are needed, all of one length;"
                f" run `dvc repro -f download@{raw['corpus'].name}`"
            )
        tensors = {
            "train": points[:-HELD_OUT],
            "validation": validation,
            "test": points[-HELD_OUT:],
            "long_test": longer,
        }
        return Prepared(tensors, {"sequences": len(points), "points": points.shape[1], "test_sequences": HELD_OUT})

    def load(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], options: Options) -> dict[str, Split]:  # noqa: ARG002
        """Training reads every point (teacher forcing); forecasts start at the middle and at the first point.

        long_test: the test sequences, followed four times as far.
        """
        length = facts["points"]
        starts = {
            "train": [length],
            "validation": [length // 2, 1],
            "test": [length // 2, 1],
            "long_test": [length // 2],
        }
        return {name: Waves(tensors[name], known) for name, known in starts.items()}

    def example(
        self,
        given: Sequence[str],
        tensors: Mapping[str, Tensor],  # noqa: ARG002
        facts: Mapping[str, Any],  # noqa: ARG002
        words: Sequence[str],  # noqa: ARG002
        options: Options,  # noqa: ARG002
    ) -> Example:
        """At least two numbers, apart or parted by commas; as many as were given, or AHEAD, are forecast."""
        known = torch.tensor([parse_sequence(",".join(given), "the sequence")])
        ahead = max(AHEAD, known.shape[1])
        points = torch.cat([known, known.new_zeros(1, ahead)], dim=1)
        return Example(Waves(points, [known.shape[1]]).batch(torch.tensor([0])))

    def describe(self, prediction: Forecast, given: Sequence[str], facts: Mapping[str, Any]) -> str:  # noqa: ARG002
        return " ".join(f"{value:.4f}" for value in prediction if value is not None)

    def build(self, model: str, network: BaseModel, facts: Mapping[str, Any]) -> nn.Module:  # noqa: ARG002
        from stages.networks.forecaster import Forecaster

        return Forecaster(**network.model_dump())

    def loss(self, network: nn.Module, batch: Batch, options: Options) -> Tensor:  # noqa: ARG002
        """Mean squared error of the next point."""
        return nn.functional.mse_loss(network(*batch.inputs), batch.target)

    def predict(self, network: nn.Module, batch: Batch) -> list[Forecast]:
        """The whole sequence, None where the real point was read."""
        forecasts = network(*batch.inputs).float().tolist()
        return [
            [None] * known + row[known - 1 :] for known, row in zip(batch.inputs[1].tolist(), forecasts, strict=True)
        ]

    def metrics(self, predictions: Sequence[Forecast], targets: Sequence[Sequence[float]]) -> dict[str, float]:
        """mse: free running from the middle to the end · one_point_mse: from the first point to the end."""
        found = {}
        for name, chosen in (("mse", False), ("one_point_mse", True)):
            errors = [
                (forecast - real).square().mean()
                for forecast, real in map(_forecast, predictions, targets)
                if (len(real) == len(targets[0]) - 1) == chosen
            ]
            if errors:
                found[name] = torch.stack(errors).mean().item()
        return found

    def scores(self, predictions: Sequence[Forecast], targets: Sequence[Sequence[float]]) -> dict[str, float]:
        """The metrics; the mean squared error in each quarter of the forecast; how the last compares to the first.

        largest_value: the largest forecast, whatever its sign ·
        one_point_lag: by how many points the forecasts from one point would have to come earlier to fit best ·
        one_point_late_peaks: the share of real peaks after which the forecast still rises.
        """
        length = len(targets[0])
        pairs = list(map(_forecast, predictions, targets))
        far = [pair for pair in pairs if len(pair[0]) == length - 1]
        near = torch.stack([forecast - real for forecast, real in pairs if len(real) < length - 1])
        found = self.metrics(predictions, targets)
        for number, quarter in enumerate(near.tensor_split(4, dim=1), start=1):
            found[f"mse_quarter_{number}"] = quarter.square().mean().item()
        found["error_growth"] = found["mse_quarter_4"] / found["mse_quarter_1"]
        found["largest_value"] = max(forecast.abs().max().item() for forecast, _ in pairs)
        if far:
            found["one_point_lag"] = sum(lag(*pair) for pair in far) / len(far)
            late = torch.cat([late_peaks(*pair) for pair in far])
            found["one_point_late_peaks"] = late.mean().item() if len(late) else 0.0
        return found


def _forecast(prediction: Forecast, target: Sequence[float]) -> tuple[Tensor, Tensor]:
    """What was forecast, and the real points there."""
    known = sum(value is None for value in prediction)
    return torch.tensor(prediction[known:]), torch.tensor(target[known:])


def lag(forecast: Tensor, real: Tensor) -> int:
    """The shift, in points, at which a forecast [T] fits best; positive where the forecast comes late."""

    def error(shift: int) -> float:
        late, early = max(shift, 0), max(-shift, 0)
        return (forecast[late : len(real) - early] - real[early : len(real) - late]).square().mean().item()

    farthest = min(FARTHEST_LAG, len(real) // 4)
    return min(range(-farthest, farthest + 1), key=lambda shift: (error(shift), abs(shift)))


def late_peaks(forecast: Tensor, real: Tensor) -> Tensor:
    """For each peak of `real` [T]: 1 where `forecast` rises on the step after it, else 0."""
    rises = real.diff() > 0
    after = (rises[:-1] & ~rises[1:]).nonzero()[:, 0] + 1
    return (forecast.diff()[after] > 0).float()


def read_sequences(path: Path) -> Tensor:
    """Sequences [n, T] of a file that has one a line, values parted by commas.

    Raises InputError, naming file and line, for fewer than two points, another number of points than on the first line,
    and a value that is no finite number.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; run `dvc repro -f download@{path.parent.name}`") from None
    rows = [parse_sequence(line, f"{path}, line {place}") for place, line in enumerate(lines, start=1)]
    for place, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise InputError(f"{path}, line {place}: {len(row)} points where the first line has {len(rows[0])}")
    if not rows:
        raise InputError(f"{path}: the file holds no sequence; make it again")
    return torch.tensor(rows)


def parse_sequence(text: str, where: str) -> list[float]:
    """At least two finite numbers, parted by commas. Raises InputError."""
    values = []
    for field in text.split(","):
        try:
            value = float(field)
        except ValueError:
            value = float("nan")
        if not abs(value) <= torch.finfo(torch.float32).max:
            raise InputError(f"{where}: {field.strip()!r} is no finite number; give numbers parted by commas")
        values.append(value)
    if len(values) < 2:
        raise InputError(f"{where}: a sequence needs at least two points")
    return values


TASK = SineForecasting()
