"""`gap_decay`: does an object change while it is out of sight?

What: object fidelity against the number of steps since the object was last seen (1: the step before).
The value is the slope of the least-squares line through all points, in cosine per step. Each item is
the mean at one gap. A point in a frozen clip, or in one with a pasted reference, is no evidence of
memory: it is left out of the line and enters the mean as a slope of -1. Part `coverage` is the share of
the other points.
Range: about -1 to 1; 0 means no loss.
Direction: higher is better.
Backbone: as `object_fidelity`.
Blind spots: needs objects that return after different gaps. Objects that are wrong from the start have
no slope. Few points give an unstable slope (see n).
Source: procvid; consistency against gap as in EntityBench.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.evidence import FRAMES, OBJECTS, RunEvidence
from procvid.evaluate.fidelity import likenesses
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import MetricItem, Result, not_applicable

FORGOTTEN = -1.0
"""Slope of an object that is lost within one step."""


class GapDecay(Metric):
    """See the card above."""

    id = "gap_decay"
    title = "Fidelity per step out of sight"
    group = "corrected"
    order = 6
    direction = "higher"
    needs = (OBJECTS, FRAMES)
    chained = True
    plot = "gaps"

    def measure(self, run: RunEvidence) -> Result:
        """Return the slope; each item is the mean fidelity at one gap."""
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
            MetricItem(f"gap {gap}", float(np.mean(values)), facts={"gap": gap, "n": len(values)})
            for gap, values in sorted(by_gap.items())
        ]
        if len(gaps_there) < 2:
            why = "no object returns after two different gaps"
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
