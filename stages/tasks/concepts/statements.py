"""Which function computes which statement; the ids are those of the questions in reports/."""

from collections.abc import Callable

from stages.lib.statements import Result, Statement
from stages.tasks.concepts import (
    backpropagation,
    consistency,
    convolution,
    gates,
    multiply_adds,
    normalization,
    normalization_training,
    optimizers,
    parameter_counts,
    recurrence,
    shattered_gradients,
    text,
)

DATA = "no data set: computed"
FROM_DATA = False


def without_data(compute: Callable[[int], Result], seeds: int = 1) -> Statement:
    """A statement that no prepared data bears on: `compute` takes the seed alone."""
    return Statement(lambda seed, _data: compute(seed), seeds)


STATEMENTS: dict[str, Statement] = {
    "A-theory-params": without_data(parameter_counts.hidden_layer),
    "A-theory-pool": without_data(convolution.pooled_maxima),
    "A-theory-flops": without_data(multiply_adds.resnets),
    "A-theory-momentum": without_data(optimizers.momentum, seeds=3),
    "A-theory-shattered": without_data(shattered_gradients.gradient_correlations, seeds=5),
    "A-theory-adam": without_data(optimizers.adam, seeds=3),
    "A-sts-consistency": without_data(consistency.manhattan_similarity),
    "B-theory-input": without_data(parameter_counts.image_inputs),
    "B-theory-flops": without_data(multiply_adds.resnets),
    "B-theory-bptt": without_data(backpropagation.rnn_gradients, seeds=3),
    "B-ate-log": without_data(consistency.keyword_log),
    "B-cnn-consistency": without_data(consistency.baseline_accuracies),
    "C-theory-cells": without_data(recurrence.cells_and_framework),
    "D-theory-size": without_data(convolution.output_sizes),
    "D-theory-1x1": without_data(convolution.one_by_one),
    "D-theory-vanish": without_data(recurrence.gradient_by_distance, seeds=5),
    "D-theory-gate": without_data(gates.gate_factor, seeds=3),
    "D-theory-gru": without_data(parameter_counts.gru_and_lstm),
    "D-theory-gru-form": without_data(gates.gru_as_written, seeds=3),
    "D-textcnn-shapes": without_data(text.text_cnn_shapes),
    "E-theory-params": without_data(parameter_counts.local_and_shared),
    "E-theory-lstm-params": without_data(parameter_counts.lstm_layer),
    "E-theory-lstm-rnn": without_data(recurrence.lstm_and_rnn_step),
    "E-theory-candidate": without_data(gates.sigmoid_candidate, seeds=3),
    "E-theory-bn": without_data(normalization.output_distribution),
    "E-theory-bn-params": without_data(parameter_counts.batch_norm_layer),
    "E-theory-bn-lr": without_data(normalization_training.learning_rates, seeds=5),
    "E-bn-faster": without_data(normalization_training.convergence, seeds=5),
    "E-theory-imbalance": without_data(normalization_training.imbalance, seeds=5),
}
