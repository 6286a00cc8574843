"""Ten planted changes, and what must not count as one."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.lib.results import Group, write_group
from stages.verify.comparison import compare

HERE = {"device": "AMD EPYC", "cpu_capability": "AVX2", "threads": 1, "versions": {"torch": "2.13.0"}}
ELSEWHERE = HERE | {"device": "Intel Xeon", "cpu_capability": "AVX512"}
ACCURACY = {"0": 0.74, "1": 0.75, "2": 0.745}

Content = dict[str, Any]


def content(accuracy: dict[str, float] = ACCURACY, made: dict[str, Any] = HERE) -> Content:
    """A published run `r` with three seeds, and its outcomes."""
    seeds = {
        seed: {
            "scores": {"test.accuracy": value, "validation.accuracy": value},
            "weights": f"w{seed}",
            "provenance": made,
        }
        for seed, value in accuracy.items()
    }
    rows = [(int(seed), example, (example + int(seed)) % 2) for seed in accuracy for example in range(20)]
    outcomes = pd.DataFrame(rows, columns=["seed", "example", "correct"]).assign(run="r", split="test")
    histories = pd.DataFrame({"run": "r", "seed": [int(seed) for seed in accuracy], "step": 1, "train_loss": 0.5})
    run = {"config": {"lr": 0.1, "network": {"units": 8}}, "seeds": seeds}
    scores = {"group": "g", "data": {"sha256": "d"}, "runs": {"r": run}}
    examples = pd.DataFrame(
        {"run": "r", "split": "test", "example": range(20), "input_hash": [f"{n:04x}" for n in range(20)]}
    )
    return {"scores": scores, "outcomes": outcomes, "histories": histories, "examples": examples}


def group(folder: Path, made: Content) -> Group:
    write_group(folder, made["scores"], {name: [made[name]] for name in ("outcomes", "histories", "examples")})
    return Group(folder, made["scores"])


def found(tmp_path: Path, published: Content, remade: Content) -> Any:
    return compare("r", group(tmp_path / "a", published), group(tmp_path / "b", remade), ["test.accuracy"])


def test_the_same_bytes_come_back(tmp_path: Path) -> None:
    finding = found(tmp_path, content(), content())
    assert finding.comes_back
    assert str(finding) == "same bytes"


def test_fewer_seeds_than_published_are_compared_one_by_one(tmp_path: Path) -> None:
    assert str(found(tmp_path, content(), content({"0": 0.74}))) == "same bytes"


def seed_of(made: Content) -> dict[str, Any]:
    return made["scores"]["runs"]["r"]["seeds"]["1"]


PLANTED: dict[str, tuple[Callable[[Content], Any], str]] = {
    "weight": (lambda made: seed_of(made).update(weights="x"), "weights of seed 1 differ"),
    "score": (lambda made: seed_of(made)["scores"].update({"test.accuracy": 0.7500001}), "test.accuracy of seed 1 was"),
    "lost score": (lambda made: seed_of(made)["scores"].pop("test.accuracy"), "test.accuracy of seed 1 was"),
    "setting": (lambda made: made["scores"]["runs"]["r"]["config"].update(lr=0.01), "setting lr was 0.1, is 0.01"),
    "network": (lambda made: made["scores"]["runs"]["r"]["config"]["network"].update(units=9), "setting units was 8"),
    "data": (lambda made: made["scores"]["data"].update(sha256="e"), "the prepared data are others"),
    "seed": (lambda made: made["scores"]["runs"]["r"]["seeds"].update({"7": seed_of(made)}), "seed 7 is not published"),
    "outcome": (
        lambda made: made["outcomes"].__setitem__("correct", 1 - made["outcomes"]["correct"]),
        "outcomes differ",
    ),
    "lost example": (lambda made: made.update(outcomes=made["outcomes"].drop(index=3)), "outcomes differ"),
    "history": (lambda made: made["histories"].__setitem__("train_loss", 0.6), "histories differ"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_change_is_found_and_named(tmp_path: Path, name: str) -> None:
    change, said = PLANTED[name]
    remade = copy.deepcopy(content())
    change(remade)
    finding = found(tmp_path, content(), remade)
    assert not finding.comes_back
    assert said in str(finding)


@pytest.mark.parametrize("made", [ELSEWHERE, HERE | {"threads": 2}, HERE | {"versions": {"torch": "2.14.0"}}])
def test_elsewhere_the_metrics_have_to_lie_in_the_interval_of_the_seeds(tmp_path: Path, made: dict[str, Any]) -> None:
    moved = content({"0": 0.747, "1": 0.742, "2": 0.749}, made)
    for seed in moved["scores"]["runs"]["r"]["seeds"].values():
        seed["weights"] = "x"
    finding = found(tmp_path, content(), moved)
    assert finding.comes_back
    assert "within its spread (test.accuracy 0.746, published 0.745" in str(finding)
    assert not found(tmp_path, content(), content({"0": 0.61, "1": 0.58, "2": 0.60}, made)).comes_back


def test_elsewhere_prepared_data_may_differ_in_last_bits_and_inputs_may_not(tmp_path: Path) -> None:
    """word2vec's vectors, for example, differ between processors; the sentences do not."""
    moved = content(made=ELSEWHERE)
    moved["scores"]["data"]["sha256"] = "e"
    assert found(tmp_path / "vectors", content(), moved).comes_back
    moved["examples"].loc[7, "input_hash"] = "ffff"
    assert "the prepared data are others" in str(found(tmp_path / "inputs", content(), moved))
    published = content()
    for made in (published, moved):
        made["outcomes"]["sentence"] = [f"{number:04x}" for number in made["outcomes"]["example"]]
        made["outcomes"]["target"] = "4-11"
    assert found(tmp_path / "sentences", published, moved).comes_back
    for column in ("sentence", "target"):
        other = copy.deepcopy(moved)
        other["outcomes"].loc[7, column] = "another"
        assert not found(tmp_path / column, published, other).comes_back


