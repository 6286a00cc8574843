"""What a stage costs the coordinator of `stages.reproduce`: `python -m benchmarks.stages 1000`.

Made-up stages, ten of which wait for each one of the layer before. Theirs is no work at all: what is left is the
coordinator's own (the order, Dask's scheduler, a worker, the answer) and, measured apart, DVC's: loading dvc.yaml,
asking whether a stage has changed, saving it, and writing dvc.lock. Seconds are those of this process's processor time,
so that other load on the machine does not count.
"""

import argparse
import logging
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import chdir, nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import yaml

from stages.reproduce import child, cluster, worker
from stages.reproduce.coordinator import Coordinator
from stages.reproduce.recording import plan_of, restore, write_lock
from stages.reproduce.wall_times import WallTimes

#: So many stages of a DVC repository are asked, saved and committed; what that costs is measured a stage.
SAMPLE = 100
WIDTH = 10


@dataclass(frozen=True)
class Stage:
    """What the coordinator asks of a stage of DVC."""

    name: str
    cmd: str = "python -m this"
    wdir: str = "."
    path: str = "dvc.yaml"
    path_in_repo: str = "dvc.yaml"
    meta: None = None
    outs: tuple[()] = ()

    @property
    def addressing(self) -> str:
        return self.name

    def changed(self) -> bool:
        return True

    def save(self) -> None:
        pass

    def commit(self) -> None:
        pass


def memory() -> float:
    """Of this process so far, at most, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def own_share(count: int) -> tuple[float, float]:
    """Seconds and MB for so many stages that do nothing, without DVC."""
    stages = [Stage(f"train@{number}") for number in range(count)]
    plan = {stage: [stages[number // WIDTH - 1]] if number >= WIDTH else [] for number, stage in enumerate(stages)}
    with (
        mock.patch.object(worker, "run", _nothing),
        mock.patch.object(child, "prepare"),
        cluster.local(2) as site,
    ):
        before, start = memory(), time.process_time()
        ran = Coordinator(lambda: nullcontext(site), lambda _: False, lambda _: None, WallTimes()).run(plan)
        seconds = time.process_time() - start
    assert ran == count
    return seconds, memory() - before


def _nothing(_: worker.Job) -> worker.Result:
    return worker.Result(0, "", "", 0.0)


def share_of_dvc(count: int) -> dict[str, float]:
    """Seconds that DVC takes for a pipeline of so many stages: once, and a stage."""
    from dvc.repo import Repo

    logging.getLogger("dvc").setLevel(logging.WARNING)
    subprocess.run(["git", "init", "--quiet"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--quiet"], check=True)
    stage = {"cmd": "python -m this ${item}", "deps": ["input.txt"], "outs": ["out/${item}.txt"]}
    stages = {"made": {"foreach": [f"s{number}" for number in range(count)], "do": stage}}
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    Path("input.txt").write_text("input")
    Path("out").mkdir()
    seconds = {}
    with Repo() as repo, repo.lock:
        start = time.process_time()
        made = list(plan_of(repo, []))
        seconds["plan"] = time.process_time() - start
        start = time.process_time()
        for stage in made[:SAMPLE]:
            stage.changed()
            restore(stage)
        seconds["ask, a stage"] = (time.process_time() - start) / SAMPLE
        for stage in made:
            Path(stage.outs[0].fs_path).write_text(stage.name)
        start = time.process_time()
        for stage in made[:SAMPLE]:
            stage.save()
            stage.commit()
        seconds["record, a stage"] = (time.process_time() - start) / SAMPLE
        for stage in made[SAMPLE:]:
            stage.save(run_cache=False)
        start = time.process_time()
        write_lock(made)
        seconds["dvc.lock"] = time.process_time() - start
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=int, default=1000)
    count = parser.parse_args().count
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        seconds, megabytes = own_share(count)
    print(
        f"a stage: {1000 * seconds / count:.2f} ms, {1000 * megabytes / count:.1f} kB; in all {memory():.0f} MB",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        shares = share_of_dvc(count)
    print(f"DVC: {', '.join(f'{name} {part:.3g} s' for name, part in shares.items())}; in all {memory():.0f} MB")


if __name__ == "__main__":
    main()
