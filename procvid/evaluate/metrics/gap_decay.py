"""`gap_decay`: is an object forgotten while it is out of sight?

What: object fidelity against the number of steps since the object was last seen (1: in the step
before). Value: the slope of the least-squares line through all points, in cosine per step of gap.
The curve is in the facts of the items, a mean for each gap. A point in a frozen clip, or in one with
a pasted reference, shows nothing of memory: it is left out of the line and counts as a slope of -1,
all forgotten within a step, in the mean with the others. Part `coverage`: the share of the others.
Range: about -1 to 1; 0 means that nothing is forgotten. Direction: higher is better.
Backbone: as `object_fidelity`.
Blind spots: needs objects that come back after different gaps; objects that are bad from the first
have no slope; few points make a wild slope (look at n).
Source: procvid; consistency against gap as in EntityBench.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import FRAMES, OBJECTS, RunEvidence
from procvid.evaluate.fidelity import likenesses
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import Item, Result, not_applicable

FORGOTTEN = -1.0
"""The slope of what is forgotten within one step."""


class GapDecay(Metric):
    """See the module."""

    id = "gap_decay"
    title = "Fidelity lost per step out of sight"
    direction = "higher"
    needs = (OBJECTS, FRAMES)

    def measure(self, run: RunEvidence) -> Result:
        """The slope; an item is the mean fidelity at one gap."""
        by_gap: dict[int, list[float]] = {}
        gaps_there, denied = set[int](), 0
        for each in likenesses(run):
            if each.gap is None or each.value is None:
                continue
            gaps_there.add(each.gap)
            if each.credited:
                by_gap.setdefault(each.gap, []).append(each.value)
            else:
                denied += 1
        items = [
            Item(f"gap {gap}", float(np.mean(values)), facts={"gap": gap, "n": len(values)})
            for gap, values in sorted(by_gap.items())
        ]
        if len(gaps_there) < 2:
            why = "no object comes back after two different gaps"
            return not_applicable(self.id, self.direction, why, items)
        points = [(gap, value) for gap, values in by_gap.items() for value in values]
        total = len(points) + denied
        slope = FORGOTTEN
        if len(by_gap) >= 2:
            gaps, values = np.array(points, np.float64).T
            own = float(np.polyfit(gaps, values, 1)[0])
            slope = (len(points) * own + denied * FORGOTTEN) / total
        return Result(
            self.id,
            self.direction,
            slope,
            n=total,
            items=tuple(items),
            parts={"coverage": len(points) / total},
            backbone=f"{run.backbones[OBJECTS]}; {run.backbones[FRAMES]}",
        )
