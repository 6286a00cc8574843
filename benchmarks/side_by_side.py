"""`python -m stages.reproduce` against `dvc repro`: the same stages of sample data, each in a clone of its own.

`python -m benchmarks.side_by_side [TARGET …]` (default: one figure and its trainings), one thread a stage. The raw and
prepared data of the targets are made beforehand.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stages.lib.files import ROOT


def seconds(folder: Path, *command: str) -> float:
    """Wall time of a command in a checkout."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    start = time.perf_counter()
    subprocess.run(
        command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=["figure@A-sts-hidden"])
    parser.add_argument("--prepared", default="preprocess@sts", help="made beforehand (default: %(default)s)")
    arguments = parser.parse_args()
    dvc = str(Path(sys.executable).with_name("dvc"))
    commands = {"dvc repro": (dvc, "repro"), "stages.reproduce": (sys.executable, "-m", "stages.reproduce")}
    times = {}
    for name, command in commands.items():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
            seconds(Path(folder), dvc, "repro", arguments.prepared)
            times[name] = seconds(Path(folder), *command, *arguments.targets)
            print(f"{name}: {times[name]:.1f} s")
    one_at_a_time, side_by_side = times.values()
    print(f"{one_at_a_time / side_by_side:.2f} times as fast, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
