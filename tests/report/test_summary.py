"""The blocks of README.md and docs/ that hold results."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.lib.errors import InputError
from stages.lib.files import read_json
from stages.report.__main__ import report
from stages.report.summary import filled

HERE = Path("page.md")
MSE = {"metric": "validation.mse"}
LOWER = {"kind": "lower", "statement": "a ends lower", "run": "a", "against": "b", **MSE}
BEST = "{task: Pairs, reported: '1.42', run: a, metric: validation.mse, name: MSE}"


@pytest.fixture
def judged(study: Any) -> tuple[Any, Path]:
    study.add("a", (0.6, 0.7, 0.8)).add("b", (1.2, 1.2, 1.2))
    study.ask(LOWER, name="first").ask(LOWER | {"run": "b", "against": "a"}, name="turned")
    study.write()
    report("full", study.root)
    return read_json(study.root / "metrics/full/claims.json"), study.root


def block(spec: str, content: str = "") -> str:
    return f"before\n<!-- results {spec} -->\n{content}<!-- /results -->\nafter\n"


def test_a_tasks_statements_are_listed_with_links_into_the_page(judged: Any) -> None:
    claims, root = judged
    lines = filled(block("{task: sts}"), HERE, claims, root).splitlines()
    assert [line.split(" | ")[0] for line in lines if line.startswith("| [")] == [
        "| [first](results/index.html#first)",
        "| [turned](results/index.html#turned)",
    ]
    assert "**contradicted**" in lines[-3]


def test_counts_add_up_and_the_best_is_the_mean_over_seeds(judged: Any) -> None:
    claims, root = judged
    text = filled(block(f"[{BEST}]"), HERE, claims, root)
    assert text.splitlines()[2].startswith("2 statements")
    seeds = read_json(root / "metrics/full/evaluations/g/scores.json")["runs"]["a"]["seeds"].values()
    values = np.array([seed["scores"]["validation.mse"] for seed in seeds])
    assert f"| Pairs | 1.42 | MSE {values.mean():.4g} ± {values.std(ddof=1):.2g}, 3 seeds | a |" in text


def test_what_stands_in_the_way_of_a_verdict_is_counted_once_a_statement(study: Any) -> None:
    """Targets are uniform on 0 to 5, so `lost` is no better than their mean. `close` is open by its numbers."""
    study.add("a", (0.6, 0.7, 0.8)).add("b", (0.6, 0.7, 0.8)).add("lost", (3.0, 3.0, 3.0)).add("later", (1.0, 1.0, 1.0))
    study.ask(LOWER, name="close").ask(LOWER | {"against": "lost"}, name="lost")
    study.ask(LOWER | {"against": "lost"}, LOWER | {"against": "later"}, name="both")
    study.ask(LOWER, {"kind": "any", "statement": "s", "checks": [LOWER, LOWER | {"against": "lost"}]}, name="part")
    study.write(without=["later"])
    report("full", study.root)
    claims = read_json(study.root / "metrics/full/claims.json")
    assert claims["verdicts"] == {"inconclusive": 4}
    (line,) = [line for line in filled(block("[]"), HERE, claims, study.root).splitlines() if "statements" in line]
    assert line.endswith("4 inconclusive (1 for want of trainings, 2 because a run did not learn).")


def test_a_name_without_a_dot_is_the_end_of_a_curve(study: Any) -> None:
    curves = [{"step": [1, 2], "train_loss": losses} for losses in ([3, 2], [5, 4])]
    study.add("a", curves=curves).write()
    spec = BEST.replace("validation.mse", "train_loss")
    assert "MSE 3 ± 1.4, 2 seeds" in filled(block(f"[{spec}]"), HERE, {"verdicts": {}, "claims": {}}, study.root)


@pytest.mark.parametrize("spec", ["{task: sts}", f"[{BEST}]"])
def test_filling_again_changes_nothing_and_text_around_blocks_stays(judged: Any, spec: str) -> None:
    claims, root = judged
    text = filled(block(spec, "what was there\n"), HERE, claims, root)
    assert "what was there" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert filled(text, HERE, claims, root) == text


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ("", "line 2"),
        ("{task: [}", "line 2"),
        ("{task: nothing}", "'nothing'"),
        (f"[{BEST.replace('run: a', 'run: x')}]", "'x'"),
        (f"[{BEST.replace('validation.mse', 'test.luck')}]", "test.luck"),
    ],
)
def test_a_block_that_cannot_be_filled_is_one_line(judged: Any, spec: str, word: str) -> None:
    claims, root = judged
    with pytest.raises(InputError, match=r"^[^\n]*$") as raised:
        filled(block(spec), HERE, claims, root)
    assert word in str(raised.value)
