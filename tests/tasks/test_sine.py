import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stages import download
from stages.lib.task import Batch
from stages.download import catalogue
from stages.download.samples import sine as sample
from stages.lib.errors import InputError
from stages.networks.forecaster import Forecaster
from stages.plot import plot
from stages.plot.figures import Sources, forecast, parse_entry
from stages.tasks import sine


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    sample.write(tmp_path, 0, sequences=10, points=40)
    return tmp_path


def test_the_waves_are_sines_of_whole_shifts(raw: Path) -> None:
    points = sine.read_sequences(raw / "sine.csv").double().numpy()
    assert points.shape == (10, 40)
    # Sampled sines satisfy x[t+1] + x[t−1] = 2 cos(1/20) x[t], whatever their phase.
    assert np.allclose(points[:, 2:] + points[:, :-2], 2 * math.cos(1 / 20) * points[:, 1:-1], atol=1e-6)
    shifts = np.arctan2(points[:, 0], (points[:, 1] - points[:, 0] * math.cos(1 / 20)) / math.sin(1 / 20)) * 20
    period = 40 * math.pi
    whole = np.arange(-80, 80)
    assert all(np.min(np.abs((whole - shift + period / 2) % period - period / 2)) < 1e-3 for shift in shifts)
    assert len(np.unique(points[:, 0])) > 5


def test_the_full_profile_computes_the_reports_sizes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["download", "--profile", "full", "--dataset", "sine"])
    download.main()
    assert sine.read_sequences(tmp_path / "data/full/raw/sine/sine.csv").shape == (100, 1000)


def test_a_data_set_has_files_or_is_computed() -> None:
    about = {"title": "t", "home": "https://example.org", "licence": "l", "citation": "c"}
    catalogue.Dataset.model_validate(about | {"computed": {}})
    for wrong in ({}, {"computed": {}, "files": [{"name": "a", "sha256": "0" * 64}]}):
        with pytest.raises(ValueError, match="either files or computed"):
            catalogue.Dataset.model_validate(about | wrong)


def test_the_last_two_sequences_are_for_testing(raw: Path) -> None:
    tensors, facts, _ = sine.TASK.prepare({"corpus": raw}, sine.Preparation())
    points = sine.read_sequences(raw / "sine.csv")
    assert torch.equal(tensors["train"], points[:8])
    assert torch.equal(tensors["test"], points[8:])
    assert facts["test_sequences"] == 2
    splits = sine.TASK.load(tensors, facts, sine.Options())
    assert splits["test"].known.tolist() == [20, 20, 1, 1]
    assert sorted(torch.cat(list(splits["test"].parts(3))).tolist()) == [0, 1, 2, 3]


def test_the_long_test_goes_on_where_the_test_sequences_end(raw: Path) -> None:
    tensors, facts, _ = sine.TASK.prepare({"corpus": raw}, sine.Preparation())
    long = sine.TASK.load(tensors, facts, sine.Options())["long_test"]
    assert torch.equal(long.points[:, :40], tensors["test"])
    assert long.known.tolist() == [20, 20]
    # Forecasts begin at the middle of a test sequence; its second half is 20 points, and four times that are looked at.
    assert long.points.shape == (2, 20 + 4 * 20)
    wave = long.points.double()
    assert torch.allclose(wave[:, 2:] + wave[:, :-2], 2 * math.cos(1 / 20) * wave[:, 1:-1], atol=1e-6)
    off = [[None] * 20 + [value + 0.5 for value in row[20:]] for row in long.targets]
    scores = sine.TASK.scores(off, long.targets)
    assert scores["mse"] == pytest.approx(0.25, rel=1e-5)
    assert scores["error_growth"] == pytest.approx(1, rel=1e-5)
    assert "one_point_mse" not in scores


@pytest.mark.parametrize("line", ["1.0,nan,2.0", "1.0,inf", "1.0", "", "1.0,two"])
def test_a_bad_sequence_is_named_by_file_and_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "sine.csv"
    path.write_text(f"0.1,0.2,0.3\n{line}\n")
    with pytest.raises(InputError, match=r"sine\.csv, line 2: "):
        sine.read_sequences(path)


def test_sequences_of_unequal_length_are_named(tmp_path: Path) -> None:
    (tmp_path / "sine.csv").write_text("0.1,0.2,0.3\n0.1,0.2\n")
    with pytest.raises(InputError, match="line 2: 2 points where the first line has 3"):
        sine.read_sequences(tmp_path / "sine.csv")


