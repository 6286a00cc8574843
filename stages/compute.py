"""Statements that need no data set → numbers: `python -m stages.compute --profile sample --group theory --task concepts`.

Stands where training and evaluation stand for other tasks, and leaves what they leave:
metrics/<profile>/runs/<group>.json with one entry a check, and the rows behind figures. The numbers
are the same in every profile.
"""

import argparse
import csv
import importlib
from pathlib import Path
from typing import Any

from stages.lib.config import Profile
from stages.lib.provenance import provenance
from stages.lib.files import whole_folder, write_json
from stages.lib.errors import InputError, run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", required=True, choices=Profile.__args__)
    parser.add_argument("--group", required=True)
    parser.add_argument("--task", required=True)
    arguments = parser.parse_args()
    check(arguments.group, arguments.task, arguments.profile)


def check(group: str, task: str, profile: Profile) -> None:
    """Compute every check of a task."""
    import torch

    from stages.lib.determinism import require_determinism

    require_determinism()
    # The networks are tiny: handing parts of them to a second thread costs more than it gains.
    torch.set_num_threads(1)
    concepts = _checks(task)
    data = {"name": concepts.DATA, "sample": False, "sha256": "", "bytes": 0}
    made = [provenance("computed")] if profile != "sample" else []
    content: dict[str, Any] = {"group": group, "task": task, "data": data, "runs": {}}
    with (
        whole_folder(Path("models", profile, group)) as about,
        whole_folder(Path("metrics", profile, "predictions", group)) as tables,
    ):
        for name, one in concepts.CHECKS.items():
            seeds = {}
            for seed in range(one.seeds):
                finding = one.find(seed)
                seeds[str(seed)] = {"scores": finding.scores, "spread": {}, "curves": {}}
                if finding.columns:
                    _write(tables / f"{name}-seed-{seed}.csv", (finding.columns, *finding.rows))
            content["runs"][name] = {"parameters": 0, "made": made, "seeds": seeds}
            (about / name).mkdir()
            write_json(about / name / "run.json", {"run": name, "config": {"task": task}, "data": data})
    write_json(Path("metrics", profile, "runs", f"{group}.json"), content)
    print(f"{group}: {len(content['runs'])} checks")


def _checks(task: str) -> Any:
    """The package stages/tasks/<task>, which has `CHECKS` and `DATA`."""
    if not task.isidentifier() or not (Path(__file__).parent / "tasks" / task / "finding.py").is_file():
        raise InputError(f"--task {task}: stages/tasks has no checks of that name")
    return importlib.import_module(f"stages.tasks.{task}")


def _write(path: Path, rows: tuple[tuple[Any, ...], ...]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


if __name__ == "__main__":
    run(main)
