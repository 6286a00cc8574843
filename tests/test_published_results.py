"""The committed results of the real study: full/dvc.lock and docs/results are of one state."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from stages.lib.files import read_yaml

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "docs" / "results"


@pytest.fixture(scope="module")
def stages() -> dict[str, Any]:
    return read_yaml(ROOT / "full" / "dvc.lock")["stages"]


def dvc_hash(path: Path) -> str:
    """What DVC names a file or folder by: the MD5 of its bytes, or of the JSON list of its files."""
    if path.is_file():
        return hashlib.md5(path.read_bytes()).hexdigest()
    inside = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    files = [{"md5": dvc_hash(inside[name]), "relpath": name} for name in sorted(inside)]
    return hashlib.md5(json.dumps(files, sort_keys=True).encode()).hexdigest() + ".dir"


def test_every_stage_was_run_on_what_the_lock_says_was_made(stages: dict[str, Any]) -> None:
    made = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    assert [
        f"{name}: {read['path']}"
        for name, stage in stages.items()
        for read in stage.get("deps", [])
        if made.get(read["path"], read["md5"]) != read["md5"]
    ] == []


@pytest.mark.parametrize("kind", ["evaluations", "figures"])
def test_what_is_published_is_what_the_lock_names(stages: dict[str, Any], kind: str) -> None:
    prefix = f"metrics/full/{kind}/"
    outs = [out for stage in stages.values() for out in stage.get("outs", []) if out["path"].startswith(prefix)]
    locked = {out["path"].removeprefix(prefix): out["md5"] for out in outs}
    assert locked
    assert {name: dvc_hash(PUBLISHED / kind / name) for name in locked} == locked
