from hypothesis import given
from hypothesis import strategies as st

from stages.lib.text.marking import mark_spans, read_spans, write_spans


def test_marks_stand_around_terms():
    assert mark_spans("the battery life is short", [(4, 16)]) == "the ⟦battery life⟧ is short"
    # One within another, and one right behind.
    assert mark_spans("abcd", [(0, 3), (1, 2), (3, 4)]) == "⟦a⟦b⟧c⟧⟦d⟧"


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), max_size=8))
def test_written_spans_are_read_back_in_order(spans):
    assert read_spans(write_spans(spans)) == sorted(spans)


def test_spans_are_told_by_their_ends():
    assert write_spans([(20, 26), (4, 16)]) == "4-16 20-26"
    assert write_spans([]) == ""
