"""Two trainings by one worker and by two, one core each: `python -m benchmarks.workers [--steps N]`.

They are of one size (report A's 512-unit network, two learning rates, sample data), in a clone of its own for each
number of workers. What comes before the trainings is made beforehand.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from benchmarks.side_by_side import seconds
from stages.lib.files import ROOT, read_yaml

TRAININGS = ("train@A-sts-lr-1", "train@A-sts-lr-0.01")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000, help="of each training (default: %(default)s)")
    steps = parser.parse_args().steps
    times = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
            params = read_yaml(folder / "params.yaml")
            text = yaml.safe_dump(params | {"limits": {"steps": steps, "seeds": 1}})
            (folder / "params.yaml").write_text(text, encoding="utf-8")
            reproduce = (sys.executable, "-m", "stages.reproduce", "--jobs", str(workers))
            seconds(folder, *reproduce, "preprocess@sts")
            times[workers] = seconds(folder, *reproduce, *TRAININGS)
            print(f"{workers} at a time: {times[workers]:.1f} s", flush=True)
    print(f"speed-up {times[1] / times[2]:.2f}")


if __name__ == "__main__":
    main()
