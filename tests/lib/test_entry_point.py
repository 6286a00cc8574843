"""Commands whose output goes to a reader that ends early, as in `python -m stages.predict … | head`."""

import os
import subprocess
import sys

import pytest

COMMAND = "import os, select\nfrom stages.lib.entry_point import run_stage\ndef main():\n    {}\nrun_stage(main)\n"
WAIT_FOR_ITS_END = "reader = select.poll(); reader.register(1, 0); reader.poll(); "


def run_piped(body: str, reader: str, unbuffered: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with its output piped to `reader`: its own exit code, and what it says on stderr."""
    shell = f"{sys.executable} -c '{COMMAND.format(body)}' | {reader}; exit ${{PIPESTATUS[0]}}"
    settings = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    return subprocess.run(["bash", "-c", shell], env=settings, stderr=subprocess.PIPE, text=True, check=False)


@pytest.mark.parametrize("lines", [1, 100_000], ids=["less than a buffer", "many buffers"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_seen_enough_is_no_error(lines: int, unbuffered: str) -> None:
    """The exit code is the shell's for a process that SIGPIPE (13) ended."""
    ended = run_piped(f'{WAIT_FOR_ITS_END}print("a line\\n" * {lines})', "true", unbuffered)
    assert (ended.returncode, ended.stderr) == (128 + 13, "")


def test_nor_is_it_where_the_command_ends_with_an_exit_code() -> None:
    """As `--help` does."""
    ended = run_piped(f'{WAIT_FOR_ITS_END}print("a line"); raise SystemExit(1)', "true")
    assert (ended.returncode, ended.stderr) == (128 + 13, "")


def test_another_broken_pipe_is_shown() -> None:
    ended = run_piped("r, w = os.pipe(); os.close(r); os.write(w, bytes(1))", "cat")
    assert ended.returncode == 1
    assert "BrokenPipeError" in ended.stderr
