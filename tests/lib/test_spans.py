"""From sentences and terms to tokens and BIO tags; the way back is in stages/tasks/aspects."""

import itertools

import pytest
from conftest import MIRROR
from hypothesis import given
from hypothesis import strategies as st

from stages.lib.text import spans
from stages.lib.text.semeval import read_sentences
from stages.tasks.aspects.preparation import FILES
from stages.tasks.aspects.training.sentences import term_spans


def tokens(sentence: str) -> list[str]:
    return [sentence[start:end] for start, end in spans.tokenize(sentence)]


def test_words_and_marks_are_separated() -> None:
    assert tokens("I don't love the 13.3\" wi-fi, it’s") == [
        *("I", "do", "n't", "love", "the", "13.3", '"', "wi", "-", "fi", ",", "it", "’s")
    ]
    assert spans.spell("IT’s", [(0, 2), (2, 4)]) == ["it", "'s"]


@given(st.text())
def test_tokens_hold_every_character_but_white_space_in_order(sentence: str) -> None:
    found = spans.tokenize(sentence)
    assert "".join(sentence[start:end] for start, end in found) == "".join(sentence.split())
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(found))


def test_the_reports_segments_leave_stop_words_out_and_keep_offsets() -> None:
    sentence = "The quality of the food is great"
    found = spans.segment(sentence)
    assert [sentence[start:end] for start, end in found] == ["quality", "food", "great"]
    # A term whose inner words were left out comes back whole; one that ends with such a word does not.
    tags, lost = spans.bio_tags([(4, 23)], found)
    assert (tags, lost) == ([1, 2, 0], {})
    assert term_spans(tags, found) == [(4, 23)]
    assert spans.bio_tags([(4, 14)], found)[1] == {(4, 14): "borders"}
    assert spans.bio_tags([(12, 14)], found) == ([0, 0, 0], {(12, 14): "no token"})


def tag(sentence: str, *terms: tuple[int, int]) -> tuple[list[int], dict[tuple[int, int], str]]:
    return spans.bio_tags(terms, spans.tokenize(sentence))


def test_repeated_adjacent_nested_and_overlapping_terms() -> None:
    sentence = "food and food wine list"
    assert tag(sentence, (0, 4), (9, 13)) == ([1, 0, 1, 0, 0], {})
    assert tag(sentence, (9, 13), (14, 18)) == ([0, 0, 1, 1, 0], {})
    assert tag(sentence, (14, 18), (14, 23)) == ([0, 0, 0, 1, 2], {(14, 18): "overlapping"})
    assert tag(sentence, (9, 18), (14, 23)) == ([0, 0, 1, 2, 0], {(14, 23): "overlapping"})
    assert tag("a b c d", (0, 3), (2, 5)) == ([1, 2, 0, 0], {(2, 5): "overlapping"})
    assert tag("macbook", (0, 3)) == ([1], {(0, 3): "borders"})
    assert tag("", (0, 3)) == ([], {(0, 3): "no token"})


@given(st.lists(st.integers(0, 2), max_size=12))
def test_tags_survive_the_way_to_characters_and_back(tags: list[int]) -> None:
    words = [(2 * number, 2 * number + 1) for number in range(len(tags))]
    terms = term_spans(tags, words)
    again, lost = spans.bio_tags(terms, words)
    assert lost == {}
    assert term_spans(again, words) == terms


@pytest.mark.real
@pytest.mark.skipif(not (MIRROR / "Laptop_Train_v2.xml").is_file(), reason="needs the real data in DATA_MIRROR")
@pytest.mark.parametrize("name", [name for names in FILES.values() for name in names])
@pytest.mark.parametrize(("split_words", "most_lost"), [(spans.tokenize, 0.002), (spans.segment, 0.04)])
def test_every_real_term_comes_back_or_is_counted(name: str, split_words: object, most_lost: float) -> None:
    missing = total = 0
    for sentence in read_sentences(MIRROR / name)[0]:
        words = split_words(sentence.text)
        tags, lost = spans.bio_tags(sentence.spans, words)
        assert set(term_spans(tags, words)) >= set(sentence.spans) - set(lost)
        assert not set(term_spans(tags, words)) & set(lost)
        missing, total = missing + len(lost), total + len(sentence.spans)
    assert missing <= most_lost * total


def test_shapes_of_words() -> None:
    words = ("food", "Food", "USB", "MacBook", "13inch", "!", "I")
    assert [spans.shape(word) for word in words] == [0, 1, 2, 3, 4, 5, 1]


def test_character_codes_are_ascii_and_padded() -> None:
    assert spans.character_codes("wi-fi", 7) == [*map(ord, "wi-fi"), 0, 0]
    assert spans.character_codes("café au lait", 5) == [ord("c"), ord("a"), ord("f"), 127, ord(" ")]
