"""Numbers that stand beside a comparison and decide nothing."""

from typing import TypeGuard

import numpy as np

from stages.lib.statistics.measurements import Measurements, Metric

PERMUTATIONS = 2000
_SEED = 0


def beside(a: Measurements, b: Measurements) -> dict[str, float]:
    """P(A > B) and, for one seed each with outcomes by example, McNemar's p (outcomes 0 and 1) or the permutation p."""
    information = {"p_superior": p_superior(a, b)}
    if len(a.seeds) == len(b.seeds) == 1 and a.size is not None and a.size == b.size:
        if _binary(a.examples) and _binary(b.examples):
            information["mcnemar_p"] = mcnemar_p(a.examples[0], b.examples[0])
        elif a.metric is b.metric:  # outcomes can only be exchanged where they mean the same
            information["permutation_p"] = permutation_p(a, b)
    return information


def p_superior(a: Measurements, b: Measurements) -> float:
    """P(A > B) + P(A = B)/2 over all pairs of seeds: Mann and Whitney's U over S_A S_B.

    The probability of outperforming of Bouthillier et al. (MLSys 2021), who ask for more than 0.75 before speaking of a
    meaningful difference.
    """
    return float((np.sign(a.seeds[:, None] - b.seeds) + 1).mean() / 2)


def mcnemar_p(a: np.ndarray, b: np.ndarray) -> float:
    """Exact two-sided p of McNemar's test (1947) of two classifiers' outcomes [n], 1 for correct and 0 for wrong.

    It holds for these two trained networks on new examples, and says nothing about other seeds (Dietterich 1998).
    """
    from statsmodels.stats.contingency_tables import mcnemar

    a, b = a.astype(bool), b.astype(bool)
    table = [[np.sum(a & b), np.sum(a & ~b)], [np.sum(~a & b), np.sum(~a & ~b)]]
    return float(mcnemar(table, exact=True).pvalue)


def permutation_p(a: Measurements, b: Measurements) -> float:
    """Two-sided p of the permutation test that exchanges the two runs' outcomes of each example (Dror et al. 2018).

    2,000 random exchanges from a fixed seed; p = (1 + exchanges with a difference as large) / 2,001, which is never 0
    (Phipson & Smyth 2010). One seed each; as McNemar's it is about these two networks.
    """
    metric: Metric
    if a.examples is not None and b.examples is not None:
        size = a.examples.shape[1]
        columns_a, columns_b, metric = a.examples[0][:, None], b.examples[0][:, None], lambda sums: sums[..., 0] / size
    elif a.table is not None and b.table is not None and a.metric is not None:
        columns_a, columns_b, metric = a.table[0], b.table[0], a.metric
    else:
        raise ValueError("the permutation test needs the outcomes of both runs by example")
    generator = np.random.default_rng(_SEED)
    exchanged = generator.integers(2, size=(PERMUTATIONS, len(columns_a)), dtype=np.int8).astype(float)
    sum_a, sum_b = columns_a.sum(axis=0), columns_b.sum(axis=0)
    moved = exchanged @ (columns_b - columns_a)
    differences = np.abs(metric(sum_a + moved) - metric(sum_b - moved))
    observed = abs(a.seeds[0] - b.seeds[0])
    return float((1 + np.sum(differences >= observed * (1 - 1e-9))) / (1 + PERMUTATIONS))


def _binary(examples: np.ndarray | None) -> TypeGuard[np.ndarray]:
    return examples is not None and bool(np.isin(examples, (0, 1)).all())
