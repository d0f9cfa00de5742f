"""`shot_boundary`: how sure a cut detector is that there is a cut at the joint.

What: TransNetV2 on the clips one after the other (27x48 px, its own windows of 100 frames with
stride 50). Of each joint the largest single-frame probability within 2 frames; mean over joints.
Range: 0 to 1. Direction: lower is better.
Backbone: TransNetV2 with its published weights, the same in every profile.
Blind spots: trained on films and television; a hard cut to a similar picture is missed, and it
cannot tell the right change of scene from the wrong one. Identity is not its subject.
Source: the paper, section 3.3, Table 1 (Phantom 0.68, fine-tuned with memory 0.44); Soucek and
Lokoc, TransNet V2.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import SHOTS, RunEvidence
from procvid.evaluate.metric import NO_JOINTS, Metric
from procvid.evaluate.result import Item, Result, from_items

REACH = 2
"""Frames before and after the first frame of the new clip that are looked at."""


class ShotBoundary(Metric):
    """See the module."""

    id = "shot_boundary"
    title = "Shot boundary at joints"
    direction = "lower"
    needs = (SHOTS,)
    paper = True

    def measure(self, run: RunEvidence) -> Result:
        """Mean over the joints."""
        chances = run.shot_probabilities
        starts = dict(zip([c.number for c in run.clips], joint_frames(run), strict=True))
        items = []
        for before, after in run.joints():
            assert chances is not None
            first = starts[after.number]
            near = chances[max(0, first - REACH) : first + REACH + 1]
            items.append(Item(f"joint {before.number}-{after.number}", float(np.max(near))))
        return from_items(
            self.id, self.direction, items, backbone=run.backbones[SHOTS], why_none=NO_JOINTS
        )


def joint_frames(run: RunEvidence) -> list[int]:
    """Where each clip begins among the thumbnails of all clips."""
    lengths = [len(c.shot_thumbnails) if c.shot_thumbnails is not None else 0 for c in run.clips]
    return [int(n) for n in np.cumsum([0, *lengths])[:-1]]
