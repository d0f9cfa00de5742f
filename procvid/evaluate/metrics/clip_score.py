"""`clip_score`: does each frame fit the text of its step? The usual CLIPScore.

What: 2.5 times the cosine of the CLIP embeddings of a frame and of the step's text, at least 0; mean
over 8 frames spread over the clip, then over steps.
Range: 0 to 2.5; published CLIPs give about 0.5 to 0.9.
Direction: higher is better.
Backbone: CLIP of the profile. Images are letter-boxed on white; the original crops the centre.
Blind spots: the scale has no zero point. It sees single frames. Any step of the recipe scores nearly as
high. See `step_retrieval`.
Source: Hessel et al., CLIPScore, 2021 (w = 2.5); torchmetrics gives the same cosine times 100.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import CLIP, RunEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import MetricItem, Result, from_items

WEIGHT = 2.5


class ClipScore(Metric):
    """See the card above."""

    id = "clip_score"
    title = "CLIPScore"
    group = "standard"
    order = 1
    direction = "higher"
    needs = (CLIP,)
    plot = "steps"

    def measure(self, run: RunEvidence) -> Result:
        """Return the mean over the steps with a text."""
        items = []
        for clip in run.clips:
            key = f"step {clip.number}"
            if run.steps is None or not clip.text or clip.clip_vectors is None:
                items.append(MetricItem(key, None, "the clip has no text"))
                continue
            cosines = clip.clip_vectors @ run.steps.vectors[clip.number - 1]
            items.append(MetricItem(key, float(WEIGHT * np.maximum(cosines, 0).mean())))
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[CLIP],
            why_none="the clips have no texts",
        )
