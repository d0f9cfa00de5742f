"""`object_state_strict`: do the objects' states follow the recipe, and do the objects stay?

What: as `object_state`, but first appearances are left out and a planned object that was seen
before and is not in the middle frame of its clip counts as inconsistent. So does whatever a clip
shows that does not move: a still picture changes no state. Part `coverage` is the share of planned
objects that were seen where they were planned.
Range: 0 to 1. Direction: higher is better.
Backbone: the scene reader of the profile, and the judge.
Blind spots: one frame of each clip; an object hidden behind a tool counts as vanished; what the
scene reader cannot name is not there.
Source: procvid; the corrected form of the paper's object-state consistency.
"""

from __future__ import annotations

from procvid.evaluate.evidence import JUDGE, SCENE, RunEvidence
from procvid.evaluate.metric import PIXEL_FLOOR, Metric
from procvid.evaluate.result import Item, Result, from_items


class ObjectStateStrict(Metric):
    """See the module."""

    id = "object_state_strict"
    title = "Object-state consistency, strict"
    direction = "higher"
    needs = (SCENE, JUDGE)

    def measure(self, run: RunEvidence) -> Result:
        """Share of consistent observations, vanished objects among them."""
        items: list[Item] = []
        planned = seen_planned = 0
        for clip in run.clips:
            if clip.unread:
                items.append(Item(f"step {clip.number}", None, clip.unread))
            planned += clip.planned
            seen_planned += clip.planned - clip.missing
            still = clip.pixel_motion is None or clip.pixel_motion < PIXEL_FLOOR
            items += [
                Item(
                    f"step {clip.number}, {seen.name}",
                    float(seen.consistent and not still),
                    "frozen: a still picture changes no state" if still else seen.reason,
                    {"state": seen.state},
                )
                for seen in clip.seen
                if not seen.first
            ]
            items += [
                Item(f"step {clip.number}, {name}", 0.0, f"The {name} is planned and not seen.")
                for name in clip.vanished
            ]
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[SCENE],
            parts={"coverage": seen_planned / planned if planned else None},
            why_none="no object was seen twice",
        )
