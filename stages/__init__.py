"""The pipeline's stages by name: download, preprocess, train, evaluate, check, plot, report (and predict)."""

import gc

# Importing torch makes a million objects that stay: looking for garbage among them takes a tenth of a stage's start.
gc.set_threshold(100_000, 20, 20)
