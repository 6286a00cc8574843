from hypothesis import given
from hypothesis import strategies as st

from stages.lib.text.marking import mark_spans, marked_spans


def test_marks_stand_around_terms():
    assert mark_spans("the battery life is short", [(4, 16)]) == "the ⟦battery life⟧ is short"
    # One within another, and one right behind.
    assert mark_spans("abcd", [(0, 3), (1, 2), (3, 4)]) == "⟦a⟦b⟧c⟧⟦d⟧"


@given(text=st.text(alphabet="ab é", min_size=1, max_size=30), data=st.data())
def test_marked_spans_are_the_inverse(text, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=8)))
    spans = list(zip(cuts[::2], cuts[1::2], strict=False))
    assert marked_spans(mark_spans(text, spans)) == (text, spans)