def test_here_other_bytes_within_the_interval_do_not_come_back(tmp_path: Path) -> None:
    assert not found(tmp_path, content(), content({"0": 0.747, "1": 0.742, "2": 0.749})).comes_back


def test_one_published_seed_has_no_spread(tmp_path: Path) -> None:
    finding = found(tmp_path, content({"0": 0.74}), content({"0": 0.75}, ELSEWHERE))
    assert "one seed, which has no spread" in str(finding)
    assert found(tmp_path, content({"0": 0.74}), content({"0": 0.74 * (1 + 1e-7)}, ELSEWHERE)).comes_back


def test_a_changed_verdict_does_not_come_back(tmp_path: Path) -> None:
    finding = found(tmp_path, content(), content({"0": 0.747, "1": 0.742, "2": 0.749}, ELSEWHERE))
    finding.changed_verdicts = ["Q"]
    assert not finding.comes_back
    assert "the verdict on Q changes" in str(finding)


def test_the_interval_has_its_level(tmp_path: Path) -> None:
    """Independent normal seeds leave it in 1 % of the cases; the binomial's 0.1 % quantiles bound the count."""
    generator, off = np.random.default_rng(0), 0
    for _ in range(400):
        old, new = ({str(i): v for i, v in enumerate(generator.normal(0.7, 0.01, 3))} for _ in range(2))
        off += not found(tmp_path, content(old), content(new, ELSEWHERE)).comes_back
    assert off <= 13


def test_of_a_timed_statement_the_verdicts_alone_have_to_stay(tmp_path: Path) -> None:
    published, remade = content({"0": 3.0, "1": 3.001}), content({"0": 2.0, "1": 2.001}, made=ELSEWHERE)
    assert not found(tmp_path, published, remade).comes_back
    for made in (published, remade):
        made["scores"]["runs"]["r"]["timed"] = True
    finding = found(tmp_path / "timed", published, remade)
    assert finding.comes_back
    assert not finding.same  # so that the verdicts are computed again
    finding.changed_verdicts = ["q"]
    assert not finding.comes_back
