"""Statements that need no training, computed: `python -m stages.compute --profile sample --group theory`.

Writes the group's evaluation as `stages.evaluate` does, with one entry a statement, and the rows behind its figure.
"""

import argparse
from pathlib import Path
from typing import Any

from stages.lib.config import PROFILES, Profile, load_reports, read_limits
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.task import task_module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", required=True, choices=PROFILES)
    parser.add_argument("--group", required=True)
    arguments, _ = parser.parse_known_args()
    compute(arguments.group, arguments.profile)


def compute(group: str, profile: Profile) -> None:
    """Compute every statement of a group, each with each of its seeds. Raises InputError for an unknown group."""
    import pandas as pd
    import torch

    from stages.lib.determinism import require_determinism
    from stages.lib.provenance import provenance
    from stages.lib.results import group_folder, write_group

    computed = load_reports().computed
    if group not in computed:
        raise InputError(f"--group {group}: `computed` of reports/ has {', '.join(computed) or 'none'}")
    require_determinism()
    # The networks are tiny: handing parts of them to a second thread costs more than it gains.
    torch.set_num_threads(1)
    module = task_module(computed[group].task, "statements")
    data = Path("data", profile, computed[group].data)
    runs: dict[str, Any] = {}
    tables: list[pd.DataFrame] = []
    most = read_limits(profile).seeds
    for name, statement in module.STATEMENTS.items():
        # The sample's results are the same bytes whenever they are made.
        if statement.timed and profile == "sample":
            continue
        seeds = {}
        for seed in range(min(statement.seeds, most or statement.seeds)):
            result = statement.compute(seed, data)
            seeds[str(seed)] = {"scores": result.values}
            if result.columns:
                rows = pd.DataFrame(list(result.rows), columns=list(result.columns))
                tables.append(pd.DataFrame({"run": name, "seed": seed}, index=rows.index).join(rows))
        runs[name] = {"config": {"task": computed[group].task}, "parameters": 0, "seeds": seeds}
        if profile != "sample":
            runs[name] |= {"timed": True} if statement.timed else {}
            runs[name]["scored"] = provenance()
    sample = profile == "sample" and module.FROM_DATA
    content = {
        "group": group,
        "task": computed[group].task,
        "data": {"name": module.DATA, "sample": sample},
        "runs": runs,
    }
    write_group(group_folder(profile, group), content, {"tables": tables})
    print(f"{group}: {len(runs)} statements")


if __name__ == "__main__":
    run_stage(main)
