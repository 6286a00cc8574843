"""Fixtures that several test files share: small projects in temporary folders, with data and an outbox of their own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.lib.files import ROOT

#: Where the real data sets are, if they are at hand.
MIRROR = Path(ROOT, os.environ.get("DATA_MIRROR") or "../shared/data")

PAIRS = {"train": 80, "validation": 30, "test": 20}
WIDTH, VOCABULARY = 6, 40

#: Settings of a run that trains in a moment on the made-up data.
SMALL = {
    "network": {"hidden_size": 5},
    "optimizer": "sgd",
    "lr": 0.5,
    "batch_size": 16,
    "steps": {"sample": 12, "full": 12, "paper": 12},
    "validate_every": {"sample": 4, "full": 4, "paper": 4},
}

Call = Callable[..., subprocess.CompletedProcess[str]]


def write_sts_data(folder: Path, sample: bool = True, seed: int = 0) -> Path:
    """A prepared data set as stages.preprocess leaves one: random sentences, scored by their share of equal words."""
    import torch
    from safetensors.torch import save_file

    random = np.random.default_rng(seed)
    vectors = random.normal(size=(VOCABULARY + 1, WIDTH))
    vectors[0] = 0
    tensors = {"vectors": torch.tensor(vectors, dtype=torch.float32)}
    facts: dict[str, Any] = {"sample": sample, "width": WIDTH, "vocabulary": VOCABULARY, "splits": {}}
    for name, count in PAIRS.items():
        firsts = [random.integers(1, VOCABULARY + 1, size=length) for length in random.integers(1, 9, size=count)]
        keeps = [random.random(len(first)) < random.random() for first in firsts]
        others = [random.integers(1, VOCABULARY + 1, size=len(first)) for first in firsts]
        seconds = [np.where(keep, first, other) for first, keep, other in zip(firsts, keeps, others, strict=True)]
        rows = firsts + seconds
        tensors[f"{name}.words"] = torch.tensor(np.concatenate(rows), dtype=torch.int32)
        tensors[f"{name}.offsets"] = torch.tensor([0, *map(len, rows)]).cumsum(0)
        tensors[f"{name}.scores"] = torch.tensor([5 * keep.mean() for keep in keeps], dtype=torch.float32)
        facts["splits"][name] = {"pairs": count}
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "tensors.safetensors")
    (folder / "facts.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture(scope="session")
def sts_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sts_data(tmp_path_factory.mktemp("prepared") / "sts")


@pytest.fixture
def project(tmp_path: Path, sts_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory of a test that calls stages in its own process; MLflow's outbox lies in it too."""
    from stages.lib.tracking import outbox

    for profile in ("sample", "full"):
        shutil.copytree(sts_data, tmp_path / "data" / profile / "sts")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(outbox, "project_root", lambda: tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tmp_path


@pytest.fixture
def copy_of_the_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`tmp_path` with the package `stages`: what runs there takes it for the checkout and puts its outbox there."""
    shutil.copytree(ROOT / "stages", tmp_path / "stages")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    # Nothing listens on the discard port: what a stage wants to send waits, without a second of MLflow's start.
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


def small_run(name: str = "small", profile: str = "sample", seeds: Sequence[int] = (0,), **changes: Any) -> Any:
    """A checked run of the sts task that trains in a moment; `changes` replace settings."""
    from stages.lib.config import make_run

    settings = {key: value for key, value in (SMALL | changes).items() if value is not None}
    return make_run(name, "g", profile, "sts", "siamese_lstm", settings, "tests", seeds=seeds)
