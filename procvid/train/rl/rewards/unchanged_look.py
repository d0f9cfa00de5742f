"""Do sharpness, saturation, exposure and contrast stay within the range of the base model's clips?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from procvid.errors import InputError
from procvid.train.rl.rewards.clips import spread_frames
from procvid.train.rl.rewards.reward import RewardCard, Shown
from procvid.types import Frames, ModelInfo

CARD = RewardCard(
    id="unchanged_look",
    title="Unchanged look",
    measures="1 if sharpness, saturation, exposure, contrast and the share of clipped pixels lie within "
    "the range of the base model's clips; 0 if one of them is far outside.",
    none="Always applies.",
    limits="The range spans all prompts, so a change inside it is missed; a shift of hue is missed too. "
    "`identity` sees colours of referenced objects.",
)

LOW, HIGH = 0.02, 0.98
"""Quantiles of the base model's clips that bound a range."""

FADE = 0.5
"""Distance outside the range at which the value is 0, as a share of the range's width."""

LEAST_FADE: Mapping[str, float] = {
    "sharpness": 1.0,
    "saturation": 4.0,
    "exposure": 4.0,
    "contrast": 2.0,
    "clipped": 0.01,
}
"""Shortest distance to 0, in the unit of each measure, in case the base model's clips hardly differ."""

LEAST_CLIPS = 8
"""Fewest clips that make a range."""

NUM_FRAMES = 8
"""Evenly spread frames that are measured."""

LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class LookBands:
    """Ranges of the base model's clips: lowest and highest value of each measure.

    Attributes:
        sharpness: Mean gradient magnitude of luma, 0 to 255 per pixel.
        saturation: Mean of the largest minus the smallest channel, 0 to 255.
        exposure: Mean luma, 0 to 255.
        contrast: Standard deviation of luma within a frame, 0 to 128.
        clipped: Share of pixels with a channel at 0 or 255, 0 to 1. Overexposure, oversaturation and
            oversharpening raise it, whatever the scene's own colours are.
    """

    sharpness: tuple[float, float]
    saturation: tuple[float, float]
    exposure: tuple[float, float]
    contrast: tuple[float, float]
    clipped: tuple[float, float]

    def as_json(self) -> dict[str, list[float]]:
        """Return the ranges as JSON-ready lists, rounded to 6 decimals."""
        return {name: [round(end, 6) for end in ends] for name, ends in vars(self).items()}


class UnchangedLook:
    """Score the measure that is furthest outside the base model's range.

    Args:
        bands: Ranges of the base model's clips, as `looks_of` measures them.
    """

    card = CARD
    models: tuple[ModelInfo, ...] = ()

    def __init__(self, bands: LookBands) -> None:
        self._bands = bands

    def __call__(self, clip: Shown) -> float | None:
        """Return a value from 0 to 1."""
        ranges = vars(self._bands)
        return min(
            _inside(value, ranges[name], name) for name, value in look_of(clip.frames).items()
        )


def look_of(frames: Frames) -> dict[str, float]:
    """Return the measures of a clip by name, in the units of `LookBands`: means over a few frames.

    Args:
        frames: uint8 (T, H, W, 3) RGB, at least 2x2 px.
    """
    images = np.stack(spread_frames(frames, NUM_FRAMES))
    colours = images.astype(np.float32)
    luma = colours @ LUMA
    down, across = np.gradient(luma, axis=(1, 2))
    return {
        "sharpness": float(np.hypot(down, across).mean()),
        "saturation": float((colours.max(axis=3) - colours.min(axis=3)).mean()),
        "exposure": float(luma.mean()),
        "contrast": float(luma.std(axis=(1, 2)).mean()),
        "clipped": float(((images == 0) | (images == 255)).any(axis=3).mean()),
    }


def looks_of(clips: Iterable[Frames]) -> LookBands:
    """Measure the ranges from clips of the base model: 2nd to 98th percentile of each measure.

    Args:
        clips: Frames of at least `LEAST_CLIPS` clips, uint8 (T, H, W, 3) RGB.

    Raises:
        InputError: There are too few clips.
    """
    looks = [look_of(frames) for frames in clips]
    if len(looks) < LEAST_CLIPS:
        raise InputError(
            f"{len(looks)} clips of the base model are too few to measure its look.",
            f"Make at least {LEAST_CLIPS}.",
        )

    def ends(name: str) -> tuple[float, float]:
        low, high = np.quantile([look[name] for look in looks], [LOW, HIGH])
        return float(low), float(high)

    return LookBands(**{name: ends(name) for name in LEAST_FADE})


def _inside(value: float, ends: tuple[float, float], name: str) -> float:
    """Return 1 inside a range, falling linearly to 0 outside it."""
    low, high = ends
    fade = max(FADE * (high - low), LEAST_FADE[name])
    return float(max(0.0, 1 - max(0.0, low - value, value - high) / fade))
