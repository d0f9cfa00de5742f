"""`gap_decay`: is an object forgotten while it is out of sight?

What: object fidelity against the number of steps since the object was last seen (1: in the step
before). Value: the slope of the least-squares line through all points, in cosine per step of gap.
The curve is in the facts of the items, a mean for each gap.
Range: about -1 to 1; 0 means that nothing is forgotten. Direction: higher is better.
Backbone: as `object_fidelity`.
Blind spots: needs objects that come back after different gaps; objects that are bad from the first
have no slope; few points make a wild slope (look at n).
Source: procvid; consistency against gap as in EntityBench.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from procvid.evaluate.evidence import FRAMES, OBJECTS, RunEvidence
from procvid.evaluate.fidelity import likenesses
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import Item, Result, from_items, not_applicable


class GapDecay(Metric):
    """See the module."""

    id = "gap_decay"
    title = "Fidelity lost per step out of sight"
    direction = "higher"
    needs = (OBJECTS, FRAMES)

    def measure(self, run: RunEvidence) -> Result:
        """The slope; an item is the mean fidelity at one gap."""
        by_gap: dict[int, list[float]] = {}
        for each in likenesses(run):
            if each.gap is not None and each.value is not None:
                by_gap.setdefault(each.gap, []).append(each.value)
        items = [
            Item(f"gap {gap}", float(np.mean(values)), facts={"gap": gap, "n": len(values)})
            for gap, values in sorted(by_gap.items())
        ]
        if len(by_gap) < 2:
            why = "no object comes back after two different gaps"
            return not_applicable(self.id, self.direction, why, items)
        points = [(gap, value) for gap, values in by_gap.items() for value in values]
        gaps, values = np.array(points, np.float64).T
        slope = float(np.polyfit(gaps, values, 1)[0])
        result = from_items(
            self.id,
            self.direction,
            items,
            backbone=f"{run.backbones[OBJECTS]}; {run.backbones[FRAMES]}",
        )
        return replace(result, value=slope, n=len(points))
