"""Sine forecasting: what is prepared, where forecasts start, what the scores mean."""

import json
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import correlate, correlation_lags
from torch import nn

from stages.download.samples import sine as sample
from stages.lib.errors import InputError
from stages.lib.prediction import predict
from stages.lib.task import Batch, Prepared
from stages.tasks.sine import scoring
from stages.tasks.sine.interaction import encode_input, format_prediction
from stages.tasks.sine.preparation import Settings, prepare, read_sequences
from stages.tasks.sine.training.options import ForecasterOptions, Options
from stages.tasks.sine.training.task import NOISE, NOISE_DRAWS, TASK
from stages.tasks.sine.training.waves import Wave, Waves, lag

STEP = 1 / 20


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    sample.write(tmp_path, 0, sequences=10, points=40)
    return tmp_path


@pytest.fixture
def prepared(raw: Path) -> Prepared:
    return prepare({"corpus": raw}, Settings())


def splits_of(prepared: Prepared) -> dict[str, Waves]:
    return TASK.load(prepared.tensors, prepared.metadata, Options())


# ── Data ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_waves_are_sines_of_whole_shifts(raw: Path) -> None:
    points = read_sequences(raw / "sine.csv").double().numpy()
    assert points.shape == (10, 40)
    # Sampled sines satisfy x[t+1] + x[t−1] = 2 cos(1/20) x[t], whatever their phase.
    assert np.allclose(points[:, 2:] + points[:, :-2], 2 * math.cos(STEP) * points[:, 1:-1], atol=1e-6)
    shifts = np.arctan2(points[:, 0], (points[:, 1] - points[:, 0] * math.cos(STEP)) / math.sin(STEP)) / STEP
    period = 2 * math.pi / STEP
    whole = np.arange(-80, 80)
    assert all(np.min(np.abs((whole - shift + period / 2) % period - period / 2)) < 1e-3 for shift in shifts)
    assert len(np.unique(points[:, 0])) > 5


def test_the_last_two_sequences_are_for_testing(raw: Path, prepared: Prepared) -> None:
    points = read_sequences(raw / "sine.csv")
    assert torch.equal(prepared.tensors["train"], points[:8])
    assert torch.equal(prepared.tensors["test"], points[8:])
    assert prepared.metadata == {"sequences": 10, "points": 40, "test_sequences": 2}
    assert json.loads(json.dumps(prepared.metadata)) == prepared.metadata


def test_the_long_test_continues_the_test_sequences(prepared: Prepared) -> None:
    long = splits_of(prepared)["long_test"]
    assert torch.equal(long.points[:, :40], prepared.tensors["test"])
    assert long.start.tolist() == [20, 20]
    # Forecasts begin at the middle of a test sequence; its second half has 20 points, and four times that is scored.
    assert long.points.shape == (2, 20 + 4 * 20)
    wave = long.points.double()
    assert torch.allclose(wave[:, 2:] + wave[:, :-2], 2 * math.cos(STEP) * wave[:, 1:-1], atol=1e-6)


@pytest.mark.parametrize("line", ["1.0,nan,2.0", "1.0,inf", "1.0", "", "1.0,two", "1e39,0"])
def test_a_bad_sequence_is_named_by_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sine.csv"
    path.write_text(f"0.1,0.2,0.3\n{line}\n")
    with pytest.raises(InputError, match=r"sine\.csv, line 2: "):
        read_sequences(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"0.1,0.2,0.3\n0.1,0.2\n", "line 2: 2 points, but line 1 has 3"),
        (b"", "the file is empty"),
        (b"0.1,\xff\n", "not UTF-8 text from byte 4 on"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "sine.csv").write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        read_sequences(tmp_path / "sine.csv")
    assert "\n" not in str(error.value)


def test_a_small_file_of_many_short_sequences_takes_little_memory(tmp_path: Path) -> None:
    (tmp_path / "sine.csv").write_text("1,1\n" * 20_000)
    tracemalloc.start()
    assert read_sequences(tmp_path / "sine.csv").shape == (20_000, 2)
    # Objects of a line each, which are its text and nothing else.
    assert tracemalloc.get_traced_memory()[1] < 20_000 * 150
    tracemalloc.stop()


@pytest.mark.parametrize(("sequences", "points"), [(2, 40), (3, 7)])
def test_too_few_sequences_or_points_are_refused(tmp_path: Path, sequences: int, points: int) -> None:
    sample.write(tmp_path, 0, sequences=sequences, points=points)
    with pytest.raises(InputError, match="at least 3 sequences of at least 8 points"):
        prepare({"corpus": tmp_path}, Settings())


