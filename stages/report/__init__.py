"""Judge every claim and write the report page: `python -m stages.report --profile sample`.

Writes metrics/<profile>/claims.json and metrics/<profile>/index.html; `--where` names the page of params.yaml's
profile, `--markdown` prints the table of claims for a README.
"""

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, get_args

from stages.lib.config import with_checks
from stages.lib.files import read_yaml, write_json, write_text
from stages.lib.errors import InputError
from stages.report.claims import Claim, Metrics, Value, Verdict, judge, parse_claims, verdict
from stages.report.wording import found, measured, metric_name, positions, rule

BEYOND = "beyond"


def judge_all(profile: str, reports: Mapping[str, Any], root: Path = Path(), partial: bool = False) -> dict[str, Any]:
    """The content of claims.json: every claim with its verdict, its numbers and where they come from.

    partial: a claim whose runs have no results yet is shown as not run; else it is an error.
    """
    metrics = Metrics(profile, reports["runs"], root)
    claims = {
        name: _judge(name, claim, metrics, reports)
        if _has_run(claim, metrics) or not partial
        else _not_run(claim, reports)
        for name, claim in parse_claims(reports).items()
    }
    if not claims:
        raise InputError("reports.yaml: `claims` is empty; without a claim there is nothing to report")
    given = Counter(shown_verdict(claim) for claim in claims.values())
    words = sorted(given, key=lambda word: get_args(Verdict).index(word.replace("reached", "reproduced")))
    return {
        "profile": profile,
        "sample": any(claim["sample"] for claim in claims.values()),
        "verdicts": {word: given[word] for word in words},
        "claims": claims,
    }


def _runs(claim: Claim) -> list[str]:
    return list(dict.fromkeys((*claim.runs, *(run for check in claim.checks for run in check.runs))))


def _has_run(claim: Claim, metrics: Metrics) -> bool:
    return all(map(metrics.has, _runs(claim)))


def _about(claim: Claim, reports: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "report": claim.report,
        "task": claim.task or reports["runs"][next(iter(claim.runs))]["task"],
        "question": claim.question,
        "reported": claim.reported,
        "note": claim.note,
    }


def _not_run(claim: Claim, reports: Mapping[str, Any]) -> dict[str, Any]:
    nothing: dict[str, Any] = {name: [] for name in ("checks", "metrics", "figures", "data", "made")}
    return _about(claim, reports) | nothing | {"runs": {}, "found": "", "verdict": "not run", "sample": False}


def _judge(name: str, claim: Claim, metrics: Metrics, reports: Mapping[str, Any]) -> dict[str, Any]:
    runs = _runs(claim)
    labels = {run: claim.runs.get(run, run) for run in runs}
    groups = {str(group["group"]): group for group in map(metrics.group, runs)}
    sample = any(group["data"]["sample"] for group in groups.values())
    checks = []
    for check in claim.checks:
        values = {run: metrics.value(run, check.metric, name) for run in check.runs}
        checks.append(
            {
                "says": check.says or rule(check, labels),
                "rule": rule(check, labels),
                "metric": check.metric,
                "outcome": "not judged" if sample else judge(check, values),
                "found": found(check, values, labels),
                "values": {run: _number(value) | {"label": labels[run]} for run, value in values.items()},
                "chart": positions(check, values),
            }
        )
    table = {}
    for member in claim.runs:
        values = {metric: metrics.value(member, metric, name) for metric in claim.metrics}
        content = metrics.run(member, name)
        table[member] = {
            "label": labels[member],
            "parameters": content["parameters"],
            "seeds": len(content["seeds"]),
            "values": {metric: _number(value) for metric, value in values.items()},
        }
    return _about(claim, reports) | {
        "found": "; ".join(f"{metric_name(check['metric'])}: {check['found']}" for check in checks),
        "verdict": verdict([check["outcome"] for check in checks], sample),
        "sample": sample,
        "checks": checks,
        "metrics": claim.metrics,
        "runs": table,
        "figures": claim.figures,
        "data": list({group["data"]["name"]: group["data"] for group in groups.values()}.values()),
        "made": _unique(made for run in runs for made in metrics.run(run, name)["made"]),
    }


def _number(value: Value) -> dict[str, Any]:
    return vars(value) | {"text": measured(value)}


def _unique(items: Iterable[Any]) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        if item not in kept:
            kept.append(item)
    return kept


