"""What MLflow calls to get a trained network back, from the folder that `stages.lib.tracking.logged_models` writes.

`mlflow.pyfunc.load_model` gives a `UserModel`. `mlflow.pytorch.load_model` gives the network: it has torch.load read
model.pth with this module in pickle's place, and the `Unpickler` below builds the network from the files beside it, so
that weights are in no pickle and are stored once.
"""

import json
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn


class _PlainValues(pickle.Unpickler):
    """Reads numbers, strings, lists and dictionaries; a name of a class or function could run code and is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"model.pth names {module}.{name}; this project writes none that does")


# torch.load calls a pickle module's `load` for a file's header, and its `Unpickler` for what follows: here nothing, as
# weights are read as safetensors.
def load(file: Any, **options: Any) -> Any:
    """As `pickle.load`, for the header."""
    return _PlainValues(file, **options).load()


class Unpickler(_PlainValues):
    """Reads the empty model.pth of a logged model."""

    def __init__(self, file: Any, **options: Any) -> None:
        super().__init__(file, **options)
        self.folder = Path(file.name).parent

    def load(self) -> "nn.Module":
        super().load()
        return UserModel(self.folder).network


def _load_pyfunc(data_path: str) -> "UserModel":
    """MLflow's name for it."""
    return UserModel(Path(data_path))


class UserModel:
    """A trained network that takes what a user types, and answers as `python -m stages.predict` does."""

    def __init__(self, folder: Path) -> None:
        from safetensors.torch import load_file

        from stages.lib.files import read_json
        from stages.lib.prediction import Predicting
        from stages.lib.task import get_task, task_module

        config = read_json(folder / "run.json")["config"]
        task, interaction = get_task(config["task"]), task_module(config["task"], "interaction")
        metadata, vocabulary = read_about(folder)
        settings = task_module(config["task"], "training.options")
        network = settings.NETWORKS[config["model"]].model_validate(config["network"])
        self.network = task.build(config["model"], network, metadata).eval()
        self.network.load_state_dict(load_file(folder / "weights.safetensors"))
        options, tensors = settings.Options.model_validate(config["options"]), load_file(folder / "tensors.safetensors")
        self.predicting = Predicting(task, interaction, self.network, options, tensors, metadata, vocabulary)

    def predict(self, model_input: "pd.DataFrame", params: object = None) -> list[str]:  # noqa: ARG002
        """One answer a row. Raises InputError for a row that the task cannot use."""
        return [self.answer(row) for row in model_input.itertuples(index=False, name=None)]

    def answer(self, values: Iterable[Any]) -> str:
        """The answer to the columns of one row: texts, lists of numbers, or the content of an image file."""
        interaction, metadata = self.predicting.interaction, self.predicting.metadata
        with as_typed(values) as user_input:
            ((prediction, notes),) = self.predicting.predict([user_input])
        return "\n".join([*notes, interaction.format_prediction(prediction, user_input, metadata)])


def read_about(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """Metadata and vocabulary of a task's data; no vocabulary where the data are not text."""
    words = folder / "vocabulary.txt"
    vocabulary = words.read_text(encoding="utf-8").split("\n") if words.exists() else []
    return json.loads((folder / "metadata.json").read_text(encoding="utf-8")), vocabulary


@contextmanager
def as_typed(values: Iterable[Any]) -> Iterator[list[str]]:
    """Texts, lists of numbers and contents of image files as they would be given on the command line."""
    words: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for value in values:
            if isinstance(value, bytes):
                Path(folder, "image").write_bytes(value)
                words.append(str(Path(folder, "image")))
            else:
                words += [value] if isinstance(value, str) else map(str, value)
        yield words
