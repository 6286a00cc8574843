"""Numbers and checks in words, for the page and for claims.json."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stages.lib.questions.checks import BaseCheck, MeasuredCheck
from stages.lib.questions.measures import NUMBERS, CurveNumber, Quantity, Side, weights
from stages.report.numbers import SCALE_NAMES, UNSCALED, interval, number

ACRONYMS = {
    "mse": "MSE",
    "rmse": "RMSE",
    "f1": "F1",
    "lr": "learning rate",
    "pearson": "Pearson r",
    "spearman": "Spearman ρ",
    "rnn": "RNN",
    "lstm": "LSTM",
    "gru": "GRU",
}
#: Curve numbers that are natural logarithms already.
LOGARITHMS = ("swing", "steps_to")


def scale_of(check: BaseCheck) -> str:
    """The logarithm that a check's numbers are on: linear, log, log2 or log10."""
    if not isinstance(check, MeasuredCheck):
        return "linear"
    kinds = {
        "log" if quantity.curve is not None and quantity.curve.number in LOGARITHMS else quantity.scale
        for quantity in check.quantities
    }
    return kinds.pop() if len(kinds) == 1 else "linear"


def words(name: str) -> str:
    """`validation_mse` → validation MSE."""
    return " ".join(ACRONYMS.get(word, word) for word in name.replace(".", "_").split("_"))


def quantity_name(quantity: Quantity) -> str:
    """A quantity as a reader says it, with its scale."""
    name = words(quantity.metric) if quantity.metric is not None else _curve_name(quantity.curve)
    return f"{SCALE_NAMES[quantity.scale]} {name}" if quantity.scale != "linear" else name


def _curve_name(curve: CurveNumber) -> str:
    column = words(curve.column) + (f" less {words(curve.less)}" if curve.less else "")
    unit = f"{curve.x}s"
    where = ""
    if isinstance(curve.window, tuple):
        where = f", {unit} {number(curve.window[0])} to {number(curve.window[1])}"
    elif curve.window is not None and curve.window != "all":
        where = f", {curve.window}"
    until = f", before {words(curve.until.column)} passes {number(curve.until.above)}" if curve.until else ""
    match curve.number:
        case "at":
            return f"{column} at {curve.x} {number(curve.at)}{until}"
        case "steps_to":
            return f"{unit} until {column} reaches {_level_name(curve)}{until}"
        case "swing":
            return f"swing of {column}{where}{until}"
        case "slope":
            return f"slope of {column}{where or ', last fifth'}{until}"
        case "plateau":
            return f"{curve.x} from which {column} is level{until}"
    return f"{column}, {NUMBERS[curve.number]}{where}{until}"


def _level_name(curve: CurveNumber) -> str:
    if isinstance(curve.level, float):
        return number(curve.level)
    if curve.level == "trivial":
        return "the trivial predictor's"
    if isinstance(curve.level, str):
        return "the reported level"
    return "a final level" if len(curve.level.of) == 1 else "the worse final level"


def measure_name(check: BaseCheck) -> str:
    """What a check measures."""
    if not isinstance(check, MeasuredCheck):
        return words(check.metric)
    name = quantity_name(check.measure)
    return f"{name}, minus {quantity_name(check.minus)}" if check.minus is not None else name


def side_name(side: Side, labels: Mapping[str, str]) -> str:
    """A run's label; a mean or weighted sum of runs by the labels of its parts."""
    names = [labels.get(run, run) for run in weights(side)]
    if isinstance(side, str):
        return names[0]
    if isinstance(side, list):
        return f"mean of {', '.join(names)}"
    terms = []
    for name, weight in zip(names, side.values(), strict=True):
        factor = "" if abs(weight) == 1 else f"{number(abs(weight), 3)} · "
        terms.append(f"{'−' if weight < 0 else '+'} {factor}{name}")
    return " ".join(terms).removeprefix("+ ")


def rule(check: BaseCheck, bound: float | None, labels: Mapping[str, str]) -> str:
    """When a check is supported."""
    scale = scale_of(check)
    at = number(UNSCALED[scale](bound)) if bound is not None else "?"
    what, margin = ("difference", f"±{at}") if scale == "linear" else ("ratio", f"a factor of {at}")
    match check.kind:
        case "higher":
            return f"supported if the 95 % interval of the {what} lies above {at}"
        case "lower":
            return f"supported if the 95 % interval of the {what} lies below {number(UNSCALED[scale](-bound))}"
        case "rising":
            return (
                "supported if " + " < ".join(labels.get(run, run) for run in check.runs) + ", each pair by its interval"
            )
        case "equivalent":
            return f"supported if the 90 % interval of the {what} lies within {margin}"
        case "not_better":
            return f"supported if the 95 % interval shows no gain of {margin.removeprefix('±')}"
        case "agrees":
            return f"supported if the reported {at} lies in the prediction interval"
        case "reaches":
            return f"supported if the mean over seeds is {_side_of(check)} {at}, by a one-sided t test at 5 %"
        case "proportion":
            return f"supported if the 95 % interval of the share is {_side_of(check)} {at}"
        case "possible":
            return "supported by one case; no case decides nothing"
        case "exact":
            tolerance = f" ± {number(check.tolerance)}" if check.tolerance else ""
            return f"supported if it is {_side_of(check)} {number(bound)}{tolerance}".replace("is  ", "is ")
        case "any":
            return "supported if one of these is"
        case "all":
            return "supported if all of these are"
    return "shown beside the checks"


