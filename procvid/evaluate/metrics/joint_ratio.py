"""`joint_ratio`: the jump at a joint, measured in the clips' own movement.

What: `dino_l2` of a joint divided by the median distance of neighbouring sampled frames inside the
two clips that it joins; mean over joints. Part `motion` is the mean inside-clip distance.
A clip whose motion lies under MOTION_FLOOR (or whose pixels do not move) is flagged `frozen`, and
its joints score CEILING, the worst there is: nothing that stands still is consistent.
Range: 0 to 25 (CEILING); 1 means that the joint is no larger than a step from frame to frame.
Direction: lower is better.
Backbone: the frame encoder, as `dino_l2`.
Blind spots: flicker inside the clips makes joints look small (watch `motion`); a change of scene
that the recipe asks for counts in full.
Source: procvid; the corrected form of the paper's DINO L2 distance.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import FRAMES, ClipEvidence, RunEvidence
from procvid.evaluate.metric import NO_JOINTS, PIXEL_FLOOR, Metric
from procvid.evaluate.result import Item, Result, from_items, mean_of

MOTION_FLOOR = 0.01
"""Least mean distance of neighbouring sampled frames of a clip that moves."""

CEILING = 25.0


class JointRatio(Metric):
    """See the module."""

    id = "joint_ratio"
    title = "Joint jump in units of motion"
    direction = "lower"
    needs = (FRAMES,)

    def measure(self, run: RunEvidence) -> Result:
        """Mean over the joints; joints of a frozen clip count as the worst."""
        inside = {clip.number: inner_distances(clip) for clip in run.clips}
        motions = {n: float(d.mean()) if len(d) else None for n, d in inside.items()}
        frozen = {clip.number for clip in run.clips if is_frozen(clip, motions[clip.number])}
        items = []
        for before, after in run.joints():
            assert before.frame_vectors is not None and after.frame_vectors is not None
            key = f"joint {before.number}-{after.number}"
            jump = float(np.linalg.norm(before.frame_vectors[-1] - after.frame_vectors[0]))
            still = [clip.number for clip in (before, after) if clip.number in frozen]
            if still:
                told = f"clip {' and '.join(map(str, still))} frozen"
                items.append(Item(key, CEILING, told, {"jump": round(jump, 6), "frozen": still}))
                continue
            both = np.concatenate([inside[before.number], inside[after.number]])
            ratio = jump / max(float(np.median(both)), 1e-6)
            items.append(Item(key, min(CEILING, ratio), facts={"jump": round(jump, 6)}))
        parts = {
            "motion": mean_of(list(motions.values())),
            "frozen_share": len(frozen) / len(run.clips) if run.clips else None,
        }
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[FRAMES],
            parts=parts,
            why_none=NO_JOINTS,
        )


def inner_distances(clip: ClipEvidence) -> np.ndarray:
    """Distances of neighbouring sampled frames, float (S-1,)."""
    assert clip.frame_vectors is not None
    return np.asarray(np.linalg.norm(np.diff(clip.frame_vectors, axis=0), axis=1))


def is_frozen(clip: ClipEvidence, motion: float | None) -> bool:
    """Whether nothing moves; a clip of one frame cannot move."""
    if motion is None or clip.pixel_motion is None:
        return True
    return motion < MOTION_FLOOR or clip.pixel_motion < PIXEL_FLOOR
