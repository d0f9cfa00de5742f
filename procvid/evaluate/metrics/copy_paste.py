"""`copy_paste`: is the object drawn, or is the reference pasted in?

What: for every object with a reference crop: the share of the reference's fine detail (high-passed
grey values) that its region repeats pixel by pixel, at the best place and size near the detector's
box; the median over three frames. What lies above NEEDED, the share that keeping an identity may
repeat, is scaled to 0..1. Mean over objects and clips. In a clip that does not move where its step
has an action nothing is drawn step by step: its objects count as 1.
Range: 0 to 1; 1 is the reference itself in every frame. Direction: lower is better.
Backbone: the detector alone finds the region; the comparison is of pixels.
Blind spots: a pasted reference that is turned, mirrored, brightened or bent is not caught, nor one of
which less than a quarter can be seen; an object of a few pixels has too little detail to tell.
Source: procvid; Phantom's cross-pair training is meant to prevent this fault (paper, section 3.4).
"""

from __future__ import annotations

from procvid.evaluate.credit import copying, stands_still
from procvid.evaluate.evidence import OBJECTS, RunEvidence
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
            frozen = stands_still(clip) and not clip.resting
            for sight in clip.sightings:
                if sight.role == "surface" or not (sight.reference or sight.reference_lost):
                    continue
                key = f"step {clip.number}, {sight.name}"
                if frozen:
                    items.append(Item(key, 1.0, "frozen: a still picture is not drawn"))
                    continue
                if sight.reference_lost:
                    items.append(Item(key, None, sight.reference_lost))
                    continue
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
