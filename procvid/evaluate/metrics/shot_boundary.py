"""`shot_boundary`: how sure a shot-boundary detector is that the joint is a cut.

What: TransNetV2 on the clips in sequence (27x48 px, its own windows of 100 frames with stride 50). The
value of a joint is the largest single-frame probability within 2 frames; mean over joints.
Range: 0 to 1.
Direction: lower is better.
Backbone: TransNetV2 with its published weights, the same in every profile.
Blind spots: trained on films and television. It misses a hard cut to a similar image and does not know
whether a scene change is the right one. It does not measure identity.
Source: the paper, section 3.3, Table 1 (Phantom 0.68, fine-tuned with memory 0.44); Soucek and
Lokoc, TransNet V2.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import SHOTS, RunEvidence
from procvid.evaluate.metric import NO_JOINTS, Metric
from procvid.evaluate.result import MetricItem, Result, from_items

REACH = 2
"""Frames compared on each side of the first frame of the new clip."""


class ShotBoundary(Metric):
    """See the card above."""

    id = "shot_boundary"
    title = "Shot boundary at joints"
    group = "paper"
    order = 2
    direction = "lower"
    needs = (SHOTS,)
    plot = "joints"
    published = ("0.68", "0.44")

    def measure(self, run: RunEvidence) -> Result:
        """Return the mean over the joints."""
        chances = run.shot_probabilities
        starts = dict(zip([c.number for c in run.clips], joint_frames(run), strict=True))
        items = []
        for before, after in run.joints():
            assert chances is not None
            first = starts[after.number]
            near = chances[max(0, first - REACH) : first + REACH + 1]
            items.append(MetricItem(f"joint {before.number}-{after.number}", float(np.max(near))))
        return from_items(
            self.id, self.direction, items, backbone=run.backbones[SHOTS], why_none=NO_JOINTS
        )


def joint_frames(run: RunEvidence) -> list[int]:
    """Return the index at which each clip begins among the thumbnails of all clips."""
    lengths = [len(c.shot_thumbnails) if c.shot_thumbnails is not None else 0 for c in run.clips]
    return [int(n) for n in np.cumsum([0, *lengths])[:-1]]
