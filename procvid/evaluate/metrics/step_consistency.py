"""`step_consistency`: the step's share among itself and five hard negatives, as published.

What: the mean of CLIP's embeddings of 8 frames uniform over the clip, normalised; its cosines with
six texts (the step and 5 hard negatives); a softmax over the cosines without logit scale; the
share of the step. Mean over steps.
Range: 0 to 1. Direction: higher is better. Chance: 1/6.
Backbone: CLIP of the profile.
Blind spots: without logit scale the softmax over six cosines is 1/6 = 0.1667 whatever the video
shows; the paper's 0.1675 and 0.1679 are chance. See `step_retrieval`.
Source: the paper, section 3.3, Table 1 (Phantom 0.1675, fine-tuned with memory 0.1679).
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import CLIP, JUDGE, RunEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import Item, Result, from_items
from procvid.evaluate.vectors import softmax, video_vector


class StepConsistency(Metric):
    """See the module."""

    id = "step_consistency"
    title = "Step consistency"
    direction = "higher"
    needs = (CLIP, JUDGE)
    paper = True

    def measure(self, run: RunEvidence) -> Result:
        """Mean over the steps that have a text."""
        items, chances = [], []
        for clip in run.clips:
            key, texts = f"step {clip.number}", run.candidates.get(clip.number)
            if texts is None or clip.clip_vectors is None:
                items.append(Item(key, None, "the clip has no text"))
                continue
            cosines = texts.vectors @ video_vector(clip.clip_vectors)
            chances.append(1 / len(texts.texts))
            items.append(Item(key, float(softmax(cosines)[0])))
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[CLIP],
            chance=float(np.mean(chances)) if chances else None,
            why_none="the clips have no texts",
        )
