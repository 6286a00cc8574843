"""What made a result: the commit, and whether what matters differed from it."""

import subprocess
from pathlib import Path

import pytest
import torch

from stages.lib.provenance import provenance


def test_provenance_names_the_commit_and_whether_code_differs_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*words: str) -> str:
        settings = ("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(tmp_path), *settings, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    monkeypatch.setattr("stages.lib.provenance.ROOT", tmp_path)
    assert (provenance()["commit"], provenance()["dirty"]) == (None, False)
    (tmp_path / "params.yaml").write_text("a: 1\n")
    (tmp_path / "README.md").write_text("a\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "m")
    found = provenance()
    assert (found["commit"], found["dirty"]) == (git("rev-parse", "HEAD").strip(), False)
    assert found["threads"] == torch.get_num_threads()
    (tmp_path / "README.md").write_text("b\n")
    assert not provenance()["dirty"]
    (tmp_path / "params.yaml").write_text("a: 2\n")
    assert provenance()["dirty"]
