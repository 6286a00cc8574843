"""Statements about optimizers: the formulas of report A, section c), beside torch's."""

import torch
from scipy.signal import lfilter
from torch import Tensor

from stages.lib.statements import Result

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8
UNDAMPED = {"momentum": BETA_1}
DAMPED = {"momentum": BETA_1, "dampening": BETA_1}


def momentum(seed: int) -> Result:
    """Report A's momentum (A-theory-momentum) against torch.optim.SGD with momentum β₁ = 0.9.

    The report has m ← β₁ m + (1 − β₁) g and w ← w − α m. torch keeps m ← β₁ m + g, so with the same α its
    steps are 1/(1 − β₁) = 10 times as long under a steady gradient, where the report's are as long as those of plain
    SGD. Its `dampening=0.9` brings the factor 1 − β₁ back, but not in the first step. Steps are compared under a
    constant gradient, whole paths on an ill-conditioned quadratic.
    """
    steady = torch.ones(300, 1, dtype=torch.float64)
    report, plain = running_mean(steady, BETA_1), steady
    undamped, damped = (torch_steps(torch.optim.SGD, steady, lr=1.0, **options) for options in (UNDAMPED, DAMPED))
    torch.manual_seed(seed)
    noise = torch.randn(100, 20, dtype=torch.float64)
    # The first gradient enters torch's buffer whole, the report's with 1 − β₁; β₁ᵗ of the rest is left after t steps.
    first = BETA_1 ** torch.arange(1, 101, dtype=torch.float64).unsqueeze(1) * noise[0]
    damped_noise = torch_steps(torch.optim.SGD, noise, lr=1.0, **DAMPED)
    # Gradients of a quadratic along each one's own path, so that differences would build up.
    curvature = torch.logspace(-2, 0, 20, dtype=torch.float64)
    start = torch.randn(20, dtype=torch.float64)
    of_torch = _descend(torch.optim.SGD, start, curvature, 500, lr=0.05, **UNDAMPED)
    of_report, m = [start], torch.zeros_like(start)
    for _ in range(500):
        m = BETA_1 * m + (1 - BETA_1) * curvature * of_report[-1]
        of_report.append(of_report[-1] - 0.05 / (1 - BETA_1) * m)
    return Result(
        {
            "torch_step_over_report_step": (undamped[-1] / report[-1]).item(),
            "report_step_over_sgd_step": (report[-1] / plain[-1]).item(),
            "torch_step_over_sgd_step": (undamped[-1] / plain[-1]).item(),
            "dampened_first_step_over_report_step": (damped[0] / report[0]).item(),
            "dampened_step_over_report_step": (damped[-1] / report[-1]).item(),
            "dampened_difference_but_for_first_gradient": (
                (damped_noise - running_mean(noise, BETA_1) - first).abs().max().item()
            ),
            "path_difference_at_10_times_the_rate": (of_torch - torch.stack(of_report)).abs().max().item(),
        }
    )


def adam(seed: int) -> Result:
    """Report A's second moments (A-theory-adam): AdaGrad's sum, Adam's running mean, and the rate α/√V they leave.

    The formulas against torch.optim.Adagrad and Adam on noise. The report leaves out Adam's bias correction and ε: its
    first step is (1 − β₁)/√(1 − β₂) = 3.16 times torch's, late ones are the same. It says that AdaGrad's rate may fall
    to 0 too soon, and that Adam's is too low late in training (after Keskar & Socher 2017). The formula by itself does
    not lower it: under gradients of constant size AdaGrad's falls as 1/√t and Adam's stays. What lowers it is one
    large gradient, which V forgets only within about 1/(1 − β₂) = 1,000 steps.
    """
    noise = torch.randn(10_000, 10, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    corrected, plain = (adam_steps(noise, bias_correction=correction) for correction in (True, False))
    first = noise[:1000]
    of_adam = torch_steps(torch.optim.Adam, first, lr=1.0, betas=(BETA_1, BETA_2), eps=EPSILON)
    of_adagrad = torch_steps(torch.optim.Adagrad, first, lr=1.0, eps=0.0)
    constant = torch.ones(10_000, 1, dtype=torch.float64)
    adagrad_rate, adam_rate = constant.square().cumsum(0).rsqrt(), _rate(constant)
    spiked = constant.clone()
    spiked[5000] = 100.0
    rate_with_spike = _rate(spiked)
    return Result(
        {
            "adam_difference_from_torch": (corrected[:1000] - of_adam).abs().max().item(),
            "adagrad_difference_from_torch": (
                (first * first.square().cumsum(0).rsqrt() - of_adagrad).abs().max().item()
            ),
            "first_step_over_bias_corrected": (plain[0] / corrected[0]).mean().item(),
            "step_10000_over_bias_corrected": (plain[-1] / corrected[-1]).mean().item(),
            "adagrad_rate_10000_over_1000": (adagrad_rate[9999] / adagrad_rate[999]).item(),
            "adam_rate_10000_over_1000": (adam_rate[9999] / adam_rate[999]).item(),
            "steps_below_half_rate_after_gradient_of_100": int((rate_with_spike[5000:] < 0.5).sum()),
        }
    )


def running_mean(values: Tensor, beta: float) -> Tensor:
    """m_t = β m_{t−1} + (1 − β) x_t for values [steps, width], m before the first step 0."""
    return torch.from_numpy(lfilter([1 - beta], [1, -beta], values.numpy(), axis=0))


def adam_steps(gradients: Tensor, bias_correction: bool) -> Tensor:
    """The steps m_t/√V_t of Adam at α = 1 for gradients [steps, width].

    Without bias correction they are as report A writes them; with it, and with ε = 10⁻⁸, as Kingma & Ba 2015.
    """
    m, v = running_mean(gradients, BETA_1), running_mean(gradients.square(), BETA_2)
    if bias_correction:
        return _corrected(m, BETA_1) / (_corrected(v, BETA_2).sqrt() + EPSILON)
    return m / v.sqrt()


def _corrected(running_mean: Tensor, beta: float) -> Tensor:
    """A running mean [steps, width] that began at 0, without the share of that 0."""
    step = torch.arange(1, len(running_mean) + 1, dtype=torch.float64).unsqueeze(1)
    return running_mean / (1 - beta**step)


def _rate(gradients: Tensor) -> Tensor:
    """What Adam multiplies m by: 1/√V, V corrected for its start at 0."""
    return _corrected(running_mean(gradients.square(), BETA_2), BETA_2).rsqrt()


def torch_steps(optimizer: type[torch.optim.Optimizer], gradients: Tensor, **options: object) -> Tensor:
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
