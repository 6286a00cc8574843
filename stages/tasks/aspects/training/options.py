"""Options of the task and of its network, with their defaults."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from stages.lib.config_model import Strict

Rate = Annotated[float, Field(ge=0, lt=1)]


class Options(Strict):
    """words: "all" words of a sentence, or the "report"'s, jieba's segments without stop words · refit: train on the
    validation sentences as well, once every choice is made; the word2vec vectors stay as they are · score_training:
    evaluation also scores the training sentences.
    """

    domain: Literal["laptops", "restaurants"] = "laptops"
    words: Literal["all", "report"] = "all"
    refit: bool = False
    score_training: bool = False


class TaggerOptions(Strict):
    """See `stages.networks.sequence_tagger.SequenceTagger`."""

    vectors: Literal["word2vec", "glove", "both"] = "word2vec"
    embeddings: Literal["fixed", "tuned"] = "fixed"
    characters: Literal["none", "cnn"] = "none"
    character_size: PositiveInt = 50
    shapes: bool = False
    parts_of_speech: bool = False
    target_encoding: bool = False
    hidden_size: PositiveInt = 512
    dropout: Rate = 0.0
    input_dropout: Rate | None = None
    variational: bool = False
    output: Literal["crf", "softmax"] = "crf"
    constrain_transitions: bool = False
    ensemble_size: PositiveInt = 1


NETWORKS: dict[str, type[Strict]] = {"sequence_tagger": TaggerOptions}