def page(judged: Mapping[str, Any], reports: Mapping[str, Any]) -> str:
    """The report page as HTML that needs nothing but the figures beside it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"metric_name": metric_name, "shown_verdict": shown_verdict}
    tasks: dict[str, dict[str, list]] = {}
    for name, claim in judged["claims"].items():
        part = BEYOND if claim["report"] == BEYOND else "reports"
        tasks.setdefault(claim["task"], {"reports": [], BEYOND: []})[part].append((name, claim))
    return environment.get_template("report.html.j2").render(
        title=reports.get("title", "Report"),
        judged=judged,
        tasks=tasks,
        about={name: {"title": name, "about": ""} | ((reports.get("about") or {}).get(name) or {}) for name in tasks},
        figures={
            name: {"caption": "", "alt": _in_words(entry)} | entry
            for name, entry in (reports.get("figures") or {}).items()
        },
        made=_unique(made for claim in judged["claims"].values() for made in claim["made"]),
        data=_unique(data["name"] for claim in judged["claims"].values() for data in claim["data"]),
        sources=reports.get("reports") or {},
    )


def _in_words(entry: Mapping[str, Any]) -> str:
    """What a figure shows, for those who cannot see it."""
    axes = f": {entry['y_label']} against {entry['x_label']}" if {"x_label", "y_label"} <= entry.keys() else ""
    runs = ", ".join(entry["runs"].values())
    return f"{entry['title']}{axes}. Shown: {runs}. The numbers are in the data file below."


def report(profile: str, reports: Mapping[str, Any], root: Path = Path(), partial: bool = False) -> Path:
    """Write claims.json and index.html under `root`/metrics/<profile>; returns the page's path. Raises InputError."""
    folder = root / "metrics" / profile
    judged = judge_all(profile, reports, root, partial)
    for name, claim in judged["claims"].items():
        for figure in claim["figures"]:
            for ending in ("svg", "csv"):
                if not (folder / "figures" / f"{figure}.{ending}").is_file():
                    raise InputError(
                        f"claims.{name}.figure: {folder}/figures/{figure}.{ending} does not exist; "
                        f"`dvc repro figure@{figure}` makes it"
                    )
    html = page(judged, reports)
    for claim in judged["claims"].values():
        for check in claim["checks"]:
            del check["chart"]
    write_json(folder / "claims.json", judged)
    write_text(folder / "index.html", html)
    return folder / "index.html"


def markdown(judged: Mapping[str, Any], page_path: str) -> str:
    """The claims as a Markdown table: claim, reported, found, verdict."""
    lines = ["| claim | reported | found | verdict |", "|---|---|---|---|"]
    for name, claim in judged["claims"].items():
        cells = [
            f"[{name}]({page_path}#{name}): {claim['question']}",
            claim["reported"] or "(ours)",
            claim["found"],
            f"**{shown_verdict(claim)}**",
        ]
        lines.append("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def shown_verdict(claim: Mapping[str, Any]) -> str:
    """What we add to a report cannot be reproduced, only reached."""
    if claim["report"] == BEYOND:
        return claim["verdict"].replace("reproduced", "reached")
    return claim["verdict"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--profile")
    what.add_argument(
        "--where", action="store_true", help="name the page of the profile in params.yaml and write nothing"
    )
    parser.add_argument("--markdown", action="store_true", help="print the table of claims and write nothing")
    parser.add_argument("--partial", action="store_true", help="show claims whose runs have no results yet as not run")
    arguments = parser.parse_args()
    if arguments.where:
        path = Path("metrics", str(read_yaml(Path("params.yaml")).get("profile")), "index.html")
        if not path.is_file():
            raise InputError(f"{path} does not exist; `dvc repro report` makes it")
        print(f"report page: {path}")
        return
    reports = read_yaml(Path("reports.yaml"))
    if not isinstance(reports.get("runs"), dict):
        raise InputError("reports.yaml: expected the key `runs` with ids below it")
    reports = with_checks(reports)
    if arguments.markdown:
        judged = judge_all(arguments.profile, reports, partial=arguments.partial)
        print(markdown(judged, f"metrics/{arguments.profile}/index.html"))
        return
    print(report(arguments.profile, reports, partial=arguments.partial))
    # The stages before are short and many; what they have for MLflow goes out in one process here.
    from stages.lib import tracking

    tracking.send()
