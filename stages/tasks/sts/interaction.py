"""What a user types, and what the network answers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stages.lib.errors import InputError
from stages.lib.task import UserInput
from stages.lib.text import preprocessing
from stages.tasks.sts.preparation import MAX_SIMILARITY, split_words

if TYPE_CHECKING:
    from torch import Tensor

    from stages.tasks.sts.training.options import Options

#: What a user gives, by name: the input example of logged models, from which their signature follows.
INPUT_EXAMPLE = {"first": "A man is playing the guitar.", "second": "A man is playing the piano."}


def encode_input(
    user_input: Sequence[str],
    tensors: "Mapping[str, Tensor]",
    metadata: Mapping[str, Any],
    vocabulary: Sequence[str],
    options: "Options",  # noqa: ARG001
) -> UserInput:
    """Two sentences, processed as in preparation; words outside the data set have no vector here.

    Raises InputError for another number of sentences, and for one without a known word.
    """
    import torch

    from stages.networks.layers.ragged import Ragged
    from stages.tasks.sts.training.pairs import SentencePairs

    if len(user_input) != 2:
        raise InputError(f"expected two sentences, each in quotation marks; got {len(user_input)}")
    token_id = {word: number for number, word in enumerate(vocabulary, start=1)}
    rows, dropped, notes = [], [], []
    for sentence in user_input:
        known, unknown = preprocessing.drop_unknown(split_words(sentence), token_id)
        if not known:
            raise InputError(f"{sentence!r}: none of its words has a vector; try another sentence")
        kept = preprocessing.cut(known, metadata["max_length"])
        rows.append([token_id[word] for word in kept])
        dropped += unknown
        if len(kept) < len(known):
            notes.append(f"truncated to the first {len(kept)} of {len(known)} words")
    if dropped:
        notes.append(f"no word vector, dropped: {', '.join(dropped)}")
    pair = SentencePairs(Ragged.from_rows(rows), torch.zeros(1), tensors["vectors"])
    return UserInput(pair.batch(torch.tensor([0])), tuple(notes))


def format_prediction(prediction: float, user_input: Sequence[str], metadata: Mapping[str, Any]) -> str:  # noqa: ARG001
    """The similarity and its scale."""
    return f"similarity {prediction:.2f} (0: unrelated, {MAX_SIMILARITY:.0f}: equivalent)"


def tabulate_prediction(
    prediction: float,
    user_input: Sequence[str],  # noqa: ARG001
    metadata: Mapping[str, Any],  # noqa: ARG001
) -> dict[str, object]:
    """similarity: from 0 to 5."""
    return {"similarity": round(prediction, 4)}
