"""Whether two checkouts hold the same results, run by run: `python -m benchmarks.compare_checkouts OLD NEW`.

Compares prepared tensors, weights of every seed, and outcomes by example; byte by byte, and where bytes differ, says
which tensors or columns do and by how much. For changes that are meant to leave results alone: run `make` in both, on
one machine. Exit code 0: all the same, 1: something differs or is missing on one side, 2: nothing to compare.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from stages.lib.config_params import PROFILES
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.results import read_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--profile", choices=PROFILES, default="sample", help="default: %(default)s")
    arguments = parser.parse_args()
    lines = list(compare(arguments.old, arguments.new, arguments.profile))
    print(*lines, sep="\n")
    sys.exit(any(": same" not in line for line in lines))


def compare(old: Path, new: Path, profile: str) -> Iterator[str]:
    """One line a thing compared, such as `train A-sts-best seed 0: same`. Raises InputError where there is nothing."""
    compared = 0
    for find, differences in ((tensor_files, tensor_differences), (outcome_tables, table_differences)):
        olds, news = find(old, profile), find(new, profile)
        for name in sorted(olds.keys() | news.keys()):
            compared += 1
            if name not in olds or name not in news:
                yield f"{name}: only in {old if name in olds else new}"
                continue
            found = differences(olds[name], news[name])
            yield f"{name}: {'; '.join(found) or 'same'}"
    if not compared:
        raise InputError(f"{old} and {new} have no results of profile {profile}; run `make` in both")


def tensor_files(root: Path, profile: str) -> dict[str, Path]:
    """Prepared tensors by task, and weights by run and seed, whatever group a run is in."""
    prepared = {f"data {path.parent.name}": path for path in root.glob(f"data/{profile}/*/tensors.safetensors")}
    weights = root.glob(f"models/{profile}/*/*/seed-*/weights.safetensors")
    trained = {f"train {path.parents[1].name} {path.parent.name.replace('-', ' ')}": path for path in weights}
    return prepared | trained


def tensor_differences(old: Path, new: Path) -> list[str]:
    """The tensors that differ between two safetensors files."""
    from safetensors.numpy import load_file

    if old.read_bytes() == new.read_bytes():
        return []
    return array_differences(load_file(old), load_file(new)) or ["equal tensors, other bytes in the file's header"]


def outcome_tables(root: Path, profile: str) -> dict[str, pd.DataFrame]:
    """Outcomes by example, by run and seed."""
    found = {}
    for path in root.glob(f"metrics/{profile}/evaluations/*/outcomes.parquet"):
        for (run, seed), rows in read_table(path).groupby(["run", "seed"], observed=True):
            found[f"evaluate {run} seed {seed}"] = rows.drop(columns=["run", "seed"]).reset_index(drop=True)
    return found


def table_differences(old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """The columns that differ between two tables; one of which a run has no value does not count."""
    olds, news = ({name: column.to_numpy() for name, column in t.dropna(axis=1, how="all").items()} for t in (old, new))
    return array_differences(olds, news)


def array_differences(old: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray]) -> list[str]:
    """One phrase for each array that is missing on one side, has another shape or type, or has other values."""
    found = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old or name not in new:
            found.append(f"{name} only in {'the old' if name in old else 'the new'}")
            continue
        a, b = old[name], new[name]
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            found.append(f"{name} was {a.dtype} {list(a.shape)}, is {b.dtype} {list(b.shape)}")
        elif a.dtype == object:
            count = sum(not np.array_equal(x, y) for x, y in zip(a, b, strict=True))
            found += [f"{name} differs in {count} of {len(a)} rows"] if count else []
        elif a.tobytes() != b.tobytes():
            count, largest = np.sum(a != b), np.abs(a.astype(float) - b.astype(float)).max()
            found.append(f"{name} differs in {count} of {a.size} numbers, by up to {largest:.3g}")
    return found


if __name__ == "__main__":
    run_stage(main)
