"""A trained run's answer to what you type: `python -m stages.predict --run sts-ours "A man eats." "A man is eating."`

What a run wants (two sentences, a review, numbers, a picture) is its task's business; it says so when it gets something
else. The run must have been trained: `dvc repro train@<run>`. `--run study` is the experiment of params.yaml.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from stages.common.config import PARAMS, STUDY, Profile, Run, find_run, read_study
from stages.common.storage import read_yaml
from stages.errors import InputError
from stages.errors import run as run_stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="a run of reports.yaml, or study")
    parser.add_argument("--profile", choices=Profile.__args__, help="default: the one of params.yaml")
    parser.add_argument("--seed", type=int, help="default: the run's first")
    parser.add_argument("given", nargs="+", help="what to predict for")
    arguments = parser.parse_args()
    profile = arguments.profile or read_yaml(PARAMS)["profile"]
    run = read_study(profile) if arguments.run == STUDY else find_run(arguments.run, profile)
    seed = run.seeds[0] if arguments.seed is None else arguments.seed
    print(answer(run, seed, arguments.given))


def answer(run: Run, seed: int, given: Sequence[str]) -> str:
    """The prediction of one trained seed in words. Raises InputError where nothing is trained, or `given` makes no
    sense to the task.
    """
    import torch
    from safetensors.torch import load_file

    from stages.common.prediction import load_data, load_words

    weights = run.folder / f"seed-{seed}" / "weights.safetensors"
    if not weights.is_file():
        train = "train-study" if run.id == STUDY else f"train@{run.id}"
        profile = f"set profile to {run.profile} in params.yaml and run " if run.profile != _own_profile() else "run "
        raise InputError(f"{weights} does not exist; {profile}`dvc repro {train}`")
    facts, tensors = load_data(run)
    example = run.task.example(given, tensors, facts, load_words(run), run.options)
    network = run.task.build(run.model, run.network, facts)
    network.load_state_dict(load_file(weights))
    with torch.inference_mode():
        (prediction,) = run.task.predict(network.eval(), example.batch)
    if facts["sample"]:
        print("note: trained on made-up sample data; --profile full asks a run trained on real data", file=sys.stderr)
    return "\n".join([*example.notes, run.task.describe(prediction, given, facts)])


def _own_profile() -> str:
    return read_yaml(Path(PARAMS))["profile"]


if __name__ == "__main__":
    run_stage(main)
