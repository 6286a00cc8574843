import itertools
import json
import re
import subprocess
import sys
from urllib.parse import unquote, urlsplit

import pytest
from lxml import html

from stages.lib.files import ROOT
from stages.lib.errors import InputError
from stages.report import judge_all, markdown, report
from stages.report.claims import Check, Value
from stages.report.wording import found, measured, metric_name, number, positions

MADE = {
    "how": "scored",
    "commit": "0123456789abcdef",
    "changed": False,
    "machine": "a machine",
    "date": "2025-01-31",
}


def make_project(root, sample=False, profile="full"):
    """Metric files, figures and the content of reports.yaml: two tasks, three claims, text that HTML must escape."""
    data = {"name": "sample data (generated)" if sample else "Some Data", "sample": sample, "sha256": "0", "bytes": 1}
    runs = {"s-a": ("s", 1.0), "s-b": ("s", 2.0), "t-a": ("t", 3.0)}
    metrics, figures = root / "metrics" / profile / "runs", root / "metrics" / profile / "figures"
    metrics.mkdir(parents=True)
    figures.mkdir()
    for task in "st":
        content = {
            run: {
                "parameters": 12345,
                "made": [] if sample else [MADE],
                "seeds": {
                    "0": {
                        "scores": {"test.mse": value},
                        "spread": {"test.mse": 0.04},
                        "curves": {"validation_mse": {"final": value, "swing": 0.1}},
                    }
                },
            }
            for run, (of, value) in runs.items()
            if of == task
        }
        group = {"group": task, "task": f"task-{task}", "data": data, "runs": content}
        (metrics / f"{task}.json").write_text(json.dumps(group))
        for ending in ("svg", "csv", "png"):
            (figures / f"fig-{task}.{ending}").write_text("x")
    claim = {"report": "A", "reported": "1 < 2 & all <b>that</b>", "metrics": ["test.mse", "validation_mse.final"]}
    order = {"order": ["s-a", "s-b"], "metric": "test.mse", "says": "b is <above> a"}
    return {
        "title": "A title & more",
        "tasks": {"task-s": {}, "task-t": {}},
        "about": {"task-s": {"title": "Task S", "about": "About S."}},
        "runs": {run: {"group": of, "task": f"task-{of}"} for run, (of, _) in runs.items()},
        "figures": {
            f"fig-{task}": {
                "title": f"Figure {task}",
                "caption": "What it shows",
                "runs": {run: f"run <{run}>" for run in runs if run.startswith(task)},
                "x_label": "step",
                "y_label": "MSE",
            }
            for task in "st"
        },
        "claims": {
            "A-s-one": claim
            | {
                "question": "Is it so?",
                "figure": "fig-s",
                "runs": {"s-a": "run <s-a>", "s-b": "run <s-b>"},
                "checks": [order],
                "note": "Our note",
            },
            "A-t-two": claim
            | {
                "question": "And this?",
                "figure": ["fig-t"],
                "runs": {"t-a": "run <t-a>"},
                "checks": [{"run": "t-a", "metric": "test.mse", "at_most": 1}],
            },
            "s-more": claim
            | {
                "report": "beyond",
                "reported": "",
                "question": "Ours",
                "runs": {"s-a": "run <s-a>"},
                "checks": [{"run": "s-a", "metric": "test.mse", "at_most": 1.5}],
            },
        },
    }


@pytest.mark.parametrize("sample", [False, True])
def test_page_is_whole_and_needs_no_network(tmp_path, sample):
    reports = make_project(tmp_path, sample)
    path = report("full", reports, tmp_path)
    page = html.document_fromstring(path.read_bytes())
    ids = page.xpath("//@id")
    assert len(set(ids)) == len(ids)
    for link in page.xpath("//@href | //@src"):
        parts = urlsplit(link)
        assert not parts.scheme
        assert not parts.netloc
        if parts.path:
            assert (path.parent / unquote(parts.path)).is_file(), link
        if parts.fragment:
            assert unquote(parts.fragment) in ids, link
    for reference in page.xpath("//@aria-labelledby"):
        assert reference in ids
    assert not page.xpath("//script | //link | //iframe")
    assert not re.search(r"@import|url\(|https?:", path.read_text())


