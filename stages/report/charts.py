"""Where a check's small chart puts its intervals, in per cent of the width, and the ticks of the axis below."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from stages.report.numbers import UNSCALED, interval, number

#: Most ticks of an axis; labels have room down to the width of a phone.
TICKS = 5
#: Labels of more characters stand at every second tick.
LONG = 7


def chart(check: Mapping[str, Any]) -> dict[str, Any] | None:
    """Rows (label, interval, seeds), the zone that supports the check, a line at its bound, and ticks.

    check: an entry of claims.json. None where there is nothing to draw. Numbers on a log scale are drawn on it and
    labelled as ratios or values.
    """
    rows = _rows(check)
    if not rows:
        return None
    zone, lines = _zone(check)
    ends = [end for row in rows for end in (row["low"], row["high"], row["value"]) if end is not None]
    ends += [seed for row in rows for seed in row["seeds"]] + list(lines)
    low, high = min(ends), max(ends)
    margin = 0.08 * (high - low) or 0.1 * abs(high) or 1.0
    low, high = low - margin, high + margin
    if check["kind"] in ("proportion", "possible"):
        low, high = max(low, -0.02), min(high, 1.02)

    def place(value: float) -> float:
        return round(100 * min(max((value - low) / (high - low), 0.0), 1.0), 2)

    return {
        "rows": [
            {
                "label": row["label"],
                "text": row["text"],
                "at": place(row["value"]),
                "from": place(row["value"] if row["low"] is None else row["low"]),
                "to": place(row["value"] if row["high"] is None else row["high"]),
                "seeds": sorted({place(seed) for seed in row["seeds"]}),
            }
            for row in rows
        ],
        "zone": None if zone is None else (place(zone[0]), place(zone[1])),
        "lines": [place(line) for line in lines],
        "ticks": [{"at": place(at), "text": text} for at, text in ticks(low, high, check["scale"])],
        "axis": _axis(check) + (", 90 % interval" if check["kind"] in ("equivalent", "reaches") else ""),
    }


def _rows(check: Mapping[str, Any]) -> list[dict[str, Any]]:
    scale = check["scale"]
    found = []
    if check.get("pairs"):
        shown = [pair for pair in check["pairs"] if pair["adjacent"] or check["kind"] == "equivalent"]
        found = [(pair["label"], pair["estimate"], []) for pair in shown]
    elif check["estimate"] is not None:
        found = [(_label(check), check["estimate"], _seeds(check))]
    elif check["kind"] == "shown":
        found = [(side["label"], side["estimate"], side["values"]) for side in check["sides"]]
    return [
        {
            "label": label,
            "text": interval(estimate | dict(zip(("low", "high"), estimate["decides"], strict=True)), scale),
            "seeds": seeds,
            "value": estimate["value"],
            "low": estimate["decides"][0],
            "high": estimate["decides"][1],
        }
        for label, estimate, seeds in found
        if estimate is not None and estimate["value"] is not None
    ]


def _label(check: Mapping[str, Any]) -> str:
    sides = check["sides"]
    if len(sides) == 2:
        return f"{sides[0]['label']} − {sides[1]['label']}" if check["scale"] == "linear" else _ratio(sides)
    return str(sides[0]["label"]) if sides else ""


def _ratio(sides: Sequence[Mapping[str, Any]]) -> str:
    return f"{sides[0]['label']} ÷ {sides[1]['label']}"


def _seeds(check: Mapping[str, Any]) -> list[float]:
    """Seeds are shown where the row is of one run; differences have no seeds of their own."""
    if len(check["sides"]) != 1 or check["kind"] in ("proportion", "possible"):
        return []
    shift = check["sides"][0].get("against") or 0.0
    return [value - shift for value in check["sides"][0]["values"] if value is not None]


def _zone(check: Mapping[str, Any]) -> tuple[tuple[float, float] | None, list[float]]:
    """Where the interval must lie, and the lines that bound it."""
    bound, far = check["bound"], 1e300
    match check["kind"]:
        case "higher":
            return (bound, far), [0.0, bound]
        case "lower":
            return (-far, -bound), [0.0, -bound]
        case "rising":
            return (-far, 0.0), [0.0]
        case "equivalent":
            return (-bound, bound), [-bound, bound]
        case "not_better":
            return ((-far, bound), [0.0, bound]) if check["larger_is_better"] else ((-bound, far), [0.0, -bound])
        case "agrees":
            return None, [bound]
        case "reaches" | "proportion":
            return ((bound, far) if check["limit"] == "at_least" else (-far, bound)), [bound]
    return None, []


def _axis(check: Mapping[str, Any]) -> str:
    if check["kind"] in ("proportion", "possible"):
        return "share of seeds" if check["kind"] == "proportion" else "share of cases"
    measure = str(check["measure"])
    if check["kind"] in ("agrees", "reaches", "shown"):
        return measure
    against = [side["against"] for side in check["sides"] if side.get("against") is not None]
    if against and len(check["sides"]) == 1:
        return measure if against[0] == 0 else f"{measure}, minus {number(against[0])}"
    return f"{'difference' if check['scale'] == 'linear' else 'ratio'} of {measure}"


def ticks(low: float, high: float, scale: str = "linear") -> list[tuple[float, str]]:
    """At most `TICKS` round values between two ends, and their labels; on a log scale, of what the logarithm is of."""
    if scale != "linear":
        unscaled = [UNSCALED[scale](min(max(end, -300.0), 300.0)) for end in (low, high)]
        if unscaled[1] > 3 * unscaled[0] > 0:
            return _ratio_ticks(*unscaled, scale)
        return [(_rescaled(value, scale), text) for value, text in _labelled(_round_values(*unscaled))]
    return _labelled(_round_values(low, high))


def _labelled(values: Sequence[float]) -> list[tuple[float, str]]:
    """With as many digits as tell neighbours apart."""
    size = max(map(abs, values), default=1.0)
    step = min((b - a for a, b in itertools.pairwise(values)), default=size) or 1.0
    digits = max(4, 1 + math.ceil(math.log10(size / step)) if size else 4)
    found = [(value, number(value, digits)) for value in values]
    return found[::2] if len(found) > 3 and max(len(text) for _, text in found) > LONG else found


def _round_values(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    size = 10.0 ** math.floor(math.log10((high - low) / TICKS))
    step = next(factor * size for factor in (1, 2, 5, 10, 20) if (high - low) / (factor * size) < TICKS)
    return [place * step for place in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _ratio_ticks(low: float, high: float, scale: str) -> list[tuple[float, str]]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1,)):
        values = [factor * 10.0**decade for decade in decades for factor in factors]
        values = [value for value in values if low <= value <= high]
        if len(values) <= TICKS:
            break
    values = values[:: -(-len(values) // TICKS) or 1]
    return [(_rescaled(value, scale), number(value)) for value in values]


def _rescaled(value: float, scale: str) -> float:
    return {"log": math.log, "log2": math.log2, "log10": math.log10}[scale](value)
