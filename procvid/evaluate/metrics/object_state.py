"""`object_state`: do the objects' states follow the recipe? As published.

What: in the middle frame of each clip a vision model lists the visible objects with a short state.
They are matched across clips by name to one global dictionary of states. The same state, or a
change that the step's text explains, is consistent and updates the dictionary; anything else is
inconsistent, with a sentence why. A first appearance counts as consistent. The share of consistent
observations of the recipe; over recipes mean and standard deviation.
Range: 0 to 1. Direction: higher is better.
Backbone: the scene reader of the profile, and the judge.
Blind spots: a new object at every step counts as consistent each time (the paper says so itself);
an object that vanishes is not missed; one frame of each clip. See `object_state_strict`.
Source: the paper, section 3.3, Table 1 (Phantom 0.825/0.143, fine-tuned with memory 0.846/0.106).
"""

from __future__ import annotations

from procvid.evaluate.evidence import JUDGE, SCENE, RunEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import Item, Result, from_items


class ObjectState(Metric):
    """See the module."""

    id = "object_state"
    title = "Object-state consistency"
    direction = "higher"
    needs = (SCENE, JUDGE)
    paper = True

    def measure(self, run: RunEvidence) -> Result:
        """Share of consistent observations."""
        items = [
            Item(
                f"step {clip.number}, {seen.name}",
                float(seen.consistent),
                seen.reason,
                {"state": seen.state, "first": seen.first},
            )
            for clip in run.clips
            for seen in clip.seen
        ]
        items += [Item(f"step {c.number}", None, c.unread) for c in run.clips if c.unread]
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[SCENE],
            why_none="no object was seen in any clip",
        )
