"""Judge every question of reports/*.yaml and write the page: `python -m stages.report --profile sample`.

Writes metrics/<profile>/claims.json and metrics/<profile>/index.html from the stored evaluations alone.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.lib.config import PROFILES, Profile, load_reports
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.files import write_json, write_text
from stages.lib.results import remedy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", required=True, choices=PROFILES)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--where", action="store_true", help="name the page and write nothing")
    what.add_argument("--markdown", action="store_true", help="print a table of the verdicts and write nothing")
    arguments = parser.parse_args()
    page = Path("metrics", arguments.profile, "index.html")
    if arguments.where:
        if not page.is_file():
            raise InputError(f"{page} does not exist; {remedy(arguments.profile, 'report')} makes it")
        print(f"report page: {page}")
        return
    if arguments.markdown:
        from stages.report.judging import judge_all

        print(markdown(judge_all(arguments.profile, load_reports(profile=arguments.profile))))
        return
    print(report(arguments.profile))

    from stages.lib.tracking.connection import sync

    sync(arguments.profile)


def report(profile: Profile, root: Path = Path()) -> Path:
    """Write claims.json and index.html under `root`/metrics/<profile>; returns the page's path. Raises InputError."""
    from stages.report.judging import judge_all
    from stages.report.page import render

    reports = load_reports(root, profile)
    reports.check_questions(profile)
    folder = root / "metrics" / profile
    judged = judge_all(profile, reports, root)
    html = render(judged, reports, folder)
    write_json(folder / "claims.json", judged)
    write_text(folder / "index.html", html)
    return folder / "index.html"


def markdown(judged: Mapping[str, Any]) -> str:
    """The verdicts as a Markdown table: statement, reported, found, verdict."""
    lines = ["| statement | reported | found | verdict |", "|---|---|---|---|"]
    for name, claim in judged["claims"].items():
        cells = [
            f"{name}: {claim['title']}",
            claim["reported"] or "(our addition)",
            claim["found"],
            f"**{claim['verdict']}**",
        ]
        lines.append("| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    run_stage(main)
