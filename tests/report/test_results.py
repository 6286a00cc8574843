"""The committed results of real data: metrics/full and the README are what the code of today makes of them."""

import csv
import json
from typing import Any

import pytest

from stages.lib.config import with_checks
from stages.lib.files import ROOT, read_yaml
from stages.plot.figures import parse_entry
from stages.report import judge_all, markdown, report

REPORTS: dict[str, Any] = with_checks(read_yaml(ROOT / "reports.yaml"))
FULL = ROOT / "metrics/full"
AGAIN = "`python -m stages.report --profile full` makes it anew"


def metrics_of(run: str) -> dict[str, Any]:
    return json.loads((FULL / "runs" / f"{REPORTS['runs'][run]['group']}.json").read_text())["runs"][run]


def test_the_page_is_that_of_the_committed_numbers(tmp_path: Any) -> None:
    """Every claim has results, and claims.json and the page follow from them and from reports.yaml to the byte."""
    (tmp_path / "metrics").mkdir()
    (tmp_path / "metrics/full").mkdir()
    for name in ("runs", "figures"):
        (tmp_path / "metrics/full" / name).symlink_to(FULL / name)
    made = report("full", REPORTS, tmp_path)
    for name in ("claims.json", "index.html"):
        assert (made.parent / name).read_bytes() == (FULL / name).read_bytes(), f"{name} is out of date; {AGAIN}"


def test_the_readme_has_the_table_of_the_committed_numbers() -> None:
    table = markdown(judge_all("full", REPORTS, ROOT), "metrics/full/index.html")
    assert table in (ROOT / "README.md").read_text(), "the README's table is out of date; --markdown prints it"


def curves_of(name: str) -> tuple[str, ...]:
    _, entry = parse_entry(name, REPORTS)
    return (*getattr(entry, "curves", ()), *filter(None, [getattr(entry, "curve", None)]))


@pytest.mark.parametrize("name", [name for name in REPORTS["figures"] if curves_of(name)])
def test_every_figure_shows_its_runs_and_curves_that_they_recorded(name: str) -> None:
    runs = REPORTS["figures"][name]["runs"]
    with (FULL / "figures" / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        assert {row["run"] for row in csv.DictReader(file)} in (set(runs), set(runs.values()))
    for curve in curves_of(name):
        assert all(curve in seed["curves"] for run in runs for seed in metrics_of(run)["seeds"].values()), curve


@pytest.mark.parametrize("run", list(REPORTS["runs"]))
def test_every_run_is_of_real_data_and_says_what_made_it(run: str) -> None:
    group = json.loads((FULL / "runs" / f"{REPORTS['runs'][run]['group']}.json").read_text())
    assert group["data"]["sample"] is False
    made = group["runs"][run]["made"]
    assert [one["how"] for one in made][-1] in ("scored", "computed")
    assert all(one["commit"] and one["machine"] and one["date"] for one in made)


def test_no_results_are_left_of_runs_and_figures_that_there_are_no_more() -> None:
    groups = {str(run["group"]) for run in REPORTS["runs"].values()}
    assert {path.stem for path in (FULL / "runs").iterdir()} == groups
    for group in groups:
        held = json.loads((FULL / "runs" / f"{group}.json").read_text())["runs"]
        assert set(held) == {name for name, run in REPORTS["runs"].items() if run["group"] == group}
    assert {path.stem for path in (FULL / "figures").iterdir()} == set(REPORTS["figures"])
