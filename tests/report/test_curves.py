"""Numbers of curves by the names that checks use, against their formulas."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from stages.lib import statistics
from stages.lib.questions.measures import CurveNumber
from stages.report.curves import Curve, bounds, number

X = np.arange(0.0, 101.0, 2.0)
Y = 2 * np.exp(-X / 20) + 0.1 * np.sin(X)
CURVE = Curve(X, Y)


def read(wanted: str, **fields: Any) -> float:
    return number(CURVE, CurveNumber(column="loss", number=wanted, **fields), fields.get("level"), rising=False).value


@pytest.mark.parametrize(
    ("window", "start", "stop"),
    [("all", 0, 100), ("first fifth", 0, 20), ("last half", 50, 100), ("last third", 200 / 3, 100), ((20, 60), 20, 60)],
)
def test_windows_are_parts_of_x(window: Any, start: float, stop: float) -> None:
    assert bounds(CURVE, window) == pytest.approx((start, stop))
    inside = (start - 1e-9 <= X) & (stop + 1e-9 >= X)
    assert read("mean", window=window) == pytest.approx(Y[inside].mean())
    assert read("lowest", window=window) == Y[inside].min()
    assert read("highest", window=window) == Y[inside].max()
    assert read("slope", window=window) == pytest.approx(np.polyfit(X[inside], Y[inside], 1)[0])
    assert read("swing", window=window) == pytest.approx(math.log(np.std(np.diff(Y[inside]), ddof=1)))


def test_levels_and_places() -> None:
    assert read("first") == Y[0]
    assert read("last") == Y[-1]
    assert read("level") == pytest.approx(Y[X >= 90].mean())
    assert read("at", at=31) == pytest.approx((Y[15] + Y[16]) / 2)
    assert read("slope") == pytest.approx(stats.linregress(X[X >= 80], Y[X >= 80]).slope)
    assert 0 < read("steps_to", level=1.0) < math.log(40)


def test_a_level_that_is_never_reached_is_a_lower_bound() -> None:
    found = number(CURVE, CurveNumber(column="loss", number="steps_to", level=-5), -5.0, rising=False)
    assert (found.value, found.reached) == (math.log(100), False)


@pytest.mark.parametrize(
    "fields",
    [
        {"number": "mean", "window": (20, 30)},
        {"number": "slope", "window": (20, 30)},
        {"number": "swing", "window": (20, 30)},
        {"number": "mean", "window": (60, 120)},
        {"number": "at", "at": 120},
    ],
)
def test_too_few_points_or_none_give_no_number(fields: Any) -> None:
    with pytest.raises(statistics.NoValue):
        number(CURVE, CurveNumber(column="loss", **fields), None, rising=False)


def history(values: Any, **columns: Any) -> dict[str, Any]:
    return {"step": X.tolist(), "epoch": X.tolist(), "train_loss": list(values), **columns}


def ask(study: Any, judged: Any, **curve: Any) -> list[float]:
    study.ask({"kind": "shown", "statement": "s", "among": ["a"], "curve": {"column": "train_loss", **curve}})
    study.sections["questions"]["q"]["checks"].append(
        {
            "kind": "reaches",
            "statement": "s",
            "run": "a",
            "at_most": 9,
            "because": "b",
            "curve": {"column": "train_loss", "number": "last"},
        }
    )
    (side,) = judged()["q"]["checks"][0]["sides"]
    return side["values"]


def test_one_column_less_another(study: Any, judged: Any) -> None:
    study.add("a", curves=[history(Y, test_loss=(Y * 3).tolist())])
    assert ask(study, judged, column="test_loss", less="train_loss", number="last") == pytest.approx(
        [2 * Y[-1]], rel=1e-4
    )


def test_curves_end_before_saturation(study: Any, judged: Any) -> None:
    """The cut is common to all seeds: before the first that passes 0.98, at x = 60 and 40."""
    accuracies = [np.where(end <= X, 0.99, 0.5).tolist() for end in (60, 40)]
    study.add("a", curves=[history(Y, train_accuracy=accuracy) for accuracy in accuracies])
    values = ask(study, judged, number="last", until={"column": "train_accuracy", "above": 0.98})
    assert values == pytest.approx([Y[X < 40][-1]] * 2, rel=1e-4)


def test_a_run_that_is_too_short_decides_nothing(study: Any, judged: Any) -> None:
    study.add("a", curves=[history(Y)] * 3)
    assert ask(study, judged, number="last", needs=101) == []
    assert len(ask(study, judged, number="last", needs=100)) == 3


def test_a_level_can_be_another_runs_last(study: Any, judged: Any) -> None:
    """b ends at 1.0 in the mean over its seeds; a falls from 2 to 0 along a line and is there at x = 50."""
    study.add("a", curves=[history(2 - X / 50)]).add("b", curves=[history(0 * X + end) for end in (0.9, 1.1)])
    assert ask(study, judged, number="steps_to", level={"of": ["b"]}) == pytest.approx([math.log(50)], rel=1e-4)


@pytest.mark.parametrize(
    ("faster", "slower", "outcome"),
    [(20, 60, "supported"), (20, 400, "supported"), (400, 60, "contradicted"), (400, 400, "inconclusive")],
)
def test_lower_bounds_only_make_a_verdict_more_careful(
    study: Any, judged: Any, faster: float, slower: float, outcome: str
) -> None:
    """Curves fall by e in this many steps; those of 400 do not get from 2 to 1 within 100 steps."""

    def curves(scale: float) -> list[dict[str, Any]]:
        return [history(2 * np.exp(-X / scale) + shift * X / 1e4) for shift in (0.0, 0.5, 1.0, 1.5)]

    study.add("a", curves=curves(faster)).add("b", curves=curves(slower))
    curve = {"column": "train_loss", "number": "steps_to", "level": 1.0}
    study.ask({"kind": "lower", "statement": "s", "run": "a", "against": "b", "curve": curve})
    assert judged()["q"]["checks"][0]["outcome"] == outcome


def test_a_run_that_is_cut_short_is_not_called_faster(study: Any, judged: Any) -> None:
    """a is above the level when it ends after 30 steps; b gets there after about 42."""

    def curves(scale: float, end: float) -> list[dict[str, Any]]:
        x = X[end >= X]
        y = [2 * np.exp(-x / scale) + shift * x / 1e4 for shift in (0.0, 0.5, 1.0)]
        return [{"step": x.tolist(), "epoch": x.tolist(), "train_loss": values.tolist()} for values in y]

    study.add("a", curves=curves(400, 30)).add("b", curves=curves(60, 100))
    curve = {"column": "train_loss", "number": "steps_to", "level": 1.0}
    for name, kind in (("q", "lower"), ("turned", "higher")):
        study.ask({"kind": kind, "statement": "s", "run": "a", "against": "b", "curve": curve}, name=name)
    claims = judged()
    assert {claim["verdict"] for claim in claims.values()} == {"inconclusive"}
    assert "lower bound" in claims["q"]["checks"][0]["reason"]
