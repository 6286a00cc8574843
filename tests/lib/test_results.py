"""Stored evaluations come back as they were written."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save

from stages.lib.errors import InputError
from stages.lib.results import group_folder, read_group, read_table, remedy, write_group, write_table


@pytest.fixture
def outcomes() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "run": ["a"] * 4 + ["b"] * 4,
            "seed": [0, 0, 1, 1] * 2,
            "split": ["validation", "test"] * 4,
            "example": [0, 1] * 4,
            "prediction": random.normal(size=8),
            "forecast": [random.normal(size=3).astype(np.float32) for _ in range(8)],
        }
    )


def test_a_group_is_read_back(tmp_path: Path, outcomes: pd.DataFrame) -> None:
    histories = pd.DataFrame({"run": "a", "seed": [0, 0], "step": [0, 1], "train_loss": [np.nan, 0.5]})
    other = pd.DataFrame({"run": "b", "seed": [0], "step": [0], "validation_f1": [0.25]})
    samples = {
        "a-seed-0": save({"x": np.arange(3)}),
        "a-seed-10": save({"x": np.arange(4)}),
        "a-1-seed-0": save({"x": np.arange(5)}),
    }
    folder = group_folder("sample", "g", tmp_path)
    tables = {"outcomes": [outcomes[:4], outcomes[4:]], "histories": [histories, other], "tables": []}
    write_group(folder, {"group": "g"}, tables, samples)
    group = read_group("sample", "g", tmp_path)
    assert group.scores == {"group": "g"}
    assert group.outcomes is not None
    assert group.outcomes["run"].astype(str).tolist() == outcomes["run"].tolist()
    np.testing.assert_array_equal(group.outcomes["prediction"], outcomes["prediction"].astype(np.float32))
    np.testing.assert_array_equal(np.stack(group.outcomes["forecast"]), np.stack(outcomes["forecast"]))
    # A run's history has its own columns alone.
    assert list(group.history("b", 0).columns) == ["run", "seed", "step", "validation_f1"]
    assert group.history("a", 0)["train_loss"].tolist()[1] == 0.5
    assert {seed: tensors["x"].tolist() for seed, tensors in group.plot_samples("a").items()} == {
        0: [0, 1, 2],
        10: [0, 1, 2, 3],
    }
    assert group.tables is None
    with pytest.raises(InputError, match=r"histories\.parquet has no history of a, seed 1"):
        group.history("a", 1)
    with pytest.raises(InputError, match=r"plot_samples has none of c, .*; `dvc repro -f -s evaluate@g`"):
        group.plot_samples("c")


def test_a_table_has_the_same_bytes_every_time_and_no_wider_numbers_than_it_needs(
    tmp_path: Path, outcomes: pd.DataFrame
) -> None:
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    outcomes["large"] = 2**40
    for path in paths:
        write_table(path, outcomes)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    types = read_table(paths[0]).dtypes
    assert (types["prediction"], types["example"], types["large"]) == (np.float32, np.int32, np.int64)


def test_what_is_missing_or_damaged_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"evaluations/g/scores\.json does not exist; `dvc repro evaluate@g` makes it"):
        read_group("sample", "g", tmp_path)
    folder = group_folder("full", "g", tmp_path)
    write_group(folder, {"group": "g"}, {})
    (folder / "outcomes.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(InputError, match=r"outcomes\.parquet: damaged"):
        _ = read_group("full", "g", tmp_path).outcomes


def test_the_command_that_helps_names_the_pipeline() -> None:
    assert remedy("sample", "train@a") == "`dvc repro train@a`"
    assert remedy("full", "train@a") == "`dvc repro full/dvc.yaml:train@a`"


def test_a_small_file_cannot_fill_the_memory(tmp_path: Path) -> None:
    """Millions of equal values are a few kB; they are refused before they are unpacked."""
    pq.write_table(pa.table({"a": pa.nulls(60_000_000, pa.int32())}), tmp_path / "a.parquet", row_group_size=60_000_000)
    assert (tmp_path / "a.parquet").stat().st_size < 200_000
    pool = pa.default_memory_pool()
    before = pool.max_memory()
    with pytest.raises(InputError, match=r"a\.parquet: 60,000,000 values, more than any evaluation has"):
        read_table(tmp_path / "a.parquet")
    assert pool.max_memory() == before