def test_page_shows_every_claim_with_its_verdict_and_numbers(tmp_path):
    reports = make_project(tmp_path)
    page = html.document_fromstring(report("full", reports, tmp_path).read_bytes())
    verdicts = {"A-s-one": "reproduced", "A-t-two": "not reproduced", "s-more": "reached"}
    overview = page.xpath("//table[@class='summary']//tbody/tr")
    assert len(overview) == len(verdicts)
    for name, word in verdicts.items():
        (article,) = page.xpath(f"//article[@id='{name}']")
        text = " ".join(article.text_content().split())
        (row,) = [row for row in overview if row.xpath(f".//a[@href='#{name}']")]
        assert row.xpath(".//td")[-1].text_content().split(maxsplit=1)[1] == word
        assert reports["claims"][name]["question"] in text
        assert reports["claims"][name]["reported"] in text
        for label in reports["claims"][name]["runs"].values():
            assert label in text
        assert "commit 0123456789 on a machine" in text
    assert "1.000 ± 0.040" in page.xpath("//article[@id='A-s-one']//table")[0].text_content()
    assert [heading.text for heading in page.xpath("//h2")[1:3]] == ["Task S", "task-t"]
    assert "Beyond the report" in page.xpath("//h3/text()")
    assert "dvc repro figure@fig-s" in page.text_content()
    assert "sample data" not in page.text_content().lower().replace("with sample data: ran", "")


def test_page_is_accessible(tmp_path):
    page = html.document_fromstring(report("full", make_project(tmp_path), tmp_path).read_bytes())
    assert page.get("lang") == "en"
    for image in page.xpath("//img"):
        assert len(image.get("alt")) > 20
    for table in page.xpath("//table"):
        assert table.xpath(".//thead//th[@scope='col']")
        assert len(table.xpath(".//tbody/tr")) == len(table.xpath(".//tbody/tr/th[@scope='row']"))
    levels = [int(heading.tag[1]) for heading in page.xpath("//h1|//h2|//h3|//h4|//h5")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_sample_data_gives_no_verdict(tmp_path):
    reports = make_project(tmp_path, sample=True)
    path = report("full", reports, tmp_path)
    content = json.loads((tmp_path / "metrics/full/claims.json").read_text())
    assert content["sample"]
    assert content["verdicts"] == {"ran": 3}
    for claim in content["claims"].values():
        assert claim["verdict"] == "ran"
        assert {check["outcome"] for check in claim["checks"]} == {"not judged"}
    page = html.document_fromstring(path.read_bytes())
    assert "Sample data." in page.xpath("//*[@class='banner']")[0].text_content()
    assert "(sample data)" in page.xpath("//title")[0].text
    words = {badge.text_content().split(maxsplit=1)[1] for badge in page.xpath("//*[contains(@class, 'badge')]")}
    assert words == {"ran", "not judged"}


def test_claims_file_holds_every_number(tmp_path):
    report("full", make_project(tmp_path), tmp_path)
    content = json.loads((tmp_path / "metrics/full/claims.json").read_text())
    assert content["verdicts"] == {"reproduced": 1, "reached": 1, "not reproduced": 1}
    claim = content["claims"]["A-s-one"]
    assert claim["reported"] == "1 < 2 & all <b>that</b>"
    assert claim["task"] == "task-s"
    (check,) = claim["checks"]
    assert check["outcome"] == "holds"
    assert check["values"]["s-b"].items() >= {"value": 2.0, "spread": 0.04, "seeds": 1, "label": "run <s-b>"}.items()
    assert claim["runs"]["s-b"]["values"]["validation_mse.final"]["spread"] == 0.1
    assert claim["made"] == [MADE]


def test_same_bytes_each_time(tmp_path):
    reports = make_project(tmp_path)
    files = [report("full", reports, tmp_path), tmp_path / "metrics/full/claims.json"]
    first = [path.read_bytes() for path in files]
    report("full", reports, tmp_path)
    assert [path.read_bytes() for path in files] == first


def test_missing_figure_or_metrics_leave_no_page(tmp_path):
    reports = make_project(tmp_path)
    (tmp_path / "metrics/full/figures/fig-t.svg").unlink()
    with pytest.raises(
        InputError, match=r"claims\.A-t-two\.figure: .*fig-t\.svg does not exist; `dvc repro figure@fig-t`"
    ):
        report("full", reports, tmp_path)
    (tmp_path / "metrics/full/runs/t.json").unlink()
    with pytest.raises(InputError, match=r"t\.json does not exist; `dvc repro evaluate@t` makes it"):
        report("full", reports, tmp_path)
    assert not list((tmp_path / "metrics/full").glob("*.*"))


def test_markdown_table_has_a_row_a_claim(tmp_path):
    reports = make_project(tmp_path)
    reports["claims"]["A-s-one"]["reported"] = "a | b\nc"
    lines = markdown(judge_all("full", reports, tmp_path), "metrics/full/index.html").splitlines()
    assert len(lines) == 2 + 3
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines]
    assert {len(row) for row in cells} == {4}
    assert cells[2][0].strip() == "[A-s-one](metrics/full/index.html#A-s-one): Is it so?"
    assert cells[2][1].strip() == r"a \| b c"
    assert "run <s-a> 1.000 ± 0.040 < run <s-b> 2.000 ± 0.040" in cells[2][2].replace("&lt;", "<")
    assert [row[3].strip() for row in cells[2:]] == ["**reproduced**", "**not reproduced**", "**reached**"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.42, "1.42"),
        (1.42345, "1.423"),
        (0.0625, "0.0625"),
        (9437184, "9,437,184"),
        (12345.6, "12,346"),
        (2.22e-5, "2.22e-05"),
        (0, "0"),
        (-0.5, "-0.5"),
        (None, "undefined"),
    ],
)
def test_numbers(value, text):
    assert number(value) == text


