"""Remake published runs of the real study from raw data, and compare: `python -m stages.verify C-sine-rnn`.

One line a run. On the same kind of processor, with the same versions and number of threads, weights, outcomes and
scores must have the same bytes. Elsewhere each metric must lie in the prediction interval of the published seeds, and
every verdict that the run takes part in must stay. Exit code 0: all come back, 1: at least one does not, 2: bad input.
"""

import argparse
import sys
from pathlib import Path

from stages.lib.config import Reports, load_reports
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.files import read_json


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN")
    parser.add_argument("--question", metavar="ID", help="the published runs of a question")
    parser.add_argument("--all", action="store_true", help="every published run")
    parser.add_argument(
        "--seeds", type=int, help="remake only so many seeds of each run; verdicts are then not compared"
    )
    arguments = parser.parse_args()
    if sum((bool(arguments.runs), arguments.question is not None, arguments.all)) != 1:
        raise InputError("give runs, or --question ID, or --all")
    if arguments.seeds is not None and arguments.seeds < 1:
        raise InputError(f"--seeds {arguments.seeds}: give 1 or more")
    runs = chosen(load_reports(), arguments.runs, arguments.question)

    from stages.verify.remaking import verify

    failed = False
    for line, comes_back in verify(runs, arguments.seeds):
        print(line, flush=True)
        failed |= not comes_back
    sys.exit(failed)


def chosen(reports: Reports, runs: list[str], question: str | None) -> list[str]:
    """The published runs asked for. Raises InputError for a run or question that is unknown, or not published."""
    from stages.lib.questions import shown_runs
    from stages.publish import PUBLISHED

    published = {run for run, group in reports.group_of.items() if _is_published(run, PUBLISHED, group)}
    if question is not None:
        if question not in reports.questions:
            raise InputError(f"--question {question}: unknown question; reports/*.yaml define them under `questions`")
        runs = [run for run in shown_runs(reports, question) if run in published]
        if not runs:
            raise InputError(f"--question {question}: none of its runs is published in {PUBLISHED}")
        return runs
    for run in runs:
        if run not in reports.group_of:
            raise InputError(f"{run}: unknown run; reports/*.yaml define them under `runs`")
        if run not in published:
            raise InputError(f"{run}: not published in {PUBLISHED}; `python -m stages.publish` copies results there")
    return runs or sorted(published)


def _is_published(run: str, folder: Path, group: str) -> bool:
    path = folder / "evaluations" / group / "scores.json"
    return path.is_file() and run in read_json(path)["runs"]


if __name__ == "__main__":
    run_stage(main)
