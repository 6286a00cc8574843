"""Optimizers and learning-rate schedules by the names that runs use."""

import math

import torch
from torch import nn
from torch.optim import Optimizer

from stages.train.settings import Settings


def make_optimizer(network: nn.Module, settings: Settings) -> Optimizer:
    """SGD (with momentum), Adam, AdamW, or L-BFGS with a strong-Wolfe line search."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    lr, decay = settings.lr, settings.weight_decay
    match settings.optimizer:
        case "sgd":
            return torch.optim.SGD(
                parameters,
                lr=lr,
                momentum=settings.momentum,
                dampening=settings.dampening,
                weight_decay=decay,
                nesterov=settings.nesterov,
            )
        case "adam":
            return torch.optim.Adam(parameters, lr=lr, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(parameters, lr=lr, weight_decay=decay)
        case "lbfgs":
            return torch.optim.LBFGS(
                parameters, lr=lr, tolerance_change=settings.tolerance, line_search_fn="strong_wolfe"
            )


def learning_rate_factor(settings: Settings, step: int, total: int) -> float:
    """Factor of the learning rate at `step` of `total`; a function of the step alone, so it resumes."""
    match settings.schedule:
        case "constant":
            return 1.0
        case "staircase":
            return settings.decay_rate ** (step // settings.decay_steps)
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * step / total))
        case "one_cycle":
            peak = settings.pct_start * total
            return (step + 1) / (peak + 1) if step < peak else (total - step) / (total - peak)
