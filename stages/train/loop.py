"""The training loop of every task: read it from top to bottom.

A step's batch depends on the seed and the step alone, and everything else that moves (weights, optimizer, random
state, history) is in the checkpoint; so a training that was killed and started again ends with the same bytes.
"""

import math
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from tqdm import tqdm

from stages.lib.config import Run
from stages.lib.prediction import predict
from stages.lib.task import Batch, Place, Split
from stages.lib.errors import InputError, TrainingError
from stages.train.checkpoint import Row, State, restore, save, weights_of
from stages.train.optimizers import learning_rate_factor, make_optimizer

if TYPE_CHECKING:
    from stages.lib.tracking import Tracker


class Trained(NamedTuple):
    """The final weights (on the processor) and one row a step or epoch; the first row is the untrained network."""

    weights: dict[str, Tensor]
    history: list[Row]
    seconds: float


def fit(
    run: Run,
    seed: int,
    network: nn.Module,
    splits: Mapping[str, Split],
    fabric: Fabric,
    checkpoint: Path,
    fingerprint: str,
    tracker: "Tracker | None" = None,
    checkpoint_seconds: float = 20.0,
) -> Trained:
    """Train `network` on splits["train"]; the history has the metrics of those splits that the task watches.

    checkpoint: file that a killed training goes on from; used only if its `fingerprint` (a hash of all that shapes the
    result) is the same; the caller deletes it once the results are safe · tracker: shown the history as it grows.
    Raises InputError where the batch is larger than the data, or best weights or an early stop are asked for and there
    is no validation split; TrainingError where the loss is no finite number.
    """
    settings, train = run.settings, splits["train"]
    if settings.batch_size > len(train):
        raise InputError(f"{run.id}: batch_size = {settings.batch_size}: the training data has {len(train)} examples")
    if "validation" not in splits and (settings.keep_best or settings.patience is not None):
        raise InputError(f"{run.id}: keep_best and patience go by validation, and this run trains on those data too")
    epoch_length = len(train) // settings.batch_size
    by_epoch = settings.epochs is not None
    total = getattr(settings.epochs, run.profile) * epoch_length if by_epoch else getattr(settings.steps, run.profile)
    row_every = epoch_length if by_epoch else 1
    validate_every = epoch_length if by_epoch else min(total, getattr(settings.validate_every, run.profile))

    optimizer = make_optimizer(network, settings)
    network, optimizer = fabric.setup(network, optimizer)
    monitor, rising = run.task.monitor
    state = State()
    if restore(checkpoint, fingerprint, network, optimizer, state):
        print(f"{run.id} seed {seed}: goes on from step {state.step} of {total}", flush=True)
    else:
        validated = _validate(run, network, splits, fabric)
        state.history.append({"step": 0, "epoch": 0, "lr": settings.lr, **validated})

    started = time.monotonic() - state.seconds
    last_save = time.monotonic()
    order, order_epoch = torch.empty(0), -1
    bar = tqdm(
        total=total, initial=state.step, desc=f"{run.id} seed {seed}", disable=not sys.stderr.isatty(), leave=False
    )
    while state.step < total and (settings.patience is None or state.stale < settings.patience):
        epoch, place = divmod(state.step, epoch_length)
        if epoch != order_epoch:
            order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
            order_epoch = epoch
        index = order[place * settings.batch_size : (place + 1) * settings.batch_size]
        # Apart from the orders' seeds by a half of the 64 bits.
        generator = torch.Generator().manual_seed((seed + 1) << 32 | state.step)
        batch = run.task.augment(fabric.to_device(train.batch(index)), Place(index, epoch, generator), run.options)
        lr = settings.lr * learning_rate_factor(settings, state.step, total)
        for group in optimizer.param_groups:
            group["lr"] = lr

        learned: dict[str, Tensor] = {}

        def closure(batch: Batch = batch, learned: dict[str, Tensor] = learned) -> Tensor:
            optimizer.zero_grad()
            loss, counted = run.task.learn(network, batch, run.options)
            learned |= counted
            fabric.backward(loss)
            if settings.clip_norm is not None:
                fabric.clip_gradients(network, optimizer, max_norm=settings.clip_norm, error_if_nonfinite=False)
            return loss

        network.train()
        loss = optimizer.step(closure).item()
        state.step += 1
        for name, value in {"loss": loss, **learned}.items():
            state.learned.setdefault(name, []).append(float(value))
        validates = state.step % validate_every == 0 or state.step == total
        # The last step's loss is from before its update, so the weights that it leaves are looked at too.
        if not math.isfinite(loss) or (validates and not _finite(network)):
            bar.close()
            if tracker:
                tracker.fail(state.history)
            what = "the loss is" if not math.isfinite(loss) else "weights are no finite numbers after a loss of"
            raise TrainingError(
                f"{run.id}, seed {seed}: {what} {loss} at step {state.step} with learning rate {lr:g}; try"
                f" lr {settings.lr / 10:g}, or clip_norm 1.0"
            )
        bar.update()
        if state.step % row_every == 0:
            row = {"step": state.step, "epoch": state.step / epoch_length, "lr": lr}
            row |= {f"train_{name}": sum(values) / len(values) for name, values in state.learned.items()}
            state.learned.clear()
            state.history.append(row)
            if validates:
                row |= _validate(run, network, splits, fabric)
                if "validation" in splits:
                    value = row[f"validation_{monitor}"]
                    state.note(value if rising else -value, weights_of(network) if settings.keep_best else None)
                if tracker:
                    tracker.update(state.history, total // row_every + 1)
                _say(bar, run, seed, row, total)
        if time.monotonic() - last_save >= checkpoint_seconds:
            state.seconds = time.monotonic() - started
            save(checkpoint, fingerprint, network, optimizer, state)
            last_save = time.monotonic()
    bar.close()
    state.seconds = time.monotonic() - started
    # A run of several seeds that is killed later finds this one done.
    save(checkpoint, fingerprint, network, optimizer, state)
    return Trained(state.best_weights if settings.keep_best else weights_of(network), state.history, state.seconds)


def _finite(network: nn.Module) -> bool:
    return all(bool(parameter.isfinite().all()) for parameter in network.parameters())


def _say(bar: tqdm, run: Run, seed: int, row: Row, total: int) -> None:
    numbers = {key: f"{value:.4g}" for key, value in row.items() if key not in ("step", "epoch")}
    if bar.disable:
        said = ", ".join(f"{key} {value}" for key, value in numbers.items())
        print(f"{run.id} seed {seed}: step {row['step']}/{total}, {said}", flush=True)
    else:
        bar.set_postfix(numbers)


def _validate(run: Run, network: nn.Module, splits: Mapping[str, Split], fabric: Fabric) -> Row:
    """The task's cheap metrics on the splits it watches, by history.csv's names. Choices go by validation alone."""
    row = {}
    for name in filter(splits.__contains__, run.task.watched):
        predictions = predict(run.task.predict, network, splits[name], fabric.to_device)
        row |= {f"{name}_{key}": value for key, value in run.task.metrics(predictions, splits[name].targets).items()}
    return row
