"""One iteration: make and judge clips, then the gradients of each update, over all processes."""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object

from procvid.train.distributed import fill_gradients, reduce_gradients
from procvid.train.lora.optimiser import Optimiser
from procvid.train.rl.advantages import advantages
from procvid.train.rl.events import RlEvent, RolledOut
from procvid.train.rl.kept import Kept
from procvid.train.rl.learning import Judged, parts_of
from procvid.train.rl.pairs import Pairs
from procvid.train.rl.policy import Policy
from procvid.train.rl.reward_gradient import DifferentiableReader, gradient_of
from procvid.train.rl.rewards.reward import Reward
from procvid.train.rl.rewards.weighing import gated, weighed
from procvid.train.rl.rollouts import Group, Rollouts
from procvid.train.rl.settings import RlSettings
from procvid.train.rl.shots import Shot, clip_seed, drawn_shots
from procvid.train.rl.waiting import patiently
from procvid.types import Frames

MAX_NORM = 1.0
USEFULNESS = {"add": 3.0, "serve": 3.0, "stir": 3.0, "flip": 2.0, "mash": 2.0, "fry": 2.0}
"""How often an action is drawn; nearly all differences within groups are in these (docs/rl.md)."""

Values = dict[str, "float | None"]


@dataclass(frozen=True)
class IterationOutcome:
    """What an iteration brought.

    Attributes:
        reward: Mean reward of its new clips, 0 to 1; NaN if none applies or none was made.
        spread: Mean deviation of the reward within groups.
        loss, distance, grad_norm: Of the last update; NaN if there was nothing to learn.
        rate: Learning rate.
        clips: Number of new clips.
        reason: "" or why nothing was learnt.
        broken: True if loss or gradient is not finite; the weights are unchanged.
    """

    reward: float
    spread: float
    loss: float
    distance: float
    grad_norm: float
    rate: float
    clips: int
    reason: str = ""
    broken: bool = False


