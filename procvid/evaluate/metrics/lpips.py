"""`lpips`: how far the image jumps at a joint, as people perceive it.

What: LPIPS of the last frame of clip i and the first frame of clip i+1, both at 256x256 px; mean over
the joints.
Range: 0 upwards, seldom above 1.
Direction: lower is better.
Backbone: AlexNet with LPIPS's learned weights, through torchmetrics.
Blind spots: as `dino_l2`: a frozen video scores 0 and wins, and a scene change that the recipe asks for
counts as a fault. See `joint_ratio`.
Source: Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, 2018.
"""

from __future__ import annotations

from procvid.evaluate.evidence import LPIPS, RunEvidence
from procvid.evaluate.metric import NO_JOINTS, Metric
from procvid.evaluate.result import MetricItem, Result, from_items


class Lpips(Metric):
    """See the card above."""

    id = "lpips"
    title = "LPIPS at joints"
    group = "standard"
    order = 2
    direction = "lower"
    needs = (LPIPS,)
    plot = "joints"

    def measure(self, run: RunEvidence) -> Result:
        """Return the mean over the joints."""
        items = [
            MetricItem(
                f"joint {before.number}-{after.number}", run.joint_distances.get(after.number)
            )
            for before, after in run.joints()
        ]
        return from_items(
            self.id, self.direction, items, backbone=run.backbones[LPIPS], why_none=NO_JOINTS
        )
