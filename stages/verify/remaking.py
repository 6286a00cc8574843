"""Runs the stages again, in a folder that is thrown away."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from stages.lib.config import Reports, load_reports
from stages.lib.errors import InputError
from stages.lib.files import ROOT, read_json, read_yaml, write_json, write_text
from stages.lib.questions import shown_runs
from stages.lib.results import Group, read_group, write_table
from stages.publish import PUBLISHED
from stages.report.judging import judge_all
from stages.verify.comparison import compare

PROFILE = "full"
RESULTS = ROOT / PUBLISHED
NEEDED = ("stages", "reports", "params.yaml", "full/params.yaml")
TABLES = ("outcomes", "examples", "histories", "tables")


def verify(runs: Sequence[str], seeds: int | None = None) -> Iterator[tuple[str, bool]]:
    """Remake runs, group by group; yields a line for each and whether it comes back. `seeds`: at most so many of each.

    Raises InputError where a stage fails.
    """
    reports = load_reports()
    groups: dict[str, list[str]] = {}
    for run in runs:
        groups.setdefault(reports.group_of[run], []).append(run)
    with tempfile.TemporaryDirectory(prefix="verify-") as folder:
        scratch = Path(folder)
        _fill(scratch)
        published = read_json(RESULTS / "claims.json")["claims"]
        for group, members in groups.items():
            before = read_group(PROFILE, group, scratch)
            _ = [before.outcomes, before.examples, before.histories, before.tables]  # read before they are replaced
            _remake(scratch, reports, group, members, before, seeds)
            after = read_group(PROFILE, group, scratch)
            findings = {run: compare(run, before, after, _metrics(reports, run)) for run in members}
            if seeds is None and not all(finding.same for finding in findings.values()):
                _put_back_others(before, after)
                remade = judge_all(PROFILE, reports, scratch)["claims"]
                for run, finding in findings.items():
                    finding.changed_verdicts = _changed(reports, run, published, remade)
            yield from ((f"{run}: {finding}", finding.comes_back) for run, finding in findings.items())
            shutil.rmtree(after.folder)
            shutil.copytree(RESULTS / "evaluations" / group, after.folder)


def _fill(scratch: Path) -> None:
    """The code and YAML of this checkout, and the published evaluations."""
    for name in NEEDED:
        (scratch / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if Path(ROOT, name).is_dir() else shutil.copyfile
        copy(ROOT / name, scratch / name)
    shutil.copytree(RESULTS / "evaluations", scratch / "metrics" / PROFILE / "evaluations")


def _remake(scratch: Path, reports: Reports, group: str, runs: Sequence[str], before: Group, seeds: int | None) -> None:
    """From raw data to the evaluation of some runs of a group."""
    threads = {run: before.scores["runs"][run].get("threads", 1) for run in runs}
    is_computed = group in reports.computed
    task = reports.computed[group].data if is_computed else reports.groups[group].task
    entry = reports.tasks.get(task)  # some statements are computed without data
    for dataset in filter(None, (entry.corpus, entry.vectors) if entry else ()):
        if not (scratch / "data" / PROFILE / "raw" / dataset).is_dir():
            _call(scratch, "download", "--dataset", dataset)
    if entry and not (scratch / "data" / PROFILE / task).is_dir():
        _call(scratch, "preprocess", "--task", task)
    shutil.rmtree(before.folder)
    if is_computed:
        _call(scratch, "compute", "--group", group)
        return
    with _only(scratch, group, runs, seeds):
        for run in runs:
            _call(scratch, "train", "--run", run, threads=threads[run])
        _call(scratch, "evaluate", "--group", group, threads=max(threads.values()))


def _call(scratch: Path, stage: str, *words: str, threads: int = 1) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(scratch)}
    command = [sys.executable, "-m", f"stages.{stage}", "--profile", PROFILE, *words]
    done = subprocess.run(command, cwd=scratch, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1].removeprefix("error: ")
        raise InputError(f"{stage} {' '.join(words)} failed: {reason}")


@contextmanager
def _only(scratch: Path, group: str, runs: Sequence[str], seeds: int | None) -> Iterator[None]:
    """Within it, the scratch folder's reports/ have these runs of the group alone, with at most so many seeds."""
    folder, params = scratch / "reports", scratch / "full" / "params.yaml"
    for path in folder.glob("*.yaml"):
        content = read_yaml(path)
        content["runs"] = {
            name: entry for name, entry in content.get("runs", {}).items() if entry["group"] != group or name in runs
        }
        write_text(path, yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    write_text(params, yaml.safe_dump(read_yaml(params) | {"limits": {"seeds": seeds}}))
    yield
    shutil.rmtree(folder)
    shutil.copytree(ROOT / "reports", folder)
    shutil.copyfile(ROOT / "full" / "params.yaml", params)


def _put_back_others(before: Group, after: Group) -> None:
    """Join the published results of the runs that were not remade with those that were."""
    remade = set(after.scores["runs"])
    write_json(after.folder / "scores.json", after.scores | {"runs": before.scores["runs"] | after.scores["runs"]})
    for name in TABLES:
        old, new = getattr(before, name), getattr(after, name)
        if old is not None and new is not None:
            others = old[~old["run"].isin(remade)]
            write_table(after.folder / f"{name}.parquet", pd.concat([others, new], ignore_index=True))


def _metrics(reports: Reports, run: str) -> list[str]:
    """The metrics that questions on a run are about."""
    asked = (question for name, question in reports.questions.items() if run in shown_runs(reports, name))
    return list(dict.fromkeys(metric for question in asked for metric in question.metrics))


def _changed(reports: Reports, run: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The questions on a run whose verdict is another one now."""
    asked = (name for name in reports.questions if name in before and run in shown_runs(reports, name))
    return [name for name in asked if before[name]["verdict"] != after[name]["verdict"]]
