"""Two hosts that share no file, and a remote between them: the hashes of one machine, also while workers die."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from kill_harness import REPRODUCE, check, empty, recorded
from small_project import BEST, Project, lengthen
from test_pipeline import weights

pytestmark = pytest.mark.cluster
DASK = (sys.executable, "-m")
#: Dask's nanny starts a killed worker again.
WORKER = (*DASK, "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard", "--death-timeout", "60")


class Hosts:
    """A coordinator's project, two clones of it with a worker each, and a scheduler."""

    def __init__(
        self, folder: Path, steps: int | None, checkpoint_seconds: float | None, remote: Sequence[str] = ()
    ) -> None:
        self.project = Project(folder / "coordinator")
        if steps:
            lengthen(self.project, steps)
        if checkpoint_seconds:
            self.project.environment["DASK_STAGES__CHECKPOINT_SECONDS"] = str(checkpoint_seconds)
        # Another number of threads adds in another order.
        self.project.environment |= {"OMP_NUM_THREADS": "1", "WATCH_FOLDER": ""}
        # On a busy machine a worker may be killed before it has loaded the libraries, several times in a row.
        self.project.environment |= {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "30"}
        self.remote = folder / "remote"
        self.project.add_remote(*remote or [str(self.remote)], scope="--project")
        self.project.call("dvc", "remote", "default", "store")
        self.project.commit()
        self.clones = [folder / f"host-{number}" for number in (1, 2)]
        for clone in self.clones:
            self.project.call("git", "clone", "--quiet", str(self.project.folder), str(clone))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        host, port = self.address.split(":")
        scheduler = (*DASK, "distributed.cli.dask_scheduler", "--host", host, "--port", port, "--no-dashboard")
        self.processes = [self.start(self.project.folder, *scheduler)]
        for clone in self.clones:
            self.processes.append(self.start(clone, *WORKER, self.address))

    def start(self, folder: Path, *command: str) -> subprocess.Popen[bytes]:
        with (folder.parent / "log.txt").open("a") as log:
            return subprocess.Popen(
                command, cwd=folder, env=self.project.environment, stdout=log, stderr=log, start_new_session=True
            )

    def reproduce(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            (*REPRODUCE, "--scheduler", self.address, *words),
            cwd=self.project.folder,
            env=self.project.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def workers(self) -> list[int]:
        """The processes of the workers themselves, below the nannies'."""
        below = [child for nanny in self.processes[1:] for child in psutil.Process(nanny.pid).children()]
        return [child.pid for child in below if "spawn_main" in " ".join(child.cmdline())]

    def close(self) -> None:
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def hosts_in(
    folder: Path, steps: int | None = None, checkpoint_seconds: float | None = None, remote: Sequence[str] = ()
) -> Iterator[Hosts]:
    hosts = Hosts(folder, steps, checkpoint_seconds, remote)
    try:
        yield hosts
    finally:
        hosts.close()


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    with hosts_in(tmp_path_factory.mktemp("hosts")) as running:
        yield running


@pytest.fixture(scope="module")
def expected(hosts: Hosts) -> dict[str, dict[str, str]]:
    """The hashes that one machine leaves."""
    hosts.project.call(*REPRODUCE)
    return recorded(hosts.project)


@pytest.mark.parametrize("remote", ["s3"], indirect=True)
def test_a_bucket_between_two_hosts_leaves_the_same(
    expected: dict[str, dict[str, str]], remote: Sequence[str], tmp_path: Path
) -> None:
    with hosts_in(tmp_path, remote=remote) as hosts:
        reproduce_on_both(hosts, expected)


def test_two_hosts_leave_what_one_machine_leaves(hosts: Hosts, expected: dict[str, dict[str, str]]) -> None:
    empty(hosts.project)
    reproduce_on_both(hosts, expected)


def reproduce_on_both(hosts: Hosts, expected: dict[str, dict[str, str]]) -> None:
    process = hosts.reproduce()
    output = process.communicate(timeout=600)[0]
    assert process.returncode == 0, output
    assert "13 stages run" in output
    check(hosts.project, expected)
    # Both have worked: each has trained weights, and neither has all.
    trained = [list(clone.glob("models/sample/*/*/seed-0/weights.safetensors")) for clone in hosts.clones]
    assert all(trained)


def test_a_worker_killed_every_20_seconds_changes_no_hash(hosts: Hosts, expected: dict[str, dict[str, str]]) -> None:
    kills = 0
    while kills < 20:
        empty(hosts.project)
        process = hosts.reproduce()
        while process.poll() is None:
            time.sleep(20)
            for worker in hosts.workers()[kills % 2 :][:1]:
                os.kill(worker, signal.SIGKILL)
                kills += 1
        output = process.communicate()[0]
        assert process.returncode == 0, output
        check(hosts.project, expected)


def test_a_training_whose_host_is_gone_goes_on_elsewhere(tmp_path: Path) -> None:
    with hosts_in(tmp_path, steps=12_000, checkpoint_seconds=2) as hosts:
        output = hosts.project.call(*REPRODUCE, f"train@{BEST}").stdout
        assert "resumes at step" not in output
        alone = weights(hosts.project.folder)
        assert alone
        empty(hosts.project)
        process = hosts.reproduce(f"train@{BEST}")
        kept = hosts.remote / "resume" / f"sample-{BEST}-0.pt"
        while not kept.exists():
            assert process.poll() is None, process.stdout.read()
            time.sleep(0.5)
        (host,) = [number for number, clone in enumerate(hosts.clones) if any(clone.glob(f"models/.resume/*{BEST}*"))]
        os.killpg(hosts.processes[1 + host].pid, signal.SIGKILL)
        output = process.communicate(timeout=600)[0]
        assert process.returncode == 0, output
        assert re.search(r"resumes at step [1-9]", output)
        assert weights(hosts.project.folder) == alone
        assert not kept.exists()


def test_a_killed_coordinator_loses_no_finished_stage(hosts: Hosts, expected: dict[str, dict[str, str]]) -> None:
    empty(hosts.project)
    process = hosts.reproduce()
    lines = iter(process.stdout.readline, "")
    for line in lines:
        if line.startswith("Running stage 'train"):
            break
    process.kill()
    process.communicate()
    again = hosts.reproduce()
    output = again.communicate(timeout=600)[0]
    assert again.returncode == 0, output
    assert "Stage 'validate' is in the cache" in output
    assert not re.search("Running stage '(validate|download|preprocess)", output)
    check(hosts.project, expected)


def test_a_worker_of_another_commit_is_refused(hosts: Hosts) -> None:
    for clone in hosts.clones:
        (clone / "stages" / "new.py").write_text("")
    empty(hosts.project)
    process = hosts.reproduce(f"train@{BEST}")
    output = process.communicate(timeout=60)[0]
    for clone in hosts.clones:
        (clone / "stages" / "new.py").unlink()
    assert process.returncode == 2
    (line,) = output.splitlines()
    assert line.startswith(f"error: --scheduler {hosts.address}: no worker may run stages; ")
    assert "commit" in line


def test_a_remote_gone_for_good_is_one_line(hosts: Hosts) -> None:
    empty(hosts.project)
    hosts.remote.rename(hosts.remote.with_name("away"))
    hosts.remote.write_text("a file where the remote's folder belongs")
    process = hosts.reproduce("validate")
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 1
    errors = [line for line in output.splitlines() if line.startswith("error:")]
    assert len(errors) == 1
    assert "DVC's remote cannot send" in errors[0]
