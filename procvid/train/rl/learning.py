"""Compute the gradients of an update from groups of clips with their advantages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from procvid.train.rl.objectives import (
    anchor,
    divergence,
    dpo_losses,
    grpo_losses,
    log_probability,
    nft_losses,
    optimality,
    transition,
)
from procvid.train.rl.policy import EncodedShot, Policy, Weights
from procvid.train.rl.rollouts import Group
from procvid.train.rl.settings import RlSettings

_NOISE = 9


@dataclass(frozen=True, eq=False)
class Judged:
    """A group with the advantage of each clip, float64 (N,)."""

    group: Group
    advantages: np.ndarray

    @property
    def teaches(self) -> bool:
        """False if no clip is better than another."""
        return bool(np.any(self.advantages != 0))


@dataclass(frozen=True)
class Part:
    """Losses of some clips at one noise level: `policy` and `distance` from the base, sums over clips."""

    policy: torch.Tensor
    distance: torch.Tensor


def parts_of(
    policy: Policy, judged: Judged, settings: RlSettings, update: int, old: Weights
) -> Iterator[tuple[Part, int]]:
    """Yield the losses of a group, to be propagated one by one, and the number of terms each stands for.

    Args:
        policy: The policy, whose weights get gradients.
        judged: The group.
        settings: The settings.
        update: Number of the optimizer step, from 0, which the noise depends on.
        old: Weights of the policy that made the clips.
    """
    shot = policy.encode(judged.group.shot)
    if settings.algorithm == "dpo":
        yield from _dpo(policy, shot, judged, settings, update)
        return
    size = settings.batch_size
    for start in range(0, len(judged.group), size):
        chosen = slice(start, start + size)
        if settings.algorithm == "grpo":
            yield from _grpo(policy, shot, judged, settings, chosen)
        else:
            yield from _nft(policy, shot, judged, settings, chosen, update, old)


def _nft(
    policy: Policy,
    shot: EncodedShot,
    judged: Judged,
    settings: RlSettings,
    chosen: slice,
    update: int,
    old: Weights,
) -> Iterator[tuple[Part, int]]:
    group, device = judged.group, policy.pipeline.transformer.device
    clean = group.latents[chosen].to(device)
    gains = torch.from_numpy(judged.advantages[chosen]).float().to(device)
    wanted = optimality(gains, settings.advantage_range)
    on_policy = policy.has(old)
    for level, noisy, target in _noised(policy, clean, settings, update, group.place):
        # Before the policy's own pass, because swapping weights breaks its gradients.
        with torch.no_grad():
            with policy.using(None):
                _, base = policy.velocities(shot, noisy, level)
            before = None
            if not on_policy:
                with policy.using(old):
                    before, _ = policy.velocities(shot, noisy, level)
        new, parts = policy.velocities(shot, noisy, level)
        before = new.detach() if before is None else before
        losses = nft_losses(new, before, target, wanted, settings.beta)
        yield Part(losses.sum(), _distance(parts, base, anchor).sum()), settings.levels


def _dpo(
    policy: Policy, shot: EncodedShot, judged: Judged, settings: RlSettings, update: int
) -> Iterator[tuple[Part, int]]:
    """The best and the worst clip of a group are a pair; both are in one pass, whatever the batch size."""
    group, device = judged.group, policy.pipeline.transformer.device
    pair = [int(judged.advantages.argmax()), int(judged.advantages.argmin())]
    if not judged.teaches:
        return
    clean = group.latents[pair].to(device)
    for level, noisy, target in _noised(policy, clean, settings, update, group.place):
        with torch.no_grad(), policy.using(None):
            base, base_parts = policy.velocities(shot, noisy, level)
        new, parts = policy.velocities(shot, noisy, level)
        losses = dpo_losses(new, base, target, settings.dpo_beta)
        distance = _distance(parts, base_parts, anchor).mean()
        # The pair stands for all clips of its group.
        yield Part(losses.sum() * len(group), distance * len(group)), settings.levels


def _noised(
    policy: Policy, clean: torch.Tensor, settings: RlSettings, update: int, place: int
) -> Iterator[tuple[float, torch.Tensor, torch.Tensor]]:
    """Yield noise levels, one of each part of the sampler's grid, with the noised clips and their target.

    The clips of a group share noise and level, so that only what they show tells them apart.
    """
    rng = np.random.default_rng([settings.seed, update, place, _NOISE])
    grid = policy.levels[:-1]
    for number in range(settings.levels):
        level = grid[int((number + rng.random()) * len(grid) / settings.levels)]
        random = torch.Generator().manual_seed(int(rng.integers(2**62)))
        noise = torch.randn(clean.shape[1:], generator=random).to(clean)
        yield level, (1 - level) * clean + level * noise, noise - clean


def _grpo(
    policy: Policy, shot: EncodedShot, judged: Judged, settings: RlSettings, chosen: slice
) -> Iterator[tuple[Part, int]]:
    group, device, levels = judged.group, policy.pipeline.transformer.device, policy.levels
    gains = torch.from_numpy(judged.advantages[chosen]).float().to(device)
    gains = gains.clamp(-settings.advantage_range, settings.advantage_range)
    states, logs = group.states[chosen].to(device), group.logs[chosen].to(device)
    for index in range(logs.shape[1]):
        level, following = levels[index], levels[index + 1]
        x, reached = states[:, index], states[:, index + 1]

        def step(velocity: torch.Tensor, x=x, level=level, following=following):
            return transition(x, velocity, level, following, levels[1], settings.noise)

        with torch.no_grad(), policy.using(None):
            base, _ = policy.velocities(shot, x, level)
        new, _ = policy.velocities(shot, x, level)
        made = step(new)
        now = log_probability(reached, made)
        losses = grpo_losses(now, logs[:, index], gains, settings.clip_range)
        yield Part(losses.sum(), divergence(made, step(base)).sum()), logs.shape[1]


def _distance(
    new: Mapping[str, torch.Tensor],
    base: Mapping[str, torch.Tensor],
    measure: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Return the mean over branches: the unguided branch must stay near the base too."""
    return torch.stack([measure(new[name], base[name]) for name in new]).mean(0)


def num_teaching(groups: Sequence[Judged]) -> int:
    """Return the number of clips in groups that teach something."""
    return sum(len(each.group) for each in groups if each.teaches)
