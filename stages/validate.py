"""Check all of reports.yaml before any work starts: `python -m stages.validate --profile sample`.

A claim or a figure is read by the last stages only, so that an error there would show after hours of training. The
file that this stage writes always says the same: when reports.yaml changes, this stage alone runs for it.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from stages.lib.config import REPORTS, Profile, Run, check, find_run, with_checks
from stages.lib.files import read_yaml, write_text
from stages.lib.task import get
from stages.lib.errors import InputError, run
from stages.plot.figures import parse_entry
from stages.report.claims import parse_claims


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Group(_Strict):
    """Runs of one network that are scored together."""

    task: str
    model: str
    built_on: str


class Checks(_Strict):
    """Statements that are computed without data or training."""

    task: str
    built_on: str
    names: list[str]


class Heading(_Strict):
    """What the page says of a task."""

    title: str
    about: str = ""


class Reports(_Strict):
    """The sections of reports.yaml; runs, figures and claims have models of their own."""

    title: str
    reports: dict[str, str]
    about: dict[str, Heading]
    tasks: dict[str, dict[str, Any]]
    datasets: list[str]
    checks: dict[str, Checks]
    groups: dict[str, Group]
    runs: dict[str, dict[str, Any]]
    figures: dict[str, dict[str, Any]]
    claims: dict[str, dict[str, Any]] = Field(min_length=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", required=True, choices=Profile.__args__)
    arguments = parser.parse_args()
    validate(read_yaml(REPORTS), arguments.profile)
    write_text(Path("data", arguments.profile, "valid.txt"), f"{REPORTS} is valid\n")


def validate(content: Mapping[str, Any], profile: Profile) -> None:
    """Raises InputError for the first thing in reports.yaml that a later stage would refuse."""
    reports = check(Reports, content, str(REPORTS))
    for name, entry in reports.tasks.items():
        where = f"{REPORTS}: tasks.{name}"
        for role in ("corpus", "vectors"):
            if entry.get(role) not in reports.datasets:
                raise InputError(f"{where}: {role} = {entry.get(role)!r}: choose one of {', '.join(reports.datasets)}")
        check(get(name).Preparation, {key: entry[key] for key in entry if key not in ("corpus", "vectors")}, where)
    for name in reports.runs:
        _check_group(find_run(name, profile), reports)
    named = with_checks(content)
    for name in reports.figures:
        _, entry = parse_entry(name, named)
        for group in filter(None, (entry.group, entry.baseline)):
            if group not in reports.groups and group not in reports.checks:
                raise InputError(f"{REPORTS}: figures.{name}: there is no group {group!r}")
    parse_claims(named)


def _check_group(checked: Run, reports: Reports) -> None:
    where = f"{REPORTS}: runs.{checked.id}"
    if checked.group not in reports.groups:
        raise InputError(f"{where}: group = {checked.group!r}: `groups` has no such entry")
    group = reports.groups[checked.group]
    if (group.task, group.model) != (checked.task_name, checked.model):
        raise InputError(
            f"{where}: task and model are {checked.task_name} and {checked.model}, "
            f"those of its group {checked.group} are {group.task} and {group.model}"
        )


if __name__ == "__main__":
    run(main)
