"""Tensors → weights and curves, one run in one process.

`python -m stages.train --study` trains the experiment of params.yaml; dvc.yaml shows how a run of reports.yaml is
spelled out. A training that was killed goes on where it was when the same command is given again.
"""

import argparse
import csv
import hashlib
import inspect
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.config import Profile, Run, read_run
from stages.lib.files import whole_folder, write_json, write_tensors
from stages.lib.task import Split

if TYPE_CHECKING:
    from torch import nn

# cuBLAS needs this, set before torch starts, to give the same bytes twice.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", action="store_true", help="the experiment of params.yaml")
    parser.add_argument("--profile", choices=Profile.__args__)
    for name in ("run", "group", "task", "model"):
        parser.add_argument(f"--{name}")
    train(read_run(*parser.parse_known_args()))


def train(run: Run) -> None:
    """Train every seed of a run and write models/<profile>/<group>/<run>."""
    import torch
    from lightning_fabric import Fabric

    from stages.lib.determinism import require_determinism
    from stages.lib.prediction import load_data
    from stages.lib.provenance import provenance
    from stages.lib.tracking import Tracker, Training
    from stages.train.loop import fit
    from stages.train.precision import resolve

    require_determinism()
    facts, tensors = load_data(run)
    splits = run.task.load(tensors, facts, run.options)
    digest = hashlib.sha256((run.data / "tensors.safetensors").read_bytes()).hexdigest()
    precision = resolve(run.settings.precision)
    fabric = Fabric(accelerator="auto", devices=1, precision=precision)
    fingerprint = _fingerprint(run, f"{digest} {precision} {fabric.device.type}", torch.get_num_threads())
    made: dict[str, Any] = {
        "run": run.id,
        "config": run.parameters(),
        "data": {
            "name": run.task.data_called(facts),
            "sample": facts["sample"],
            "sha256": digest,
            "bytes": (run.data / "tensors.safetensors").stat().st_size,
        },
        "precision": precision,
        "threads": torch.get_num_threads(),
        # Sample runs leave the same bytes whenever and wherever they run.
        "made": [provenance("trained")] if run.profile != "sample" else [],
    }
    checkpoints = {seed: Path("models", ".resume", f"{run.profile}-{run.id}-{seed}.pt") for seed in run.seeds}
    with whole_folder(run.folder) as folder:
        for seed in run.seeds:
            torch.manual_seed(seed)
            network = run.task.build(run.model, run.network, facts)
            made["memory_format"] = _memory_format(network)
            made["parameters"] = sum(parameter.numel() for parameter in network.parameters())
            about = Training(
                profile=run.profile,
                group=run.group,
                run=run.id,
                seed=seed,
                about=made,
                stage=f"train@{run.id}",
                source=str(run.data / "tensors.safetensors"),
                facts=facts,
                signature=_signature(network, splits["train"]),
            )
            tracker = Tracker(about)
            trained = fit(run, seed, network, splits, fabric, checkpoints[seed], f"{fingerprint} {seed}", tracker)
            if run.profile != "sample":
                made.setdefault("seconds", {})[str(seed)] = round(trained.seconds, 1)
            (folder / f"seed-{seed}").mkdir()
            write_tensors(folder / f"seed-{seed}" / "weights.safetensors", trained.weights)
            _write_history(folder / f"seed-{seed}" / "history.csv", trained.history)
            tracker.finish(folder / f"seed-{seed}" / "history.csv", folder / f"seed-{seed}" / "weights.safetensors")
        write_json(folder / "run.json", made)
    for checkpoint in checkpoints.values():
        checkpoint.unlink()


def _signature(network: "nn.Module", split: Split) -> dict[str, Any]:
    """Names, types and shapes of the network's inputs and output; a size that differs between batches is free (-1)."""
    import torch

    batches = [split.batch(torch.arange(count)).inputs for count in (1, min(64, len(split)))]
    network.eval()
    with torch.no_grad():
        one, many = ((*inputs, network(*inputs)) for inputs in batches)
    names = inspect.signature(network.forward).parameters
    shapes = [
        (str(a.dtype).removeprefix("torch."), tuple(x if x == y else -1 for x, y in zip(a.shape, b.shape, strict=True)))
        for a, b in zip(one, many, strict=True)
    ]
    return {"inputs": dict(zip(names, shapes[:-1], strict=True)), "output": shapes[-1]}


def _memory_format(network: "nn.Module") -> str:
    """How the network's convolutions lie in memory."""
    import torch

    kernels = [parameter for parameter in network.parameters() if parameter.ndim == 4 and parameter.shape[1] > 1]
    last = kernels and all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    return "channels_last" if last else "contiguous"


def _fingerprint(run: Run, digest: str, threads: int) -> str:
    """A hash of all that shapes the weights: settings, data, thread count, and the project's code in this process."""
    parts = [json.dumps(run.parameters(), sort_keys=True), digest, str(threads), run.profile]
    for name, module in sorted(sys.modules.items()):
        if name == "__main__" or (name.startswith("stages.") and not name.startswith("stages.lib.tracking")):
            parts.append(Path(module.__file__).read_text(encoding="utf-8"))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _write_history(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    columns = list(dict.fromkeys(name for row in history for name in row))
    columns.remove("train_loss")
    columns.insert(3, "train_loss")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
