"""Two checkouts with the same results, and with results that differ in a known way."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from benchmarks.compare_checkouts import compare
from stages.lib.errors import InputError
from stages.lib.results import write_table


@pytest.fixture
def checkouts(tmp_path: Path) -> tuple[Path, Path]:
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, names in (("data/sample/sts", ["tensors"]), ("models/sample/g/a/seed-0", ["weights"])):
        for name in names:
            (old / folder).mkdir(parents=True)
            tensors = {"x": np.arange(6, dtype=np.float32), "y": np.ones(2, dtype=np.float32)}
            save_file(tensors, old / folder / f"{name}.safetensors")
    (old / "metrics/sample/evaluations/g").mkdir(parents=True)
    rows = {"run": ["a", "a", "b"], "seed": 0, "split": "test", "example": [0, 1, 0], "prediction": [0.5, 1.0, 2.0]}
    write_table(old / "metrics/sample/evaluations/g/outcomes.parquet", pd.DataFrame(rows))
    shutil.copytree(old, new)
    return old, new


def test_equal_results_are_the_same_whatever_their_group(checkouts: tuple[Path, Path]) -> None:
    old, new = checkouts
    (new / "models/sample/g").rename(new / "models/sample/another")
    expected = ["data sts: same", "train a seed 0: same", "evaluate a seed 0: same", "evaluate b seed 0: same"]
    assert list(compare(old, new, "sample")) == expected


def test_what_differs_is_named_with_its_size(checkouts: tuple[Path, Path]) -> None:
    old, new = checkouts
    path = new / "models/sample/g/a/seed-0/weights.safetensors"
    tensors = load_file(path)
    tensors["x"][2] += 0.25
    save_file(tensors | {"z": tensors.pop("y")}, path)
    outcomes = new / "metrics/sample/evaluations/g/outcomes.parquet"
    table = pd.read_parquet(outcomes)
    table.loc[1, "prediction"] = 3.0
    write_table(outcomes, table[table["run"] == "a"])
    assert list(compare(old, new, "sample")) == [
        "data sts: same",
        "train a seed 0: x differs in 1 of 6 numbers, by up to 0.25; y only in the old; z only in the new",
        "evaluate a seed 0: prediction differs in 1 of 2 numbers, by up to 2",
        f"evaluate b seed 0: only in {old}",
    ]


def test_nothing_to_compare_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results of profile full"):
        list(compare(tmp_path, tmp_path, "full"))
