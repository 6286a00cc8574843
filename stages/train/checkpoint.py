"""The file that a killed training resumes from."""

import hashlib
import io
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from stages.lib.files import atomic_file

Row = dict[str, float]
#: A checkpoint ends with the SHA-256 of what precedes it.
DIGEST_BYTES = hashlib.sha256().digest_size


@dataclass
class State:
    """The state of a training besides its network and optimizer."""

    step: int = 0
    #: Training losses, and what else a task logs, by name, since the last row of the history.
    logged: dict[str, list[float]] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    best_value: float = -math.inf
    best_weights: dict[str, Tensor] | None = None
    #: Wall time so far, of all processes that took part.
    seconds: float = 0.0

    def note(self, value: float, weights: dict[str, Tensor] | None) -> None:
        """Take a validation into account; larger values are better."""
        if value > self.best_value:
            self.best_value, self.best_weights = value, weights


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    """A copy of the weights on the processor, in the layout that files have."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in network.state_dict().items()
    }


def save(path: Path, fingerprint: str, network: nn.Module, optimizer: Optimizer, state: State) -> None:
    """Write all that changes during training; a kill or a power cut while writing leaves the previous file."""
    content = {
        "fingerprint": fingerprint,
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "state": {name: getattr(state, name) for name in asdict(State())},
    }
    # torch's own writer hides which error a full disk gives; Python's raises it.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        file.write(buffer.getbuffer())
        file.write(hashlib.sha256(buffer.getbuffer()).digest())
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> dict[str, Any] | None:
    """What `save` wrote; None where the file is damaged (emptied, truncated, overwritten)."""
    content = memoryview(path.read_bytes())
    if hashlib.sha256(content[:-DIGEST_BYTES]).digest() != content[-DIGEST_BYTES:]:
        return None
    return torch.load(io.BytesIO(content[:-DIGEST_BYTES]), map_location="cpu", weights_only=True)


def restore(path: Path, fingerprint: str, network: nn.Module, optimizer: Optimizer, state: State) -> bool:
    """Load a checkpoint of the same training; False where there is none, and where it cannot be used."""
    if not path.exists():
        return False
    content = read(path)
    if content is None:
        print(f"{path} is damaged; training starts from the beginning", flush=True)
        return False
    if content["fingerprint"] != fingerprint:
        print(f"{path} was made by other settings, data or code; training starts from the beginning", flush=True)
        return False
    network.load_state_dict(content["network"])
    optimizer.load_state_dict(content["optimizer"])
    torch.set_rng_state(content["random"])
    if content["random_cuda"]:
        torch.cuda.set_rng_state_all(content["random_cuda"])
    for name, value in content["state"].items():
        setattr(state, name, value)
    return True
