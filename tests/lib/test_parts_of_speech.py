from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stages.lib.text.parts_of_speech import PARTS_OF_SPEECH, number_parts_of_speech


def test_parts_of_speech_are_those_that_a_grammar_gives() -> None:
    words = ["The", "hard", "disk", "is", "very", "noisy", ",", "but", "I", "bought", "two", "of", "them", "."]
    tags = ["DT", "JJ", "NN", "VBZ", "RB", "JJ", ",", "CC", "PRP", "VBD", "CD", "IN", "PRP", "."]
    assert [PARTS_OF_SPEECH[number - 1] for number in number_parts_of_speech(words)] == tags


# Hypothesis's tables of characters take it a second the first time, more where the machine is busy.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.text(min_size=1).map(lambda text: "".join(text.split())).filter(bool)))
def test_every_word_gets_one_part_of_speech(words: list[str]) -> None:
    numbers = number_parts_of_speech(words)
    assert len(numbers) == len(words)
    assert all(0 <= number <= len(PARTS_OF_SPEECH) for number in numbers)
