"""Terms marked in their sentence: `the ⟦battery life⟧ is short`."""

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


def marked_spans(marked: str) -> tuple[str, list[Span]]:
    """The text without its marks, and the sorted spans that they were around: the inverse of `mark_spans`."""
    text, starts, spans = "", [], []
    for letter in marked:
        if letter == OPEN:
            starts.append(len(text))
        elif letter == CLOSE:
            spans.append((starts.pop(), len(text)))
        else:
            text += letter
    return text, sorted(spans)
