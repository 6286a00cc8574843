"""Do the numbers that a report prints fit together? (the idea of GRIM, Brown & Heathers 2017)."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from statistics import stdev

import torch
from scipy.stats import chi2

from stages.lib.statements import Result

#: B's simple CNN with batch norm, batch 50, SGD with momentum: its test accuracy in four places of the report
#: (batch sizes, optimizers, against ResNet, baseline).
BASELINE_ACCURACIES = (0.744, 0.7999, 0.8119, 0.835)
TEST_IMAGES = 10_000
#: Training sets of SemEval-2014 task 4 (Pontiki et al. 2014).
SENTENCES = {"laptops": 3045, "restaurants": 3041}


def grim(printed: str, count: int) -> bool:
    """Whether a mean of `count` whole numbers, such as an accuracy, can be rounded to what is printed.

    With as many digits as `count` has every number fits: "0.7789" on 10,000 images says nothing, on 100 it fails.
    """
    value = Decimal(printed)
    half = Decimal(1).scaleb(value.as_tuple().exponent) / 2
    return any(abs(Decimal(whole) / count - value) <= half for whole in (int(value * count), int(value * count) + 1))


def smallest_fraction(value: float) -> Fraction:
    """The fraction of smallest denominator that a double printed in full can stand for."""
    denominator = 1
    while float(fraction := Fraction(value).limit_denominator(denominator)) != value:
        denominator += 1
    return fraction


def training_sizes(batch_size: int, steps: int) -> range:
    """Sizes of a training set that `steps` batches go through once, the last one possibly smaller."""
    return range((steps - 1) * batch_size + 1, steps * batch_size + 1)


def keyword_log(_seed: int) -> Result:
    """Report B's log and two print-outs of its keyword extraction (B-ate-log).

    The log has 48 steps an epoch: epoch 20 begins at step 913 and ends at step 960. Batch size 64 takes 48 steps for
    3,009 to 3,072 sentences, which holds both of SemEval-2014's training sets if nothing is held out.
    The second print-out is headed "batch 60, step = 51", which such a set takes too, yet the log under it ends at step
    960, not 20 · 51 = 1,020: it is the log of batch 64 once more. Precision and recall as printed are fractions of
    34 and 35 keywords, far fewer than the hundreds in a test set.
    """
    per_epoch = 48
    of_64, of_60 = training_sizes(64, per_epoch), training_sizes(60, 51)
    both = range(max(of_64.start, of_60.start), min(of_64.stop, of_60.stop))
    precision, recall = smallest_fraction(0.6764705882352942), smallest_fraction(0.6571428571428571)
    second = smallest_fraction(0.8857142857142857)
    start, end = (datetime.fromisoformat(f"2020-11-12T{time}") for time in ("22:43:08", "23:02:00"))
    return Result(
        {
            "first_step_of_epoch_20": 19 * per_epoch + 1,
            "last_step_of_epoch_20": 20 * per_epoch,
            **{
                f"steps_batch_{size}_{name}": -(-count // size)
                for size in (64, 60)
                for name, count in SENTENCES.items()
            },
            "smallest_training_set_both": both.start,
            "largest_training_set_both": both.stop - 1,
            "last_step_of_epoch_20_batch_60": 20 * 51,
            # From the first step of epoch 1 to that of epoch 20, so 19 epochs; extended to 20.
            "minutes_for_20_epochs": (end - start).total_seconds() / 60 * 20 / 19,
            "precision_numerator": precision.numerator,
            "precision_denominator": precision.denominator,
            "recall_numerator": recall.numerator,
            "recall_denominator": recall.denominator,
            "f1": float(2 * precision * recall / (precision + recall)),
            "second_numerator": second.numerator,
            "second_denominator": second.denominator,
        }
    )


def baseline_accuracies(_seed: int) -> Result:
    """Four accuracies of report B for one nominal setting (B-cnn-consistency; the comparison is ours).

    Test sets of 10,000 images give accuracies a standard error of about 0.004; were all four of one network, they
    would differ by no more than that. The p-value is that of equal accuracies (χ² of independent binomials).
    """
    mean = sum(BASELINE_ACCURACIES) / len(BASELINE_ACCURACIES)
    error = (mean * (1 - mean) / TEST_IMAGES) ** 0.5
    statistic = sum(((value - mean) / error) ** 2 for value in BASELINE_ACCURACIES)
    return Result(
        {
            "lowest": min(BASELINE_ACCURACIES),
            "highest": max(BASELINE_ACCURACIES),
            "standard_deviation": stdev(BASELINE_ACCURACIES),
            "standard_error_of_one": error,
            "p_value_of_equal_accuracies": float(chi2.sf(statistic, len(BASELINE_ACCURACIES) - 1)),
        }
    )


def manhattan_similarity(_seed: int) -> Result:
    """exp(−‖h₁ − h₂‖₁) at the distance of 500 that report A names (A-sts-consistency; the computation is ours).

    An LSTM's states lie in (−1, 1), so that 500 needs at least 251 units. In float32 the similarity is then exactly
    0, and so is its gradient: it comes up to 0 beyond a distance of 104. The report says that training starts slowly;
    by its own number it would not start.
    """
    distances = torch.arange(0, 1025, dtype=torch.float32, requires_grad=True)
    similarity = torch.exp(-distances)
    similarity.sum().backward()
    return Result(
        {
            "largest_distance_512_units": 2 * 512,
            "fewest_units_for_500": 500 // 2 + 1,
            "similarity_at_500": similarity[500].item(),
            "gradient_at_500": distances.grad[500].abs().item(),
            "largest_distance_with_gradient": float((distances.grad != 0).nonzero().max()),
        }
    )
