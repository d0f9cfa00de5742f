"""`clip_score`: does each frame fit the words of its step? The usual CLIPScore.

What: 2.5 times the cosine of CLIP's embedding of a frame and of the step's text, never under 0; mean
over 8 frames uniform over the clip, then over steps.
Range: 0 to 2.5; published CLIPs give about 0.5 to 0.9. Direction: higher is better.
Backbone: CLIP of the profile; pictures are letter-boxed on white, where the original cuts out the middle.
Blind spots: has no zero; single frames; any step of the recipe scores nearly as high. See
`step_retrieval`.
Source: Hessel et al., CLIPScore, 2021 (w = 2.5); torchmetrics gives the same cosine times 100.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import CLIP, RunEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import Item, Result, from_items

WEIGHT = 2.5


class ClipScore(Metric):
    """See the module."""

    id = "clip_score"
    title = "CLIPScore"
    direction = "higher"
    needs = (CLIP,)
    standard = True

    def measure(self, run: RunEvidence) -> Result:
        """Mean over the steps that have a text."""
        items = []
        for clip in run.clips:
            key = f"step {clip.number}"
            if run.steps is None or not clip.text or clip.clip_vectors is None:
                items.append(Item(key, None, "the clip has no text"))
                continue
            cosines = clip.clip_vectors @ run.steps.vectors[clip.number - 1]
            items.append(Item(key, float(WEIGHT * np.maximum(cosines, 0).mean())))
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[CLIP],
            why_none="the clips have no texts",
        )
