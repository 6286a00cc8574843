"""All seeds of a run: from prepared tensors to models/<profile>/<group>/<run>."""

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment
from torch import nn

from stages.lib.config import Run
from stages.lib.determinism import require_determinism
from stages.lib.files import atomic_folder, write_json, write_tensors
from stages.lib.memory import keep_freed_memory
from stages.lib.prediction import load_data
from stages.lib.provenance import provenance
from stages.train.loop import train_seed
from stages.train.precision import resolve


def train(run: Run, checkpoint_seconds: float = 20.0) -> None:
    """Train every seed of a run; the folder appears once all are done, a checkpoint every `checkpoint_seconds`.

    Writes run.json (settings, data, provenance, wall time of each seed) and, in seed-<n>/, weights.safetensors and
    history.csv. Raises InputError for settings that do not fit the data, TrainingError where training diverges.
    """
    require_determinism()
    keep_freed_memory()
    metadata, tensors = load_data(run)
    splits = run.task.load(tensors, metadata, run.options)
    digest = hashlib.sha256((run.data / "tensors.safetensors").read_bytes()).hexdigest()
    precision = resolve(run.settings.precision)
    # Where Slurm is installed, Fabric would take the settings of a job around it for its own.
    environment = LightningEnvironment()
    fabric = Fabric(accelerator="auto", devices=1, precision=precision, plugins=[environment])
    fingerprint = _fingerprint(run, f"{digest} {precision} {fabric.device.type}", torch.get_num_threads())
    about: dict[str, Any] = {
        "run": run.id,
        "group": run.group,
        "config": run.parameters(),
        "data": {
            "name": run.task.data_label(metadata),
            "sample": metadata["sample"],
            "sha256": digest,
            "bytes": (run.data / "tensors.safetensors").stat().st_size,
        },
        "precision": precision,
        "threads": torch.get_num_threads(),
        "seeds": {str(seed): {} for seed in run.seeds},
    }
    checkpoints = {seed: Path("models", ".resume", f"{run.profile}-{run.id}-{seed}.pt") for seed in run.seeds}
    with atomic_folder(run.folder) as folder:
        for seed in run.seeds:
            torch.manual_seed(seed)
            network = run.task.build(run.model, run.network, metadata)
            about["memory_format"] = _memory_format(network)
            about["parameters"] = sum(parameter.numel() for parameter in network.parameters())
            trained = train_seed(
                run, seed, network, splits, fabric, checkpoints[seed], f"{fingerprint} {seed}", checkpoint_seconds
            )
            (folder / f"seed-{seed}").mkdir()
            write_tensors(folder / f"seed-{seed}" / "weights.safetensors", trained.weights)
            _write_history(folder / f"seed-{seed}" / "history.csv", trained.history)
            # Sample runs leave the same bytes whenever they run, so they keep neither times nor dates.
            if run.profile != "sample":
                about["seeds"][str(seed)] = {"seconds": round(trained.seconds, 1), "provenance": provenance()}
        write_json(folder / "run.json", about)
    for checkpoint in checkpoints.values():
        checkpoint.unlink()


def _memory_format(network: nn.Module) -> str:
    """How the network's convolution weights are laid out in memory."""
    kernels = [parameter for parameter in network.parameters() if parameter.ndim == 4 and parameter.shape[1] > 1]
    last = kernels and all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    return "channels_last" if last else "contiguous"


def _fingerprint(run: Run, digest: str, threads: int) -> str:
    """A hash of all that shapes the weights: settings, data, thread count, and the code of training."""
    parts = [json.dumps(run.parameters(), sort_keys=True), digest, str(threads), run.profile]
    for path in code_files(run.task_name):
        parts.append(path.read_text(encoding="utf-8"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def code_files(task: str) -> list[Path]:
    """The modules that shape weights: this package, the task's training package, and the networks."""
    stages = Path(__file__).parents[1]
    folders = (stages / "train", stages / "tasks" / task / "training", stages / "networks")
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def _write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    columns = list(dict.fromkeys(name for row in history for name in row))
    columns.remove("train_loss")
    columns.insert(3, "train_loss")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
