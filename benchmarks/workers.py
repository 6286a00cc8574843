"""Two trainings by one worker and by two, one core each: `python -m benchmarks.workers [--steps N]`.

They are of one size (report A's 512-unit network, two learning rates, sample data), in a clone of its own for each
number of workers. What comes before the trainings is made beforehand. The same trainings as plain processes, one after
the other and both at once, show what the machine itself allows.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from benchmarks.side_by_side import seconds
from stages.lib.files import ROOT, read_yaml

RUNS = ("A-sts-lr-1", "A-sts-lr-0.01")


def plain(folder: Path, at_once: bool) -> float:
    """Wall time of the trainings without DVC and scheduler."""
    command = [sys.executable, "-m", "stages.train", "--profile", "sample", "--run"]
    start = time.perf_counter()
    running: list[subprocess.Popen[bytes]] = []
    for run in RUNS:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        running.append(subprocess.Popen([*command, run], cwd=folder, env=environment, stdout=subprocess.DEVNULL))
        if not at_once:
            running[-1].wait()
    if any(process.wait() for process in running):
        raise SystemExit("error: a training failed")
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1500, help="of each training (default: %(default)s, report A's)")
    steps = parser.parse_args().steps
    times, alone = {}, {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
            params = read_yaml(folder / "params.yaml")
            text = yaml.safe_dump(params | {"limits": {"steps": steps, "seeds": 1}})
            (folder / "params.yaml").write_text(text, encoding="utf-8")
            reproduce = (sys.executable, "-m", "stages.reproduce", "--jobs", str(workers))
            seconds(folder, *reproduce, "preprocess@sts")
            times[workers] = seconds(folder, *reproduce, *(f"train@{run}" for run in RUNS))
            alone[workers] = plain(folder, at_once=workers == 2)
            print(f"{workers} at a time: {times[workers]:.1f} s, as plain processes {alone[workers]:.1f} s", flush=True)
    print(f"speed-up {times[1] / times[2]:.2f}, as plain processes {alone[1] / alone[2]:.2f}")


if __name__ == "__main__":
    main()
