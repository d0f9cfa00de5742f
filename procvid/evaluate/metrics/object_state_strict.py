"""`object_state_strict`: do the objects' states follow the recipe, and do the objects stay?

What: as `object_state`, but an object's first sight is left out, and a planned object that is not in
the middle frame of its clip counts as inconsistent, whether it was seen before or not: what cannot be
judged counts against the video, and hiding objects cannot raise the share. So does whatever is shown
by a clip that does not move where its step has an action, or in which a reference is pasted. Part
`coverage` is the share of planned objects that were seen where they were planned.
Range: 0 to 1. Direction: higher is better.
Backbone: the scene reader of the profile, and the judge.
Blind spots: one frame of each clip; an object hidden behind a tool counts as missing; what the scene
reader cannot name is not there and counts against every video of the recipe alike.
Source: procvid; the corrected form of the paper's object-state consistency.
"""

from __future__ import annotations

from procvid.evaluate.credit import no_credit
from procvid.evaluate.evidence import JUDGE, OBJECTS, SCENE, RunEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import Item, Result, from_items


class ObjectStateStrict(Metric):
    """See the module."""

    id = "object_state_strict"
    title = "Object-state consistency, strict"
    direction = "higher"
    needs = (SCENE, JUDGE)
    heeds = (OBJECTS,)

    def measure(self, run: RunEvidence) -> Result:
        """Share of consistent observations, missing objects among them."""
        items: list[Item] = []
        planned = seen_planned = 0
        for clip in run.clips:
            if clip.unread:
                items.append(Item(f"step {clip.number}", None, clip.unread))
            planned += clip.planned
            seen_planned += clip.planned - len(clip.vanished)
            denied = no_credit(clip)
            items += [
                Item(
                    f"step {clip.number}, {seen.name}",
                    float(seen.consistent and not denied),
                    denied or seen.reason,
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
