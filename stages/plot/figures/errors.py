"""The kind `errors`: what a tagger of terms got wrong, counted by kind; the CSV lists every error in its sentence.

Reads the predictions that evaluation left: as target the sentence with its terms ⟦marked⟧, as prediction the terms'
first and last characters (exclusive).
"""

import ast
from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from stages.plot.figures import FigureEntry, Sources, Table
from stages.plot.figures.style import stroke

#: A term that no prediction touches; a prediction that touches a term without being one; one that touches none.
KINDS = ("missed", "wrong borders", "invented")
Span = tuple[int, int]


class Entry(FigureEntry):
    x_label: str
    y_label: str = ""
    split: str = "test"


def read(entry: Entry, sources: Sources) -> Table:
    """An error a row: run, seed, x (its number), kind, value (errors of its kind up to it), the sentence with its terms
    marked, and with the predictions marked.
    """
    rows = []
    for run, label in entry.runs.items():
        for seed, lines in sources.table(run).items():
            counts = Counter[str]()
            for line in lines:
                if line["split"] != entry.split:
                    continue
                text, wanted = unmark(line["target"])
                found = [tuple(span) for span in ast.literal_eval(line["prediction"])]
                for kind in find_errors(found, wanted):
                    counts[kind] += 1
                    many = counts[kind]
                    rows.append((label, seed, counts.total(), kind, many, many, line["target"], mark(text, found)))
    return Table(("run", "seed", "x", "kind", "value", "smoothed", "gold", "predicted"), rows)


def draw(entry: Entry, table: Table, axes: Axes) -> None:
    """Bars: the number of each kind, the mean over seeds, with a line from the lowest to the highest."""
    runs = list(dict.fromkeys(row[0] for row in table.rows))
    height = 0.8 / max(len(runs), 1)
    for index, run in enumerate(runs):
        seeds = sorted({row[1] for row in table.rows if row[0] == run})
        counts = np.array(
            [[sum(row[:2] == (run, seed) and row[3] == kind for row in table.rows) for kind in KINDS] for seed in seeds]
        )
        places = np.arange(len(KINDS)) + (index - (len(runs) - 1) / 2) * height
        axes.barh(places, counts.mean(0), height * 0.9, color=stroke(index).color, alpha=0.75, label=run)
        axes.hlines(places, counts.min(0), counts.max(0), color="black", linewidth=1.2)
    axes.set_yticks(range(len(KINDS)), [kind.replace(" ", "\n") for kind in KINDS])
    axes.invert_yaxis()
    axes.set_xlabel(entry.x_label)


def find_errors(found: Sequence[Span], wanted: Sequence[Span]) -> list[str]:
    """The kind of every error of a sentence."""

    def touches(span: Span, others: Sequence[Span]) -> bool:
        return any(span[0] < end and start < span[1] for start, end in others)

    errors = [KINDS[0] for span in wanted if not touches(span, found)]
    return errors + [KINDS[1] if touches(span, wanted) else KINDS[2] for span in found if span not in wanted]


def unmark(marked: str) -> tuple[str, list[Span]]:
    """The sentence without its marks, and what they were around; the inverse of `mark`."""
    text, open_places, spans = "", [], []
    for letter in marked:
        if letter == "⟦":
            open_places.append(len(text))
        elif letter == "⟧":
            spans.append((open_places.pop(), len(text)))
        else:
            text += letter
    return text, sorted(spans)


def mark(text: str, spans: Sequence[Span]) -> str:
    """The text with ⟦ and ⟧ around each span."""
    # From the end on; where one span ends and the next begins, the end comes first in the text.
    places = [(start, 1, "⟦") for start, _ in spans] + [(end, 0, "⟧") for _, end in spans]
    for place, _, sign in sorted(places, reverse=True):
        text = text[:place] + sign + text[place:]
    return text
