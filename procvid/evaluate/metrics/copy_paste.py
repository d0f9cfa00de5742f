"""`copy_paste`: is the object drawn, or is the reference pasted in?

What: for every object with a reference crop: the likeness in fine detail (a masked normalised
cross-correlation of high-passed grey values at the best shift of 2 px) of its region to the very
pixels and pose of the reference; the median over the sampled frames. What lies above NEEDED, the
likeness that keeping an identity may need, is scaled to 0..1. Mean over objects and clips.
Range: 0 to 1; 1 is the reference itself in every frame. Direction: lower is better.
Backbone: the detector alone finds the region; the comparison is of pixels.
Blind spots: a pasted reference that is turned, mirrored or scaled away from its box is not caught;
an object that truly stands still in the same pose comes near NEEDED.
Source: procvid; Phantom's cross-pair training is meant to prevent this fault (paper, section 3.4).
"""

from __future__ import annotations

from procvid.evaluate.evidence import OBJECTS, RunEvidence
from procvid.evaluate.fidelity import copying
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import Item, Result, from_items


class CopyPaste(Metric):
    """See the module."""

    id = "copy_paste"
    title = "Pasted references"
    direction = "lower"
    needs = (OBJECTS,)

    def measure(self, run: RunEvidence) -> Result:
        """Mean over objects that have a reference."""
        items = []
        for clip in run.clips:
            for sight in clip.sightings:
                if not sight.reference or sight.role == "surface":
                    continue
                key = f"step {clip.number}, {sight.name}"
                if sight.pixel_match is None:
                    items.append(Item(key, None, f"not found (score {sight.score:.2f})"))
                    continue
                facts = {"pixel_match": round(sight.pixel_match, 6)}
                items.append(Item(key, copying(sight.pixel_match), facts=facts))
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[OBJECTS],
            why_none="no clip had a reference whose object was found",
        )
