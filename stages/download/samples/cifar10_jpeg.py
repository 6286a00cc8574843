"""Sample of CIFAR-10's JPEG copy: the same drawings as cifar10.py, in the official archive's format.

A sample takes the place of either data set, and the official format is the one that needs care in reading; the copy's
reader is tested on an archive of its own (tests/test_pictures.py).
"""

from stages.download.samples.cifar10 import write

__all__ = ["write"]
