"""Train one run: `python -m stages.train --profile sample --run A-sts-best`, or the experiment under study with
`--run study`. Further options only tell DVC that the run changed; a run is read from reports/ or params.yaml.

A training that was killed resumes from its last checkpoint when the same command is given again.
"""

import argparse
import os

from stages.lib.config import PROFILES, find_run
from stages.lib.entry_point import run_stage

# cuBLAS needs this, set before torch starts, to give the same bytes twice.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", required=True, choices=PROFILES)
    parser.add_argument("--run", required=True)
    arguments, _ = parser.parse_known_args()
    run = find_run(arguments.run, arguments.profile)

    from stages.train.trainer import train

    train(run)


if __name__ == "__main__":
    run_stage(main)
