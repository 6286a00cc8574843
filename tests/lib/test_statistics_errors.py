"""How often the checks are wrong, and how often they see what is there, at three and five seeds.

Every rate is over repetitions of a simulated experiment: seeds and examples are drawn anew each time. A rate that must
be 5 % at most may exceed that by three standard errors of the simulation.
"""

import math

import numpy as np
import pytest
from scipy import stats

from stages.lib.statistics import (
    Measurements,
    agrees,
    corrected,
    equivalent,
    f1_from_counts,
    higher,
    lower,
    meetable,
    not_better,
    order,
    proportion,
    reaches,
)
from stages.lib.statistics.estimates import from_parts

REPETITIONS = 4000
SIZE = 100


def bound(rate: float, repetitions: int = REPETITIONS) -> float:
    return rate + 3 * math.sqrt(rate * (1 - rate) / repetitions)


def rates(findings) -> dict[str, float]:
    outcomes = [finding.outcome for finding in findings]
    return {name: outcomes.count(name) / len(outcomes) for name in ("supported", "contradicted", "inconclusive")}


def measured(values: np.ndarray) -> Measurements:
    return Measurements(values.mean(axis=1), examples=values)


def experiment(
    levels: list[float], seeds: int, repetitions: int, seed_spread: float, rest: float, classes: bool = False
) -> np.ndarray:
    """Outcomes [run, repetition, seed, example] of runs with these true means.

    Examples have effects of their own (SD 1), which all runs share, and each run does something differently with each
    (0.3). seed_spread: SD of the seeds' effects; 0.1 is that of a mean over the 100 examples. rest: SD of what is
    left, of seed and example together. classes: outcomes are 1 where the sum is positive, else 0.
    """
    generator = np.random.default_rng([seeds, int(1000 * seed_spread), int(1000 * rest)])
    runs = len(levels)
    values = generator.normal(size=(1, repetitions, 1, SIZE)) + generator.normal(0, 0.3, (runs, repetitions, 1, SIZE))
    values = values + generator.normal(0, seed_spread, (runs, repetitions, seeds, 1))
    values = values + generator.normal(0, rest, (runs, repetitions, seeds, SIZE))
    values += np.reshape(levels, (runs, 1, 1, 1))
    return (values > 0).astype(float) if classes else values


class Differences:
    """A - B of many repetitions [repetition, seed, example] at once: the formula a second time, without the library."""

    def __init__(self, a: np.ndarray, b: np.ndarray) -> None:
        seeds = a.shape[1]
        parts = [x.mean(axis=2).var(axis=1, ddof=1) / seeds for x in (a, b)]
        parts.append((a.mean(axis=1) - b.mean(axis=1)).var(axis=1, ddof=1) / SIZE)
        self.value = a.mean(axis=(1, 2)) - b.mean(axis=(1, 2))
        self.error = np.sqrt(sum(parts))
        degrees = (seeds - 1, seeds - 1, SIZE - 1)
        self.degrees = self.error**4 / sum(part**2 / f for part, f in zip(parts, degrees, strict=True))

    def within(self, level: float) -> tuple[np.ndarray, np.ndarray]:
        reach = stats.t.ppf(0.5 + level / 2, self.degrees) * self.error
        return self.value - reach, self.value + reach


def higher_in_bulk(found: Differences) -> tuple[np.ndarray, np.ndarray]:
    low, high = found.within(0.95)
    return low > 0, high < 0


def lower_in_bulk(found: Differences) -> tuple[np.ndarray, np.ndarray]:
    low, high = found.within(0.95)
    return high < -0.2, low > -0.2


def equivalent_in_bulk(found: Differences) -> tuple[np.ndarray, np.ndarray]:
    low, high = found.within(0.95)
    inner_low, inner_high = found.within(0.90)
    return (inner_low > -3) & (inner_high < 3), (low > 3) | (high < -3)


def not_better_in_bulk(found: Differences) -> tuple[np.ndarray, np.ndarray]:
    low, high = found.within(0.95)
    return high < 0.5, low > 0.5


DATA = {
    "seeds": {"seed_spread": 0.3, "rest": 0.1},
    "examples": {"seed_spread": 0.003, "rest": 0.1},
    "both": {"seed_spread": 0.05, "rest": 0.1},
    "interaction": {"seed_spread": 0.03, "rest": 1.0},
    "classes": {"seed_spread": 0.2, "rest": 0.7, "classes": True},
}
#: The true difference at which an error is likeliest, the check, its decisions in bulk, and the levels of the two. For
#: equivalence the margin is far beyond the spread, so that one of the two tests decides.
CHECKS = {
    "higher": (0.0, higher, higher_in_bulk, (0.025, 0.025)),
    "lower": (-0.2, lambda a, b: lower(a, b, smallest_effect=0.2), lower_in_bulk, (0.025, 0.025)),
    "equivalent": (3.0, lambda a, b: equivalent(a, b, margin=3), equivalent_in_bulk, (0.05, 0.025)),
    "not_better": (0.5, lambda a, b: not_better(a, b, 0.5, larger_is_better=True), not_better_in_bulk, (0.025, 0.025)),
}


