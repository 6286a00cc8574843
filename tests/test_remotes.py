"""Results travel to another clone, by a folder and by S3; and what `dvc gc` leaves."""

import sys
from pathlib import Path

import pytest
from small_project import Project, environment, stages_run
from test_pipeline import weights

pytestmark = pytest.mark.pipeline


def test_another_clone_pulls_everything_and_has_nothing_to_run(
    reproduced: Project, tmp_path: Path, remote: tuple[str, ...]
) -> None:
    reproduced.add_remote(*remote)
    reproduced.call("dvc", "push", "--remote", "store", "--run-cache")
    clone = tmp_path / "clone"
    reproduced.call("git", "clone", "--quiet", str(reproduced.folder), str(clone))
    other = object.__new__(Project)
    other.folder, other.environment = clone, environment(reproduced.folder) | {"WATCH_FOLDER": ""}
    other.add_remote(*remote)
    other.call("dvc", "pull", "--remote", "store", "--run-cache", "dvc.yaml")
    assert stages_run(other.call("dvc", "repro")) == []
    assert weights(clone) == weights(reproduced.folder)
    assert (clone / "metrics/sample/index.html").is_file()
    assert other.call("git", "status", "--porcelain").stdout == ""
    if len(remote) == 1:
        assert stages_run(other.call(sys.executable, "-m", "stages.reproduce")) == []
        # What a lock does not name was still run once, with the same inputs.
        (clone / "dvc.lock").unlink()
        assert stages_run(other.call("dvc", "repro")) == []
        assert weights(clone) == weights(reproduced.folder)


def test_freeing_the_cache_keeps_what_any_commit_and_the_real_study_need(reproduced: Project, tmp_path: Path) -> None:
    """The README's command keeps both; `--workspace` keeps both pipelines, as they are now."""
    project = object.__new__(Project)
    project.folder, project.environment = tmp_path / "clone", reproduced.environment | {"WATCH_FOLDER": ""}
    project.folder.mkdir()
    reproduced.call("git", "clone", "--quiet", str(reproduced.folder), str(project.folder))
    raw = project.folder / "data" / "full" / "raw" / "glove"
    raw.mkdir(parents=True)
    (project.folder / "data" / "full" / "valid.txt").write_text("reports/ and params.yaml are valid\n")
    for content in ("first", "second"):
        (raw / "glove.6B.50d.txt").unlink(missing_ok=True)  # the name of a file in DVC's cache
        (raw / "glove.6B.50d.txt").write_text(content)
        project.call("dvc", "commit", "--force", "full/dvc.yaml:download@glove")
        project.commit()

    def cached() -> list[str]:
        files = [path for path in (project.folder / ".dvc/cache/files").rglob("*") if path.is_file()]
        return sorted({path.read_text() for path in files} & {"first", "second"})

    project.call("dvc", "gc", "--force", "--all-commits", "--all-experiments")
    assert cached() == ["first", "second"]
    project.call("dvc", "gc", "--force", "--workspace")
    assert cached() == ["second"]
