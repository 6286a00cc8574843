"""Sample of CIFAR-10's JPEG copy: the same drawings as cifar10.py, in the official archive's format.

The pipeline reads either data set, and the official format is the harder one to read; the copy's reader has its own
tests (tests/tasks/test_cifar10_archives.py).
"""

from stages.download.samples.cifar10 import write

__all__ = ["write"]
