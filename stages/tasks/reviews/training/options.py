"""Options of the task and of its networks, with their defaults."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from stages.lib.config_model import Strict

Rate = Annotated[float, Field(ge=0, lt=1)]
Embeddings = Literal["fixed", "tuned", "learned"]


class Options(Strict):
    """The task has none."""


class ClassifierOptions(Strict):
    """See `stages.networks.sentence_classifier.SentenceClassifier`."""

    cell: Literal["rnn", "lstm", "gru"] = "rnn"
    hidden_size: PositiveInt = 128
    layers: PositiveInt = 1
    bidirectional: bool = False
    pooling: Literal["last", "mean", "max"] = "last"
    padded_length: PositiveInt | None = None
    head_sizes: tuple[PositiveInt, ...] = ()
    activation: Literal["sigmoid", "relu"] = "relu"
    dropout: Rate = 0.0
    embeddings: Embeddings = "fixed"


class TextCNNOptions(Strict):
    """See `stages.networks.text_cnn.TextCNN`."""

    kernels: PositiveInt = 50
    kernel_width: PositiveInt = 3
    pooling: Literal["mean", "max"] = "mean"
    dropout: Rate = 0.0
    embeddings: Embeddings = "fixed"


NETWORKS: dict[str, type[Strict]] = {"sentence_classifier": ClassifierOptions, "text_cnn": TextCNNOptions}
