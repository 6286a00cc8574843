"""What `mlflow.pyfunc.load_model` calls to get a trained network back: run.json and facts.json say how to build it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import nn


def _build(config: Mapping[str, Any], facts: Mapping[str, Any]) -> "nn.Module":
    from stages.lib.task import get

    task = get(config["task"])
    return task.build(config["model"], task.networks[config["model"]].model_validate(config["network"]), facts)


class TrackedModel:
    """A network behind MLflow's interface: arrays in, array out."""

    def __init__(self, network: "nn.Module") -> None:
        self.network = network.eval()

    def predict(self, model_input: "np.ndarray | Mapping[str, np.ndarray]", params: object = None) -> "np.ndarray":  # noqa: ARG002
        """The network's output for one batch: a single array, or arrays by the names of `forward`'s arguments."""
        import torch

        with torch.inference_mode():
            if isinstance(model_input, Mapping):
                output = self.network(**{name: torch.as_tensor(array) for name, array in model_input.items()})
            else:
                output = self.network(torch.as_tensor(model_input))
        return output.numpy()


def _load_pyfunc(data_path: str) -> TrackedModel:
    """MLflow's name for it. `data_path` holds run.json, the data's facts.json and weights.safetensors."""
    from safetensors.torch import load_file

    from stages.lib.files import read_json

    folder = Path(data_path)
    network = _build(read_json(folder / "run.json")["config"], read_json(folder / "facts.json"))
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    return TrackedModel(network)
