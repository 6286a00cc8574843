"""A stage in a process of its own: a fork of one that has torch, pandas and matplotlib loaded already."""

import multiprocessing
import os
import runpy
import shlex
import signal
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path


def prepare() -> None:
    """Start the process that stages are forked from; it loads the libraries while this process goes on."""
    from multiprocessing import forkserver

    multiprocessing.set_forkserver_preload(["stages.reproduce.preload"])
    forkserver.ensure_running()


def start(command: str, folder: str, environment: Mapping[str, str], output: Path) -> ForkServerProcess:
    """Start a stage's command in its folder; what it writes to stdout and stderr goes to output/stdout and /stderr."""
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=_run, args=(command, folder, dict(environment), str(output)))
    process.start()
    return process


def _run(command: str, folder: str, environment: Mapping[str, str], output: str) -> None:
    """`python -m stages.x options`, as that command line would run it in the stage's working directory."""
    threading.Thread(target=_end_with_coordinator, daemon=True).start()
    for number, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(Path(output, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, number)
        os.close(file)
    os.environ.update(environment)
    if (threads := environment.get("OMP_NUM_THREADS")) and "torch" in sys.modules:
        # torch was loaded with the threads of the process that this one is forked from.
        sys.modules["torch"].set_num_threads(int(threads))
    os.chdir(folder)
    python, option, module, *options = shlex.split(command)
    if (python, option) != ("python", "-m"):
        sys.exit(f"error: the command {command!r} of this stage does not start with `python -m`")
    sys.argv = [module, *options]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_coordinator() -> None:
    """The process that this one is forked from lives as long as any fork of it: whoever asked for the fork counts."""
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)
