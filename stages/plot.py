"""Draw one figure of reports.yaml from its runs' histories: `python -m stages.plot --profile sample --figure <id>`.

Writes metrics/<profile>/figures/<id>.svg, .png, and .csv with everything that is drawn.
"""

import argparse
import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.errors import InputError, run
from stages.figures import Sources, Table, parse_entry
from stages.figures.style import Sheet
from stages.storage import read_yaml, whole_file


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
    for path in plot(arguments.figure, arguments.profile, reports):
        print(path)


if __name__ == "__main__":
    run(main)
