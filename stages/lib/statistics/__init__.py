"""Checks on repeated runs: what they show about a statement, and what they could have shown.

Pure functions over numpy arrays. `Measurements` holds one metric of one run; a check takes Measurements and numbers and
returns a `Finding`; `corrected` applies Holm's correction over the findings of one claim. A programming mistake
(shapes, a negative margin) raises ValueError; data that decide nothing are inconclusive and say why.
"""

from stages.lib.statistics.checks import Finding, agrees, equivalent, higher, lower, not_better, reaches
from stages.lib.statistics.counts import exact, possible, proportion
from stages.lib.statistics.curves import (
    NoValue,
    final_level,
    first,
    level_at,
    log_steps_to,
    log_swing,
    plateau,
)
from stages.lib.statistics.estimates import Estimate, difference, mean
from stages.lib.statistics.measurements import (
    Measurements,
    f1_from_counts,
    moments,
    pearson_from_moments,
    precision_from_counts,
    recall_from_counts,
)
from stages.lib.statistics.power import Meetable, meetable
from stages.lib.statistics.reported import (
    accuracy_error,
    correlation_error,
    detectable_by_report,
    f1_error,
    fractions,
    grim,
    on_fewer_keywords,
)
from stages.lib.statistics.several import all_equivalent, corrected, holm, order

__all__ = [
    "Estimate",
    "Finding",
    "Measurements",
    "Meetable",
    "NoValue",
    "accuracy_error",
    "agrees",
    "all_equivalent",
    "corrected",
    "correlation_error",
    "detectable_by_report",
    "difference",
    "equivalent",
    "exact",
    "f1_error",
    "f1_from_counts",
    "final_level",
    "first",
    "fractions",
    "grim",
    "higher",
    "holm",
    "level_at",
    "log_steps_to",
    "log_swing",
    "lower",
    "mean",
    "meetable",
    "moments",
    "not_better",
    "on_fewer_keywords",
    "order",
    "pearson_from_moments",
    "plateau",
    "possible",
    "precision_from_counts",
    "proportion",
    "reaches",
    "recall_from_counts",
]
