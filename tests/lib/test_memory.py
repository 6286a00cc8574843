"""Freed memory is used again, without the system's help."""

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys

import numpy as np

from stages.lib.memory import keep_freed_memory

def use():
    np.ones(BYTES, np.uint8)  # touches every page

BYTES = 64 * 2**20
if sys.argv[1] == "keep":
    keep_freed_memory()
use()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
def test_pages_of_freed_memory_are_not_asked_for_again() -> None:
    """By default each use of 64 MB faults all its pages in again: 16,384 of 4 KB, or 32 where they are of 2 MB."""

    def faults(mode: str) -> int:
        done = subprocess.run([sys.executable, "-c", FAULTS, mode], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert faults("default") >= 10 * 32
    assert faults("keep") < 32
