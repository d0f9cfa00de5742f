"""`caption_alignment`: does a description of the clip fit its step?

What: a captioner describes ten frames of the clip without knowing the step. The value is 2.5 times the
cosine of the caption and the step's text, at least 0; mean over the steps. A clip that the captioner
cannot describe has no value, and the others count.
Range: 0 to 2.5.
Direction: higher is better.
Backbone: captioner and text encoder. The tiny profile reads toy clips and compares by the text tower of
its step CLIP, which reads 24 tokens. Other profiles ask a vision model and use all-mpnet-base-v2.
Blind spots: it shows what the captioner notices; names of objects count more than the action. Two true
sentences about one clip can differ in words. The scale has no zero point: see `step_faithfulness`. A
still with the right content scores well.
Source: paper 001, section 5.2 (captions and a text encoder for long texts; w = 2.5).
"""

from __future__ import annotations

from procvid.evaluate.alignment import NO_CAPTIONS, backbones_of, step_alignment
from procvid.evaluate.evidence import CAPTIONS, ENCODER, RunEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import MetricItem, Result, from_items


class CaptionAlignment(Metric):
    """See the card above."""

    id = "caption_alignment"
    title = "Alignment by captions"
    group = "captions"
    order = 1
    direction = "higher"
    needs = (CAPTIONS, ENCODER)
    plot = "steps"

    def measure(self, run: RunEvidence) -> Result:
        """Return the mean over the steps with a text and a caption; the captions are the notes."""
        items = []
        for clip in run.clips:
            value, why = step_alignment(run, clip)
            items.append(MetricItem(f"step {clip.number}", value, why or clip.caption))
        return from_items(
            self.id, self.direction, items, backbone=backbones_of(run), why_none=NO_CAPTIONS
        )
