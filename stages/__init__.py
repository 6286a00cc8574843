"""The pipeline's stages: validate, download, preprocess, train, evaluate, compute, plot and report; beside it predict,
publish, reproduce, sync and verify.
"""

import gc

# Importing torch makes a million objects that stay: looking for garbage among them takes a tenth of a stage's start.
gc.set_threshold(100_000, 20, 20)
