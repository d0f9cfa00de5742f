"""`lpips`: how far the picture jumps at a joint, as people see it.

What: LPIPS of the last frame of clip i and the first frame of clip i+1, both at 256x256 px; mean over
the joints.
Range: 0 upwards, seldom above 1. Direction: lower is better.
Backbone: AlexNet with LPIPS's learned weights, through torchmetrics.
Blind spots: as `dino_l2`: a frozen video scores 0 and wins, and a new scene that the recipe asks for
counts as a fault. See `joint_ratio`.
Source: Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, 2018.
"""

from __future__ import annotations

from procvid.evaluate.evidence import LPIPS, RunEvidence
from procvid.evaluate.metric import NO_JOINTS, Metric
from procvid.evaluate.result import Item, Result, from_items


class Lpips(Metric):
    """See the module."""

    id = "lpips"
    title = "LPIPS at joints"
    direction = "lower"
    needs = (LPIPS,)
    standard = True

    def measure(self, run: RunEvidence) -> Result:
        """Mean over the joints."""
        items = [
            Item(f"joint {before.number}-{after.number}", run.joint_distances.get(after.number))
            for before, after in run.joints()
        ]
        return from_items(
            self.id, self.direction, items, backbone=run.backbones[LPIPS], why_none=NO_JOINTS
        )
