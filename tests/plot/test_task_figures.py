"""Figures of outcomes, tables and plot samples: images, keywords, sequences and computed statements."""

import numpy as np
import pandas as pd
import pytest
from plot.evaluations import draw, write_evaluation
from safetensors.numpy import save

from stages.lib.errors import InputError
from stages.lib.text.marking import write_spans
from stages.plot.figures.errors import find_errors

CLASSES = ["cat", "dog", "ship"]


def outcomes(run, seed, split="test", **columns):
    rows = pd.DataFrame(columns)
    return rows.assign(run=run, seed=seed, split=split, example=range(len(rows)))


def images(seed, size=300):
    random = np.random.default_rng(seed)
    target = np.repeat([0, 1, 2], size // 3)
    prediction = np.where(random.random(size) < 0.7, target, random.integers(0, 3, size))
    return outcomes("a", seed, target=target, prediction=prediction)


def test_confusion_counts_the_test_split(tmp_path):
    from sklearn.metrics import confusion_matrix

    test, validation = images(0), images(1).assign(seed=0, split="validation")
    write_evaluation(tmp_path, {"a": {0: {}}}, outcomes=pd.concat([validation, test]))
    table = draw(tmp_path, "confusion", ["a"], classes=CLASSES)
    matrix = table.pivot(index="target", columns="prediction", values="value")
    assert (matrix.to_numpy() == confusion_matrix(test["target"], test["prediction"])).all()
    assert np.allclose(table.groupby("target")["smoothed"].sum(), 1)


def test_confusion_with_too_few_names(tmp_path):
    write_evaluation(tmp_path, {"a": {0: {}}}, outcomes=images(0))
    with pytest.raises(InputError, match="classes: 2 names"):
        draw(tmp_path, "confusion", ["a"], classes=CLASSES[:2])


def test_batch_accuracies_end_at_the_accuracy(tmp_path):
    rows = images(0)
    write_evaluation(tmp_path, {"a": {0: {}, 1: {}}}, outcomes=pd.concat([rows, images(1)]))
    table = draw(tmp_path, "batch_accuracy", ["a"])
    assert table["x"].tolist() == [1, 2, 3, 4, 5, 6]
    assert set(table["seed"]) == {0}
    accuracy = (rows["target"] == rows["prediction"]).mean()
    assert table["smoothed"].iloc[-1] == pytest.approx(accuracy)
    assert table["value"].mean() == pytest.approx(accuracy)


def test_mistakes_keep_the_pixels(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8)
    samples = {
        "images": pixels,
        "index": np.array([7, 2, 5]),
        "target": np.array([0, 1, 2]),
        "prediction": np.array([1, 2, 0]),
        "confidence": np.float32([0.9, 0.8, 0.7]),
    }
    write_evaluation(tmp_path, {"a": {0: {}}}, plot_samples={"a-seed-0": save(samples)})
    table = draw(tmp_path, "mistakes", ["a"], classes=CLASSES)
    assert table["x"].tolist() == [7, 2, 5]
    assert table["prediction"].tolist() == ["dog", "ship", "cat"]
    kept = np.stack([np.frombuffer(bytes.fromhex(text), np.uint8) for text in table["pixels"]])
    assert (kept.reshape(pixels.shape) == pixels).all()


def test_no_mistakes_is_a_figure_too(tmp_path):
    samples = {"images": np.zeros((0, 4, 4, 3), np.uint8), "confidence": np.zeros(0, np.float32)}
    samples |= {name: np.zeros(0, np.int64) for name in ("index", "target", "prediction")}
    write_evaluation(tmp_path, {"a": {0: {}}}, plot_samples={"a-seed-0": save(samples)})
    assert draw(tmp_path, "mistakes", ["a"], classes=CLASSES).empty


@pytest.mark.parametrize(
    ("found", "wanted", "errors"),
    [
        ([], [], []),
        ([(0, 3)], [(0, 3)], []),
        ([], [(0, 3)], ["missed"]),
        ([(0, 3)], [], ["invented"]),
        ([(0, 5)], [(0, 3)], ["wrong borders"]),
        # One character apart: the term is missed, and the prediction touches nothing.
        ([(4, 6)], [(0, 3)], ["missed", "invented"]),
        ([(0, 3), (4, 9)], [(0, 9)], ["wrong borders", "wrong borders"]),
    ],
)
def test_kinds_of_errors(found, wanted, errors):
    assert find_errors(found, wanted) == errors


def test_errors_are_listed_and_seeds_without_any_count(tmp_path, sheets):
    terms = [(4, 11), (20, 26)]
    right = outcomes("a", 0, target=[write_spans(terms)], prediction=[write_spans(terms)])
    wrong = outcomes("a", 1, target=[write_spans(terms)], prediction=[write_spans([(0, 11)])])
    write_evaluation(tmp_path, {"a": {0: {}, 1: {}}}, outcomes=pd.concat([right, wrong]))
    table = draw(tmp_path, "errors", ["a"])
    listed = table[table["x"] > 0]
    assert listed[["seed", "error"]].to_numpy().tolist() == [[1, "missed"], [1, "wrong borders"]]
    assert listed[["sentence", "terms", "predicted"]].drop_duplicates().to_numpy().tolist() == [
        [0, "4-11 20-26", "0-11"]
    ]
    # One seed in two has each error.
    widths = [bar.get_width() for bar in sheets[0].figure.axes[0].patches]
    assert widths == [0.5, 0.5, 0]


def sequences(seed):
    """Two sequences of 40 points, forecast from the middle and from the first point, off by seed + 1 tenths."""
    real = np.sin(np.arange(80).reshape(2, 40) / 5).astype(np.float32)
    starts = [20, 20, 1, 1]
    forecasts = [real[i % 2, start:] + 0.1 * (seed + 1) for i, start in enumerate(starts)]
    return outcomes("a", seed, start=starts, target=[*real, *real], forecast=forecasts), real


@pytest.mark.parametrize(("from_first", "start"), [(False, 20), (True, 1)])
def test_forecasts_stand_beside_the_sequence(tmp_path, from_first, start):
    rows, real = sequences(0)
    write_evaluation(tmp_path, {"a": {0: {}}}, outcomes=rows)
    table = draw(tmp_path, "forecast", ["a"], from_first=from_first)
    assert np.allclose(table[table["run"] == "real"]["value"], real[0], atol=1e-6)
    forecast = table[table["run"] == "label of a"]
    assert forecast["x"].tolist() == list(range(start, 40))
    assert np.allclose(forecast["value"], real[0, start:] + 0.1, atol=1e-6)


def test_forecast_errors_are_squared_and_averaged(tmp_path):
    frames = [sequences(seed)[0] for seed in (0, 1)]
    write_evaluation(tmp_path, {"a": {0: {}, 1: {}}}, outcomes=pd.concat(frames))
    table = draw(tmp_path, "forecast", ["a"], show="error")
    assert table["x"].tolist() == [*range(1, 21)] * 2
    assert np.allclose(table["value"], np.repeat([0.01, 0.04], 20), rtol=1e-3)


def test_a_long_forecast_keeps_few_points_of_its_errors(tmp_path):
    target, forecast = np.zeros(2001), np.linspace(0, 1, 2000)
    write_evaluation(
        tmp_path, {"a": {0: {}}}, outcomes=outcomes("a", 0, start=[1], target=[target], forecast=[forecast])
    )
    table = draw(tmp_path, "forecast", ["a"], show="error")
    assert table["x"].iloc[[0, -1]].tolist() == [1, 2000]
    assert 200 <= len(table) <= 400
    assert np.allclose(table["value"], ((table["x"] - 1) / 1999) ** 2, atol=1e-6)


def test_lines_hold_the_table(tmp_path):
    rows = pd.DataFrame({"series": ["up"] * 3 + ["down"] * 3, "x": [1, 2, 3] * 2, "y": [1, 10, 100, 100, 10, 1]})
    tables = pd.concat([rows.assign(run="a", seed=seed) for seed in (0, 1)])
    write_evaluation(tmp_path, {"a": {0: {}, 1: {}}}, tables=tables)
    table = draw(tmp_path, "lines", ["a"], y_scale="log")
    assert table["run"].tolist() == tables["series"].tolist()
    assert table["value"].tolist() == tables["y"].tolist()


def test_matrices_hold_the_table(tmp_path):
    rows = pd.DataFrame({"matrix": "shifted_right", "part": "image", "row": [0, 0], "column": [0, 1], "value": [0, 4]})
    write_evaluation(tmp_path, {"a": {0: {}}}, tables=rows.assign(run="a", seed=0))
    table = draw(tmp_path, "matrices", ["a"])
    assert table[["run", "x", "row", "value"]].to_numpy().tolist() == [
        ["shifted right", 0, 0, 0],
        ["shifted right", 1, 0, 4],
    ]


def test_a_table_without_a_column_is_named(tmp_path):
    rows = pd.DataFrame({"run": "a", "seed": 0, "series": ["s"], "x": [1.0]})
    write_evaluation(tmp_path, {"a": {0: {}}}, tables=rows)
    with pytest.raises(InputError, match=r"tables\.parquet has no 'y' of a"):
        draw(tmp_path, "lines", ["a"])
