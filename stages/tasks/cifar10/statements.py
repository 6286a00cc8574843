"""Statements of report B that are timed on the data."""

from pathlib import Path

import torch

from stages.lib.files import read_json, read_tensors
from stages.lib.statements import Result, Statement
from stages.lib.step_times import step_seconds
from stages.tasks.cifar10.training.options import NETWORKS, Options
from stages.tasks.cifar10.training.task import TASK

DATA = "CIFAR-10"
FROM_DATA = True


def step_by_network(seed: int, data: Path) -> Result:
    """Processor time of a training step of ResNet-18 and of the simple CNN, on 50 images drawn by the seed
    (B-resnet-slow). An epoch of either has the same number of steps.

    Values: seconds_resnet18, seconds_simple_cnn, and seconds_resnet18_over_simple_cnn; in 32-bit floating point.
    """
    torch.manual_seed(seed)
    metadata, options = read_json(data / "metadata.json"), Options()
    train = TASK.load(read_tensors(data / "tensors.safetensors"), metadata, options)["train"]
    batch = train.batch(torch.randperm(len(train))[:50])
    networks = {f"seconds_{name}": TASK.build(name, NETWORKS[name](), metadata) for name in ("resnet18", "simple_cnn")}
    seconds = step_seconds(networks, lambda network: TASK.training_step(network, batch, options)[0], repeats=5)
    ratio = seconds["seconds_resnet18"] / seconds["seconds_simple_cnn"]
    return Result(seconds | {"seconds_resnet18_over_simple_cnn": ratio})


STATEMENTS = {"B-resnet-slow": Statement(step_by_network, seeds=5, timed=True)}