# ── Splits ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_forecasts_start_at_the_middle_and_at_the_second_point(prepared: Prepared) -> None:
    splits = splits_of(prepared)
    assert splits["train"].start.tolist() == [40] * 8
    assert splits["test"].start.tolist() == [20, 20, 1, 1]
    batches = list(splits["test"].eval_batches(3))
    assert sorted(torch.cat(batches).tolist()) == [0, 1, 2, 3]
    assert all(len(splits["test"].start[batch].unique()) == 1 for batch in batches)


def test_noise_disturbs_what_is_read_and_not_what_is_forecast(prepared: Prepared) -> None:
    splits = splits_of(prepared)
    assert set(NOISE) <= set(TASK.eval_splits(Options())) <= set(splits)
    test = prepared.tensors["test"]
    noise = {}
    for name, std in NOISE.items():
        split = splits[name]
        (observed, start), target = split.batch(torch.arange(len(split)))
        assert start.tolist() == [20] * 2 * NOISE_DRAWS
        assert torch.equal(target, test.repeat(NOISE_DRAWS, 1)[:, 1:])
        noise[name] = observed - test.repeat(NOISE_DRAWS, 1)
        # 320 independent values: the standard error of their standard deviation is σ / √640.
        assert noise[name].std().item() == pytest.approx(std, rel=5 / math.sqrt(640))
        assert noise[name].mean().abs().item() < 5 * std / math.sqrt(320)
        assert torch.equal(observed, splits_of(prepared)[name].observed)
    small, large = noise["slightly_noisy_test"], noise["noisy_test"]
    torch.testing.assert_close(5 * small, large, rtol=0, atol=1e-5)


