"""`joint_ratio`: the jump at a joint, relative to the motion inside the clips.

What: `dino_l2` of a joint divided by the median distance between neighbouring sampled frames of the
two clips; mean over joints. Part `motion` is the mean of those distances. Pixels and optical flow
decide whether a clip is `frozen` (see `procvid.evaluate.credit`). The joints of a frozen clip, and of
a clip with a pasted reference, score CEILING, the worst value. A still clip of a step that only waits
has no motion to compare with, so its joints have no value.
Range: 0 to 25 (CEILING); 1 means that the joint is no larger than the change from frame to frame.
Direction: lower is better.
Backbone: the frame encoder, as `dino_l2`.
Blind spots: noise on top of motion and frames shuffled within a clip make joints look small; both
raise `motion`. A scene change that the recipe asks for counts in full.
Source: procvid; the corrected form of the paper's DINO L2 distance.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.credit import pasted_in, stands_still
from procvid.evaluate.evidence import FRAMES, OBJECTS, ClipEvidence, RunEvidence
from procvid.evaluate.metric import NO_JOINTS, Metric
from procvid.evaluate.result import MetricItem, Result, from_items, mean_of

CEILING = 25.0
NO_MOTION = "at every joint a clip is still because its step only waits"


class JointRatio(Metric):
    """See the card above."""

    id = "joint_ratio"
    title = "Joint jump in units of motion"
    group = "corrected"
    order = 1
    direction = "lower"
    needs = (FRAMES,)
    optional_needs = (OBJECTS,)
    plot = "joints"

    def measure(self, run: RunEvidence) -> Result:
        """Return the mean over the joints; joints of a clip without credit get the worst value."""
        inside = {clip.number: inner_distances(clip) for clip in run.clips}
        motions = {n: float(d.mean()) if len(d) else None for n, d in inside.items()}
        frozen = {clip.number for clip in run.clips if stands_still(clip)}
        items = []
        for before, after in run.joints():
            assert before.frame_vectors is not None and after.frame_vectors is not None
            key = f"joint {before.number}-{after.number}"
            jump = float(np.linalg.norm(before.frame_vectors[-1] - after.frame_vectors[0]))
            facts: dict[str, object] = {"jump": round(jump, 6)}
            still = [clip for clip in (before, after) if clip.number in frozen]
            pasted = [clip for clip in (before, after) if pasted_in(clip)]
            if pasted or any(not clip.resting for clip in still):
                notes = [f"clip {clip.number} frozen" for clip in still]
                notes += [f"clip {clip.number} pasted" for clip in pasted]
                facts["frozen"] = [clip.number for clip in still]
                items.append(MetricItem(key, CEILING, ", ".join(notes), facts))
            elif still:
                notes = [f"clip {clip.number} is still because its step waits" for clip in still]
                items.append(MetricItem(key, None, ", ".join(notes), facts))
            else:
                both = np.concatenate([inside[before.number], inside[after.number]])
                ratio = jump / max(float(np.median(both)), 1e-6)
                items.append(MetricItem(key, min(CEILING, ratio), facts=facts))
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
            why_none=NO_JOINTS if not items else NO_MOTION,
        )


def inner_distances(clip: ClipEvidence) -> np.ndarray:
    """Return the distances of neighbouring sampled frames, float (S-1,)."""
    assert clip.frame_vectors is not None
    return np.asarray(np.linalg.norm(np.diff(clip.frame_vectors, axis=0), axis=1))