@pytest.fixture(params=[3, 5], ids=["S=3", "S=5"])
def seeds(request) -> int:
    return request.param


# What the true difference of classes is we know for equal runs only.
@pytest.mark.parametrize(
    ("name", "data"), [(name, data) for name in CHECKS for data in DATA if not (data == "classes" and CHECKS[name][0])]
)
def test_decisions_at_the_margin_are_rare(name, data, seeds):
    truth, check, in_bulk, levels = CHECKS[name]
    a, b = experiment([truth, 0], seeds, REPETITIONS, **DATA[data])
    supported, contradicted = in_bulk(Differences(a, b))
    assert supported.mean() <= bound(levels[0])
    assert contradicted.mean() <= bound(levels[1])
    # The checks decide as the formula does, whatever was drawn.
    for place in (*range(20), *np.flatnonzero(supported)[:10], *np.flatnonzero(contradicted)[:10]):
        outcome = check(measured(a[place]), measured(b[place])).outcome
        assert (outcome == "supported", outcome == "contradicted") == (supported[place], contradicted[place])


def test_equal_runs_are_rarely_found_in_order(seeds):
    repetitions = 1000
    runs = experiment([0, 0, 0, 0], seeds, repetitions, **DATA["both"])
    found = rates(order([measured(run[place]) for run in runs]) for place in range(repetitions))
    assert found["supported"] <= bound(0.025, repetitions)
    assert found["contradicted"] <= bound(0.05, repetitions)


def test_true_claim_of_many_checks_is_rarely_contradicted_anywhere(seeds):
    repetitions = 1000
    runs = experiment([0.0] * 8, seeds, repetitions, **DATA["both"])
    wrong = 0
    for place in range(repetitions):
        pairs = zip(runs[::2], runs[1::2], strict=True)
        claim = corrected([higher(measured(a[place]), measured(b[place])) for a, b in pairs])
        wrong += any(finding.outcome == "contradicted" for finding in claim)
    assert wrong / repetitions <= bound(0.05, repetitions)


@pytest.mark.parametrize(("seed_spread", "error"), [(1.0, 0.0), (0.1, 1.0), (1.0, 0.4)])
def test_true_reported_numbers_are_rarely_contradicted(seeds, seed_spread, error):
    generator = np.random.default_rng(seeds)
    reports = generator.normal(0, math.hypot(seed_spread, error), size=2000)
    runs = generator.normal(0, seed_spread, size=(2000, seeds))
    found = rates(agrees(Measurements(run), report, error, 0.0) for run, report in zip(runs, reports, strict=True))
    # With an error of 0.4 beside the seeds' 1 the level is not kept, as the docstring of `agrees` says.
    worst = {3: 0.08, 5: 0.06}[seeds] if error == 0.4 else 0.05
    assert found["contradicted"] <= bound(worst, 2000)


def test_threshold_that_is_the_mean_is_rarely_reached_or_missed(seeds):
    runs = np.random.default_rng(seeds).normal(0.8, 0.01, size=(1000, seeds))
    found = rates(reaches(Measurements(run), 0.8) for run in runs)
    assert found["supported"] <= bound(0.05, 1000)
    assert found["contradicted"] <= bound(0.05, 1000)


@pytest.mark.parametrize("n", [3, 5, 15, 60])
def test_share_at_the_bound_is_rarely_decided(n):
    """Exact, by the binomial distribution: Clopper and Pearson's interval is never too short."""
    for share in (0.05, 0.2, 0.5, 0.9):
        weights = stats.binom.pmf(np.arange(n + 1), n, share)
        outcomes = [proportion(count, n, at_least=share).outcome for count in range(n + 1)]
        for outcome in ("supported", "contradicted"):
            assert weights @ [found == outcome for found in outcomes] <= 0.025 + 1e-9


