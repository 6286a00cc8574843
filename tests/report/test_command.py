"""`python -m stages.report` as a user calls it."""

from pathlib import Path
from typing import Any

import pytest
from conftest import one_error_line, write_reports

ASKED = {
    "report": "ours",
    "title": "Which?",
    "checks": [
        {"kind": "lower", "statement": "a is lower", "run": "a", "against": "b", "metric": "validation.mse"},
    ],
}


@pytest.mark.pipeline
def test_the_page_is_named_once_it_is_there(call: Any, copy_of_the_code: Path) -> None:
    write_reports(copy_of_the_code, {"a": {}, "b": {}}, questions={"q": ASKED})
    one_error_line(call("report", "--profile", "full", "--where"), 2, "index.html", "dvc repro full/dvc.yaml:report")
    made = call("report", "--profile", "full")
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines()[0] == "metrics/full/index.html"
    assert "metrics/full/index.html" in call("report", "--profile", "full", "--where").stdout
    table = call("report", "--profile", "full", "--markdown").stdout
    assert "| q: Which? | (our addition) |" in table


@pytest.mark.pipeline
def test_a_wrong_question_is_one_line(call: Any, copy_of_the_code: Path) -> None:
    write_reports(copy_of_the_code, {"a": {}}, questions={"q": ASKED})
    one_error_line(call("report", "--profile", "full"), 2, "reports/small.yaml", "questions.q", "'b'")
    assert not (copy_of_the_code / "metrics").exists()
