"""A trained run's answer to what you type: `python -m stages.predict --run sts-ours "A man eats." "A man is eating."`

What a run wants (two sentences, a review, numbers, a picture) is its task's business; it says so when it gets something
else. The run must have been trained: `dvc repro train@<run>`. `--run study` is the experiment of params.yaml.
"""

import argparse
import sys
from collections.abc import Sequence

from stages.lib.config import STUDY, Profile, Run, find_run, own_profile, read_study
from stages.lib.errors import run as run_stage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="a run of reports.yaml, or study")
    parser.add_argument("--profile", choices=Profile.__args__, help="default: the one of params.yaml")
    parser.add_argument("--seed", type=int, help="default: the run's first")
    parser.add_argument("given", nargs="+", help="what to predict for")
    arguments = parser.parse_args()
    profile = arguments.profile or own_profile()
    run = read_study(profile) if arguments.run == STUDY else find_run(arguments.run, profile)
    seed = run.seeds[0] if arguments.seed is None else arguments.seed
    print(answer(run, seed, arguments.given))


def answer(run: Run, seed: int, given: Sequence[str]) -> str:
    """The prediction of one trained seed in words. Raises InputError where nothing is trained, or `given` makes no
    sense to the task.
    """
    import torch

    from stages.lib.prediction import load_data, load_trained, load_words

    _, weights = load_trained(run, seed)
    facts, tensors = load_data(run)
    example = run.task.example(given, tensors, facts, load_words(run), run.options)
    network = run.task.build(run.model, run.network, facts)
    network.load_state_dict(weights)
    with torch.inference_mode():
        (prediction,) = run.task.predict(network.eval(), example.batch)
    if facts["sample"]:
        print("note: trained on made-up sample data; --profile full asks a run trained on real data", file=sys.stderr)
    return "\n".join([*example.notes, run.task.describe(prediction, given, facts)])


if __name__ == "__main__":
    run_stage(main)