def test_equal_f1_scores_are_rarely_found_different(seeds):
    """The bootstrap: sentences of two keywords, a seed that finds more or fewer, examples shared."""
    generator = np.random.default_rng(seeds)
    repetitions = 300

    def run(difficulty: np.ndarray) -> Measurements:
        skill = 0.7 + generator.normal(0, 0.04, size=(seeds, 1))
        tp = generator.binomial(2, np.clip(skill + difficulty, 0, 1))
        fp = generator.binomial(1, 0.3, size=tp.shape)
        table = np.stack([tp, fp, 2 - tp], axis=-1)
        return Measurements(f1_from_counts(table.sum(axis=1)), table=table, metric=f1_from_counts)

    found = []
    for _ in range(repetitions):
        difficulty = generator.normal(0, 0.1, size=SIZE)
        found.append(higher(run(difficulty), run(difficulty)))
    assert rates(found)["supported"] + rates(found)["contradicted"] <= bound(0.05, repetitions)


def test_detectable_difference_is_seen_in_four_of_five(seeds):
    generator = np.random.default_rng(seeds)
    # The size for the true spreads, which the check has to estimate.
    size = higher(*(Measurements(level + 0.1 * _standard(seeds)) for level in (0.0, 0.0))).detectable
    runs = generator.normal(0, 0.1, size=(1000, 2, seeds))
    found = rates(higher(Measurements(a + size), Measurements(b)) for a, b in runs)
    # Welch's degrees are estimated and fewer than 2 S - 2, which costs some power at three seeds.
    assert 0.7 <= found["supported"] <= 0.85


@pytest.mark.parametrize("kind", ["equivalent", "not_better"])
def test_likely_margin_is_met_in_four_of_five(seeds, kind):
    generator = np.random.default_rng(seeds)
    margin = meetable(0.1, (seeds, seeds), 0.1, kind=kind).likely
    check = equivalent if kind == "equivalent" else lambda a, b, size: not_better(a, b, size, larger_is_better=True)
    runs = generator.normal(0, 0.1, size=(1000, 2, seeds))
    found = rates(check(Measurements(a), Measurements(b), margin) for a, b in runs)
    assert 0.7 <= found["supported"] <= 0.92


def test_interaction_is_counted_twice_which_is_careful(seeds):
    """With nothing but an interaction of seed and example the standard error is √2 times what it should be."""
    generator = np.random.default_rng(seeds)
    values = generator.normal(size=(1000, 2, seeds, SIZE))
    truth = math.sqrt(2 / (seeds * SIZE))
    found = [higher(*map(measured, pair)) for pair in values]
    square = np.mean([finding.estimate.standard_error**2 for finding in found])
    assert square / truth**2 == pytest.approx(2, rel=0.05)
    assert rates(found)["inconclusive"] > 0.98


def test_known_weakness_of_satterthwaites_degrees(seeds):
    """One run's seeds beside a part that is known well: more than 5 % at three seeds, as estimates.py says.

    Either side by itself, which a false verdict takes, stays below 5 %; Cochran's weighted quantile keeps the level.
    """
    generator = np.random.default_rng(seeds)
    repetitions, known = REPETITIONS, 0.1
    decided, either, one_sided, cochran = 0, [0, 0], 0, 0
    for _ in range(repetitions):
        part = generator.chisquare(seeds - 1) / (seeds - 1)
        found = from_parts(generator.normal(0, math.sqrt(1 + known)), [(part, seeds - 1), (known, 1499)], "seeds")
        decided += not found.low <= 0 <= found.high
        either[0] += found.low > 0
        either[1] += found.high < 0
        one_sided += found.limits(0.90)[1] < 0
        weighted = (part * stats.t.ppf(0.975, seeds - 1) + known * stats.t.ppf(0.975, 1499)) / (part + known)
        cochran += abs(found.value) > weighted * found.standard_error
    nominal = {3: 0.078, 5: 0.058}[seeds]
    assert decided / repetitions == pytest.approx(nominal, abs=3 * math.sqrt(nominal / repetitions))
    assert max(either) / repetitions <= bound(0.05, repetitions)
    assert one_sided / repetitions <= bound({3: 0.062, 5: 0.054}[seeds], repetitions)
    assert cochran / repetitions <= bound(0.05, repetitions)


def test_known_error_can_narrow_an_interval():
    """The same weakness: a reported number with an error of its own, and yet a shorter prediction interval."""
    run = Measurements([1.40, 1.45, 1.52])
    widths = [agrees(run, 1.42, error, 0.0).information["half_width"] for error in (0.0, 0.05, 0.5)]
    assert widths[1] < widths[0] < widths[2]


def _standard(count: int) -> np.ndarray:
    """Values of mean 0 and sample standard deviation 1."""
    values = np.arange(count, dtype=float)
    return (values - values.mean()) / values.std(ddof=1)
