"""Options of sine forecasting and of its network, with their defaults."""

from collections.abc import Mapping
from typing import Literal

from pydantic import PositiveInt

from stages.lib.config_model import Strict


class Options(Strict):
    pass


class ForecasterOptions(Strict):
    cell: Literal["rnn", "lstm", "gru"] = "rnn"
    hidden_size: PositiveInt = 51
    #: Widths of the linear layers between the recurrence and the last one.
    head_sizes: tuple[PositiveInt, ...] = ()
    #: Of weights and arithmetic.
    dtype: Literal["float32", "float64"] = "float32"


NETWORKS: Mapping[str, type[Strict]] = {"forecaster": ForecasterOptions}
