"""Check all of reports/ and params.yaml before any work starts: `python -m stages.validate`; with `--profile own`, the
user's own data sets, runs and parameters.

A question or a figure is read by the last stages only, so that an error there would show after hours of training, and
ids reach file paths and shell commands. What this stage writes is always the same: when reports/ changes, this stage
alone runs for it. It takes no argument from YAML, so that nothing unchecked reaches its own command.
"""

import argparse
from pathlib import Path

from stages.lib.config import Reports, load_reports
from stages.lib.config_entries import Profile
from stages.lib.config_model import check_model
from stages.lib.config_own import own_format
from stages.lib.config_params import PARAMS, PROFILES, REPORT_PROFILES, read_params, read_study
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.files import write_text
from stages.lib.task import task_module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=PROFILES, help="default: those of the five reports")
    chosen = parser.parse_args().profile
    for profile in [chosen] if chosen else [name for name in REPORT_PROFILES if PARAMS[name].is_file()]:
        reports = load_reports(profile=profile)
        validate(reports, profile)
        check_outputs(reports, profile)
        write_text(Path("data", profile, "valid.txt"), "reports/ and params.yaml are valid\n")


def validate(reports: Reports, profile: Profile) -> None:
    """Raises InputError for the first thing in reports/ or params.yaml that a later stage would refuse."""
    read_params(profile)
    for name, task in reports.tasks.items():
        where = reports.where("tasks", name)
        for role in ("corpus", "vectors"):
            dataset = getattr(task, role)
            if dataset is not None and dataset not in reports.datasets:
                raise InputError(f"{where}: {role} = {dataset!r}: choose one of {', '.join(reports.datasets)}")
        check_model(task_module(name, "preparation").Settings, task.settings, where)
    for name, dataset in (reports.own_data or {}).items():
        own_format(name, dataset)
    for group in reports.groups:
        reports.runs(profile, group)
    reports.runs(profile)
    for name, computed in reports.computed.items():
        if name in reports.groups:
            raise InputError(f"{reports.where('computed', name)}: `groups` has this name too")
        task_module(computed.task, "statements")
    read_study(profile)
    reports.check_figures()
    reports.check_questions(profile)


def check_outputs(reports: Reports, profile: Profile) -> None:
    """Raises InputError for an output of a run, group or figure that reports/ no longer has, or has elsewhere: DVC
    leaves it on disk, in a folder that a later stage depends on as a whole.
    """
    owners = {Path("models", profile, group): reports.run_ids(group) for group in reports.groups}
    owners[Path("metrics", profile, "evaluations")] = [*reports.groups, *reports.computed]
    owners[Path("metrics", profile, "figures")] = [
        name + suffix for name in reports.figures for suffix in (".csv", ".png", ".svg")
    ]
    for folder, names in owners.items():
        for path in sorted(folder.glob("[!.]*")):
            if path.name not in names:
                raise InputError(f"{path} is left from an earlier reports/, and a stage depends on {folder}: delete it")


if __name__ == "__main__":
    run_stage(main)