@dataclass(frozen=True, eq=False)
class Learner:
    """Makes iterations.

    Attributes:
        accelerator: Processes and device.
        settings: The settings.
        shots: Training shots.
        rewards: The rewards by id.
        waits_s: Pauses before a judge that went away is asked again, s.
        reader: Reader with gradients, for reward-gradient.
        pairs: Pairs to learn from in place of new clips; may be empty.
    """

    accelerator: Accelerator
    settings: RlSettings
    shots: Sequence[Shot]
    rewards: Mapping[str, Reward]
    waits_s: Sequence[float]
    reader: DifferentiableReader | None
    pairs: Pairs

    def iteration(
        self,
        policy: Policy,
        rollouts: Rollouts,
        kept: Kept,
        optimiser: Optimiser,
        number: int,
    ) -> Generator[RlEvent, None, IterationOutcome]:
        """Yield progress; update the weights and return what the iteration brought.

        Args:
            policy: The policy, which is changed.
            rollouts: Makes or finds the clips.
            kept: Old policy and scales, which are changed.
            optimiser: Of the policy's weights.
            number: From 0.
        """
        settings, accelerator = self.settings, self.accelerator
        usefulness = {} if self.pairs else USEFULNESS
        shots = drawn_shots(self.shots, settings.seed, number, settings.shots, usefulness)
        mine = list(enumerate(shots))[accelerator.process_index :: accelerator.num_processes]
        if settings.algorithm == "reward-gradient":
            return (yield from self._by_gradient(policy, optimiser, number, mine))
        old = kept.old() if settings.algorithm == "nft" else policy.weights()
        if self.pairs:
            groups = [self.pairs.judged(policy, place, shot) for place, shot in mine]
            rewards = list[list[float]]()
        else:
            groups, rewards = yield from self._judged(rollouts, kept, number, mine, old)
        teaching = self._sum(sum(len(g.group) for g in groups if g.teaches))
        loss = distance = norm = math.nan
        rate = 0.0
        for update in range(settings.updates):
            if teaching:
                step = number * settings.updates + update
                loss, distance, norm = self._gradients(policy, groups, step, old)
            if teaching and not (math.isfinite(loss) and math.isfinite(norm)):
                break
            rate = optimiser.step(skip=not teaching)
        kept.follow(settings.old_decay)
        reason = "" if teaching else _why_nothing(rewards)
        return self._outcome(rewards, loss, distance, norm, rate, reason, bool(teaching))

    def _judged(
        self,
        rollouts: Rollouts,
        kept: Kept,
        number: int,
        mine: Sequence[tuple[int, Shot]],
        old: dict[str, torch.Tensor],
    ) -> Generator[RlEvent, None, tuple[list[Judged], list[list[float]]]]:
        """Yield progress; return this process's groups with advantages, and the rewards of each."""
        found: list[tuple[Group, list[Values]]] = []
        for group in rollouts.make(number, mine, old):
            values = []
            for frames in group.frames.numpy():
                values.append((yield from self._values(group.shot, frames)))
            found.append((group, values))
            yield RolledOut(number + 1, len(found), len(mine))
        found.sort(key=lambda pair: pair[0].place)
        everyone = [values for _, values in found]
        if self.accelerator.num_processes > 1:
            everyone = gather_object(everyone)
        kept.update(everyone, tuple(self.settings.rewards))
        weights, scales = self.settings.rewards, kept.scales
        judged = [Judged(group, advantages(values, weights, scales)) for group, values in found]
        return judged, [_totals(values, weights) for _, values in found]

    def _values(self, shot: Shot, frames: Frames) -> Generator[RlEvent, None, Values]:
        """Yield pauses; return the rewards of a clip."""
        shown = shot.shown(frames)

        def ask() -> Values:
            return gated({name: reward(shown) for name, reward in self.rewards.items()})

        return (yield from patiently(ask, self.waits_s))

    def _gradients(
        self, policy: Policy, groups: Sequence[Judged], step: int, old: dict[str, torch.Tensor]
    ) -> tuple[float, float, float]:
        """Compute the clipped gradients of an update; return loss, distance and gradient norm.

        Losses are divided by the number of clips of the iteration, so the result depends neither on the
        batch size nor on the number of processes.
        """
        total = self._sum(sum(len(each.group) for each in groups))
        loss, distance = (torch.zeros((), device=self.accelerator.device) for _ in range(2))
        for judged in groups:
            for part, terms in parts_of(policy, judged, self.settings, step, old):
                scale = 1 / (total * terms)
                self.accelerator.backward((part.policy + self.settings.kl * part.distance) * scale)
                loss += part.policy.detach() * scale
                distance += part.distance.detach() * scale
        return self._reduced(policy, loss, distance)

    def _by_gradient(
        self,
        policy: Policy,
        optimiser: Optimiser,
        number: int,
        mine: Sequence[tuple[int, Shot]],
    ) -> Generator[RlEvent, None, IterationOutcome]:
        """Propagate the rewards of fresh clips; see `procvid.train.rl.reward_gradient`."""
        assert self.reader is not None
        settings = self.settings
        total = self._sum(len(mine) * settings.group)
        loss, distance = (torch.zeros((), device=self.accelerator.device) for _ in range(2))
        rewards: list[list[float]] = []
        for done, (place, shot) in enumerate(mine, start=1):
            values = []
            for clip in range(settings.group):
                seed = clip_seed(settings.seed, number, place, clip)
                made = gradient_of(
                    policy, self.reader, shot, seed, settings.gradient_steps, settings.rewards
                )
                self.accelerator.backward((settings.kl * made.distance - made.reward) / total)
                loss -= made.reward.detach() / total
                distance += made.distance.detach() / total
                values.append((yield from self._values(shot, made.frames.numpy())))
            rewards.append(_totals(values, settings.rewards))
            yield RolledOut(number + 1, done, len(mine))
        found = self._reduced(policy, loss, distance)
        finite = math.isfinite(found[0]) and math.isfinite(found[2])
        rate = optimiser.step() if finite else 0.0
        return self._outcome(rewards, *found, rate, "", True)

    def _reduced(
        self, policy: Policy, loss: torch.Tensor, distance: torch.Tensor
    ) -> tuple[float, float, float]:
        accelerator, parameters = self.accelerator, list(policy.parameters.values())
        fill_gradients(parameters)
        if accelerator.num_processes > 1:
            reduce_gradients(parameters, lambda flat: accelerator.reduce(flat, "sum"))
            loss, distance = accelerator.reduce(loss, "sum"), accelerator.reduce(distance, "sum")
        norm = torch.nn.utils.clip_grad_norm_(parameters, MAX_NORM)
        return float(loss), float(distance), float(norm)

    def _outcome(
        self,
        rewards: Sequence[Sequence[float]],
        loss: float,
        distance: float,
        norm: float,
        rate: float,
        reason: str,
        learnt: bool,
    ) -> IterationOutcome:
        if self.accelerator.num_processes > 1:
            rewards = gather_object(list(rewards))
        every = [value for group in rewards for value in group]
        spreads = [float(np.std(group)) for group in rewards if group]
        broken = learnt and not (math.isfinite(loss) and math.isfinite(norm))
        return IterationOutcome(
            reward=float(np.mean(every)) if every else math.nan,
            spread=float(np.mean(spreads)) if spreads else 0.0,
            loss=loss,
            distance=distance,
            grad_norm=norm,
            rate=rate,
            clips=sum(len(group) for group in rewards),
            reason=reason,
            broken=broken,
        )

    def _sum(self, value: float) -> float:
        accelerator = self.accelerator
        if accelerator.num_processes == 1:
            return value
        tensor = torch.tensor(float(value), device=accelerator.device)
        return float(accelerator.reduce(tensor, "sum"))


def _totals(values: Sequence[Values], weights: Mapping[str, float]) -> list[float]:
    totals = [weighed(one, weights) for one in values]
    return [total for total in totals if total is not None]


def _why_nothing(rewards: Sequence[Sequence[float]]) -> str:
    if not any(rewards):
        return "No reward applies to any clip, so nothing was learnt."
    return "The clips of each shot have equal rewards, so nothing was learnt."
