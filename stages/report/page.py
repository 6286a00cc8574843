"""The page: a table of all statements, each with its evidence on demand. One file of HTML, beside the figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.questions import OURS
from stages.report import verdicts
from stages.report.charts import chart
from stages.report.numbers import number
from stages.report.wording import beside, capitalized, detectable, flips_at, words

if TYPE_CHECKING:
    from stages.lib.config import Reports

#: What each verdict means, in a line.
MEANINGS = {
    "reproduced": "the numbers support the statement, under the report's conditions",
    "reproduced, with departures": "they support it, under conditions that differ from the report's",
    "contradicted": "they contradict it, under the report's conditions",
    "not comparable": "they contradict it, but the conditions differ in what it is about",
    "inconclusive": "they decide nothing; each check says what it would have detected",
    "reached": "an addition of ours that does what it was made for",
    "not reached": "an addition of ours that does not",
    "ran": "sample data: nothing is judged",
}
TONES = {
    "reproduced": "good",
    "reproduced, with departures": "good",
    "reached": "good",
    "supported": "good",
    "contradicted": "bad",
    "not reached": "bad",
    "not comparable": "far",
    "inconclusive": "open",
}
MARKS = {"good": "✓", "bad": "✗", "far": "≠", "open": "?", "plain": "–"}
#: Most of a page that is published, without its figures.
TEMPLATES = Path(__file__).parent / "templates"


def render(judged: Mapping[str, Any], reports: "Reports", folder: Path) -> str:
    """The page of the content of claims.json; `folder` holds figures/. The same content gives the same text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": number,
        "words": words,
        "beside": beside,
        "capitalized": capitalized,
        "detectable": detectable,
        "flips_at": flips_at,
        "chart": chart,
        "tone": lambda word: TONES.get(word, "plain"),
        "mark": lambda word: MARKS[TONES.get(word, "plain")],
        "obstacle": verdicts.obstacle,
        "minus": lambda text: text.replace(" -", " −").replace("±-", "±"),
    }
    claims = judged["claims"]
    return environment.get_template("page.html.j2").render(
        title=reports.title,
        judged=judged,
        claims=claims,
        meanings=meanings(claims),
        bar=bar(judged["verdicts"]),
        sources={name: source.title for name, source in reports.sources.items()},
        headings={task: heading(reports, task) for task in dict.fromkeys(claim["task"] for claim in claims.values())},
        figures={
            name: figure_texts(reports, name, folder)
            for name in dict.fromkeys(name for claim in claims.values() for name in claim["figures"])
        },
        words_of=list(dict.fromkeys(claim["evidence"] for claim in claims.values())),
        fidelities=list(dict.fromkeys(claim["fidelity"] for claim in claims.values())),
        provenance=provenance(judged),
        ours=OURS,
    )


def meanings(claims: Mapping[str, Any]) -> dict[str, str]:
    """Of each verdict, and how many are inconclusive for want of trainings or of learning."""
    if reasons := verdicts.obstacles(claims.values()):
        return MEANINGS | {"inconclusive": f"{MEANINGS['inconclusive']}; {reasons}"}
    return MEANINGS


def heading(reports: "Reports", task: str) -> str:
    """What the page calls a task."""
    return reports.headings[task].title if task in reports.headings else task


def bar(given: Mapping[str, int]) -> list[dict[str, Any]]:
    """The counts as parts of one bar, in per cent of its width."""
    total, parts, start = sum(given.values()), [], 0.0
    for word in verdicts.WORDS:
        if word in given:
            width = 100 * given[word] / total
            parts.append({"word": word, "count": given[word], "start": round(start, 3), "width": round(width, 3)})
            start += width
    return parts


def figure_texts(reports: "Reports", name: str, folder: Path) -> dict[str, Any]:
    """Title, caption, how to read it, and a text for those who cannot see it."""
    figure = reports.figures[name]
    return {
        "title": figure.title,
        "caption": figure.caption,
        "reading": figure.reading,
        "alt": f"{figure.title}: {figure.y_label} against {figure.x_label}. Shown: {', '.join(figure.runs.values())}.",
        "drawn": (folder / "figures" / f"{name}.svg").is_file(),
    }


def provenance(judged: Mapping[str, Any]) -> list[str]:
    """What made the numbers: one line a commit and machine, with the first and last date."""
    dates: dict[tuple[str, str, bool], list[str]] = {}
    for claim in judged["claims"].values():
        for run in claim["runs"].values():
            for made in run["provenance"]:
                key = (str(made.get("commit") or "")[:10], str(made.get("device") or ""), bool(made.get("dirty")))
                dates.setdefault(key, []).append(str(made.get("date") or ""))
    lines = []
    for (commit, device, dirty), days in sorted(dates.items(), key=lambda item: (min(item[1]), item[0])):
        span = min(days) if min(days) == max(days) else f"{min(days)} to {max(days)}"
        lines.append(f"{span}, commit {commit or 'unknown'}{' with local changes' if dirty else ''}, {device}")
    return lines
