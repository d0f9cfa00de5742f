"""`object_fidelity`: does an object look like its reference: is it the same pan?

What: detects every planned persistent object in the sampled frames of a clip, embeds the crops, and
takes the cosine with the crop that conditioned the clip. Without such a crop it compares with the
object's first appearance in the video in the same state. An object below the detection threshold
(0.5) has no value and counts as missed. In a clip that does not move although its step has an action,
or that contains a pasted reference (see `copy_paste`), all objects count as 0 and as missed. The value
is the mean. Parts: `worst`, the lowest mean of an object; `coverage`, the share of objects found in a
clip that counts, among those with something to compare with.
Range: -1 to 1.
Direction: higher is better.
Backbone: the detector and the frame encoder of the profile.
Blind spots: differences that the frame encoder does not see. Foods whose state changes in the clip and
the counter are left out. A mean over few objects may rise because the worst was not found: read it
with `coverage`.
Source: procvid; the threshold, and the rule that null is never 0, are as in EntityBench.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import FRAMES, OBJECTS, RunEvidence
from procvid.evaluate.fidelity import NONE_BEFORE, NONE_FOUND, NONE_PLANNED, likenesses
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import MetricItem, Result, from_items


class ObjectFidelity(Metric):
    """See the card above."""

    id = "object_fidelity"
    title = "Object fidelity"
    group = "corrected"
    order = 4
    direction = "higher"
    needs = (OBJECTS, FRAMES)
    chained = True
    plot = "objects"

    def measure(self, run: RunEvidence) -> Result:
        """Return the mean over objects and clips."""
        planned = likenesses(run)
        compared = [each for each in planned if not each.first]
        items = [
            MetricItem(
                f"step {each.number}, {each.name}", each.value, each.reason, {"gap": each.gap}
            )
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
