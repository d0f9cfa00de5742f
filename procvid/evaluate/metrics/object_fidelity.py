"""`object_fidelity`: is it the same pan?

What: for every planned persistent object of a clip: detect it in the sampled frames, embed the
crops, cosine with the crop that conditioned the clip (or, without one, with the object's first
sight in the video, in the same state). An object under the detector's gate (0.5) has no value and
counts as a miss. A clip that does not move where its step has an action, or in which a reference's
own pixels lie (see `copy_paste`), kept nothing: all its objects count as 0 and as misses, found or
not. Value: the mean. Parts: `worst`, the least mean of an object; `coverage`, the share of objects
found in a clip that counts, among those that have something to be compared with.
Range: -1 to 1. Direction: higher is better.
Backbone: the detector and the frame encoder of the profile.
Blind spots: what the frame encoder cannot tell apart; foods whose state changes in the clip and the
counter are left out; a mean over few objects may rise because the worst was not found: read it with
coverage.
Source: procvid; gate and null as in EntityBench's rule that null is never 0.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import FRAMES, OBJECTS, RunEvidence
from procvid.evaluate.fidelity import NONE_BEFORE, NONE_FOUND, NONE_PLANNED, likenesses
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import Item, Result, from_items


class ObjectFidelity(Metric):
    """See the module."""

    id = "object_fidelity"
    title = "Object fidelity"
    direction = "higher"
    needs = (OBJECTS, FRAMES)

    def measure(self, run: RunEvidence) -> Result:
        """Mean over objects and clips."""
        planned = likenesses(run)
        compared = [each for each in planned if not each.first]
        items = [
            Item(f"step {each.number}, {each.name}", each.value, each.reason, {"gap": each.gap})
            for each in compared
        ]
        by_name: dict[str, list[float]] = {}
        for each in compared:
            if each.value is not None:
                by_name.setdefault(each.name, []).append(each.value)
        found = sum(each.value is not None and each.credited for each in compared)
        worst = min((float(np.mean(v)) for v in by_name.values()), default=None)
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=f"{run.backbones[OBJECTS]}; {run.backbones[FRAMES]}",
            parts={"worst": worst, "coverage": found / len(compared) if compared else None},
            why_none=NONE_FOUND if compared else NONE_BEFORE if planned else NONE_PLANNED,
        )
