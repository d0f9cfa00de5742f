"""`object_state_strict`: do the states of objects follow the recipe, and do the objects stay visible?

What: as `object_state`, with three differences. First appearances are left out. A planned object that
is not in the middle frame of its clip counts as inconsistent, whether or not it was seen before, so
hiding objects cannot raise the score. Every object of a clip that does not move although its step has
an action, or that contains a pasted reference, counts as inconsistent. Part `coverage` is the share of
planned objects that were seen where they were planned.
Range: 0 to 1.
Direction: higher is better.
Backbone: the scene reader of the profile, and the judge.
Blind spots: one frame of each clip is read. An object hidden behind a tool counts as missing. An object
that the scene reader cannot name counts as missing in every video of the recipe alike.
Source: procvid; the corrected form of the paper's object-state consistency.
"""

from __future__ import annotations

from procvid.evaluate.credit import no_credit
from procvid.evaluate.evidence import JUDGE, OBJECTS, SCENE, RunEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import MetricItem, Result, from_items


class ObjectStateStrict(Metric):
    """See the card above."""

    id = "object_state_strict"
    title = "Object state, strict"
    group = "corrected"
    order = 5
    direction = "higher"
    needs = (SCENE, JUDGE)
    optional_needs = (OBJECTS,)
    chained = True
    has_objections = True

    def measure(self, run: RunEvidence) -> Result:
        """Return the share of consistent observations; missing objects are inconsistent."""
        items: list[MetricItem] = []
        planned = seen_planned = 0
        for clip in run.clips:
            if clip.unread:
                items.append(MetricItem(f"step {clip.number}", None, clip.unread))
            planned += clip.planned
            seen_planned += clip.planned - len(clip.vanished)
            denied = no_credit(clip)
            items += [
                MetricItem(
                    f"step {clip.number}, {seen.name}",
                    float(seen.consistent and not denied),
                    denied or seen.reason,
                    {"state": seen.state},
                )
                for seen in clip.seen
                if not seen.first
            ]
            items += [
                MetricItem(
                    f"step {clip.number}, {name}", 0.0, f"The {name} is planned but not visible."
                )
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
