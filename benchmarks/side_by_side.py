"""How much sooner `python -m stages.reproduce` is done than `dvc repro`: the same stages of sample data in two clones.

`python -m benchmarks.side_by_side [target ...]` (default: one figure and its five trainings), one thread a stage. What
the targets need of raw and prepared data is made beforehand.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stages.lib.files import ROOT


def seconds(folder: Path, *words: str) -> float:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    start = time.perf_counter()
    subprocess.run(words, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", default=["figure@A-sts-hidden"])
    parser.add_argument("--prepared", default="preprocess@sts", help="made beforehand (default: %(default)s)")
    arguments = parser.parse_args()
    took = {}
    dvc = str(Path(sys.executable).with_name("dvc"))
    ways = {"dvc repro": (dvc, "repro"), "stages.reproduce": (sys.executable, "-m", "stages.reproduce")}
    for name, words in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
            seconds(Path(folder), dvc, "repro", arguments.prepared)
            took[name] = seconds(Path(folder), *words, *arguments.targets)
            print(f"{name}: {took[name]:.1f} s")
    alone, together = took.values()
    print(f"{alone / together:.2f} times as fast, on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
