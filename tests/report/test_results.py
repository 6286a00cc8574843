"""The published results: docs/results is what the code of today makes of the evaluations in it."""

import shutil
from pathlib import Path

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
