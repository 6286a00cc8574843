"""Statements of report A that are counted or timed on the data."""

from pathlib import Path

import torch

from stages.lib.files import read_json, read_tensors
from stages.lib.statements import Result, Statement
from stages.lib.step_times import step_seconds
from stages.tasks.sts.training.options import Options, SiameseLSTMOptions
from stages.tasks.sts.training.task import TASK

DATA = "STS Benchmark"
FROM_DATA = True


def score_column(seed: int, data: Path) -> Result:  # noqa: ARG001
    """On how many lines the third column from the end is the score, and how many have extra columns (A-sts-column)."""
    columns = read_json(data / "metadata.json")["columns"]
    return Result(columns | {"share": columns["third_from_end_is_score"] / columns["lines"]})


def step_by_width(seed: int, data: Path) -> Result:
    """Processor time of a training step with 256 and with 512 units, on 35 pairs drawn by the seed (A-sts-slow).

    Values: seconds_256, seconds_512, and seconds_512_over_256. The networks are those of A-sts-hidden.
    """
    torch.manual_seed(seed)
    metadata, options = read_json(data / "metadata.json"), Options()
    train = TASK.load(read_tensors(data / "tensors.safetensors"), metadata, options)["train"]
    batch = train.batch(torch.randperm(len(train))[:35])
    networks = {
        f"seconds_{units}": TASK.build(
            "siamese_lstm",
            SiameseLSTMOptions(hidden_size=units, towers="separate", initialization="tensorflow"),
            metadata,
        )
        for units in (256, 512)
    }
    seconds = step_seconds(networks, lambda network: TASK.training_step(network, batch, options)[0], repeats=20)
    return Result(seconds | {"seconds_512_over_256": seconds["seconds_512"] / seconds["seconds_256"]})


STATEMENTS = {
    "A-sts-column": Statement(score_column),
    "A-sts-slow": Statement(step_by_width, seeds=5, timed=True),
}