def _side_of(check: BaseCheck) -> str:
    if getattr(check, "at_least", None) is not None:
        return "at least"
    return "at most" if getattr(check, "at_most", None) is not None else ""


def found(check: Mapping[str, Any]) -> str:
    """What a check's runs gave, in one line; from its entry in claims.json."""
    scale, sides = check["scale"], [side for side in check["sides"] if side["values"]]
    if not sides:
        return check["reason"]
    if check["kind"] == "exact":
        return ", ".join(dict.fromkeys(number(value, 8) for value in sides[0]["values"]))
    if check["kind"] in ("proportion", "possible") and check["estimate"] is not None:
        return f"{check['reason']}: {interval(check['estimate'])}"
    each = ", ".join(f"{side['label']}: {value_of(side, scale)}" for side in sides)
    if check["kind"] == "agrees":
        return f"{interval(check['estimate'] or sides[0]['estimate'], scale)} against {_bound(check)} reported"
    if check["kind"] == "reaches":
        return f"{interval(check['estimate'] or sides[0]['estimate'], scale)} against {_bound(check)}"
    if check["kind"] in ("higher", "lower", "not_better", "equivalent") and check["estimate"] is not None:
        what = "ratio" if scale != "linear" else "difference"
        if len(sides) == 1:
            return f"{sides[0]['label']}: {interval(check['estimate'], scale)}"
        return f"{each}; {what} {interval(check['estimate'], scale)}"
    return each


def beside(check: Mapping[str, Any], has_chart: object) -> str:
    """What a check's chart leaves to be said, as sentences: the value of each side, or the number asked for."""
    if check["kind"] == "exact":
        return f"Found: {found(check)}. "
    if not has_chart:
        return f"{found(check)}. " if check["reason"] != found(check) else ""
    sides = [side for side in check["sides"] if side["values"]]
    if check["kind"] == "agrees":
        return f"Reported: {_bound(check)}. "
    if check["kind"] == "reaches":
        return f"Asked for: {_side_text(check)} {_bound(check)}. "
    if check["kind"] in ("proportion", "possible", "shown"):
        return ""
    if len(sides) == 1 and sides[0].get("against") is not None:
        return ""
    return ", ".join(f"{side['label']}: {value_of(side, check['scale'])}" for side in sides) + ". "


def _side_text(check: Mapping[str, Any]) -> str:
    return "at least" if check["limit"] == "at_least" else "at most"


def _bound(check: Mapping[str, Any]) -> str:
    return number(UNSCALED[check["scale"]](check["bound"])) if check["bound"] is not None else "?"


def value_of(side: Mapping[str, Any], scale: str) -> str:
    """A side's mean over seeds, as a reader knows it."""
    estimate = side["estimate"]
    if estimate is None:
        return "undefined"
    try:
        text = number(UNSCALED[scale](estimate["value"]))
    except OverflowError:
        return f"{SCALE_NAMES[scale]} {number(estimate['value'])}"
    return f"more than {text}" if not side.get("complete", True) else text


def detectable(check: Mapping[str, Any]) -> str:
    """The smallest difference that would have been detected, or nothing where that is unknown."""
    size = check["detectable"]
    if size is None or not math.isfinite(size):
        return ""
    if check["scale"] != "linear" and check["kind"] not in ("proportion", "possible", "exact"):
        return f"a ratio of {number(UNSCALED[check['scale']](size), 2)}"
    return f"a difference of {number(size, 2)}"


def flips_at(check: Mapping[str, Any]) -> str:
    """The margin or threshold with which the outcome would be another one."""
    size = check["flips_at"]
    if size is None or check["kind"] in ("exact",):
        return ""
    what = {
        "higher": "a smallest effect",
        "lower": "a smallest effect",
        "equivalent": "a margin",
        "not_better": "a margin",
        "agrees": "a smallest effect",
        "rising": "a smallest effect",
    }.get(check["kind"], "a bound")
    if check["scale"] != "linear" and check["kind"] != "proportion":
        what = "a ratio" if what != "a bound" else what
        size = UNSCALED[check["scale"]](-size if check["kind"] == "lower" else size)
    return f"{what} of {number(size, 3)}"


def capitalized(text: str) -> str:
    """A sentence's first letter; names that are always small stay so."""
    return text if text.startswith("lr ") else text[:1].upper() + text[1:]


def found_in_short(checks: Sequence[Mapping[str, Any]], verdict: str) -> str:
    """What was found, in a line of the table: the check that decides, and how many hold."""
    judged = [check for check in checks if check["role"] == "judged"]
    if verdict == "ran":
        return "; ".join(found(check) for check in judged[:1])
    wanted = ("contradicted", "inconclusive", "supported")
    decisive = min(judged, key=lambda check: wanted.index(check["outcome"]))
    held = sum(check["outcome"] == "supported" for check in judged)
    text = found(decisive)
    if decisive["outcome"] == "inconclusive":
        size = detectable(decisive)
        text = decisive["reason"] if not size else f"{text}; {size} would have been seen"
    statement = decisive["statement"]
    text = f"{capitalized(statement)}: {text}"
    return text if len(judged) == 1 else f"{held} of {len(judged)} checks supported. {text}"
