"""Options of the task and of its networks, with their defaults."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from stages.lib.config_model import Strict


class Options(Strict):
    """loss: the mean squared error, or 1 − Pearson's r over the batch."""

    loss: Literal["mse", "pearson"] = "mse"


class SiameseLSTMOptions(Strict):
    """See `stages.networks.siamese_lstm.SiameseLSTM`."""

    hidden_size: PositiveInt = 512
    layers: PositiveInt = 1
    directions: Literal["forward", "sum", "concat"] = "forward"
    pooling: Literal["last", "mean", "max"] = "last"
    head: Literal["cosine", "manhattan", "pearson", "fully_connected"] = "cosine"
    head_sizes: tuple[PositiveInt, ...] = ()
    symmetric: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    initialization: Literal["torch", "tensorflow"] = "torch"
    alignment: bool = False
    towers: Literal["shared", "separate"] = "shared"
    input_layer: Literal["none", "normal"] = "none"
    padded_length: PositiveInt | None = None


NETWORKS: dict[str, type[Strict]] = {"siamese_lstm": SiameseLSTMOptions}
