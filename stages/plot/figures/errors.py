"""The kind `errors`: what a tagger of terms got wrong on the test sentences; the CSV lists every error.

Reads the outcomes `target` and `prediction`: where the annotated terms and the predicted ones stand in a sentence.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from stages.lib.figures import Errors
from stages.lib.text.marking import Span, read_spans
from stages.plot.evaluations import Evaluations
from stages.plot.style import INK, Sheet, stroke

#: A term that no prediction touches; a prediction that touches a term without being one; one that touches none.
KINDS = ("missed", "wrong borders", "invented")


def read(figure: Errors, evaluations: Evaluations) -> pd.DataFrame:
    """Columns run, seed, x (number of the error), error (its kind), value and smoothed (errors of this kind up to it),
    sentence (its number in the test file, from 0), terms and predicted (first and last character of each, exclusive).
    Each kind begins with a row of 0 errors.
    """
    frames = []
    for run, label in figure.runs.items():
        for seed, rows in evaluations.outcomes(run, "test", "target", "prediction"):
            found = [
                (error, *row)
                for row in rows[["example", "target", "prediction"]].itertuples(index=False)
                for error in find_errors(read_spans(row.prediction), read_spans(row.target))
            ]
            start = pd.DataFrame({"x": 0, "error": KINDS, "value": 0})
            errors = pd.DataFrame(found, columns=["error", "sentence", "terms", "predicted"])
            errors.insert(0, "x", np.arange(1, len(errors) + 1))
            errors.insert(2, "value", errors.groupby("error").cumcount() + 1)
            frames.append(pd.concat([start, errors]).assign(run=label, seed=seed))
    table = pd.concat(frames, ignore_index=True).assign(smoothed=lambda rows: rows["value"])
    return table[["run", "seed", "x", "error", "value", "smoothed", "sentence", "terms", "predicted"]]


def draw(figure: Errors, table: pd.DataFrame, sheet: Sheet) -> None:
    """Bars: the mean over seeds, with a line from the fewest to the most."""
    axes = sheet.axes(xlabel=figure.x_label, ylabel=figure.y_label)
    runs = list(table["run"].unique())
    height = 0.8 / len(runs)
    for index, run in enumerate(runs):
        counts = table[table["run"] == run].groupby(["seed", "error"])["value"].max().unstack()[list(KINDS)].to_numpy()
        places = np.arange(len(KINDS)) + (index - (len(runs) - 1) / 2) * height
        axes.barh(places, counts.mean(0), height * 0.9, color=stroke(index).color, alpha=0.75, label=run)
        if len(counts) > 1:
            axes.hlines(places, counts.min(0), counts.max(0), color=INK, linewidth=1.4)
    axes.set_yticks(range(len(KINDS)), [kind.replace(" ", "\n") for kind in KINDS])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")


def find_errors(found: Sequence[Span], wanted: Sequence[Span]) -> list[str]:
    """The kind of every error of a sentence."""

    def touches(span: Span, others: Sequence[Span]) -> bool:
        return any(span[0] < end and start < span[1] for start, end in others)

    errors = [KINDS[0] for span in wanted if not touches(span, found)]
    return errors + [KINDS[1] if touches(span, wanted) else KINDS[2] for span in found if span not in wanted]
