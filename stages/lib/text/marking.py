"""Terms marked in their sentence, `the ⟦battery life⟧ is short`, or told by their place in it, `4-16`."""

from collections.abc import Sequence

#: First and last character (exclusive) of a stretch of text.
Span = tuple[int, int]

OPEN, CLOSE = "⟦", "⟧"


def mark_spans(text: str, spans: Sequence[Span]) -> str:
    """The text with ⟦ and ⟧ around each span, also where one lies in another. Spans hold text and do not cross."""
    # From the end on; where one span ends and the next begins, the end comes first in the text.
    marks = [(start, 1, OPEN) for start, _ in spans] + [(end, 0, CLOSE) for _, end in spans]
    for place, _, sign in sorted(marks, reverse=True):
        text = text[:place] + sign + text[place:]
    return text


def write_spans(spans: Sequence[Span]) -> str:
    """Sorted, such as "4-16 20-26": where terms stand, for a table that is to hold no sentences."""
    return " ".join(f"{start}-{end}" for start, end in sorted(spans))


def read_spans(written: str) -> list[Span]:
    """The inverse of `write_spans`."""
    return [(int(start), int(end)) for start, _, end in (part.partition("-") for part in written.split())]
