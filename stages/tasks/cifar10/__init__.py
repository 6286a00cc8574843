"""Image classification on CIFAR-10 (reports A and B): which of ten classes does a 32×32 image show?

Two data sets serve: the official archive, and a JPEG copy of it, which is lossy and lowers accuracy by some points.
Results name the one they come from.
"""
