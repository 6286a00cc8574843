"""What a user types, and what the network answers."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from stages.lib.errors import InputError
from stages.lib.task import UserInput
from stages.lib.text import spans
from stages.lib.text.marking import Span, mark_spans
from stages.tasks.aspects.preparation import TOKENIZERS, UNKNOWN, encode_words

if TYPE_CHECKING:
    from torch import Tensor

    from stages.tasks.aspects.training.options import Options

#: What a user gives, by name: the input example of logged models, from which their signature follows.
INPUT_EXAMPLE = {"sentence": "The keyboard is excellent, but the battery is awful."}


def encode_input(
    user_input: Sequence[str],
    tensors: "Mapping[str, Tensor]",
    metadata: Mapping[str, Any],
    vocabulary: Sequence[str],
    options: "Options",
) -> UserInput:
    """A sentence, as one text or word by word, processed as in preparation. Raises InputError where it is empty."""
    import torch

    from stages.networks.layers.ragged import Ragged
    from stages.tasks.aspects.training.sentences import GoldSentence, Sentences
    from stages.tasks.aspects.training.task import target_encoding, word_vectors

    text = " ".join(user_input)
    if not text.strip():
        raise InputError("the sentence is empty; give its words, in quotation marks")
    tokens = TOKENIZERS[options.words](text)
    kept = tokens[: metadata["max_length"]]
    spelled = spans.spell(text, kept)
    token_id = {word: number for number, word in enumerate(vocabulary, start=UNKNOWN + 1)}
    encoded, _ = encode_words([text], [()], [kept], [spelled], token_id)
    offsets = encoded.pop("offsets")
    words = {name: Ragged(values, offsets) for name, values in encoded.items()}
    words["encoding"] = target_encoding(tensors, options, words["token_ids"])
    split = Sentences(words, word_vectors(tensors, options), tensors["characters"], [GoldSentence(text, ())])
    unknown = list(dict.fromkeys(word for word in spelled if word not in token_id))
    notes = [f"out of vocabulary, mapped to <unk>: {', '.join(unknown)}"] if unknown else []
    notes += [f"truncated to the first {len(kept)} of {len(tokens)} words"] if len(kept) < len(tokens) else []
    return UserInput(split.batch(torch.tensor([0])), tuple(notes))


def format_prediction(prediction: Sequence[Span], user_input: Sequence[str], metadata: Mapping[str, Any]) -> str:  # noqa: ARG001
    """The distinct keywords in order of appearance, and the sentence with all of them marked."""
    text = " ".join(user_input)
    if not prediction:
        return f"no keyword: {text}"
    return f"keywords: {', '.join(_keywords(text, prediction))}\n{mark_spans(text, prediction)}"


def tabulate_prediction(
    prediction: Sequence[Span],
    user_input: Sequence[str],
    metadata: Mapping[str, Any],  # noqa: ARG001
) -> dict[str, object]:
    """keywords: the distinct ones, with semicolons between them · marked: the sentence with all of them marked."""
    text = " ".join(user_input)
    return {"keywords": "; ".join(_keywords(text, prediction)), "marked": mark_spans(text, prediction)}


def _keywords(text: str, spans: Sequence[Span]) -> list[str]:
    return list(dict.fromkeys(" ".join(text[start:end].split()) for start, end in spans))
