"""A trained run's answer to user input: `python -m stages.predict --run sts-ours "A man eats." "A man is eating."`

What a run takes (two sentences, a review, numbers, an image file) is up to its task, which says so when it gets
something else. For many inputs, `--file reviews.txt` takes one a line, and `--file -` those of standard input; of two
sentences in a line, a tab is between them. The answers are then CSV.

The run must have been trained: `dvc repro train@<run>`. `--run study` is the experiment under study.
"""

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stages.lib.config import find_run
from stages.lib.config_params import PROFILES
from stages.lib.config_run import Run
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.own_data.tables import decode_text, read_text
from stages.lib.task import task_module

#: Inputs that the network sees at once.
BATCH_SIZE = 256
STANDARD_INPUT = "-"


class Line(NamedTuple):
    """One input of a file: where it is, for messages; the number of its line; and its parts."""

    where: str
    number: int
    user_input: list[str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="a run of reports/, or study")
    parser.add_argument("--profile", choices=PROFILES, default="sample", help="default: %(default)s")
    parser.add_argument("--seed", type=int, help="default: the run's first")
    parser.add_argument("--file", action="append", default=[], help="inputs, one a line; - is standard input")
    parser.add_argument("user_input", nargs="*", help="what to predict for")
    arguments = parser.parse_args()
    if bool(arguments.file) == bool(arguments.user_input):
        raise InputError("give either one input in words, or --file")
    run = find_run(arguments.run, arguments.profile)
    seed = run.seeds[0] if arguments.seed is None else arguments.seed
    if arguments.user_input:
        print(answer(run, seed, arguments.user_input))
        return
    interaction = task_module(run.task_name, "interaction")
    lines = [line for name in arguments.file for line in read_lines(name, len(interaction.INPUT_EXAMPLE))]
    table = answer_all(run, seed, lines)
    # Every row is known before the first is written: bad input leaves no half of a table.
    writer = csv.DictWriter(sys.stdout, table[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)


def read_lines(name: str, parts: int) -> list[Line]:
    """The inputs of a file, blank lines left out. Raises InputError where there are none."""
    if name == STANDARD_INPUT:
        where, text = "standard input", decode_text(sys.stdin.buffer.read(), "standard input")
    else:
        where, text = name, read_text(Path(name))
    numbered = enumerate(text.removesuffix("\n").split("\n"), start=1)
    return [
        Line(f"{where}, line {number}", number, line.split("\t") if parts > 1 else [line])
        for number, line in numbered
        if line.strip()
    ]


def answer(run: Run, seed: int, user_input: Sequence[str]) -> str:
    """The formatted prediction of one trained seed. Raises InputError where it is not trained, or where the task cannot
    use the input.
    """
    from stages.lib.prediction import Predicting

    predicting = Predicting.load(run, seed)
    ((prediction, notes),) = predicting.predict([user_input])
    _say_sample(predicting.metadata)
    return "\n".join([*notes, predicting.interaction.format_prediction(prediction, user_input, predicting.metadata)])


def answer_all(run: Run, seed: int, lines: Sequence[Line]) -> list[dict[str, Any]]:
    """One row an input: its line and parts, the task's columns of the prediction, and what was changed on the way.

    Raises InputError, naming file and line, for an input that the task cannot use.
    """
    from stages.lib.prediction import Predicting

    predicting = Predicting.load(run, seed)
    interaction, metadata = predicting.interaction, predicting.metadata
    names = list(interaction.INPUT_EXAMPLE)
    table = []
    for start in range(0, len(lines), BATCH_SIZE):
        some = lines[start : start + BATCH_SIZE]
        found = predicting.predict([line.user_input for line in some], [line.where for line in some])
        for line, (prediction, notes) in zip(some, found, strict=True):
            columns = interaction.tabulate_prediction(prediction, line.user_input, metadata)
            table.append(
                {"line": line.number, **dict(zip(names, line.user_input, strict=True)), **columns}
                | {"note": "; ".join(notes)}
            )
    _say_sample(metadata)
    return table


def _say_sample(metadata: Mapping[str, Any]) -> None:
    if metadata["sample"]:
        print("note: trained on sample data; add --profile full for a run trained on real data", file=sys.stderr)


if __name__ == "__main__":
    run_stage(main)
