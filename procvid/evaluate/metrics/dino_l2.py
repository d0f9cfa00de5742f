"""`dino_l2`: how far the image jumps where one clip ends and the next begins.

What: Euclidean distance between the embeddings of the last frame of clip i and the first frame of
clip i+1; mean over the N-1 joints. Embeddings are L2-normalised.
Range: 0 to 2.
Direction: lower is better.
Backbone: DINO ViT-S/16 (CLS token). The tiny profile uses the image tower of the tiny CLIP, so do not
compare scores of the two profiles.
Blind spots: a frozen video scores 0 and wins. A scene change that the recipe asks for counts as a
fault. Only two frames of each clip are compared. See `joint_ratio`.
Source: the paper, section 3.3, Table 1 (Phantom 0.172, fine-tuned with memory 0.110).
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import FRAMES, RunEvidence
from procvid.evaluate.metric import NO_JOINTS, Metric
from procvid.evaluate.result import MetricItem, Result, from_items


class DinoL2(Metric):
    """See the card above."""

    id = "dino_l2"
    title = "DINO L2 at joints"
    group = "paper"
    order = 1
    direction = "lower"
    needs = (FRAMES,)
    plot = "joints"
    published = ("0.172", "0.110")

    def measure(self, run: RunEvidence) -> Result:
        """Return the mean over the joints."""
        items = []
        for before, after in run.joints():
            assert before.frame_vectors is not None and after.frame_vectors is not None
            distance = np.linalg.norm(before.frame_vectors[-1] - after.frame_vectors[0])
            items.append(MetricItem(f"joint {before.number}-{after.number}", float(distance)))
        return from_items(
            self.id, self.direction, items, backbone=run.backbones[FRAMES], why_none=NO_JOINTS
        )
