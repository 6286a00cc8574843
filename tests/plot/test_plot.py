import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from stages.lib.files import ROOT
from stages.lib.errors import InputError
from stages.plot import plot
from stages.plot.figures import curves
from stages.plot.figures.style import DASHES, PALETTE, stroke

HEADER = "step,epoch,lr,train_loss,validation_mse\n"


def make_run(root, run, histories, sample=False, group="g"):
    """A trained run as the train stage leaves it; `histories` holds [(step, validation_mse or None), …] by seed."""
    folder = root / "models" / "full" / group / run
    for seed, history in histories.items():
        (folder / f"seed-{seed}").mkdir(parents=True)
        rows = [f"{step},{step / 10},1.0,0.5,{'' if value is None else value}\n" for step, value in history]
        (folder / f"seed-{seed}" / "history.csv").write_text(HEADER + "".join(rows))
    data = {"name": "sample data (generated)" if sample else "Some Data", "sample": sample, "sha256": "0", "bytes": 1}
    (folder / "run.json").write_text(json.dumps({"run": run, "config": {"task": "t"}, "data": data}))
    return {"group": group, "task": "t"}


def make_reports(runs, /, **entry):
    figure = {
        "group": "g",
        "title": "A title",
        "runs": {run: f"label of {run}" for run in runs},
        "curve": "validation_mse",
        "x_label": "training step",
        "y_label": "MSE",
    }
    return {"runs": runs, "figures": {"f": figure | entry}}


def falling(n, every=1):
    return [(i, round(2 - i / n, 6) if i % every == 0 else None) for i in range(1, n + 1)]


def read_csv(root):
    with (root / "metrics/full/figures/f.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@given(value=st.floats(-1e6, 1e6), n=st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_smoothing_keeps_a_constant(value, n):
    assert np.allclose(curves.smooth(np.full(n, value)), value, rtol=1e-9, atol=1e-12)


@given(slope=st.floats(-100, 100), start=st.floats(-100, 100), n=st.integers(3, 400), reach=st.integers(1, 50))
@settings(max_examples=40, deadline=None)
def test_smoothing_keeps_a_straight_line(slope, start, n, reach):
    line = start + slope * np.arange(n)
    assert np.allclose(curves.smooth(line, reach), line, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("place", [0, 3, 40, 99])
def test_smoothing_is_the_weighted_straight_line_fit(place):
    values, reach = np.random.default_rng(1).normal(size=100), 7
    near = np.arange(max(0, place - reach), min(100, place + reach + 1))
    tricube = (1 - (np.abs(near - place) / (reach + 1)) ** 3) ** 3
    # np.polyfit weighs residuals, not their squares.
    _slope, intercept = np.polyfit(near - place, values[near], 1, w=np.sqrt(tricube))
    assert curves.smooth(values, reach)[place] == pytest.approx(intercept)


def test_smoothing_stays_within_the_values():
    step = np.repeat([0.0, 1.0], [2, 29])  # fitted lines begin below 0 here
    assert curves.smooth(step, 2).min() == 0
    assert curves.smooth(step[::-1], 2).max() <= 1


def test_smoothing_calms_noise():
    noise = np.random.default_rng(0).normal(size=1000)
    assert curves.smooth(noise).std() < 0.3 * noise.std()


@given(n=st.integers(1, 5000))
@settings(max_examples=60, deadline=None)
def test_thinning_keeps_both_ends_and_stays_small(n):
    kept = curves.thin(n)
    assert kept[0] == 0
    assert kept[-1] == n - 1
    assert len(kept) == min(n, curves.POINTS)
    assert (np.diff(kept) > 0).all()


def test_colours_and_strokes_are_distinct():
    assert len(set(PALETTE)) == len(PALETTE)
    rgb = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in PALETTE]) / 255
    # WCAG's relative luminance: every colour must stand out from white paper.
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    assert (1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05) > 2).all()
    count = len(PALETTE) * len(DASHES)
    assert len({(stroke(i).color, str(stroke(i).dashes)) for i in range(count)}) == count


def test_csv_equals_the_histories(tmp_path):
    histories = {"a": falling(90, every=3), "b": [(i, i * 0.125) for i in range(1, 31)]}
    runs = {name: make_run(tmp_path, name, {0: history}) for name, history in histories.items()}
    plot("f", "full", make_reports(runs), tmp_path)
    rows = read_csv(tmp_path)
    for name, history in histories.items():
        got = [(int(row["x"]), float(row["value"])) for row in rows if row["run"] == f"label of {name}"]
        assert got == [(step, value) for step, value in history if value is not None]
    assert {row["seed"] for row in rows} == {"0"}


def test_long_curves_are_thinned_and_cut(tmp_path):
    runs = {"a": make_run(tmp_path, "a", {0: falling(4000)})}
    plot("f", "full", make_reports(runs, x_max=3000), tmp_path)
    rows, history = read_csv(tmp_path), dict(falling(4000))
    assert len(rows) == 300
    assert (rows[0]["x"], rows[-1]["x"]) == ("1", "3000")
    assert all(float(row["value"]) == history[int(row["x"])] for row in rows)


