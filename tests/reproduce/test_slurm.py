"""Stages in jobs of a real Slurm with two nodes on this machine's loopback."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest
from stub_stages import Stub, is_cached, record

from stages.lib.files import ROOT
from stages.reproduce import cluster
from stages.reproduce.coordinator import Coordinator
from stages.reproduce.wall_times import WallTimes

#: Start and stop it; see their README.
SCRIPTS = ROOT / ".." / "shared" / "slurm"
INSTALLED = all(map(shutil.which, ("srun", "slurmctld", "munged"))) and (SCRIPTS / "start").exists()

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(not INSTALLED, reason="needs slurm-wlm and munge, and root")]


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("slurm")
    subprocess.run([SCRIPTS / "start", folder, "17817"], check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
        # Tests of a checkout may be started in it or beside it.
        patch.chdir(ROOT)
        yield
    subprocess.run([SCRIPTS / "stop", folder], check=True)


#: What a training would take from a job around it, if it asked Slurm.
SHOW = "print(os.environ['SLURM_JOB_ID'], os.environ['SLURMD_NODENAME'], sep='@')"


@pytest.mark.usefixtures("slurm")
def test_stages_run_in_jobs_on_both_nodes(capfd: pytest.CaptureFixture[str]) -> None:
    from dask_jobqueue import SLURMCluster

    (ROOT / ".dvc" / "tmp").mkdir(exist_ok=True)
    jobs = SLURMCluster(
        **{"cores": 1, "processes": 1, "memory": "2GB", "walltime": "00:10:00", "interface": "lo"},
        job_extra_directives=["--nodes=1", "--cpus-per-task=2"],
        log_directory=os.environ["SLURM_CONF"] + "-log",
        scheduler_options={"dashboard_address": "127.0.0.1:0"},
    )
    with jobs:
        jobs.scale(jobs=2)
        jobs.wait_for_workers(2, timeout=60)
        calls: list[tuple[str, str]] = []
        command = f'python -m timeit -n1 -r1 -s "import os, time; time.sleep(1); {SHOW}" pass'
        stages = [Stub(f"job-{number}", command, calls) for number in range(4)]
        runner = Coordinator(
            lambda: cluster.running(jobs.scheduler_address, has_remote=False), is_cached, record, WallTimes()
        )
        assert runner.run({stage: [] for stage in stages}) == 4
    shown = {line for line in capfd.readouterr().out.splitlines() if "@" in line}
    assert {line.partition("@")[2] for line in shown} == {"n1", "n2"}
