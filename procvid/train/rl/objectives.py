"""The objectives of reinforcement on flow matching.

Notation of the sources: `x_t = (1 - t) x_0 + t noise`, velocity `v = noise - x_0`, noise level `t` from 1
(noise) to 0 (clean). DiffusionNFT: arXiv 2509.16117. Flow-GRPO: arXiv 2505.05470. MixGRPO (noise in few of
the steps): arXiv 2507.21802. Diffusion-DPO: arXiv 2311.12908, for flow matching: arXiv 2501.13918.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


def nft_losses(
    new: torch.Tensor,
    old: torch.Tensor,
    target: torch.Tensor,
    optimality: torch.Tensor,
    beta: float,
) -> torch.Tensor:
    """Return DiffusionNFT's forward-process loss of each clip, float32 `[B]` (its equation 5).

    `r |v+ - v|^2 + (1 - r) |v- - v|^2` with the implicit policies `v+ = (1 - beta) old + beta new` and
    `v- = (1 + beta) old - beta new`. With `r = 1` and `beta = 1` it is the loss of flow matching.

    Args:
        new: Velocity of the policy, `[B, C, F, h, w]`, with gradients.
        old: Velocity of the old policy.
        target: `noise - x_0`.
        optimality: `r`, 0 to 1, `[B]`.
        beta: Above 0.
    """
    good = ((1 - beta) * old + beta * new - target).square().flatten(1).mean(1)
    bad = ((1 + beta) * old - beta * new - target).square().flatten(1).mean(1)
    return optimality * good + (1 - optimality) * bad


def optimality(advantages: torch.Tensor, limit: float) -> torch.Tensor:
    """Return DiffusionNFT's `r = 1/2 + clip(A / limit, -1, 1) / 2`, in 0 to 1."""
    return 0.5 + 0.5 * (advantages / limit).clamp(-1, 1)


def dpo_losses(
    new: torch.Tensor, base: torch.Tensor, target: torch.Tensor, beta: float
) -> torch.Tensor:
    """Return the loss of a pair, float32 `[1]` (Diffusion-DPO, equation 14).

    `-log sigmoid(-beta / 2 ((|v - t|^2 - |b - t|^2) of the better clip - the same of the worse one))`, with
    the mean over elements in place of the sum, as in the published trainings, and the constant weight
    of the noise level that works for flows. It is log 2 for the base itself.

    Args:
        new: Velocities of the policy for the better and the worse clip, `[2, C, F, h, w]`, with gradients.
        base: Velocities of the base model.
        target: `noise - x_0` of each clip.
        beta: Above 0; a small one lets the policy go far from the base.
    """
    gain = anchor(new, target) - anchor(base, target)
    return -torch.nn.functional.logsigmoid(-0.5 * beta * (gain[:1] - gain[1:]))


def anchor(new: torch.Tensor, base: torch.Tensor) -> torch.Tensor:
    """Return the mean squared distance of two velocities for each clip, `[B]`.

    The KL divergence of two flows is an integral of it with a weight of the noise level.
    """
    return (new - base).square().flatten(1).mean(1)


@dataclass(frozen=True, eq=False)
class Transition:
    """A noisy step of the sampler: a Gaussian with mean `[B, C, F, h, w]` and deviation `std`."""

    mean: torch.Tensor
    std: float


def deviation(level: float, next_level: float, ceiling: float, noise: float) -> float:
    """Return the deviation of a noisy step, `noise * sqrt(t / (1 - t)) * sqrt(dt)` (Flow-GRPO).

    Args:
        level: Noise level `t` of the step, 0 to 1.
        next_level: Level after it, smaller.
        ceiling: Largest `t` in the formula, below 1, since it is infinite at 1.
        noise: Strength of the noise.
    """
    t = min(level, ceiling)
    return noise * math.sqrt(t / (1 - t)) * math.sqrt(level - next_level)


def transition(
    x: torch.Tensor,
    velocity: torch.Tensor,
    level: float,
    next_level: float,
    ceiling: float,
    noise: float,
) -> Transition:
    """Return a step of the reverse SDE that has the marginals of the ODE (Flow-GRPO, equation 9).

    `dx = [v + s^2 / (2 t) (x + (1 - t) v)] dt + s dw` with `s = noise * sqrt(t / (1 - t))`; `dt` is
    negative. A noise of 0 gives the Euler step of the ODE.
    """
    t = min(level, ceiling)
    s2 = noise**2 * t / (1 - t)
    drift = velocity + s2 / (2 * level) * (x + (1 - level) * velocity)
    mean = x + drift * (next_level - level)
    return Transition(mean, deviation(level, next_level, ceiling, noise))


def log_probability(sample: torch.Tensor, step: Transition) -> torch.Tensor:
    """Return the mean log density over the elements of each clip, `[B]`.

    Flow-GRPO takes the mean, not the sum: a sum over thousands of elements makes every ratio 0 or
    infinite.
    """
    z = (sample - step.mean) / step.std
    density = -0.5 * z.square() - math.log(step.std) - 0.5 * math.log(2 * math.pi)
    return density.flatten(1).mean(1)


def grpo_losses(
    new_log: torch.Tensor, old_log: torch.Tensor, advantages: torch.Tensor, clip_range: float
) -> torch.Tensor:
    """Return PPO's clipped loss of each clip, `[B]`: `-min(ratio A, clip(ratio) A)`."""
    ratio = (new_log - old_log).exp()
    clipped = ratio.clamp(1 - clip_range, 1 + clip_range)
    return -torch.minimum(ratio * advantages, clipped * advantages)


def divergence(new: Transition, base: Transition) -> torch.Tensor:
    """Return the KL divergence of two Gaussians of the same deviation, per element, `[B]`."""
    return (new.mean - base.mean).square().flatten(1).mean(1) / (2 * new.std**2)
