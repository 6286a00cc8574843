"""The page as a document: what it says, and that nothing but itself and the figures is needed."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from stages.lib.errors import InputError
from stages.report.__main__ import markdown, report
from stages.report.charts import chart, ticks
from stages.report.judging import judge_all
from stages.report.numbers import interval, number, unscaled

MSE = {"metric": "validation.mse"}
LOWER = {"kind": "lower", "statement": "a ends lower", "run": "a", "against": "b", **MSE}
FIGURE = {
    "kind": "curves",
    "group": "g",
    "baseline": "g",
    "title": "Two runs",
    "caption": "Both from zero.",
    "runs": {"a": "first <run>", "b": "second run"},
    "curve": "train_loss",
    "x_label": "step",
    "y_label": "loss",
}


@pytest.fixture
def page(study: Any) -> tuple[Path, Any]:
    """A page with a statement of each verdict that two runs can give."""
    study.add("a", (0.7, 0.7, 0.7)).add("b", (1.2, 1.2, 1.2)).add("c", (0.7, 0.7, 0.7)).add("a-shared", (1.2, 1.2, 1.2))
    study.sections |= {"figures": {"q": FIGURE}, "title": "Reports, rerun", "headings": {"sts": {"title": "Pairs"}}}
    study.sections["departures"] = {"vectors": {"text": "narrow vectors", "affects": ["level"], "tasks": ["sts"]}}
    readings = {"separate": {"because": "of the start"}, "shared": {"suffix": "-shared"}}
    study.ask(LOWER, readings=readings, metrics=["validation.mse"], quote="甲 <乙>", translation="a & b")
    study.ask(LOWER | {"run": "b", "against": "a"}, name="turned", metrics=["test.pearson"])
    study.ask(LOWER | {"against": "c"}, name="same")
    reaches = {"kind": "reaches", "statement": "1.0 is reached", "run": "a", "at_most": 1.0, "because": "ours", **MSE}
    study.ask(reaches, name="departed", report_test={"kind": "accuracy", "items": 1500, "value": 0.6})
    study.ask(reaches, name="addition", report="ours", quote="", reported="")
    study.write()
    figures = study.root / "metrics/full/figures"
    figures.mkdir()
    (figures / "q.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    path = report("full", study.root)
    return path, html.document_fromstring(path.read_text(encoding="utf-8"))


def text(element: Any) -> str:
    return " ".join(element.text_content().split())


def test_every_statement_is_a_row_with_its_verdict(page: Any) -> None:
    path, tree = page
    claims = json.loads((path.parent / "claims.json").read_text())["claims"]
    rows = {row.xpath(".//th//a")[0].get("href")[1:]: row for row in tree.xpath("//table[@class='statements']/tbody")}
    assert rows.keys() == claims.keys() == {"q", "turned", "same", "departed", "addition"}
    assert {name: claim["verdict"] for name, claim in claims.items()} == {
        "q": "reproduced",
        "turned": "contradicted",
        "same": "inconclusive",
        "departed": "reproduced, with departures",
        "addition": "reached",
    }
    for name, claim in claims.items():
        cells = [text(cell) for cell in rows[name].xpath("./tr[1]/*")]
        assert cells[0].startswith(claim["title"])
        assert claim["reported"] in cells[1]
        assert claim["verdict"] in cells[3]
        assert (rows[name].get("data-evidence"), rows[name].get("data-fidelity")) == (
            claim["evidence"],
            claim["fidelity"],
        )


def test_counts_are_those_of_the_rows(page: Any) -> None:
    path, tree = page
    judged = json.loads((path.parent / "claims.json").read_text())
    assert judged["verdicts"] == dict(Counter(claim["verdict"] for claim in judged["claims"].values()))
    widths = [float(part.get("width")) for part in tree.xpath("//svg[contains(@class,'bar')]/rect")]
    assert sum(widths) == pytest.approx(100)
    assert all(f"{count} {word}" in tree.xpath("//svg/@aria-label")[0] for word, count in judged["verdicts"].items())


def test_a_statement_whose_runs_are_not_trained_says_so_and_is_counted(study: Any) -> None:
    study.add("a", (0.6, 0.7, 0.8)).add("b", (1.2, 1.2, 1.2)).add("later", (1.0, 1.0, 1.0))
    lower = {"kind": "lower", "statement": "a ends lower", "run": "a", "metric": "validation.mse"}
    study.ask(lower | {"against": "b"}).ask(lower | {"against": "later"}, name="waits").write(without=["later"])
    tree = html.document_fromstring(report("full", study.root).read_text(encoding="utf-8"))
    verdicts = [text(row.xpath("./tr[1]/td")[-1]) for row in tree.xpath("//table/tbody")]
    assert verdicts == ["✓ reproducedsupported, as reported", "? inconclusivenot trained yet"]
    (waiting,) = [text(entry) for entry in tree.xpath("//dl[@class='counts']/div") if "inconclusive" in text(entry)]
    assert waiting.startswith("1 ? inconclusive")
    assert waiting.endswith("; 1 for want of trainings")


def test_what_a_statement_shows_when_it_is_opened(page: Any) -> None:
    _, tree = page
    opened = tree.get_element_by_id("q")
    shown = text(opened)
    assert opened.getparent().tag == "details"
    for words in (
        "甲 <乙>",
        "a & b",
        "Both from zero.",
        "Band: lowest to highest seed",
        "“separate”, chosen because of the start",
        "narrow vectors",
        "and so not on this statement",
        "dvc repro full/dvc.yaml:figure@q",
        "Flips at",
        "3 seeds each",
        "first <run>",
    ):
        assert words in shown, words
    assert [text(name) for name in opened.xpath(".//p[@class='reading']")] == ["separate", "shared"]
    assert "could have detected a difference of" in text(tree.get_element_by_id("departed"))
    assert "Would have been detected" in text(tree.get_element_by_id("same"))
    assert "evaluate@g" in text(tree.get_element_by_id("same"))


def test_every_chart_has_an_axis_with_a_name_and_ticks_in_order(page: Any) -> None:
    _, tree = page
    charts = tree.find_class("chart")
    assert len(charts) == 6
    for one in charts:
        places = [float(mark.get("style")[5:-1]) for mark in one.xpath(".//span[@class='scale']/span")]
        assert len(places) >= 2
        assert places == sorted(places)
        assert text(one.find_class("name")[0])


def test_dots_lie_where_the_axis_says(page: Any) -> None:
    """From the ticks' places and labels the dot's place gives the number that stands beside it."""
    _, tree = page
    for one in tree.find_class("chart"):
        marks = [
            (float(m.get("style")[5:-1]), float(text(m).replace("−", "-")))
            for m in one.xpath(".//span[@class='scale']/span")
        ]
        (x0, v0), (x1, v1) = marks[0], marks[-1]
        for line in one.xpath("./div[@class='line']"):
            place = float(line.find_class("dot")[0].get("style")[5:-1])
            value = float(text(line.find_class("value")[0]).split()[0].replace("−", "-"))
            assert v0 + (place - x0) * (v1 - v0) / (x1 - x0) == pytest.approx(value, abs=0.02 * (v1 - v0))


def test_a_check_is_supported_where_its_intervals_lie_in_the_zone(study: Any) -> None:
    study.add("a", (0.7, 0.7, 0.7)).add("b", (1.2, 1.2, 1.2)).add("c", (0.71, 0.7, 0.69))
    why = {"because": "ours", "assumed_spread": {"seeds": 0.01}}
    near = {"kind": "equivalent", "statement": "s", "margin": 0.3, **why, **MSE}
    no_better = {"kind": "not_better", "statement": "s", "margin": 0.1, **why, **MSE}
    pearson = {"metric": "validation.pearson"}
    study.ask(
        LOWER,
        LOWER | {"kind": "higher", "run": "b", "against": "a"},
        LOWER | {"run": "b", "against": "a"},
        {"kind": "rising", "statement": "s", "order": ["a", "b"], **MSE},
        {"kind": "rising", "statement": "s", "order": ["b", "a"], **MSE},
        near | {"among": ["a", "c"]},
        near | {"among": ["a", "b"]},
        no_better | {"run": "b", "against": "a"},
        no_better | {"run": "a", "against": "b"},
        no_better | pearson | {"run": "b", "against": "a"},
        no_better | pearson | {"run": "a", "against": "b"},
        {"kind": "reaches", "statement": "s", "run": "a", "at_most": 1.0, "because": "ours", **MSE},
        {"kind": "reaches", "statement": "s", "run": "a", "at_least": 1.0, "because": "ours", **MSE},
    )
    checks = judge_all("full", study.write(), study.root)["claims"]["q"]["checks"]
    assert {check["outcome"] for check in checks} >= {"supported", "contradicted"}
    for check in checks:
        picture = chart(check)
        low, high = picture["zone"]
        inside = all(low <= row["from"] and row["to"] <= high for row in picture["rows"])
        assert inside == (check["outcome"] == "supported"), (check["kind"], picture)


def test_nothing_is_loaded_from_elsewhere(page: Any) -> None:
    path, tree = page
    links = tree.xpath("//@src | //@href")
    assert links
    assert all(link.startswith(("#", "figures/", "claims.json")) for link in links)
    assert "url(" not in path.read_text()
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))
    for target in tree.xpath("//a[starts-with(@href,'#')]/@href"):
        assert target[1:] in ids


def test_the_same_results_make_the_same_page(page: Any, study: Any) -> None:
    path, _ = page
    before = {name: (path.parent / name).read_bytes() for name in ("claims.json", "index.html")}
    report("full", study.root)
    assert {name: (path.parent / name).read_bytes() for name in before} == before


def test_a_figure_that_is_not_drawn_is_said_so(study: Any) -> None:
    study.add("a", (0.7, 0.7, 0.7)).add("b", (1.2, 1.2, 1.2)).ask(LOWER).sections["figures"] = {"q": FIGURE}
    study.write()
    assert "Not drawn yet" in report("full", study.root).read_text()


def test_a_profile_without_results_has_a_page_all_the_same(study: Any) -> None:
    study.add("a").add("b").ask(LOWER).write(without=["a", "b"])
    (study.root / "metrics/full/evaluations/g/scores.json").unlink()
    content = html.document_fromstring(report("full", study.root).read_text())
    assert "not trained yet" in text(content)


def test_the_page_is_not_written_where_a_question_is_wrong(study: Any) -> None:
    study.add("a", (0.7, 0.7, 0.7)).ask(LOWER).write()
    with pytest.raises(InputError, match="there is no run 'b'"):
        report("full", study.root)
    assert not (study.root / "metrics/full/index.html").exists()


def test_the_table_in_markdown(page: Any) -> None:
    path, _ = page
    lines = markdown(json.loads((path.parent / "claims.json").read_text())).splitlines()
    assert len(lines) == 2 + 5
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 5 for line in lines)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.8123456, "0.8123"),
        (-0.5, "−0.5"),
        (1500.0, "1,500"),
        (2.22e-5, "2.22 × 10⁻⁵"),
        (None, "undefined"),
        (9437184.0, "9,437,184"),
        (12.5, "12.5"),
    ],
)
def test_numbers_read_well(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_intervals_of_logarithms_are_ratios() -> None:
    estimate = {"value": 0.0, "low": -0.6931472, "high": 0.6931472}
    assert interval(estimate, "log") == "1 [0.5, 2]"
    assert interval({"value": 1.0, "low": 0.0, "high": 2.0}, "log10") == "10 [1, 100]"
    assert unscaled("the interval lies on both sides of -0.693147", "log") == "the interval lies on both sides of 0.5"
    assert unscaled("the 90 % interval lies within ±1", "log10") == "the 90 % interval lies within a factor of 10"


@pytest.mark.parametrize(("low", "high"), [(-0.31, 0.12), (0, 1), (1e-6, 3e-6), (-2000, 5000), (0.999, 1.001)])
def test_ticks_are_few_round_and_inside(low: float, high: float) -> None:
    found = [at for at, _ in ticks(low, high)]
    assert 2 <= len(found) <= 5
    assert all(low <= at <= high for at in found)
    assert len({text for _, text in ticks(low, high)}) == len(found)


@pytest.mark.parametrize(("low", "high"), [(-0.2, 0.3), (-2.0, 3.0), (-8.0, 9.0)])
def test_ticks_of_ratios_stand_at_their_logarithms(low: float, high: float) -> None:
    import math

    found = ticks(low, high, "log")
    assert 2 <= len(found) <= 5
    for at, label in found:
        if "×" not in label:
            assert math.exp(at) == pytest.approx(float(label.replace(",", "")), rel=1e-3)
