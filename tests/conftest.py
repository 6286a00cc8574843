"""Fixtures that several test files share: small projects in temporary folders, with data and reports of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from stages.lib.files import ROOT, read_yaml

#: Where the real data sets are, if they are at hand.
MIRROR = Path(ROOT, os.environ.get("DATA_MIRROR") or "../shared/data")

PAIRS = {"train": 80, "validation": 30, "test": 20}
WIDTH, VOCABULARY, LONGEST = 6, 40, 8

#: Settings of a run that trains in a moment on the made-up data.
SMALL = {"hidden_size": 5, "optimizer": "sgd", "lr": 0.5, "batch_size": 16, "steps": 12, "validate_every": 4}
IDENTITY = {"group": "g", "task": "sts", "model": "siamese_lstm"}

#: Strings that are no ids: they would leave a folder, reach a shell, or be taken for an option or a hidden file.
BAD_IDS = {
    "slash": "a/b",
    "parent": "../../../../x",
    "dots": "..",
    "space": "a b",
    "shell": "x$(touch y)",
    "semicolon": "x;touch y",
    "dot": ".hidden",
    "dash": "-rf",
    "newline": "a\nb",
    "last newline": "a\n",
    "long": "a" * 300,
    "empty": "",
}

Call = Callable[..., subprocess.CompletedProcess[str]]


def write_sts_data(folder: Path, sample: bool = True, seed: int = 0) -> Path:
    """A prepared data set as stages.preprocess leaves one: random sentences, scored by the fraction of equal words."""
    import torch
    from safetensors.torch import save_file

    random = np.random.default_rng(seed)
    vectors = random.normal(size=(VOCABULARY + 1, WIDTH))
    vectors[0] = 0
    tensors = {"vectors": torch.tensor(vectors, dtype=torch.float32)}
    metadata: dict[str, Any] = {
        "sample": sample,
        "width": WIDTH,
        "vocabulary": VOCABULARY,
        "max_length": LONGEST,
        "splits": {name: {"pairs": count} for name, count in PAIRS.items()},
    }
    for name, count in PAIRS.items():
        lengths = random.integers(1, LONGEST + 1, size=count)
        firsts = [random.integers(1, VOCABULARY + 1, size=length) for length in lengths]
        keeps = [random.random(len(first)) < random.random() for first in firsts]
        others = [random.integers(1, VOCABULARY + 1, size=len(first)) for first in firsts]
        seconds = [np.where(keep, first, other) for first, keep, other in zip(firsts, keeps, others, strict=True)]
        rows = firsts + seconds
        tensors[f"{name}.token_ids"] = torch.tensor(np.concatenate(rows), dtype=torch.int32)
        tensors[f"{name}.offsets"] = torch.tensor([0, *map(len, rows)]).cumsum(0)
        tensors[f"{name}.similarity"] = torch.tensor([5 * keep.mean() for keep in keeps], dtype=torch.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "tensors.safetensors")
    (folder / "metadata.json").write_text(json.dumps(metadata))
    return folder


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True), encoding="utf-8")


def write_reports(folder: Path, runs: Mapping[str, Mapping[str, Any]], **sections: Any) -> None:
    """reports/ with one file: `runs` as changes of SMALL, their group, and other sections as given."""
    content = {
        "datasets": ["stsbenchmark", "glove"],
        "tasks": {"sts": {"corpus": "stsbenchmark", "vectors": "glove"}},
        "groups": {IDENTITY["group"]: {"task": IDENTITY["task"], "model": IDENTITY["model"]}},
        "runs": {name: IDENTITY | SMALL | dict(run) for name, run in runs.items()},
    }
    write_yaml(folder / "reports" / "small.yaml", content | sections)


def write_params(folder: Path, **changes: Any) -> None:
    """params.yaml and full/params.yaml as committed, but for these changes of both; None removes a key."""
    for name in ("params.yaml", "full/params.yaml"):
        content = read_yaml(ROOT / name) | changes
        write_yaml(folder / name, {key: value for key, value in content.items() if changes.get(key, 0) is not None})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that run whole stages come first, so that no process is left with one when the others are done."""
    slow = {item.path for item in items if item.get_closest_marker("pipeline")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def sts_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sts_data(tmp_path_factory.mktemp("prepared") / "sts")


@pytest.fixture
def project(tmp_path: Path, sts_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a test that calls stages in its own process, with prepared data of both profiles."""
    for profile in ("sample", "full"):
        shutil.copytree(sts_data, tmp_path / "data" / profile / "sts")
    write_params(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def copy_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`tmp_path` with the package `stages` and the parameters: what runs there takes it for the checkout."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    write_params(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    # Nothing listens on the discard port: MLflow is told nothing, without the second that it takes to start.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    return tmp_path


@pytest.fixture
def call(copy_of_the_code: Path) -> Call:
    """Run `python -m stages.<stage> …` in a project of its own, as a user would."""

    def run(stage: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", f"stages.{stage}", *words],
            cwd=copy_of_the_code,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def one_error_line(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The process failed with this exit code and with one line on stderr that holds all the words."""
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("error: ")
    assert all(word in lines[0] for word in words), lines[0]


def small_run(name: str = "small", profile: Any = "sample", seeds: Sequence[int] = (0,), **changes: Any) -> Any:
    """A checked run of the sts task that trains in a moment; `changes` replace settings, None removes one."""
    from stages.lib.config_entries import Limits
    from stages.lib.config_run import make_run

    settings = {key: value for key, value in (SMALL | changes).items() if value is not None}
    return make_run(
        *(name, IDENTITY["group"], profile, IDENTITY["task"], IDENTITY["model"], settings, "tests"),
        limits=Limits(),
        seeds=seeds,
    )


@pytest.fixture(scope="session")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small project after `dvc repro`, its results committed.

    `first` is what that command printed, and `first_runs` a copy of DVC's memory of it.
    """
    from small_project import Project

    project = Project(tmp_path_factory.mktemp("reproduced") / "project")
    project.first = project.call("dvc", "repro")
    project.first_runs = project.folder.parent / "first-runs"
    shutil.copytree(project.folder / ".dvc" / "cache" / "runs", project.first_runs)
    project.commit()
    return project


@pytest.fixture(params=["folder", "s3"])
def remote(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, ...]]:
    """The words after `dvc remote add` for a folder, or for a bucket of a server on this machine; and its settings."""
    if request.param == "folder":
        yield (str(tmp_path / "remote"),)
        return
    import requests
    from moto.server import ThreadedMotoServer

    # boto3 takes the user's own settings, and asks for credentials at an address of the cloud, unless it is told these.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    # Port 0 is any free one.
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        requests.put(f"{address}/bucket", timeout=10).raise_for_status()
        yield "s3://bucket/results", "endpointurl", address
    finally:
        server.stop()
