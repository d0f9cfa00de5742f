"""`step_consistency`: probability of the step's text against five hard negatives, as published.

What: mean of the CLIP embeddings of 8 frames spread over the clip, normalised; its cosines with six
texts (the step and 5 hard negatives); a softmax over the cosines without logit scale. The value is the
probability of the step; mean over steps.
Range: 0 to 1.
Direction: higher is better. Chance: 1/6.
Backbone: CLIP of the profile.
Blind spots: without logit scale, a softmax over six cosines is 1/6 = 0.1667 whatever the video shows;
the paper's 0.1675 and 0.1679 are chance. See `step_retrieval`.
Source: the paper, section 3.3, Table 1 (Phantom 0.1675, fine-tuned with memory 0.1679).
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import CLIP, JUDGE, RunEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import MetricItem, Result, from_items
from procvid.evaluate.vectors import softmax, video_vector


class StepConsistency(Metric):
    """See the card above."""

    id = "step_consistency"
    title = "Step consistency"
    group = "paper"
    order = 3
    direction = "higher"
    needs = (CLIP, JUDGE)
    plot = "steps"
    published = ("0.1675", "0.1679")

    def measure(self, run: RunEvidence) -> Result:
        """Return the mean over the steps with a text."""
        items, chances = [], []
        for clip in run.clips:
            key, texts = f"step {clip.number}", run.candidates.get(clip.number)
            if texts is None or clip.clip_vectors is None:
                items.append(MetricItem(key, None, "the clip has no text"))
                continue
            cosines = texts.vectors @ video_vector(clip.clip_vectors)
            chances.append(1 / len(texts.texts))
            items.append(MetricItem(key, float(softmax(cosines)[0])))
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[CLIP],
            chance=float(np.mean(chances)) if chances else None,
            why_none="the clips have no texts",
        )
