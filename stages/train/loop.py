"""The training loop of every task: read it from top to bottom.

A step's batch depends on the seed and the step alone, and everything else that moves (weights, optimizer, random
state, history) is in the checkpoint; so a training that is killed and resumed ends with the same bytes.
"""

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm import tqdm

from stages.lib.config import Run
from stages.lib.errors import InputError, TrainingError
from stages.lib.prediction import predict
from stages.lib.task import AugmentContext, Batch, Split
from stages.train.checkpoint import Row, State, restore, save, weights_of
from stages.train.optimizers import learning_rate_factor, make_optimizer


class Trained(NamedTuple):
    """The final weights (on the processor); one row a step or epoch, the first of the untrained network; wall time."""

    weights: dict[str, Tensor]
    history: list[Row]
    seconds: float


def train_seed(
    run: Run,
    seed: int,
    network: nn.Module,
    splits: Mapping[str, Split],
    fabric: Fabric,
    checkpoint: Path,
    fingerprint: str,
    checkpoint_seconds: float,
) -> Trained:
    """Train `network` on splits["train"]; the history has the metrics of the task's logged splits.

    checkpoint: file that a killed training resumes from; used only if its `fingerprint` (a hash of all that shapes the
    result) is the same; saved every `checkpoint_seconds`; the caller deletes it once the results are safe.
    Raises InputError where the batch is larger than the data, or the best weights are asked for without a validation
    split; TrainingError where the loss is not finite.
    """
    settings, train = run.settings, splits["train"]
    if settings.batch_size > len(train):
        raise InputError(f"{run.id}: batch_size = {settings.batch_size}: the training data has {len(train)} examples")
    if "validation" not in splits and settings.keep_best:
        raise InputError(f"{run.id}: keep_best needs a validation split, and this run trains on those examples too")
    epoch_length = len(train) // settings.batch_size
    total = settings.steps or (settings.epochs or 0) * epoch_length
    row_every = 1 if settings.steps else epoch_length
    validate_every = min(total, settings.validate_every) if settings.steps else epoch_length

    optimizer = make_optimizer(network, settings)
    network, optimizer = fabric.setup(network, optimizer)
    monitor, higher_is_better = run.task.monitor
    state = State()
    if restore(checkpoint, fingerprint, network, optimizer, state):
        print(f"{run.id} seed {seed}: resumes at step {state.step} of {total}", flush=True)
    else:
        state.history.append({"step": 0, "epoch": 0, "lr": settings.lr, **_validate(run, network, splits, fabric)})

    started = time.monotonic() - state.seconds
    last_save = time.monotonic()
    order, order_epoch = torch.empty(0), -1
    bar = tqdm(
        total=total, initial=state.step, desc=f"{run.id} seed {seed}", disable=not sys.stderr.isatty(), leave=False
    )
    while state.step < total:
        epoch, position = divmod(state.step, epoch_length)
        if epoch != order_epoch:
            order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
            order_epoch = epoch
        index = order[position * settings.batch_size : (position + 1) * settings.batch_size]
        # The shuffles' seeds are small numbers; these differ from them in the upper 32 bits.
        generator = torch.Generator().manual_seed((seed + 1) << 32 | state.step)
        context = AugmentContext(index, epoch, generator)
        batch = run.task.augment(fabric.to_device(train.batch(index)), context, run.options)
        lr = settings.lr * learning_rate_factor(settings, state.step, total)
        for group in optimizer.param_groups:
            group["lr"] = lr

        logged: dict[str, Tensor] = {}

        def closure(batch: Batch = batch, logged: dict[str, Tensor] = logged) -> Tensor:
            optimizer.zero_grad()
            loss, also = run.task.training_step(network, batch, run.options)
            logged |= also
            fabric.backward(loss)
            if settings.clip_norm is not None:
                fabric.clip_gradients(network, optimizer, max_norm=settings.clip_norm, error_if_nonfinite=False)
            return loss

        network.train()
        loss = optimizer.step(closure).item()
        state.step += 1
        for name, value in {"loss": loss, **logged}.items():
            state.logged.setdefault(name, []).append(float(value))
        validates = state.step % validate_every == 0 or state.step == total
        # The last loss is that of the weights before the last update, so those after it are checked as well.
        if not math.isfinite(loss) or (validates and not _finite(network)):
            bar.close()
            what = (
                f"the loss is {loss}" if not math.isfinite(loss) else f"weights are not finite after a loss of {loss}"
            )
            raise TrainingError(
                f"{run.id}, seed {seed}: {what} at step {state.step} with learning rate {lr:g}; try"
                f" lr {settings.lr / 10:g}, or clip_norm 1.0"
            )
        bar.update()
        if state.step % row_every == 0:
            row = {"step": state.step, "epoch": state.step / epoch_length, "lr": lr}
            row |= {f"train_{name}": sum(values) / len(values) for name, values in state.logged.items()}
            state.logged.clear()
            state.history.append(row)
            if validates:
                row |= _validate(run, network, splits, fabric)
                if "validation" in splits:
                    value = row[f"validation_{monitor}"]
                    state.note(
                        value if higher_is_better else -value, weights_of(network) if settings.keep_best else None
                    )
                _report(bar, run, seed, row, total)
        if time.monotonic() - last_save >= checkpoint_seconds:
            state.seconds = time.monotonic() - started
            save(checkpoint, fingerprint, network, optimizer, state)
            last_save = time.monotonic()
    bar.close()
    state.seconds = time.monotonic() - started
    # A run of several seeds that is killed later finds this one done.
    save(checkpoint, fingerprint, network, optimizer, state)
    best = state.best_weights if settings.keep_best else None
    return Trained(best or weights_of(network), state.history, state.seconds)


def _finite(network: nn.Module) -> bool:
    return all(bool(parameter.isfinite().all()) for parameter in network.parameters())


def _report(bar: tqdm, run: Run, seed: int, row: Row, total: int) -> None:
    numbers = {key: f"{value:.4g}" for key, value in row.items() if key not in ("step", "epoch")}
    if bar.disable:
        line = ", ".join(f"{key} {value}" for key, value in numbers.items())
        print(f"{run.id} seed {seed}: step {row['step']}/{total}, {line}", flush=True)
    else:
        bar.set_postfix(numbers)


def _validate(run: Run, network: nn.Module, splits: Mapping[str, Split], fabric: Fabric) -> Row:
    """The task's curve metrics on its logged splits, by their names in history.csv."""
    row: Row = {}
    for name in filter(splits.__contains__, run.task.logged_splits):
        predictions = predict(run.task.predict, network, splits[name], fabric.to_device)
        row |= {
            f"{name}_{key}": value for key, value in run.task.curve_metrics(predictions, splits[name].targets).items()
        }
    return row
