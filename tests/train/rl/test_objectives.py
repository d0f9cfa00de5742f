"""The arithmetic of reinforcement, against numpy and against what the papers prove."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from procvid.train.rl.objectives import (
    divergence,
    dpo_losses,
    grpo_losses,
    log_probability,
    nft_losses,
    optimality,
    transition,
)

LEVELS = (0.98, 0.8, 0.5, 0.0)
NOISE, CLIP = 0.4, 0.05


def numpy_step(x, velocity, level, following):
    """The step of Flow-GRPO's equation 9, written down once more."""
    t = min(level, LEVELS[1])
    sigma = NOISE * np.sqrt(t / (1 - t))
    dt = following - level
    mean = (
        x * (1 + sigma**2 / (2 * level) * dt)
        + velocity * (1 + sigma**2 * (1 - level) / (2 * level)) * dt
    )
    return mean, sigma * np.sqrt(-dt)


def numpy_log(sample, mean, std):
    density = -((sample - mean) ** 2) / (2 * std**2) - np.log(std) - np.log(np.sqrt(2 * np.pi))
    return density.reshape(len(sample), -1).mean(1)


def test_grpo_on_a_case_of_three_steps_is_that_of_numpy():
    rng = np.random.default_rng(0)
    shape = (4, 2, 1, 3, 3)
    x = rng.normal(size=shape)
    gains = np.array([1.5, -0.5, 0.2, -1.2])
    for level, following in pairwise(LEVELS):
        old_velocity, velocity = rng.normal(size=shape), rng.normal(size=shape)
        base = velocity + 0.1 * rng.normal(size=shape)
        mean, std = numpy_step(x, old_velocity, level, following)
        reached = mean + std * rng.normal(size=shape)
        old_log = numpy_log(reached, mean, std)
        new_mean, _ = numpy_step(x, velocity, level, following)
        ratio = np.exp(numpy_log(reached, new_mean, std) - old_log)
        wanted = -np.minimum(ratio * gains, np.clip(ratio, 1 - CLIP, 1 + CLIP) * gains)
        base_mean, _ = numpy_step(x, base, level, following)
        distance = ((new_mean - base_mean) ** 2).reshape(4, -1).mean(1) / (2 * std**2)

        tensors = [torch.from_numpy(a) for a in (x, old_velocity, velocity, base, reached)]
        x_, old_, new_, base_, reached_ = tensors
        steps = [transition(x_, v, level, following, LEVELS[1], NOISE) for v in (old_, new_, base_)]
        logs = [log_probability(reached_, step) for step in steps]
        losses = grpo_losses(logs[1], logs[0], torch.from_numpy(gains), CLIP)
        assert np.allclose(losses.numpy(), wanted, atol=1e-5)
        assert np.allclose(divergence(steps[1], steps[2]).numpy(), distance, atol=1e-5)
        assert (
            grpo_losses(logs[0], logs[0], torch.from_numpy(gains), CLIP).tolist()
            == (-gains).tolist()
        )
        x = reached


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_the_noisy_sampler_has_the_marginals_of_the_ode(noise):
    """Data N(2, .5^2) in one dimension has a velocity in closed form."""
    middle, width, count = 2.0, 0.5, 10_000
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(count, 1, generator=generator, dtype=torch.float64)
    levels = np.linspace(0.999, 0.0, 401)

    def velocity(x, t):
        variance = (1 - t) ** 2 * width**2 + t**2
        gap = x - (1 - t) * middle
        clean = middle + (1 - t) * width**2 / variance * gap
        return t / variance * gap - clean

    def sample(strength):
        x = start.clone()
        marks = []
        for k, (level, following) in enumerate(pairwise(levels)):
            step = transition(x, velocity(x, level), level, following, levels[1], strength)
            x = step.mean
            if strength:
                x = x + step.std * torch.randn(x.shape, generator=generator, dtype=x.dtype)
            if k in (100, 200, 300):
                marks.append((float(x.mean()), float(x.std())))
        return [*marks, (float(x.mean()), float(x.std()))]

    for (mean, std), (noisy_mean, noisy_std) in zip(sample(0.0), sample(noise), strict=True):
        # Five standard errors of 10,000 samples, and what 400 steps leave.
        assert noisy_mean == pytest.approx(mean, abs=0.05)
        assert noisy_std == pytest.approx(std, rel=0.05)
    assert sample(0.0)[-1] == pytest.approx((middle, width), abs=0.03)


def test_nft_at_reward_one_is_flow_matching():
    generator = torch.Generator().manual_seed(2)
    new, old, target = torch.randn(3, 5, 2, 1, 3, 3, generator=generator)
    new.requires_grad_(True)
    loss = nft_losses(new, old, target, torch.ones(5), beta=1.0)
    wanted = (new - target).square().flatten(1).mean(1)
    assert torch.allclose(loss, wanted)
    (a,) = torch.autograd.grad(loss.sum(), new, retain_graph=True)
    (b,) = torch.autograd.grad(wanted.sum(), new)
    assert torch.allclose(a, b)


def test_nft_at_equal_odds_pulls_to_the_old_policy_alone():
    """With r = 1/2 the two halves push oppositely, and only the curvature towards `old` is left."""
    generator = torch.Generator().manual_seed(3)
    old, target = torch.randn(2, 1, 2, 1, 3, 3, generator=generator)
    new = old.clone().requires_grad_(True)
    loss = nft_losses(new, old, target, torch.tensor([0.5]), beta=0.7)
    (gradient,) = torch.autograd.grad(loss.sum(), new)
    assert gradient.abs().max() < 1e-6


def test_optimality_is_within_its_range():
    wanted = [0.0, 0.0, 0.25, 0.5, 1.0]
    assert optimality(torch.tensor([-9.0, -3, -1.5, 0, 7]), 3.0).tolist() == wanted


def test_a_transition_without_noise_is_an_euler_step():
    x, v = torch.ones(1, 1, 1, 1, 1), torch.full((1, 1, 1, 1, 1), 2.0)
    step = transition(x, v, 0.8, 0.5, 0.9, 0.0)
    assert step.std == 0 and math.isclose(float(step.mean), 1 + 2 * (0.5 - 0.8), rel_tol=1e-6)


def test_dpo_of_a_pair_is_that_of_numpy():
    rng = np.random.default_rng(3)
    new, base, target = (rng.normal(size=(2, 2, 1, 3, 3)) for _ in range(3))
    errors = [((v - target) ** 2).reshape(2, -1).mean(1) for v in (new, base)]
    gain = errors[0] - errors[1]
    wanted = np.log1p(np.exp(0.5 * 7.0 * (gain[0] - gain[1])))
    found = dpo_losses(*(torch.from_numpy(a) for a in (new, base, target)), 7.0)
    assert found.item() == pytest.approx(wanted, abs=1e-5)
    same = dpo_losses(*(torch.from_numpy(a) for a in (base, base, target)), 7.0)
    assert same.item() == pytest.approx(math.log(2)), "the base itself prefers neither"
