"""Numbers, metrics and checks as a reader wants to see them."""

import math
from collections.abc import Mapping

from stages.report.claims import Check, Value, judge

NAMES = {
    "mse": "MSE",
    "f1": "F1",
    "lr": "learning rate",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
}
SUMMARIES = {
    "first": "at the start",
    "quarter": "after a quarter",
    "half": "halfway",
    "final": "at the end",
    "best": "at its best",
    "swing": "swing in the second half",
    "early_swing": "swing in the first half",
}
SYMBOLS = {"holds": "<", "fails": ">", "undecided": "≈"}


def number(value: float | None) -> str:
    """Up to four significant digits; thousands apart; powers of ten for the very small."""
    if value is None:
        return "undefined"
    if value == int(value):
        return f"{int(value):,}"
    if abs(value) < 1e-3:
        return f"{value:.2e}"
    text = f"{value:,.{max(0, 3 - math.floor(math.log10(abs(value))))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def measured(value: Value) -> str:
    """`1.423 ± 0.041`: the spread with two significant digits, the value with as many decimals."""
    # A curve that stands still has a spread of rounding errors.
    if value.value is None or value.spread <= 1e-9 * abs(value.value):
        return number(value.value)
    decimals = max(0, 1 - math.floor(math.log10(value.spread)))
    if decimals > 5:
        return f"{value.value:.2e} ± {value.spread:.1e}"
    return f"{value.value:,.{decimals}f} ± {value.spread:,.{decimals}f}"


def metric_name(metric: str) -> str:
    """`validation.mse` → validation MSE; `validation_mse.final` → validation MSE at the end."""
    head, _, tail = metric.partition(".")
    words = " ".join(NAMES.get(word, word) for word in head.split("_"))
    if tail in SUMMARIES:
        return f"{words} {SUMMARIES[tail]}"
    return " ".join([words, *(NAMES.get(word, word) for word in tail.split("_"))]).strip()


def rule(check: Check, labels: Mapping[str, str]) -> str:
    """What the check asks for."""
    name = metric_name(check.metric)
    if check.order:
        return f"{name}: " + " < ".join(labels[run] for run in check.order)
    if check.close:
        return f"{name}: at most {number(check.within)} apart"
    if check.at_most is not None:
        return f"{name}: at most {number(check.at_most)}"
    if check.at_least is not None:
        return f"{name}: at least {number(check.at_least)}"
    return f"{name}: {number(check.near)}" + (f" ± {number(check.within)}" if check.within else "")


def found(check: Check, values: Mapping[str, Value], labels: Mapping[str, str]) -> str:
    """What the runs gave, in one line; in an order, ≈ joins neighbours whose spread covers their difference."""
    parts = [f"{labels[run]} {measured(values[run])}" for run in check.runs]
    if check.order:
        text = parts[0]
        for low, high, part in zip(check.order, check.order[1:], parts[1:], strict=False):
            pair = check.model_copy(update={"order": [low, high]})
            text += f" {SYMBOLS[judge(pair, values)]} {part}"
        return text
    if check.close:
        known = [value for run in check.close if (value := values[run].value) is not None]
        return ", ".join(parts) + (f": {number(max(known) - min(known))} apart" if known else "")
    return parts[0]


def positions(check: Check, values: Mapping[str, Value]) -> dict:
    """Where a small chart puts each run's value, its ± 2 spreads and the zone that the check allows; in per cent."""
    known = {run: values[run] for run in check.runs if values[run].value is not None}
    low_end, high_end = -math.inf, math.inf
    if check.close and known:
        low_end = min(value.value for value in known.values())
        high_end = low_end + check.within
    elif check.near is not None:
        low_end, high_end = check.near - check.within, check.near + check.within
    elif not check.order:
        low_end = -math.inf if check.at_least is None else check.at_least
        high_end = math.inf if check.at_most is None else check.at_most
    ends = [value.value + side * 2 * value.spread for value in known.values() for side in (-1, 1)]
    ends += [end for end in (low_end, high_end) if math.isfinite(end)]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    margin = 0.06 * (high - low) or abs(high) or 1.0
    low, high = low - margin, high + margin

    def place(x: float) -> float:
        return round(100 * min(max((x - low) / (high - low), 0.0), 1.0), 2)

    zone = None if check.order else (place(low_end), place(high_end))
    dots = {
        run: (place(v.value), place(v.value - 2 * v.spread), place(v.value + 2 * v.spread)) for run, v in known.items()
    }
    return {"zone": zone, "dots": dots}
