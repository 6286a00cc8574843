"""How a network is trained: the optimizer, its schedule, and for how long."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from stages.lib.config_model import Strict


class Settings(Strict):
    """Settings of a training, beside those of the task and of the network. Defaults shape weights, as values do."""

    #: Length of training: exactly one of the two.
    steps: PositiveInt | None = None
    epochs: PositiveInt | None = None
    #: Seeds 0 to seeds − 1 are trained.
    seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    batch_size: PositiveInt

    optimizer: Literal["sgd", "adam", "adamw", "lbfgs"]
    lr: PositiveFloat
    #: Of sgd; the update is lr · m with m = momentum · m + (1 − dampening) · gradient.
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    dampening: Annotated[float, Field(ge=0, lt=1)] = 0.0
    #: Nesterov's momentum (Sutskever et al. 2013).
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    #: staircase: times `decay_rate` every `decay_steps` steps · cosine: to 0 over the whole training ·
    #: one_cycle: up from 0 linearly over the fraction `pct_start` of the training, then down to 0 (Smith 2018).
    schedule: Literal["constant", "staircase", "cosine", "one_cycle"] = "constant"
    pct_start: Annotated[float, Field(gt=0, lt=1)] = 0.25
    decay_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    decay_steps: PositiveInt = 1
    #: Of L-BFGS: a step ends once an iteration changes the loss by less (torch's tolerance_change).
    tolerance: PositiveFloat = 1e-9
    #: Gradients are scaled down to this norm; null: never.
    clip_norm: PositiveFloat | None = None

    #: Steps between two validations where the length is given in steps; with epochs, each epoch is validated.
    validate_every: PositiveInt = 50
    #: End with the weights of the best validation instead of the last ones.
    keep_best: bool = False

    #: auto: bf16-mixed where the device is faster with it, else 32-true (stages/train/precision.py).
    precision: Literal["auto", "32-true", "bf16-mixed"] = "32-true"

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.steps is None) == (self.epochs is None):
            raise ValueError("give either steps or epochs")
        if self.optimizer != "sgd" and (self.momentum or self.dampening):
            raise ValueError("momentum and dampening are settings of optimizer sgd")
        if self.nesterov and (not self.momentum or self.dampening):
            raise ValueError("nesterov needs optimizer sgd, a momentum above 0 and no dampening")
        return self
