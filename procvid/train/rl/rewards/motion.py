"""Does the clip move as much as true clips of its action do?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

from procvid.evaluate.credit import RESTING
from procvid.evaluate.motion import LEAST_PICTURES, num_pictures
from procvid.evaluate.sampling import motion_of
from procvid.train.rl.rewards.reward import RewardCard, Shown
from procvid.types import Frames, ModelInfo

CARD = RewardCard(
    id="motion",
    title="Motion",
    measures="1 if the pixel motion lies within the band of true clips of the action; 0 for a still, and "
    "for less than half or more than twice as much motion as the band allows.",
    none="The clip moves, but its action has no band of true clips.",
    limits="Any motion counts, also of the wrong object. Frames out of order move too.",
)

LOW, HIGH = 0.05, 0.95
"""Quantiles of the motion of true clips that bound a band."""

LEAST_CLIPS = 4
"""Fewest true clips of an action that make a band."""


FEW_FRAMES = 6
"""Frames that are looked at first, because comparing all frames of a clip takes several times as long."""


class Motion:
    """Score the motion of a clip against a band that true clips of its action set.

    Args:
        bands: Lowest and highest pixel motion by action, as `bands_of` measures them.
    """

    card = CARD
    models: tuple[ModelInfo, ...] = ()

    def __init__(self, bands: Mapping[str, tuple[float, float]]) -> None:
        self._bands = dict(bands)

    def __call__(self, clip: Shown) -> float | None:
        """Return a value from 0 to 1; None if the clip moves and its action has no band.

        A still gets 0, unless nothing has to move in its action.
        """
        action = clip.step.action
        resting = action in RESTING
        if not resting and _stands_still(clip.frames):
            return 0.0
        if action not in self._bands:
            return None
        low, high = self._bands[action]
        return within(motion_in(clip.frames), 0.0 if resting else low, high)


def within(motion: float, low: float, high: float) -> float:
    """Return 1 inside a band, falling linearly in log(motion) to 0 at low / 2 and at 2 * high.

    Args:
        motion: Mean absolute difference of neighbouring frames, 0 to 255.
        low: Lower end of the band, 0 to 255.
        high: Upper end of the band, at least `low`.
    """
    if low <= motion <= high:
        return 1.0
    if min(motion, high) <= 0:
        return 0.0
    octaves = np.log2(low / motion) if motion < low else np.log2(motion / high)
    return float(max(0.0, 1 - octaves))


def motion_in(frames: Frames) -> float:
    """Return the mean absolute difference of neighbouring frames at 32x32 px, 0 to 255.

    This is `pixel_motion` of the metrics; one frame has 0.
    """
    return motion_of(tuple(frames)) or 0.0


def bands_of(clips: Iterable[tuple[str, Frames]]) -> dict[str, tuple[float, float]]:
    """Measure the band of motion of each action with at least `LEAST_CLIPS` clips.

    Args:
        clips: Action and frames of true clips, uint8 (T, H, W, 3) RGB.

    Returns:
        5th and 95th percentile of the pixel motion, 0 to 255, by action.
    """
    motions: dict[str, list[float]] = defaultdict(list)
    for action, frames in clips:
        motions[action].append(motion_in(frames))
    return {
        action: (float(np.quantile(each, LOW)), float(np.quantile(each, HIGH)))
        for action, each in sorted(motions.items())
        if len(each) >= LEAST_CLIPS
    }


def _stands_still(frames: Frames) -> bool:
    """Return True for a still, even one that is panned or alternated with another."""
    needed = min(LEAST_PICTURES, len(frames))
    if len(frames) < 2:
        return True
    # The count grows with the frames, and few frames of a moving clip reach what is needed.
    return all(num_pictures(list(frames[:end])) < needed for end in (FEW_FRAMES, len(frames)))
