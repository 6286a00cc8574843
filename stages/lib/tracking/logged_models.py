"""Folders of MLflow models. Weights and code are hard links to what is on the disk already, where that can be."""

import json
import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.lib.errors import InputError
from stages.lib.files import ROOT
from stages.lib.task import task_module
from stages.lib.tracking.model import as_typed, read_about
from stages.lib.tracking.records import Record, file_digest, sha256

if TYPE_CHECKING:
    from mlflow.entities import LoggedModel

NETWORK = "network"  # the folder below data/ that stages.lib.tracking.model reads
NOT_NEEDED = ("__pycache__", "download", "evaluate", "plot", "report", "statistics")
PACKAGES = ("mlflow", "numpy", "pandas", "pillow", "pydantic", "pyyaml", "safetensors", "torch", "torchvision")


def link(source: str | Path, target: str | Path) -> None:
    """A second name for the same bytes, or a copy on another disk. Stages replace files and never write into them."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    Path(target).unlink(missing_ok=True)
    try:
        os.link(Path(source).resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


class UsedTensors(dict[str, Any]):
    """Tensors, and in `used` those that were asked for."""

    def __init__(self, tensors: dict[str, Any]) -> None:
        super().__init__(tensors)
        self.used: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        return self.used.setdefault(name, super().__getitem__(name))


def write_model(weights: Path, common: Path, target: Path, logged: "LoggedModel") -> None:
    """Fill `target` with a run's own files and links to those of `common_folder`."""
    from mlflow.models import Model

    shutil.rmtree(target, ignore_errors=True)
    try:
        shutil.copytree(common, target, copy_function=os.link)
    except OSError:  # a disk without hard links
        shutil.copytree(common, target, dirs_exist_ok=True)
    link(weights, target / "data" / NETWORK / "weights.safetensors")
    link(weights.parents[1] / "run.json", target / "data" / NETWORK / "run.json")
    (target / "MLmodel").unlink()  # a link to the common one
    model = Model.load(str(common))
    model.run_id, model.artifact_path = logged.source_run_id, logged.artifact_location
    model.model_id = model.model_uuid = logged.model_id
    model.save(str(target / "MLmodel"))


def common_folder(shared: Path, record: Record) -> Path:
    """What models of the same task, data and options have in common: code, data that inputs need, signature, example.
    Made once in `shared`. Raises InputError where the data that the run was trained on are not here.
    """
    import pandas as pd
    import torch
    from mlflow import pyfunc
    from mlflow.models import Model, infer_signature
    from safetensors.torch import load_file, save_file

    options, data = record.config["options"], Path("data", record.profile, record.config.get("data", record.task))
    about = json.dumps([record.profile, record.task, record.data["sha256"], options], sort_keys=True)
    folder = shared / sha256(about.encode())
    if (folder / "MLmodel").exists():
        return folder
    if file_digest(data / "tensors.safetensors") != record.data["sha256"]:
        raise InputError(f"{data} does not hold the data that {record.run} was trained on; sent without its model")
    interaction, network = task_module(record.task, "interaction"), shared / NETWORK
    shutil.rmtree(network, ignore_errors=True)
    for name in ("metadata.json", "vocabulary.txt"):
        if (data / name).exists():
            link(data / name, network / name)
    tensors = UsedTensors(load_file(data / "tensors.safetensors"))
    checked = task_module(record.task, "training.options").Options.model_validate(options)
    with as_typed(interaction.INPUT_EXAMPLE.values()) as user_input:
        interaction.encode_input(user_input, tensors, *read_about(network), checked)
    save_file(tensors.used, network / "tensors.safetensors")
    # In torch's old format, whose reader hands the open file to the pickle module that the second file names.
    torch.save(None, network / "model.pth", _use_new_zipfile_serialization=False)
    (network / "pickle_module_info.txt").write_text("stages.lib.tracking.model")
    if not (shared / "stages").exists():
        shutil.copytree(ROOT / "stages", shared / "stages", ignore=shutil.ignore_patterns(*NOT_NEEDED))
    example = pd.DataFrame([interaction.INPUT_EXAMPLE])
    model = Model(signature=infer_signature(example, ["text"]))
    model.add_flavor("pytorch", model_data=f"data/{NETWORK}", pytorch_version=str(torch.__version__), code="code")
    pyfunc.save_model(
        str(folder),
        loader_module="stages.lib.tracking.model",
        data_path=str(network),
        code_paths=[str(shared / "stages")],
        input_example=example,
        pip_requirements=[f"{package}=={version(package)}" for package in PACKAGES],
        mlflow_model=model,
    )
    return folder
