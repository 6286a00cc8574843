"""Draw one figure of reports.yaml from its runs' histories: `python -m stages.plot --profile sample --figure <id>`.

Writes metrics/<profile>/figures/<id>.svg, .png, and .csv with everything that is drawn.
"""

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stages.lib.config import with_checks
from stages.lib.files import read_json, read_yaml, whole_file
from stages.lib.errors import InputError
from stages.plot.figures import Sources, Table, parse_entry
from stages.plot.figures.style import Sheet


def plot(figure: str, profile: str, reports: Mapping[str, Any], root: Path = Path()) -> list[Path]:
    """Draw `figure` with the trained runs under `root`; returns the files written. Raises InputError."""
    kind, entry = parse_entry(figure, reports)
    sources = Sources(profile, reports["runs"], root)
    data = [sources.data(run) for run in entry.runs]
    table = kind.read(entry, sources)

    names = ", ".join(dict.fromkeys(str(item["name"]) for item in data))
    sheet = Sheet(entry.title, f"Data: {names} · profile {profile} · figure {figure}", any(d["sample"] for d in data))
    kind.draw(entry, table, sheet.axes)
    sheet.legend()
    folder = root / "metrics" / profile / "figures"
    writers = {"csv": lambda path: _write_csv(path, table), "svg": sheet.save_svg, "png": sheet.save_png}
    for ending, write in writers.items():
        with whole_file(folder / f"{figure}.{ending}") as path:
            write(path)
    return [folder / f"{figure}.{ending}" for ending in writers]


def _write_csv(path: Path, table: Table) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--profile", required=True)
    parser.add_argument("--figure", required=True, help="a figure's id in reports.yaml")
    # dvc.yaml adds the figure's whole entry, so that a changed figure is drawn again. It is read from reports.yaml,
    # where it has its types.
    arguments, _ = parser.parse_known_args()
    reports = read_yaml(Path("reports.yaml"))
    if not isinstance(reports.get("figures"), dict) or not isinstance(reports.get("runs"), dict):
        raise InputError("reports.yaml: expected the keys `runs` and `figures`, each with ids below it")
    reports = with_checks(reports)
    paths = plot(arguments.figure, arguments.profile, reports)
    _track(arguments.figure, arguments.profile, reports, paths)
    print(*paths, sep="\n")


def _track(figure: str, profile: str, reports: Mapping[str, Any], paths: Sequence[Path]) -> None:
    """Have MLflow show the figure with every run that is drawn in it."""
    from stages.lib import tracking

    sources = Sources(profile, reports["runs"])
    for name in reports["figures"][figure]["runs"]:
        folder = sources.folder(name)
        made = read_json(folder / "run.json")
        for seed in folder.glob("seed-*"):
            key = tracking.study_key(profile, name, int(seed.name.removeprefix("seed-")), made)
            tracking.record_plots(key, [path for path in paths if path.suffix != ".csv"])