def test_same_bytes_each_time_and_valid_svg(tmp_path):
    runs = {name: make_run(tmp_path, name, {0: falling(50)}) for name in ("a<b>", "a & b")}
    paths = plot("f", "full", make_reports(runs), tmp_path)
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in plot("f", "full", make_reports(runs), tmp_path)] == first
    svg = etree.fromstring((tmp_path / "metrics/full/figures/f.svg").read_bytes())
    assert etree.QName(svg).localname == "svg"
    text = (tmp_path / "metrics/full/figures/f.svg").read_text()
    assert "<dc:date" not in text
    assert (tmp_path / "metrics/full/figures/f.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in (tmp_path / "metrics/full/figures").iterdir()) == ["f.csv", "f.png", "f.svg"]


def figure_texts(monkeypatch):
    """The figure that `plot` draws, caught before it is saved."""
    from stages.plot.figures.style import Sheet

    caught = []
    saving = Sheet.save_svg
    monkeypatch.setattr(Sheet, "save_svg", lambda sheet, path: (caught.append(sheet), saving(sheet, path))[1])
    return caught


@pytest.mark.parametrize("sample", [True, False])
def test_sample_data_is_marked_on_the_figure(tmp_path, monkeypatch, sample):
    sheets = figure_texts(monkeypatch)
    runs = {"a": make_run(tmp_path, "a", {0: falling(50)}, sample=sample)}
    plot("f", "full", make_reports(runs, runs={"a": "32 units"}), tmp_path)
    axes = sheets[0].axes
    assert ("sample data" in [text.get_text() for text in axes.texts]) == sample
    footer = " ".join(text.get_text() for text in sheets[0].figure.texts)
    assert ("sample data (generated)" if sample else "Some Data") in footer
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("training step", "MSE")
    assert [text.get_text() for text in sheets[0].figure.legends[0].get_texts()] == ["32 units"]


def test_several_seeds_become_a_mean_and_a_band(tmp_path, monkeypatch):
    sheets = figure_texts(monkeypatch)
    seeds = {
        0: [(i, 1.0) for i in range(1, 41)],
        1: [(i, 2.0) for i in range(1, 61)],
        2: [(i, 6.0) for i in range(1, 61)],
    }
    runs = {"a": make_run(tmp_path, "a", seeds)}
    plot("f", "full", make_reports(runs), tmp_path)
    (line,) = sheets[0].axes.lines
    # The mean covers the steps that all three seeds reached.
    assert line.get_xdata()[-1] == 40
    assert np.allclose(line.get_ydata(), 3.0)
    (band,) = sheets[0].axes.collections
    assert np.allclose((band.get_paths()[0].vertices[:, 1].min(), band.get_paths()[0].vertices[:, 1].max()), (1, 6))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"curve": "validation_f1"}, ["history.csv", "validation_f1", "train_loss"]),
        ({"runs": {"nobody": "N"}}, ["figures.f.runs", "nobody"]),
        ({"colour": "red"}, ["figures.f", "colour"]),
        ({"kind": "pie"}, ["figures.f.kind", "pie"]),
        ({"kind": "style"}, ["figures.f.kind", "style"]),
        ({"kind": "../plot"}, ["figures.f.kind"]),
        ({"group": "other"}, ["figures.f.runs", "'g'", "baseline"]),
        ({"x_max": 0.5}, ["x_max", "0.5"]),
        ({"x_max": "far"}, ["figures.f", "x_max", "far"]),
        ({"y_range": [2, 1]}, ["figures.f", "lower end first"]),
    ],
)
def test_bad_entries_get_one_line(tmp_path, change, words):
    runs = {"a": make_run(tmp_path, "a", {0: falling(20)})}
    with pytest.raises(InputError) as error:
        plot("f", "full", make_reports(runs, **change), tmp_path)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "metrics").exists()


def test_missing_or_broken_histories_get_one_line(tmp_path):
    runs = {"a": make_run(tmp_path, "a", {0: [(1, 1.0), (2, "oops")]}), "b": {"group": "g"}}
    with pytest.raises(InputError, match=r"history\.csv, line 3.*not a number"):
        plot("f", "full", make_reports(runs, runs={"a": "A"}), tmp_path)
    with pytest.raises(InputError, match=r"models/full/g/b does not exist; `dvc repro train@b` makes it"):
        plot("f", "full", make_reports(runs), tmp_path)
    runs["c"] = make_run(tmp_path, "c", {0: [(1, None)]})
    with pytest.raises(InputError, match="'validation_mse' has no values"):
        plot("f", "full", make_reports(runs, runs={"c": "C"}), tmp_path)


def test_unknown_figure_is_named(tmp_path):
    with pytest.raises(InputError, match="no figure 'g'; it has f"):
        plot("g", "full", make_reports({}), tmp_path)


@pytest.mark.pipeline
def test_command_line(tmp_path, copy_of_the_code):
    runs = {"a": make_run(tmp_path, "a", {0: falling(20)})}
    (tmp_path / "reports.yaml").write_text(json.dumps(make_reports(runs)))

    def call(*words):
        command = [sys.executable, "-m", "stages.plot", "--profile", "full", *words]
        return subprocess.run(command, cwd=copy_of_the_code, capture_output=True, text=True)

    # DVC appends the entry's keys.
    done = call("--figure", "f", "--group", "g", "--runs.a", "label of a")
    assert done.returncode == 0, done.stderr
    failed = call("--figure", "x")
    assert failed.returncode == 2
    assert failed.stderr.startswith("error: reports.yaml has no figure 'x'")
    assert len(failed.stderr.splitlines()) == 1


def test_dvc_template_is_json_with_the_palette():
    template = json.loads((ROOT / ".dvc/plots/curves.json").read_text())
    assert template["encoding"]["color"]["scale"]["range"] == list(PALETTE)
    assert template["encoding"]["color"]["field"] == "run"
