import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import one_error_line
from lxml import etree
from plot.evaluations import draw, entry, write_evaluation, write_histories

from stages.lib.errors import InputError
from stages.lib.figures import KINDS
from stages.plot.drawing import draw_figure


def falling(n, every=1):
    return [round(2 - step / n, 6) if step % every == 0 else None for step in range(1, n + 1)]


def test_every_kind_has_a_module_that_reads_and_draws():
    import importlib

    for kind in KINDS:
        module = importlib.import_module(f"stages.plot.figures.{kind}")
        assert callable(module.read)
        assert callable(module.draw)


def test_csv_equals_the_histories(tmp_path):
    histories = {"a": falling(90, every=3), "b": [step * 0.125 for step in range(1, 31)]}
    write_histories(tmp_path, {run: {0: values} for run, values in histories.items()})
    table = draw(tmp_path, "curves", list(histories), curve="validation_mse")
    for run, values in histories.items():
        rows = table[table["run"] == f"label of {run}"]
        logged = [(step, value) for step, value in enumerate(values, start=1) if value is not None]
        assert rows["x"].tolist() == [step for step, _ in logged]
        assert np.array_equal(rows["value"].astype("float32"), np.float32([value for _, value in logged]))
    assert set(table["seed"]) == {0}


def test_long_curves_are_thinned(tmp_path):
    values = falling(4000)
    write_histories(tmp_path, {"a": {0: values}})
    table = draw(tmp_path, "curves", ["a"], curve="validation_mse")
    assert len(table) == 300
    assert table["x"].iloc[[0, -1]].tolist() == [1, 4000]
    assert np.allclose(table["value"], [values[step - 1] for step in table["x"]])


def test_x_counts_evaluations_of_the_loss(tmp_path):
    write_histories(tmp_path, {run: {0: falling(10)} for run in "ab"})
    table = draw(tmp_path, "curves", ["a", "b"], curve="validation_mse", counts_as={"a": 25})
    assert table.groupby("run")["x"].max().to_dict() == {"label of a": 250, "label of b": 10}


def test_same_bytes_each_time_and_valid_svg(tmp_path):
    write_histories(tmp_path, {run: {0: falling(50)} for run in ("a", "b")})
    figure = entry("curves", ["a", "b"], curve="validation_mse", runs={"a": "a<b>", "b": "a & b"})
    paths = draw_figure("f", figure, "full", tmp_path)
    first = [path.read_bytes() for path in paths]
    assert [path.read_bytes() for path in draw_figure("f", figure, "full", tmp_path)] == first
    csv, svg, png = paths
    assert csv.read_text().startswith("run,seed,x,value,smoothed\n")
    assert etree.QName(etree.fromstring(svg.read_bytes())).localname == "svg"
    assert "<dc:date" not in svg.read_text()
    assert png.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in csv.parent.iterdir()) == ["f.csv", "f.png", "f.svg"]


@pytest.mark.parametrize("sample", [True, False])
def test_sample_data_is_marked_on_the_figure(tmp_path, sheets, sample):
    write_histories(tmp_path, {"a": {0: falling(50)}}, sample=sample)
    draw(tmp_path, "curves", ["a"], curve="validation_mse")
    figure = sheets[0].figure
    texts = [text.get_text() for text in figure.texts]
    assert ("sample data" in texts) == sample
    below = " ".join(texts[1].split())
    assert f"Data: {'sample data (generated)' if sample else 'Some Data'} · profile full · figure f" in below
    assert entry("curves", ["a"], curve="c").reading in below
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("x (steps)", "y (units)")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["label of a"]


def test_several_seeds_become_a_mean_and_a_band(tmp_path, sheets):
    write_histories(tmp_path, {"a": {0: [1.0] * 40, 1: [2.0] * 60, 2: [6.0] * 60}})
    draw(tmp_path, "curves", ["a"], curve="validation_mse")
    (line,) = sheets[0].figure.axes[0].lines
    # The mean covers the steps that all three seeds reached.
    assert line.get_xdata()[-1] == 40
    assert np.allclose(line.get_ydata(), 3)
    (band,) = sheets[0].figure.axes[0].collections
    vertices = band.get_paths()[0].vertices[:, 1]
    assert np.allclose((vertices.min(), vertices.max()), (1, 6))


