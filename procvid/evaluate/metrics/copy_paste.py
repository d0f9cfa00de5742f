"""`copy_paste`: is the object drawn, or is the reference image pasted in?

What: for every object with a reference crop, the share of the reference's fine detail (high-passed grey
values) that its region repeats pixel by pixel, at the best position and size near the detector's box;
median over three frames. Keeping an identity may repeat a share of up to NEEDED; the rest is scaled to
0 to 1. Mean over objects and clips. In a clip that does not move although its step has an action, every
object counts as 1.
Range: 0 to 1; 1 is the reference itself in every frame.
Direction: lower is better.
Backbone: only the detector, which finds the region; the comparison is of pixels.
Blind spots: misses a pasted reference that is rotated, mirrored, brightened or warped, or of which less
than a quarter is visible. An object of a few pixels has too little detail.
Source: procvid; Phantom's cross-pair training is meant to prevent this fault (paper, section 3.4).
"""

from __future__ import annotations

from procvid.evaluate.credit import copying, stands_still
from procvid.evaluate.evidence import OBJECTS, RunEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import MetricItem, Result, from_items


class CopyPaste(Metric):
    """See the card above."""

    id = "copy_paste"
    title = "Pasted references"
    group = "corrected"
    order = 7
    direction = "lower"
    needs = (OBJECTS,)

    def measure(self, run: RunEvidence) -> Result:
        """Return the mean over objects with a reference."""
        items = []
        for clip in run.clips:
            frozen = stands_still(clip) and not clip.resting
            for sight in clip.sightings:
                if sight.role == "surface" or not (sight.reference or sight.reference_lost):
                    continue
                key = f"step {clip.number}, {sight.name}"
                if frozen:
                    items.append(MetricItem(key, 1.0, "frozen: nothing moves in the clip"))
                    continue
                if sight.reference_lost:
                    items.append(MetricItem(key, None, sight.reference_lost))
                    continue
                if sight.pixel_match is None:
                    items.append(MetricItem(key, None, f"not found (score {sight.score:.2f})"))
                    continue
                facts = {"pixel_match": round(sight.pixel_match, 6)}
                items.append(MetricItem(key, copying(sight.pixel_match), facts=facts))
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[OBJECTS],
            why_none="no object with a reference was found in any clip",
        )