@pytest.mark.parametrize(
    ("value", "spread", "text"),
    [
        (1.42345, 0.0412, "1.423 ± 0.041"),
        (0.7, 0.14, "0.70 ± 0.14"),
        (150.2, 12, "150 ± 12"),
        (7.23e-6, 1.2e-7, "7.23e-06 ± 1.2e-07"),
        (1.5, 0, "1.5"),
    ],
)
def test_measured_numbers(value, spread, text):
    assert measured(Value(value, spread, 1)) == text


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        ("validation.mse", "validation MSE"),
        ("test.pearson", "test Pearson"),
        ("validation_mse.final", "validation MSE at the end"),
        ("train_loss.swing", "train loss swing in the second half"),
        ("test.term_f1", "test term F1"),
        ("weights", "weights"),
    ],
)
def test_metric_names(metric, name):
    assert metric_name(metric) == name


def test_an_order_says_which_neighbours_differ():
    check = Check(order=["a", "b", "c", "d"], metric="m")
    values = {"a": Value(1, 0.1, 1), "b": Value(1.1, 0.1, 1), "c": Value(3, 0.1, 1), "d": Value(2, 0.1, 1)}
    assert found(check, values, dict(zip("abcd", "ABCD", strict=True))) == (
        "A 1.00 ± 0.10 ≈ B 1.10 ± 0.10 < C 3.00 ± 0.10 > D 2.00 ± 0.10"
    )


def test_chart_places_values_and_zone_in_proportion():
    chart = positions(Check(run="a", metric="m", at_most=1.0), {"a": Value(2.0, 0.25, 1)})
    dot, low, high = chart["dots"]["a"]
    left, right = chart["zone"]
    # From the bound 1.0 to the whisker's end 2.5 lie 1.5; the dot stands two thirds along, its whisker is 1.0 long.
    assert left == 0
    assert (dot - right) / (high - right) == pytest.approx(2 / 3, abs=1e-3)
    assert (high - low) / (high - right) == pytest.approx(1 / 1.5, abs=1e-3)


@pytest.mark.pipeline
def test_command_line(tmp_path):
    reports = make_project(tmp_path)
    (tmp_path / "reports.yaml").write_text(json.dumps(reports))
    (tmp_path / "params.yaml").write_text("profile: full\n")

    def call(*words):
        command = [sys.executable, "-m", "stages.report", *words]
        return subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)

    early = call("--where")
    assert early.returncode == 2
    assert early.stderr == "error: metrics/full/index.html does not exist; `dvc repro report` makes it\n"
    made = call("--profile", "full")
    assert made.returncode == 0, made.stderr
    assert call("--where").stdout == "report page: metrics/full/index.html\n"
    assert call("--profile", "full", "--markdown").stdout.startswith("| claim | reported | found | verdict |")


def test_what_was_not_run_is_an_error_or_said_so_and_never_judged(tmp_path):
    reports = make_project(tmp_path)
    whole = judge_all("full", reports, tmp_path)
    (tmp_path / "metrics/full/runs/t.json").unlink()
    with pytest.raises(InputError, match=r"t\.json does not exist"):
        judge_all("full", reports, tmp_path)
    part = judge_all("full", reports, tmp_path, partial=True)
    for name, claim in whole["claims"].items():
        if claim["task"] == "task-t":
            assert part["claims"][name]["verdict"] == "not run"
            assert part["claims"][name]["question"] == claim["question"]
        else:
            assert part["claims"][name] == claim
    gone = sum(claim["task"] == "task-t" for claim in whole["claims"].values())
    assert gone
    assert part["verdicts"]["not run"] == gone
    page = html.fromstring(report("full", reports, tmp_path, partial=True).read_text(encoding="utf-8"))
    assert page.text_content().count("have no results in this profile yet") == gone
    assert "**not run**" in markdown(part, "page")
