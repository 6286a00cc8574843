import csv
import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from stages import check
from stages.lib.config import with_checks
from stages.lib.files import ROOT, read_yaml
from stages.lib.errors import InputError
from stages.networks.layers.cells import RNNCell
from stages.plot import plot
from stages.plot.figures import Sources, lines, matrices, parse_entry
from stages.report.claims import parse_claims
from stages.tasks import concepts
from stages.tasks.concepts import convolution, counting, normalization, recurrence
from stages.tasks.concepts.finding import Check, Finding


@pytest.fixture
def reports() -> dict:
    return with_checks(read_yaml(ROOT / "reports.yaml"))


def test_every_check_is_listed_claimed_and_has_the_metrics_that_its_claim_reads(reports: dict) -> None:
    names = reports["checks"]["theory"]["names"]
    assert set(names) == set(concepts.CHECKS)
    claims = parse_claims(reports)
    cheap = [name for name in names if name != "E-theory-bn-lr"]
    for name in cheap:
        scores = concepts.CHECKS[name].find(0).scores
        assert {*claims[name].metrics, *(one.metric for one in claims[name].checks)} <= set(scores), name


def test_weights_are_counted_as_the_formulas_say() -> None:
    found = counting.own_weights_or_shared(0).scores
    assert found["fully_connected"] == (32 * 32 * 3) ** 2
    assert found["five_by_five_each"] == 32 * 32 * 3 * 25
    assert found["five_by_five_colour_pixels_each"] == 32 * 32 * 3 * 75
    # At the border a patch of 5 has 3 or 4 cells along an axis: 2 · (3 + 4) + 28 · 5 in all.
    assert found["five_by_five_each_without_padding"] == 3 * (2 * (3 + 4) + 28 * 5) ** 2
    assert counting.lstm_weights(0).scores["one_bias_per_gate"] == (150 + 100 + 1) * 150 * 4
    assert counting.local_and_shared(0).scores == {
        "fully_connected": 100_000,
        "own_patch_each": 1000,
        "one_shared_kernel": 100,
    }


def test_a_wrong_size_formula_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert convolution.output_sizes(0).scores["mismatches"] == 0
    real = convolution.F.conv1d
    monkeypatch.setattr(convolution.F, "conv1d", lambda *a, **k: nn.functional.pad(real(*a, **k), (0, 1)))
    found = convolution.output_sizes(0).scores
    assert found["mismatches"] == found["sizes_compared"] - found["kernels_that_do_not_fit"]


def test_the_lstm_step_is_tanh_of_the_rnn_step() -> None:
    found = recurrence.lstm_with_fixed_gates(0).scores
    # |x − tanh x| grows with |x|, and an RNN's state stays within ±1.
    assert 0.2 < found["largest_difference"] <= 1 - math.tanh(1)
    assert found["difference_from_tanh_of_the_rnn"] < 1e-12


def test_the_product_of_factors_tells_a_wrong_jacobian() -> None:
    torch.manual_seed(0)
    cell = RNNCell(2, 3).double()
    state, inputs = (torch.zeros(1, 3, dtype=torch.float64),), torch.randn(60, 2, dtype=torch.float64)
    states = []
    for row in inputs:
        state = cell(cell.project(row[None]), state)
        states.append(state[0][0].detach())
    zeros = torch.ones(60, 3, 2, dtype=torch.float64)
    assert recurrence._product_difference(cell, torch.stack(states), zeros) > 0.1


def test_batch_norm_numbers_are_those_of_the_distributions() -> None:
    found = normalization.output_distribution(0).scores
    assert found["share_within_2_normal"] == pytest.approx(math.erf(2 / math.sqrt(2)), abs=2e-3)
    # Uniform with variance 1 ends at √3; exponential with mean 1 lies above it with probability 1/e.
    assert found["share_within_2_uniform"] == 1
    assert found["share_above_0_exponential"] == pytest.approx(1 / math.e, abs=2e-3)
    assert found["share_within_2_exponential"] == pytest.approx(1 - math.exp(-3), abs=2e-3)


def test_the_small_network_learns_what_is_drawn() -> None:
    assert normalization.accuracy(0, True, 0.03, 32, 25) > 0.8


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    chosen = {name: concepts.CHECKS[name] for name in ("A-theory-pool", "B-theory-input", "E-theory-bn")}
    monkeypatch.setattr(concepts, "CHECKS", chosen)
    return tmp_path


def test_the_stage_leaves_what_claims_and_figures_read(few: Path, reports: dict) -> None:
    check.check("theory", "concepts", "sample")
    content = json.loads((few / "metrics/sample/runs/theory.json").read_text())
    assert content["data"]["sample"] is False
    assert content["runs"]["B-theory-input"]["seeds"]["0"]["scores"] == {"inputs": 3_000_000}
    for figure, kind in (("A-theory-pool", matrices), ("E-theory-bn", lines)):
        module, entry = parse_entry(figure, reports)
        assert module is kind
        table = module.read(entry, Sources("sample", reports["runs"], few))
        assert table.rows
        assert all(path.stat().st_size for path in plot(figure, "sample", reports, few))
        with (few / f"metrics/sample/figures/{figure}.csv").open() as file:
            assert {"run", "seed", "x", "smoothed"} <= set(csv.DictReader(file).fieldnames)


def test_a_check_that_breaks_leaves_nothing(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(seed: int) -> Finding:
        raise RuntimeError(seed)

    monkeypatch.setattr(concepts, "CHECKS", {**concepts.CHECKS, "E-theory-bn": Check(broken)})
    with pytest.raises(RuntimeError):
        check.check("theory", "concepts", "sample")
    assert not [path for path in few.rglob("*") if path.is_file()]


@pytest.mark.parametrize("task", ["sts", "nothing", "../x"])
def test_a_task_without_checks_is_named(task: str) -> None:
    with pytest.raises(InputError, match="--task"):
        check.check("theory", task, "sample")
