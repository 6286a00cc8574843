"""Score trained runs: `python -m stages.evaluate --profile sample --group A-sts-lr`, or the experiment under study with
`--study`. The runs of a group share a process, since starting one costs more than most scores.
"""

import argparse

from stages.lib.config import PROFILES, read_study
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", required=True, choices=PROFILES)
    parser.add_argument("--group")
    parser.add_argument("--study", action="store_true", help="the experiment under study of the profile's params.yaml")
    arguments = parser.parse_args()
    if (arguments.group is None) != arguments.study:
        raise InputError("give either --group or --study")

    from stages.evaluate.evaluation import evaluate_group, evaluate_study

    if arguments.study:
        evaluate_study(read_study(arguments.profile))
    else:
        evaluate_group(arguments.group, arguments.profile)


if __name__ == "__main__":
    run_stage(main)
