"""Numbers and intervals as text; differences of logarithms as ratios."""

import math
import re
from collections.abc import Mapping
from typing import Any

SCALE_NAMES = {"log": "log", "log2": "log₂", "log10": "log₁₀"}
#: The reverse of a scale: a difference of logarithms is shown as a ratio.
UNSCALED = {"linear": float, "log": math.exp, "log2": lambda x: 2.0**x, "log10": lambda x: 10.0**x}
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 4) -> str:
    """Up to four significant digits, thousands apart, powers of ten for the very small, a true minus sign."""
    if value is None or not math.isfinite(value):
        return "undefined"
    if value == 0:
        return "0"
    size = abs(value)
    if size < 1e-4 or size >= 1e12:
        mantissa, _, exponent = f"{value:.{digits - 2}e}".partition("e")
        mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        text = f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}"
    elif size >= 10**digits or value == int(value):
        text = f"{value:,.0f}"
    else:
        text = f"{value:,.{max(digits - 1 - math.floor(math.log10(size)), 0)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−")


def interval(estimate: Mapping[str, Any] | None, scale: str = "linear", sign: str = "") -> str:
    """`0.812 [0.803, 0.821]` with as many decimals as the interval bears; ratios for logarithms."""
    if estimate is None or estimate["value"] is None:
        return "undefined"
    ends = [estimate["value"], estimate["low"], estimate["high"]]
    if ends[1] is None:
        return sign + number(UNSCALED[scale](ends[0]))
    try:
        ends = [UNSCALED[scale](end) for end in ends]
    except OverflowError:
        return f"{SCALE_NAMES[scale]} {number(ends[0])}"
    width = ends[2] - ends[1]
    digits = 4
    if width > 0 and ends[0]:
        digits = 2 + math.floor(math.log10(max(abs(end) for end in ends))) - math.floor(math.log10(width))
    first, low, high = (number(end, min(max(digits, 2), 6)) for end in ends)
    return f"{sign}{first} [{low}, {high}]"


def unscaled(reason: str, scale: str) -> str:
    """A reason with its numbers as what they are the logarithms of; percentages stay."""
    if scale == "linear":
        return reason
    found = r"(±?)(-?\d[\d.]*(?:e[-+]\d+)?)(?! ?[\d%])"
    return re.sub(
        found, lambda match: ("a factor of " if match[1] else "") + number(UNSCALED[scale](float(match[2]))), reason
    )
