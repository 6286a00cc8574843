"""What a user types, and what the network answers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stages.lib.errors import InputError
from stages.lib.task import UserInput
from stages.lib.text import preprocessing
from stages.tasks.reviews.preparation import UNKNOWN, split_words

if TYPE_CHECKING:
    from torch import Tensor

    from stages.tasks.reviews.training.options import Options

#: What a user gives, by name: the input example of logged models, from which their signature follows.
INPUT_EXAMPLE = {"review": "A charming and funny film."}
#: Of rt-polarity, whose metadata do not name them: label 0, label 1.
CLASSES = ("negative", "positive")


def encode_input(
    user_input: Sequence[str],
    tensors: "Mapping[str, Tensor]",
    metadata: Mapping[str, Any],
    vocabulary: Sequence[str],
    options: "Options",  # noqa: ARG001
) -> UserInput:
    """A review, as one text or word by word, processed as in preparation. Raises InputError where it is empty."""
    import torch

    from stages.networks.layers.ragged import Ragged
    from stages.tasks.reviews.training.reviews import Reviews

    words = split_words(" ".join(user_input))
    if not words:
        raise InputError("the review is empty; give its words, in quotation marks")
    token_id = {word: number for number, word in enumerate(vocabulary, start=UNKNOWN + 1)}
    kept = preprocessing.cut(words, metadata["max_length"])
    unknown = list(dict.fromkeys(word for word in kept if word not in token_id))
    notes = [f"out of vocabulary, mapped to <unk>: {', '.join(unknown)}"] if unknown else []
    notes += [f"truncated to the first {len(kept)} of {len(words)} words"] if len(kept) < len(words) else []
    sentences = Ragged.from_rows([[token_id.get(word, UNKNOWN) for word in kept]])
    review = Reviews(sentences, torch.zeros(1), tensors["vectors"])
    return UserInput(review.batch(torch.tensor([0])), tuple(notes))


def format_prediction(prediction: float, user_input: Sequence[str], metadata: Mapping[str, Any]) -> str:  # noqa: ARG001
    """The more likely class and its probability."""
    label, probability = _likely(prediction, metadata)
    return f"{label} (probability {probability:.3f})"


def tabulate_prediction(
    prediction: float,
    user_input: Sequence[str],  # noqa: ARG001
    metadata: Mapping[str, Any],
) -> dict[str, object]:
    """prediction: the more likely class · probability: of it · probability_<class>: of each."""
    label, probability = _likely(prediction, metadata)
    found = {"prediction": label, "probability": round(probability, 4)}
    each = zip(metadata.get("classes", CLASSES), (1 - prediction, prediction), strict=True)
    return found | {f"probability_{name}": round(value, 4) for name, value in each}


def _likely(prediction: float, metadata: Mapping[str, Any]) -> tuple[str, float]:
    negative, positive = metadata.get("classes", CLASSES)
    return (positive, prediction) if prediction > 0.5 else (negative, 1 - prediction)