# ── Scores ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Echo(nn.Module):
    """Predicts that the next point is the last one read, so that noise on the last known point stays to the end."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, points: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        last = torch.arange(points.shape[1] - 1).expand(len(points), -1).minimum(known.unsqueeze(1) - 1)
        return points.gather(1, last)


def test_the_forecast_begins_after_the_last_known_point() -> None:
    split = Waves(torch.arange(10.0).unsqueeze(0), [10, 4, 1])
    predictions = predict(TASK.predict, Echo(), split, lambda batch: batch)
    assert predictions == [[], [3.0] * 6, [0.0] * 9]


def test_scores_follow_from_their_formulas() -> None:
    wave = np.sin(np.arange(80) * STEP)
    late = np.roll(wave, 2)
    targets = [Wave(start, wave.tolist()) for start in (40, 40, 1, 1)]
    predictions = [(late + 0.1 * (start == 40))[start:].tolist() for start, _ in targets]
    scores = scoring.scores(predictions, targets)
    error = (late + 0.1 - wave) ** 2
    assert scores["mse"] == pytest.approx(error[40:].mean())
    assert scores["log10_mse"] == pytest.approx(np.log10(error[40:].mean()))
    assert scores["one_point_mse"] == pytest.approx(((late - wave) ** 2)[1:].mean())
    assert scores["mse_quarter_1"] == pytest.approx(error[40:50].mean())
    assert scores["mse_quarter_4"] == pytest.approx(error[70:].mean())
    assert scores["error_growth"] == pytest.approx(error[70:].mean() / error[40:50].mean())
    assert scores["log10_error_growth"] == pytest.approx(np.log10(scores["error_growth"]))
    assert scores["largest_value"] == pytest.approx(np.abs((late + 0.1)[40:]).max())
    assert scores["one_point_late_peaks"] == 1
    assert set(scores) < set(scoring.METRICS)


@pytest.mark.parametrize(("largest", "diverged"), [(1.4, 0), (1.6, 1), (-1.6, 1)])
def test_a_forecast_beyond_one_and_a_half_has_diverged(largest: float, diverged: int) -> None:
    forecast = [0.0] * 19 + [largest]
    assert scoring.scores([forecast], [Wave(20, [0.1] * 40)])["diverged"] == diverged


def test_a_perfect_forecast_has_finite_scores() -> None:
    wave = Wave(8, [0.5] * 16)
    assert all(map(math.isfinite, scoring.scores([wave.points[8:]], [wave]).values()))


def test_the_curves_are_the_scores_of_the_same_names(prepared: Prepared) -> None:
    torch.manual_seed(0)
    network = TASK.build("forecaster", ForecasterOptions(hidden_size=4), prepared.metadata)
    split = splits_of(prepared)["validation"]
    predictions = predict(TASK.predict, network, split, lambda batch: batch)
    curves, scores = TASK.curve_metrics(predictions, split.targets), scoring.scores(predictions, split.targets)
    assert curves.keys() == {"mse", "one_point_mse", "one_point_lag"}
    assert curves == pytest.approx({name: scores[name] for name in curves})


def test_outcomes_give_the_scores_and_the_forecasts_back(prepared: Prepared) -> None:
    torch.manual_seed(0)
    network = TASK.build("forecaster", ForecasterOptions(hidden_size=4), prepared.metadata)
    split = splits_of(prepared)["test"]
    predictions = predict(TASK.predict, network, split, lambda batch: batch)
    rows, scores = scoring.outcomes(predictions, split.targets), scoring.scores(predictions, split.targets)
    assert rows["start"].tolist() == split.start.tolist()
    for name, definition in scoring.METRICS.items():
        if definition.kind == "mean":
            assert rows[definition.columns[0]].mean() == pytest.approx(scores[name])
    for row, forecast, points in zip(rows.itertuples(), predictions, split.points, strict=True):
        assert row.forecast.tolist() == forecast
        assert row.target.tolist() == points.tolist()
        error = np.nanmax([row.squared_error, row.one_point_squared_error])
        assert error == pytest.approx(((row.target[row.start :] - row.forecast) ** 2).mean(), rel=1e-5)


def test_the_trivial_forecast_is_the_last_known_point(prepared: Prepared) -> None:
    split = splits_of(prepared)["test"]
    trivial = scoring.trivial(split.targets)
    middle, first = prepared.tensors["test"][:, 19:], prepared.tensors["test"]
    assert trivial["mse"] == pytest.approx((middle[:, 1:] - middle[:, :1]).square().mean().item(), rel=1e-5)
    assert trivial["one_point_mse"] == pytest.approx((first[:, 1:] - first[:, :1]).square().mean().item(), rel=1e-5)


def test_noise_on_the_input_raises_the_error_of_an_echo_by_its_variance(prepared: Prepared) -> None:
    increases = scoring.diagnostics(Echo(), splits_of(prepared))
    test = prepared.tensors["test"]
    clean = (test[:, 20:] - test[:, 19:20]).square().mean().item()
    for name in NOISE:
        observed = splits_of(prepared)[name].observed
        noisy = (test.repeat(NOISE_DRAWS, 1)[:, 20:] - observed[:, 19:20]).square().mean().item()
        assert increases[f"{name}.log10_mse_increase"] == pytest.approx(math.log10(noisy / clean), abs=1e-5)


# ── Lag ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("late", [-25, -7, 0, 12, 40])
def test_a_late_forecast_is_seen_as_late(late: int) -> None:
    wave = torch.sin(torch.arange(500) * STEP)
    assert lag(wave.roll(late)[60:440], wave[60:440]) == late


@pytest.mark.parametrize("late", [-20, 0, 9, 31])
def test_the_lag_is_where_the_cross_correlation_is_highest(late: int) -> None:
    """For signals whose power is the same in every window, the least squared error is the highest correlation."""
    generator = np.random.default_rng(late + 100)
    real = generator.choice([-1.0, 1.0], size=600)
    forecast = np.roll(real, late) * np.where(generator.random(600) < 0.2, -1, 1)
    lags = correlation_lags(600, 600)
    highest = lags[np.argmax(correlate(forecast, real))]
    assert lag(torch.from_numpy(forecast), torch.from_numpy(real)) == highest == late


def test_past_a_peak_a_late_forecast_still_rises() -> None:
    wave = np.sin(np.arange(500) * STEP)
    assert scoring.late_peaks(np.roll(wave, 3), wave).tolist() == [True] * 4
    assert scoring.late_peaks(np.roll(wave, -3), wave).tolist() == [False] * 4


# ── Input from the user ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("words", [["0.1,0.2", "0.3"], ["0.1", "0.2", "0.3"]])
def test_a_sequence_from_the_user_is_forecast(words: list[str]) -> None:
    batch = encode_input(words, {}, {}, (), Options()).batch
    points, known = batch.inputs
    assert known.tolist() == [3]
    torch.testing.assert_close(points[0, :3], torch.tensor([0.1, 0.2, 0.3]))
    (prediction,) = TASK.predict(Echo(), Batch(batch.inputs, batch.target))
    assert format_prediction(prediction, words, {}) == " ".join(["0.3000"] * 20)


def test_a_long_sequence_gets_a_forecast_as_long() -> None:
    points, known = encode_input([",".join(["1"] * 30)], {}, {}, (), Options()).batch.inputs
    assert (points.shape[1], known.tolist()) == (60, [30])


@pytest.mark.parametrize("words", [["1"], ["one", "two"], ["1,", "2"], ["1", "inf"]])
def test_what_is_not_a_sequence_is_one_line(words: list[str]) -> None:
    with pytest.raises(InputError, match=r"^the sequence: ") as error:
        encode_input(words, {}, {}, (), Options())
    assert "\n" not in str(error.value)
