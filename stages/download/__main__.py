"""Get the raw files of a data set: `python -m stages.download --profile full --dataset stsbenchmark`.

Profile sample makes them up (samples/<dataset>.py). Profile full takes the published ones (catalogue.yaml), from
DATA_MIRROR first; it never falls back to made-up ones.
"""

import argparse
from pathlib import Path

from stages.download.catalogue import read_catalogue
from stages.download.datasets import download, write_sample
from stages.lib.config import PROFILES
from stages.lib.config_model import check_id
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", required=True, choices=PROFILES)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--seed", type=int, default=0, help="of made-up data")
    arguments = parser.parse_args()

    name = check_id(arguments.dataset, "--dataset")
    if arguments.seed < 0:
        raise InputError(f"--seed {arguments.seed}: give a whole number from 0 up")
    folder = Path("data", arguments.profile, "raw", name)
    if arguments.profile == "sample":
        write_sample(name, folder, arguments.seed)
    else:
        datasets = read_catalogue()
        if name not in datasets:
            raise InputError(f"--dataset {name}: not in the catalogue; choose one of {', '.join(datasets)}")
        dataset = datasets[name]
        if dataset.computed is not None:
            write_sample(name, folder, arguments.seed, **dataset.computed)
        else:
            download(dataset, folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    print(f"{folder}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.1f} MB")


if __name__ == "__main__":
    run_stage(main)
