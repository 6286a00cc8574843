"""The published results: docs/results is what the code of today makes of the evaluations in it."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from stages.lib.files import ROOT
from stages.report.__main__ import report

RESULTS = ROOT / "docs/results"
AGAIN = "`python -m stages.publish --restore`, `python -m stages.report --profile full`, `python -m stages.publish`"


@pytest.mark.pipeline
def test_the_page_follows_from_the_published_evaluations(tmp_path: Path) -> None:
    """Without models, claims.json and the page come out to the byte."""
    for name in ("evaluations", "figures"):
        shutil.copytree(RESULTS / name, tmp_path / "metrics/full" / name)
    (tmp_path / "reports").symlink_to(ROOT / "reports")
    page = report("full", tmp_path)
    for name in ("claims.json", "index.html"):
        assert (page.parent / name).read_bytes() == (RESULTS / name).read_bytes(), f"{name} is out of date: {AGAIN}"
    assert page.stat().st_size < 1_000_000


def test_published_tables_hold_no_sentences() -> None:
    """Data sets have licences of their own; SemEval's may not be passed on at all."""
    tables = {path: pd.read_parquet(path) for path in RESULTS.rglob("*.parquet")}
    tables |= {path: pd.read_csv(path, low_memory=False) for path in RESULTS.rglob("*.csv")}
    assert len(tables) > 100
    sentences = []
    for path, table in tables.items():
        for column in table.columns.difference(["run"]):  # a run's label is ours, and may have many words
            texts = {value for value in table[column] if isinstance(value, str)}
            sentences += [(path.name, column, text) for text in texts if re.search(r"(\w+ ){3}\w", text)]
    assert sentences == []


def test_the_published_page_links_only_files_that_are_there() -> None:
    links = set(re.findall(r'(?:href|src)="(figures/[^"]+)"', (RESULTS / "index.html").read_text(encoding="utf-8")))
    assert len(links) > 50
    assert [link for link in sorted(links) if not (RESULTS / link).is_file()] == []
