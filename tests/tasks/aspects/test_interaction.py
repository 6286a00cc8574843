import pytest
import torch

from stages.lib.errors import InputError
from stages.lib.task import Prepared
from stages.tasks.aspects.interaction import encode_input, format_prediction
from stages.tasks.aspects.training.options import Options
from stages.tasks.aspects.training.task import TASK


@pytest.mark.parametrize("words", ["all", "report"])
def test_a_typed_sentence_is_encoded_as_in_preparation(words: str, prepared: Prepared) -> None:
    options = Options(words=words)
    split = TASK.load(prepared.tensors, prepared.metadata, options)["test"]
    text = split.targets[5].text
    user_input = encode_input([text], prepared.tensors, prepared.metadata, prepared.vocabulary, options)
    for one, other in zip(user_input.batch.inputs, split.batch(torch.tensor([5])).inputs, strict=True):
        assert torch.equal(one, other)
    assert user_input.notes == ()
    again = encode_input(text.split(" "), prepared.tensors, prepared.metadata, prepared.vocabulary, options)
    assert torch.equal(again.batch.target[..., 1:], user_input.batch.target[..., 1:])


def test_the_user_is_told_what_was_not_read(prepared: Prepared) -> None:
    typed = ["A qwertz keyboard", "the " * 40]
    notes = encode_input(typed, prepared.tensors, prepared.metadata, prepared.vocabulary, Options()).notes
    assert notes == ("out of vocabulary, mapped to <unk>: qwertz", "truncated to the first 30 of 43 words")
    with pytest.raises(InputError, match="empty"):
        encode_input(["  "], prepared.tensors, prepared.metadata, prepared.vocabulary, Options())


def test_keywords_are_listed_once_each() -> None:
    answer = format_prediction([(0, 4), (9, 13)], ["food and food"], {})
    assert answer.splitlines() == ["keywords: food", "⟦food⟧ and ⟦food⟧"]
    assert format_prediction([], ["Fine."], {}) == "no keyword: Fine."
