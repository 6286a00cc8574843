"""Keep the results of `full` readable in Git: `python -m stages.publish` copies evaluations, figures, verdicts and page
of metrics/full to docs/results; `--restore` copies them back, on a machine that has not trained them.

With GROUP … only those evaluations are copied; figures, verdicts and page then stay as they are.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from stages.lib.config import load_reports
from stages.lib.entry_point import run_stage
from stages.lib.errors import InputError
from stages.lib.files import atomic_file, atomic_folder

MADE, PUBLISHED = Path("metrics", "full"), Path("docs", "results")
FILES = ("claims.json", "index.html")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP")
    parser.add_argument("--restore", action="store_true", help="from docs/results to metrics/full")
    arguments = parser.parse_args()
    source, target = (PUBLISHED, MADE) if arguments.restore else (MADE, PUBLISHED)
    for path in copy_results(source, target, arguments.groups):
        print(path)


def copy_results(source: Path, target: Path, groups: Sequence[str] = ()) -> list[Path]:
    """Copy results from one folder to the other; returns what was written. An evaluation that only `target` has stays.

    Raises InputError for an unknown group and where there is nothing to copy.
    """
    reports = load_reports()
    known = [*reports.groups, *reports.computed]
    for group in groups:
        if group not in known:
            raise InputError(f"{group}: unknown group; reports/ has {', '.join(known)}")
    folders = [Path("evaluations", group) for group in groups or known]
    folders = [folder for folder in folders if (source / folder / "scores.json").is_file()]
    if not groups:
        folders += [Path("figures")] if (source / "figures").is_dir() else []
    if not folders:
        raise InputError(f"{source} holds no results to copy")
    for folder in folders:
        with atomic_folder(target / folder) as temporary:
            shutil.copytree(source / folder, temporary, dirs_exist_ok=True, copy_function=shutil.copyfile)
    files = [name for name in FILES if not groups and (source / name).is_file()]
    for name in files:
        with atomic_file(target / name) as temporary:
            shutil.copyfile(source / name, temporary)
    return [*(target / folder for folder in folders), *(target / name for name in files)]


if __name__ == "__main__":
    run_stage(main)
