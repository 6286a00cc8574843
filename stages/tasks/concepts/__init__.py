"""Concept checks (reports A, B, C, D, E): statements that need no data set, each computed by a function of its own.

A check takes a seed and returns what it found. What was stated, and whether it holds, stands in reports.yaml beside all
other claims. No number in this package is copied from a report: each comes from building or running the thing.
"""

from stages.tasks.concepts import convolution, counting, normalization, recurrence
from stages.tasks.concepts.finding import Check

#: What the numbers rest on, as shown beside results.
DATA = "no data set: computed"

#: By the reports' ids. Statements that need luck are computed from several seeds.
CHECKS: dict[str, Check] = {
    "A-theory-params": Check(counting.own_weights_or_shared),
    "A-theory-pool": Check(convolution.pooled_maxima),
    "B-theory-input": Check(counting.image_inputs),
    "C-theory-cells": Check(recurrence.cells_against_framework),
    "D-theory-size": Check(convolution.output_sizes),
    "D-theory-1x1": Check(convolution.one_by_one),
    "D-theory-vanish": Check(recurrence.gradient_by_distance, seeds=5),
    "D-theory-gru": Check(counting.gru_to_lstm),
    "E-theory-params": Check(counting.local_and_shared),
    "E-theory-lstm-params": Check(counting.lstm_weights),
    "E-theory-lstm-rnn": Check(recurrence.lstm_with_fixed_gates),
    "E-theory-bn": Check(normalization.output_distribution),
    "E-theory-bn-lr": Check(normalization.learning_rates, seeds=3),
}