@pytest.mark.parametrize("implementation", ["own", "torch"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_free_running_reads_its_own_forecasts(cell: str, implementation: str) -> None:
    torch.manual_seed(0)
    network = Forecaster(cell, 6, (5,), implementation, "float64")
    points = torch.randn(3, 12, dtype=torch.float64)
    known = torch.tensor([12, 5, 1])
    found = network(points, known)
    assert found.shape == (3, 11)
    # By hand: put each forecast in the place of the point that it forecasts, and forecast again.
    filled = points.clone()
    for place in range(1, 12):
        step = network(filled, torch.tensor([12, 12, 12]))[:, place - 1]
        filled[:, place] = torch.where(known > place, points[:, place], step)
        torch.testing.assert_close(found[:, place - 1], step)
    # What is not known is not read.
    other = points.clone()
    other[1, 5:], other[2, 1:] = 99, -99
    torch.testing.assert_close(network(other, known), found)


def test_both_implementations_are_one_network() -> None:
    torch.manual_seed(0)
    own, framework = (Forecaster("lstm", 4, (), kind, "float64") for kind in ("own", "torch"))
    cell = own.recurrent.layers[0][0]
    framework.recurrent.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    framework.head.load_state_dict(own.head.state_dict())
    points, known = torch.randn(2, 9), torch.tensor([9, 3])
    torch.testing.assert_close(own(points, known), framework(points, known))


class Late(nn.Module):
    """Forecasts what the sine did `late` points before."""

    def __init__(self, points: torch.Tensor, late: int) -> None:
        super().__init__()
        self.points = points.roll(late, dims=1)

    def forward(self, points: torch.Tensor, known: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        return self.points[:, 1:]


def test_a_late_forecast_is_seen_as_late() -> None:
    wave = torch.sin(torch.arange(500) / 20)
    for late in (-7, 0, 12):
        assert sine.lag(wave.roll(late)[60:440], wave[60:440]) == late
    assert sine.late_peaks(wave.roll(3), wave).mean() == 1
    assert sine.late_peaks(wave.roll(-3), wave).mean() == 0


def test_scores_are_those_of_the_formulas() -> None:
    points = torch.sin(torch.arange(80) / 20).repeat(4, 1)
    network = Late(points, 2)
    batch = Batch((points, torch.tensor([40, 40, 1, 1])), points[:, 1:])
    predictions = sine.TASK.predict(network, batch)
    assert [row.count(None) for row in predictions] == [40, 40, 1, 1]
    scores = sine.TASK.scores(predictions, points.tolist())
    error = (network.points - points).square()[0]
    assert scores["mse"] == pytest.approx(error[40:].mean().item(), rel=1e-4)
    assert scores["one_point_mse"] == pytest.approx(error[1:].mean().item(), rel=1e-4)
    assert scores["mse_quarter_4"] == pytest.approx(error[70:].mean().item(), rel=1e-4)
    assert scores["largest_value"] <= 1


def test_the_figure_shows_what_was_predicted(tmp_path: Path) -> None:
    runs = {"a": {"group": "g", "task": "sine"}}
    (tmp_path / "models/full/g/a").mkdir(parents=True)
    about = {"run": "a", "data": {"name": "waves", "sample": False}}
    (tmp_path / "models/full/g/a/run.json").write_text(json.dumps(about))
    table = tmp_path / "metrics/full/predictions/g/a-seed-0.csv"
    table.parent.mkdir(parents=True)
    rows = [
        ("test", 0, [0.0, 1.0, 0.0, 1.0], [None, None, 0.5, 0.5]),
        ("test", 1, [0.0, 1.0, 0.0, 1.0], [None, 0, 0, 0]),
    ]
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([("split", "index", "target", "prediction"), *rows])
    entry = {"kind": "forecast", "group": "g", "title": "t", "runs": {"a": "A"}, "x_label": "x", "y_label": "y"}
    for extra, wanted in (
        ({}, [("real", 0), ("real", 1), ("real", 0), ("real", 1), ("A", 0.5), ("A", 0.5)]),
        ({"show": "error"}, [("A", 0.25), ("A", 0.25)]),
        ({"show": "error", "from_first": True}, [("A", 1), ("A", 0), ("A", 1)]),
    ):
        reports = {"runs": runs, "figures": {"f": entry | extra}}
        kind, parsed = parse_entry("f", reports)
        assert kind is forecast
        shown = forecast.read(parsed, Sources("full", runs, tmp_path)).rows
        assert [(row[0], row[3]) for row in shown] == wanted
        assert all(path.stat().st_size for path in plot("f", "full", reports, tmp_path))
