"""`dino_l2`: how far the picture jumps where one clip ends and the next begins.

What: mean over the N-1 joints of the Euclidean distance between the embeddings of the last frame of
clip i and the first frame of clip i+1. Embeddings are L2-normalised.
Range: 0 to 2. Direction: lower is better.
Backbone: DINO ViT-S/16 (CLS); in the tiny profile the tiny CLIP's image tower, so figures of the two
profiles cannot be compared.
Blind spots: a frozen video scores 0 and wins; a new scene that the recipe asks for counts as a
fault; only two frames of each clip are looked at. See `joint_ratio`.
Source: the paper, section 3.3, Table 1 (Phantom 0.172, fine-tuned with memory 0.110).
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import FRAMES, RunEvidence
from procvid.evaluate.metric import NO_JOINTS, Metric
from procvid.evaluate.result import Item, Result, from_items


class DinoL2(Metric):
    """See the module."""

    id = "dino_l2"
    title = "DINO L2 at joints"
    direction = "lower"
    needs = (FRAMES,)
    paper = True

    def measure(self, run: RunEvidence) -> Result:
        """Mean over the joints."""
        items = []
        for before, after in run.joints():
            assert before.frame_vectors is not None and after.frame_vectors is not None
            distance = np.linalg.norm(before.frame_vectors[-1] - after.frame_vectors[0])
            items.append(Item(f"joint {before.number}-{after.number}", float(distance)))
        return from_items(
            self.id, self.direction, items, backbone=run.backbones[FRAMES], why_none=NO_JOINTS
        )
