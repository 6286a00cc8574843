"""Whether a remade run is the published one."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from stages.lib.results import Group

#: What has to be alike for equal bytes to be expected.
ALIKE = ("device", "cpu_capability", "threads", "versions")
#: Of the prediction interval, for each metric.
LEVEL = 0.99
#: Numbers of one seed without chance in them agree between processors within this relative difference.
ROUNDING = 1e-5


@dataclass
class Finding:
    """Of one run. `same`: byte for byte · `outside`: metrics off their interval, or other differences, in words."""

    same: bool = False
    outside: list[str] = field(default_factory=list)
    farthest: str = ""
    changed_verdicts: list[str] = field(default_factory=list)

    @property
    def comes_back(self) -> bool:
        return not (self.outside or self.changed_verdicts)

    def __str__(self) -> str:
        if self.comes_back:
            return "same bytes" if self.same else f"within its spread ({self.farthest})"
        verdicts = [f"the verdict on {name} changes" for name in self.changed_verdicts]
        return f"differs ({'; '.join(self.outside + verdicts)})"


def compare(run: str, published: Group, remade: Group, metrics: Sequence[str]) -> Finding:
    """Compare one run of an evaluation with the same run made again.

    `metrics`: those that must lie in the prediction interval of the published seeds where bytes cannot be expected to
    be equal; without any, all on the test data. A metric's mean over m new seeds lies, with probability `LEVEL`, within
    t · s · √(1/m + 1/S) of the mean of S published ones with standard deviation s (Student's t, S − 1 degrees of
    freedom). It is wider than needed, since new and published seeds are the same. Times differ between machines by more
    than between seeds, so of a timed statement only the verdicts have to stay.
    """
    old, new = published.scores["runs"][run], remade.scores["runs"][run]
    found = Finding(outside=[*_changes("setting", old["config"], new["config"])])
    if old.get("timed"):
        found.farthest = "times, judged by their verdicts"
        return found
    other_data = published.scores["data"].get("sha256") != remade.scores["data"].get("sha256")
    found.outside += [f"seed {seed} is not published" for seed in new["seeds"] if seed not in old["seeds"]]
    seeds = [seed for seed in new["seeds"] if seed in old["seeds"]]
    made_alike = _made_alike(old, new, seeds)
    # Word vectors that are learned in preparation differ in their last bits between processors.
    if other_data and (made_alike or not _same_examples(run, published, remade)):
        found.outside.append("the prepared data are others")
    differences = [*_byte_differences(run, seeds, published, remade)]
    if not differences and not found.outside and not other_data:
        return Finding(same=True)
    if made_alike:
        found.outside += differences
    nearness = [*_off_interval(old["seeds"], new["seeds"], metrics)]
    found.outside += [text for _, text, is_off in nearness if is_off]
    found.farthest = max(nearness, default=(0.0, "no metric to compare", False))[1]
    return found


def _changes(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(old.keys() | new.keys()):
        if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
            yield from _changes(what, old[key], new[key])
        elif old.get(key) != new.get(key):
            yield f"{what} {key} was {old.get(key)}, is {new.get(key)}"


def _same_examples(run: str, published: Group, remade: Group) -> bool:
    """Whether both were scored on the same inputs: by the hash of each or, where word vectors are among the inputs, by
    the hash of each sentence, and its annotations.
    """

    def equal(name: str, columns: list[str]) -> bool:
        tables = [getattr(group, name) for group in (published, remade)]
        if any(table is None or not set(columns) <= set(table.columns) for table in tables):
            return False
        old, new = (table.loc[table["run"] == run, columns].drop_duplicates().astype(object) for table in tables)
        return bool(len(old)) and old.reset_index(drop=True).equals(new.reset_index(drop=True))

    inputs = ["split", "example", "input_hash"]
    return equal("examples", inputs) or equal("outcomes", ["split", "example", "sentence", "target"])


def _byte_differences(run: str, seeds: Sequence[str], published: Group, remade: Group) -> Iterator[str]:
    """What is not equal to the last bit, of what was published."""
    old, new = (group.scores["runs"][run]["seeds"] for group in (published, remade))
    for seed in seeds:
        if old[seed].get("weights") not in (None, new[seed].get("weights")):
            yield f"weights of seed {seed} differ"
        for name, value in old[seed]["scores"].items():
            if value != new[seed]["scores"].get(name):
                yield f"{name} of seed {seed} was {value:.6g}, is {new[seed]['scores'].get(name, math.nan):.6g}"
    for name in ("outcomes", "histories", "tables"):
        tables = [_rows(getattr(group, name), run, seeds) for group in (published, remade)]
        if tables[0] is not None and not (tables[1] is not None and tables[0].equals(tables[1])):
            yield f"{name} differ"


def _rows(table: pd.DataFrame | None, run: str, seeds: Sequence[str]) -> pd.DataFrame | None:
    if table is None:
        return None
    rows = table[(table["run"] == run) & table["seed"].isin([int(seed) for seed in seeds])]
    if rows.empty:
        return None
    rows = rows.dropna(axis="columns", how="all").reset_index(drop=True)
    return rows[sorted(rows.columns)].astype({"run": str})


def _made_alike(old: Mapping[str, Any], new: Mapping[str, Any], seeds: Sequence[str]) -> bool:
    """Whether both were made on the same kind of processor, with the same threads and versions."""

    def circumstances(run: Mapping[str, Any], seed: str) -> dict[str, Any]:
        return run["seeds"].get(seed, {}).get("provenance") or run.get("scored", {})

    return all(
        key in circumstances(old, seed) and circumstances(old, seed)[key] == circumstances(new, seed).get(key)
        for seed in seeds
        for key in ALIKE
    )


def _off_interval(
    old: Mapping[str, Any], new: Mapping[str, Any], metrics: Sequence[str]
) -> Iterator[tuple[float, str, bool]]:
    """For each metric: distance in units of its interval's half width, in words, and whether it is outside."""
    names = [name for name in next(iter(old.values()))["scores"] if name in metrics]
    names = names or [name for name in next(iter(old.values()))["scores"] if name.startswith("test.") or not metrics]
    for name in names:
        before, after = (
            np.array([seed["scores"][name] for seed in seeds.values() if name in seed["scores"]], dtype=float)
            for seeds in (old, new)
        )
        if not len(after):
            yield math.inf, f"{name} is gone", True
            continue
        distance = abs(after.mean() - before.mean())
        said = f"{name} {after.mean():.4g}, published {before.mean():.4g}"
        if len(before) == 1:
            if math.isclose(after.mean(), before.mean(), rel_tol=ROUNDING, abs_tol=1e-12):
                yield 0.0, said, False
            else:
                yield math.inf, f"{said} by one seed, which has no spread", True
            continue
        half = stats.t.ppf(0.5 + LEVEL / 2, len(before) - 1) * before.std(ddof=1)
        half = half * math.sqrt(1 / len(after) + 1 / len(before)) + ROUNDING * abs(before.mean())
        is_off = bool(distance > half)
        yield distance / half if half else 0.0, f"{said} ± {half:.2g}", is_off
