"""A trained run's answer to user input: `python -m stages.predict --run sts-ours "A man eats." "A man is eating."`

What a run takes (two sentences, a review, numbers, an image file) is up to its task, which says so when it gets
something else. The run must have been trained: `dvc repro train@<run>`. `--run study` is the experiment under study.
"""

import argparse
import sys
from collections.abc import Sequence

from stages.lib.config import PROFILES, Run, find_run
from stages.lib.errors import run_stage
from stages.lib.task import task_module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="a run of reports/, or study")
    parser.add_argument("--profile", choices=PROFILES, default="sample", help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="default: the run's first")
    parser.add_argument("user_input", nargs="+", help="what to predict for")
    arguments = parser.parse_args()
    run = find_run(arguments.run, arguments.profile)
    seed = run.seeds[0] if arguments.seed is None else arguments.seed
    print(answer(run, seed, arguments.user_input))


def answer(run: Run, seed: int, user_input: Sequence[str]) -> str:
    """The formatted prediction of one trained seed. Raises InputError where it is not trained, or where the task cannot
    use the input.
    """
    import torch

    from stages.lib.prediction import load_data, load_trained, load_vocabulary

    _, weights = load_trained(run, seed)
    metadata, tensors = load_data(run)
    interaction = task_module(run.task_name, "interaction")
    encoded = interaction.encode_input(user_input, tensors, metadata, load_vocabulary(run), run.options)
    network = run.task.build(run.model, run.network, metadata)
    network.load_state_dict(weights)
    with torch.inference_mode():
        (prediction,) = run.task.predict(network.eval(), encoded.batch)
    if metadata["sample"]:
        print("note: trained on sample data; add --profile full for a run trained on real data", file=sys.stderr)
    return "\n".join([*encoded.notes, interaction.format_prediction(prediction, user_input, metadata)])


if __name__ == "__main__":
    run_stage(main)