def test_on_a_log_axis_the_mean_is_geometric(tmp_path, sheets):
    write_histories(tmp_path, {"a": {0: [1e-4] * 30, 1: [1.0] * 30}})
    draw(tmp_path, "curves", ["a"], curve="validation_mse", y_scale="log")
    (line,) = sheets[0].figure.axes[0].lines
    assert np.allclose(line.get_ydata(), 1e-2)


def test_curve_pairs_keep_both_columns(tmp_path, sheets):
    write_histories(tmp_path, {"a": {0: falling(30)}})
    table = draw(
        tmp_path, "curve_pair", ["a"], curves=["train_loss", "validation_mse"], y_labels=["loss (nats)", "MSE (score²)"]
    )
    assert table.groupby("curve")["value"].first().to_dict() == pytest.approx(
        {"train_loss": 0.5, "validation_mse": 2 - 1 / 30}, abs=1e-6
    )
    assert [axes.get_ylabel() for axes in sheets[0].figure.axes] == ["loss (nats)", "MSE (score²)"]


def test_runs_may_come_from_the_baseline(tmp_path):
    write_histories(tmp_path, {"a": {0: falling(9)}})
    write_histories(tmp_path, {"b": {0: falling(9)}}, group="h")
    table = draw(tmp_path, "curves", ["a", "b"], curve="validation_mse", baseline="h")
    assert set(table["run"]) == {"label of a", "label of b"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"curve": "validation_f1"}, ["histories.parquet", "validation_f1", "train_loss, validation_mse"]),
        ({"runs": {"nobody": "N"}}, ["scores.json", "nobody", "`dvc repro full/dvc.yaml:figure@f`"]),
        ({"group": "h", "baseline": "h"}, ["evaluations/h", "scores.json does not exist"]),
        ({"y_scale": "log", "curve": "below"}, ["y_scale", "below", "seed 0"]),
        ({"curve": "empty"}, ["histories.parquet", "'empty'"]),
    ],
)
def test_what_cannot_be_drawn_gets_one_line_and_leaves_no_file(tmp_path, change, words):
    from plot.evaluations import history

    rows = history("a", 0, falling(20)).assign(below=-1.0, empty=np.nan)
    write_evaluation(tmp_path, {"a": {0: {}}}, histories=rows)
    with pytest.raises(InputError) as error:
        draw(tmp_path, "curves", ["a"], **({"curve": "validation_mse"} | change))
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "metrics/full/figures").exists()


def test_what_was_not_stored_is_named(tmp_path):
    write_evaluation(tmp_path, {"a": {0: {}}})
    with pytest.raises(InputError, match=r"histories\.parquet does not exist; `dvc repro full/dvc.yaml:figure@f`"):
        draw(tmp_path, "curves", ["a"], curve="validation_mse")
    with pytest.raises(InputError, match=r"outcomes\.parquet does not exist"):
        draw(tmp_path, "batch_accuracy", ["a"])


@pytest.mark.pipeline
def test_command_line(tmp_path, copy_of_the_code):
    write_histories(tmp_path, {"a": {0: falling(20)}})
    content = entry("curves", ["a"], curve="validation_mse").model_dump(mode="json")
    (tmp_path / "reports").mkdir()
    # JSON is YAML.
    (tmp_path / "reports/t.yaml").write_text(json.dumps({"figures": {"f": content}}))

    def call(*words):
        command = [sys.executable, "-m", "stages.plot", "--profile", "full", *words]
        return subprocess.run(command, cwd=copy_of_the_code, capture_output=True, text=True, check=False)

    # DVC appends the entry's keys.
    done = call("--figure", "f", "--group", "g", "--runs.a", "label of a")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "metrics/full/figures/f.svg").is_file()
    one_error_line(call("--figure", "x"), 2, "reports/ has no figure 'x'; near it are f")
