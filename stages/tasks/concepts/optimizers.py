"""Statements about optimizers: the formulas of report A, section c), beside torch's."""

import torch
from torch import Tensor

from stages.lib.statements import Result

MOMENTUM, BETA_1, BETA_2 = 0.9, 0.9, 0.999


def momentum(seed: int) -> Result:
    """Report A's momentum (A-theory-momentum) against torch.optim.SGD with momentum β₁ = 0.9.

    The report has m ← β₁ m + (1 − β₁) g and w ← w − α m. torch keeps m ← β₁ m + g, so with the same α its
    steps are 1/(1 − β₁) = 10 times as long under a steady gradient, where the report's are as long as those of plain
    SGD. Its `dampening=0.9` brings the factor 1 − β₁ back, but not in the first step. Steps are compared under a
    constant gradient, whole paths on an ill-conditioned quadratic.
    """
    steady = torch.ones(300, 1, dtype=torch.float64)
    report, plain = _report_momentum(steady, 1.0), steady
    undamped, damped = (
        _torch_steps(torch.optim.SGD, steady, lr=1.0, momentum=MOMENTUM, dampening=dampening)
        for dampening in (0.0, MOMENTUM)
    )
    # Gradients of a quadratic along torch's own path, so that differences would build up.
    torch.manual_seed(seed)
    curvature = torch.logspace(-2, 0, 20, dtype=torch.float64)
    start = torch.randn(20, dtype=torch.float64)
    of_torch = _descend(torch.optim.SGD, start, curvature, 500, lr=0.05, momentum=MOMENTUM)
    of_report, m = [start], torch.zeros_like(start)
    for _ in range(500):
        m = MOMENTUM * m + (1 - MOMENTUM) * curvature * of_report[-1]
        of_report.append(of_report[-1] - 0.05 / (1 - MOMENTUM) * m)
    return Result(
        {
            "torch_step_over_report_step": (undamped[-1] / report[-1]).item(),
            "report_step_over_sgd_step": (report[-1] / plain[-1]).item(),
            "torch_step_over_sgd_step": (undamped[-1] / plain[-1]).item(),
            "dampened_first_step_over_report_step": (damped[0] / report[0]).item(),
            "dampened_step_over_report_step": (damped[-1] / report[-1]).item(),
            "path_difference_at_10_times_the_rate": (of_torch - torch.stack(of_report)).abs().max().item(),
        }
    )


def adam(seed: int) -> Result:
    """Report A's second moments (A-theory-adam): AdaGrad's sum, Adam's running mean, and the rate α/√V they leave.

    The formulas against torch.optim.Adagrad and Adam on noise of constant scale. The report leaves out Adam's bias
    correction: its first step is (1 − β₁)/√(1 − β₂) = 3.16 times torch's, later ones are the same. The report says
    that AdaGrad's rate may fall to 0 too soon and that Adam's is too low late in training (after Keskar & Socher
    2017). The formula by itself does not lower it: it stays where the gradients' scale stays. What lowers it is one
    large gradient, which V forgets only within about 1/(1 − β₂) = 1,000 steps.
    """
    gradients = torch.randn(5000, 20, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    corrected, plain = (adam_steps(gradients, bias_correction=correction) for correction in (True, False))
    adagrad_rate, adam_rate = gradients.square().cumsum(0).rsqrt(), _corrected(second_moments(gradients)).rsqrt()
    first = gradients[:1000]
    of_adam = _torch_steps(torch.optim.Adam, first, lr=1.0, betas=(BETA_1, BETA_2), eps=0.0)
    of_adagrad = _torch_steps(torch.optim.Adagrad, first, lr=1.0, eps=0.0)
    spiked = torch.ones(8000, 1, dtype=torch.float64)
    spiked[5000] = 100.0
    rate_with_spike = _corrected(second_moments(spiked)).rsqrt()
    return Result(
        {
            "adam_difference_from_torch": (corrected[:1000] - of_adam).abs().max().item(),
            "adagrad_difference_from_torch": ((gradients * adagrad_rate)[:1000] - of_adagrad).abs().max().item(),
            "first_step_over_bias_corrected": (plain[0] / corrected[0]).mean().item(),
            "step_5000_over_bias_corrected": (plain[-1] / corrected[-1]).mean().item(),
            "adagrad_rate_5000_over_500": _ratio(adagrad_rate, 5000, 500),
            "adam_rate_5000_over_500": _ratio(adam_rate, 5000, 500),
            "steps_below_half_rate_after_gradient_of_100": int((rate_with_spike[5000:] < 0.5).sum()),
        }
    )


def second_moments(gradients: Tensor) -> Tensor:
    """V_t = β₂ V_{t−1} + (1 − β₂) g_t² for gradients [steps, ...], V before the first step 0."""
    v, moments = torch.zeros_like(gradients[0]), []
    for gradient in gradients:
        v = BETA_2 * v + (1 - BETA_2) * gradient.square()
        moments.append(v)
    return torch.stack(moments)


def adam_steps(gradients: Tensor, bias_correction: bool) -> Tensor:
    """The steps m_t/√V_t of Adam at α = 1 for gradients [steps, width].

    Without bias correction they are as report A writes them, with it as Kingma & Ba 2015.
    """
    m, v = _report_momentum(gradients, 1.0), second_moments(gradients)
    if bias_correction:
        m, v = _corrected(m, BETA_1), _corrected(v, BETA_2)
    return m / v.sqrt()


def _corrected(running_mean: Tensor, beta: float = BETA_2) -> Tensor:
    """A running mean [steps, width] that began at 0, without the share of that 0."""
    step = torch.arange(1, len(running_mean) + 1, dtype=torch.float64).unsqueeze(1)
    return running_mean / (1 - beta**step)


def _ratio(rate: Tensor, later: int, earlier: int) -> float:
    """Geometric mean over the weights of the rate at one step over that at another; steps count from 1."""
    return (rate[later - 1] / rate[earlier - 1]).log().mean().exp().item()


def _report_momentum(gradients: Tensor, alpha: float) -> Tensor:
    m, steps = torch.zeros_like(gradients[0]), []
    for gradient in gradients:
        m = BETA_1 * m + (1 - BETA_1) * gradient
        steps.append(alpha * m)
    return torch.stack(steps)


def _torch_steps(optimizer: type[torch.optim.Optimizer], gradients: Tensor, **options: object) -> Tensor:
    """What a torch optimizer subtracts for gradients [steps, ...] that do not depend on the weights."""
    weight = torch.zeros_like(gradients[0]).requires_grad_()
    stepper, steps = optimizer([weight], **options), []
    for gradient in gradients:
        with torch.no_grad():
            weight.zero_()  # each step from 0, so that no digits are lost in a difference
        weight.grad = gradient.clone()
        stepper.step()
        steps.append(-weight.detach().clone())
    return torch.stack(steps)


def _descend(
    optimizer: type[torch.optim.Optimizer], start: Tensor, curvature: Tensor, steps: int, **options: object
) -> Tensor:
    """Weights [steps + 1, ...] on the way down ½ Σ curvature · w²."""
    weight = start.clone().requires_grad_()
    stepper, path = optimizer([weight], **options), [start]
    for _ in range(steps):
        weight.grad = (curvature * weight).detach()
        stepper.step()
        path.append(weight.detach().clone())
    return torch.stack(path)
