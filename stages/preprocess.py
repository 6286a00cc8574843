"""Raw files to tensors and metadata: `python -m stages.preprocess --profile sample --task sts`."""

import argparse
from pathlib import Path

from stages.lib.config import PROFILES, load_reports
from stages.lib.config_model import check_model
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.task import task_module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", required=True, choices=PROFILES)
    parser.add_argument("--task", required=True)
    # What else DVC passes tells it that the entry changed; the entry itself is read from reports/.
    arguments, _ = parser.parse_known_args()
    reports = load_reports()
    if arguments.task not in reports.tasks:
        raise InputError(f"--task {arguments.task}: `tasks` of reports/ has {', '.join(reports.tasks)}")
    entry = reports.tasks[arguments.task]
    preparation = task_module(arguments.task, "preparation")
    settings = check_model(preparation.Settings, entry.settings, reports.where("tasks", arguments.task))

    import torch

    from stages.lib.prediction import store_data

    # Sums over all images are the same whatever number of threads the user has.
    torch.set_num_threads(1)
    raw = {
        role: Path("data", arguments.profile, "raw", name)
        for role, name in (("corpus", entry.corpus), ("vectors", entry.vectors or entry.corpus))
    }
    prepared = preparation.prepare(raw, settings)
    folder = Path("data", arguments.profile, arguments.task)
    store_data(folder, prepared, {"sample": arguments.profile == "sample"})
    size = sum(tensor.nbytes for tensor in prepared.tensors.values()) / 1e6
    print(f"{arguments.task}: {len(prepared.tensors)} tensors, {size:.1f} MB")


if __name__ == "__main__":
    run_stage(main)
