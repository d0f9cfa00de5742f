"""Propagate rewards through the last denoising steps and the decoder, without advantages.

The method of paper 001 (section 4.4), ReFL (arXiv 2304.05977) and DRaFT-K (arXiv 2309.17400): sample without
gradients, take the last K steps with them, decode, and maximise a reward that is differentiable. Only the
rewards of a reader whose network passes gradients to the pictures can be: object state and identity.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch

from procvid.errors import UnavailableError
from procvid.phantom.autoencoding import decode_video
from procvid.train.rl.objectives import anchor
from procvid.train.rl.policy import Policy
from procvid.train.rl.rewards.object_state import BRINGING, FLOOR
from procvid.train.rl.shots import Shot
from procvid.types import Image

DIFFERENTIABLE = ("object_state", "identity")

VIEWS = 4
"""Views of each clip that the reader judges."""

SHIFT = 4
"""Largest shift of a view, px."""

LIGHT = 0.06
"""Largest change of a colour channel in a view, as a share of it."""

NOISE = 0.04
"""Deviation of the noise of a view, for pixels in -1 to 1."""


class DifferentiableReader(Protocol):
    """A reader whose answers have gradients."""

    def state_odds(self, pictures: torch.Tensor, name: str, state: str) -> torch.Tensor | None:
        """Return the probability of a state for pictures (N, 3, H, W) in -1..1, or None."""
        ...

    def look_odds(self, pictures: torch.Tensor, name: str, reference: Image) -> torch.Tensor | None:
        """Return how far pictures (N, 3, H, W) show the thing of a reference, 0 to 1, or None."""
        ...


@dataclass(frozen=True, eq=False)
class Gradient:
    """A clip with gradients: `reward` and `distance` are scalars, `frames` uint8 (T, H, W, 3)."""

    reward: torch.Tensor
    distance: torch.Tensor
    frames: torch.Tensor


def gradient_of(
    policy: Policy,
    reader: DifferentiableReader,
    shot: Shot,
    seed: int,
    last_steps: int,
    weights: Mapping[str, float],
) -> Gradient:
    """Sample a clip and return its reward with gradients to the LoRA.

    Args:
        policy: The policy.
        reader: Reads states and looks.
        shot: The conditioning.
        seed: Seed of the noise.
        last_steps: Denoising steps with gradients, at the end.
        weights: Weight of each reward; those that are not differentiable are ignored.

    Raises:
        UnavailableError: None of the rewards is differentiable.
    """
    if not any(weights.get(name) for name in DIFFERENTIABLE):
        raise UnavailableError(
            "reward-gradient needs a reward with gradients, and none has a weight.",
            f"Give a weight to {' or '.join(DIFFERENTIABLE)}.",
        )
    encoded, levels, x = policy.encode(shot), policy.levels, policy.noise([seed])
    first = max(0, len(levels) - 1 - last_steps)
    distance = torch.zeros((), device=x.device)
    for index, (level, following) in enumerate(itertools.pairwise(levels)):
        with torch.set_grad_enabled(index >= first):
            velocity, parts = policy.velocities(encoded, x, level)
            if index >= first:
                with torch.no_grad(), policy.using(None):
                    _, base = policy.velocities(encoded, x.detach(), level)
                distance = distance + torch.stack(
                    [anchor(parts[name], base[name]).mean() for name in parts]
                ).mean() / (len(levels) - 1 - first)
            x = x + velocity * (following - level)
    video = decode_video(policy.pipeline.vae, x, x.device)[0].transpose(0, 1).float()
    frames = ((video.detach() + 1) * 127.5).clamp(0, 255).byte().permute(0, 2, 3, 1).cpu()
    rng = torch.Generator().manual_seed(seed)
    rewards = [_reward(reader, shot, seen(video, rng), weights) for _ in range(VIEWS)]
    return Gradient(torch.stack(rewards).mean(), distance, frames)


def seen(video: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Return a clip (T, 3, H, W) moved by some pixels, in other light, and with noise.

    A pattern of pixels that only the reader sees does not survive this; what is in the picture does.
    """
    across, down = (int(n) for n in torch.randint(-SHIFT, SHIFT + 1, (2,), generator=rng))
    padded = torch.nn.functional.pad(video, (SHIFT,) * 4, mode="replicate")
    height, width = video.shape[-2:]
    moved = padded[..., SHIFT + down :, SHIFT + across :][..., :height, :width]
    gain = 1 + LIGHT * (2 * torch.rand((1, 3, 1, 1), generator=rng) - 1).to(video)
    return moved * gain + NOISE * torch.randn(video.shape, generator=rng).to(video)


def _reward(
    reader: DifferentiableReader, shot: Shot, video: torch.Tensor, weights: Mapping[str, float]
) -> torch.Tensor:
    """Return the weighted mean of object state and identity of a clip (T, 3, H, W) in -1..1."""
    parts = {"object_state": _states(reader, shot, video), "identity": _looks(reader, shot, video)}
    known = {
        name: value for name, value in parts.items() if value is not None and weights.get(name)
    }
    total = sum(weights[name] for name in known)
    if not total:
        return video.sum() * 0
    return torch.stack([weights[name] * value for name, value in known.items()]).sum() / total


def _states(reader: DifferentiableReader, shot: Shot, video: torch.Tensor) -> torch.Tensor | None:
    fits = []
    for item in shot.step.objects:
        if item.role != "food":
            continue
        end = reader.state_odds(video[-2:], item.name, item.state_after)
        start = reader.state_odds(video[:1], item.name, item.state_before)
        if end is None or start is None:
            continue
        fit = end.mean().clamp(min=FLOOR)
        if shot.step.action not in BRINGING:
            fit = (fit * start.mean().clamp(min=FLOOR)).sqrt()
        fits.append(fit)
    return torch.stack(fits).mean() if fits else None


def _looks(reader: DifferentiableReader, shot: Shot, video: torch.Tensor) -> torch.Tensor | None:
    pictures = video[[0, len(video) // 2, -1]]
    fits = []
    for name, image in shot.references:
        found = reader.look_odds(pictures, name, image)
        if found is not None:
            fits.append(found.mean())
    return torch.stack(fits).mean() if fits else None
