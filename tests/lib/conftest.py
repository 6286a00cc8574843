"""Fixtures of the tests of tracking: a small project with trained runs, and an MLflow store of its own."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tracking_project import make_project

#: What connect() sets where it is not set; a test leaves none of it behind.
VARIABLES = (
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_HTTP_REQUEST_TIMEOUT", "GIT_PYTHON_REFRESH"),
    *("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "DVC_EXP_NAME"),
)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    here = Path.cwd()
    os.chdir(folder)
    try:
        make_project(folder)
    finally:
        os.chdir(here)
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a copy of the project of `tracking_project`, before its report."""
    shutil.copytree(trained_once, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/project/mlflow.db")
    for name in VARIABLES:
        # Set first, so that what is set in the test goes again with it.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return tmp_path / "project"


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with MLflow's tables, which take seconds to make."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    folder = tmp_path_factory.mktemp("store")
    SqlAlchemyStore(f"sqlite:///{folder / 'mlflow.db'}", str(folder / "artifacts"))
    return folder / "mlflow.db"


@pytest.fixture
def store(trained: Path, empty_store: Path) -> Path:
    """The project with such a database; the path of that."""
    shutil.copyfile(empty_store, trained / "mlflow.db")
    return trained / "mlflow.db"


@pytest.fixture
def sync_here(store: Path) -> Callable[..., int]:
    """Sync in the tests' own process, which has imported mlflow; returns how many runs were sent."""
    from stages.sync import sync_profiles

    assert store.exists()

    def run(profile: str = "full", **options: bool) -> int:
        sent, problems = sync_profiles([profile], **options)
        assert problems == []
        return sent

    return run
