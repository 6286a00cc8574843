"""Tell MLflow what is on disk and not there yet: `python -m stages.sync`. Running it again changes nothing.

`--watch` goes on until no training is under way, and shows the curves of those that are from their checkpoints.
"""

import argparse
import fcntl
import logging
import sqlite3
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.lib.config import load_reports
from stages.lib.config_entries import Profile
from stages.lib.config_params import PROFILES, each_profile, read_study
from stages.lib.config_run import STUDY
from stages.lib.entry_point import run_stage
from stages.lib.files import project_root
from stages.lib.tracking import connection
from stages.lib.tracking.records import read_records, reason, states

if TYPE_CHECKING:
    from stages.lib.tracking.store import Store

WATCH_SECONDS = 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=PROFILES, help="default: all")
    parser.add_argument("--study", action="store_true", help="the experiment under study alone")
    parser.add_argument("--watch", action="store_true", help="show the curves of running trainings as they grow")
    parser.add_argument("--seconds", type=float, default=1800, help="give up after so many (default: %(default)s)")
    parser.add_argument("--quiet", action="store_true", help="print nothing but warnings")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    profiles = [arguments.profile] if arguments.profile else [*each_profile()]
    while True:
        try:
            connection.set_alarm(arguments.seconds)
            sent, problems = sync_profiles(profiles, arguments.study, arguments.watch)
        except connection.OutOfTime as error:
            sent, problems = 0, [f"MLflow at {connection.shown_uri()} {error}; what it lacks is sent the next time"]
        connection.set_alarm(0)
        for problem in problems:
            connection.warn(problem)
        if not arguments.quiet:
            print(f"MLflow at {connection.shown_uri()}: {sent} runs sent")
        if not (arguments.watch and any(Path("models", ".resume").glob("*.pt"))):
            return
        time.sleep(WATCH_SECONDS)


def sync_profiles(profiles: Sequence[Profile], study: bool = False, live: bool = False) -> tuple[int, list[str]]:
    """Returns how many runs were sent, and what went wrong."""
    uri, database = connection.connect()
    problems: list[str] = []
    if (problem := connection.unreachable(uri)) is not None:
        return 0, [f"MLflow at {uri} cannot be reached ({problem}); what it lacks is sent the next time"]
    artifacts = (database or project_root() / "mlflow.db").with_name("mlartifacts")
    lock = artifacts / ".lock"
    lock.parent.mkdir(exist_ok=True)
    sent = 0
    with lock.open("w") as file, tempfile.TemporaryDirectory(dir=artifacts, prefix=".") as shared:
        fcntl.flock(file, fcntl.LOCK_EX)  # two at a time could send a run twice; the lock ends with the process
        records = {profile: read_records(profile, problems, study) for profile in profiles}
        wanted = {record.digest for found in records.values() for record in found}
        wanted |= {state for found in records.values() for state in states(found).values()}
        try:
            if database and (old := connection.repair_locations(database)):
                problems.append(f"MLflow kept its files in {old}; it now finds them in {artifacts.parent}")
            if not live and (not wanted or (database and connection.lacks_nothing(database, wanted))):
                return 0, problems
        except sqlite3.Error as error:
            return 0, [f"MLflow at {uri} cannot be used ({error})"]
        from stages.lib.tracking.store import FAILURES, Store

        try:
            for profile in profiles:
                store = Store(artifacts if database else None, Path(shared), problems)
                sent += store.send_all(profile, records[profile])
                for checkpoint in sorted(Path("models", ".resume").glob(f"{profile}-*.pt")) if live else ():
                    _send_live(store, profile, checkpoint)
        except FAILURES as error:
            problems.append(f"MLflow at {uri} cannot be used ({reason(error)})")
    return sent, problems


def _send_live(store: "Store", profile: Profile, checkpoint: Path) -> None:
    """The curve so far of a training that is under way."""
    import pandas as pd

    from stages.train.checkpoint import read

    run_id, seed = checkpoint.stem.removeprefix(f"{profile}-").rsplit("-", 1)
    run = read_study(profile) if run_id == STUDY else load_reports(profile=profile).run(run_id, profile)
    content = read(checkpoint)
    if content is None:  # the training says so when it resumes
        return
    tags = {"profile": profile, "group": run.group, "run": run.id}
    history = pd.DataFrame(content["state"]["history"])
    store.send_live(run.task_name, f"{run.task_name}/{profile}/{run.id}/seed-{seed}", tags, history)


if __name__ == "__main__":
    run_stage(main)
