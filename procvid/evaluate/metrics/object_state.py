"""`object_state`: do the states of objects follow the recipe? As published.

What: a vision model lists the visible objects and their states in the middle frame of each clip.
Objects are matched across clips by name, and one dictionary holds the last state of each. The same
state, or a change that the step's text explains, is consistent and updates the dictionary; anything
else is inconsistent, with a reason. A first appearance counts as consistent. The value is the share of
consistent observations of a recipe; over recipes, mean and standard deviation.
Range: 0 to 1.
Direction: higher is better.
Backbone: the scene reader of the profile, and the judge.
Blind spots: a new object in every step counts as consistent each time (the paper notes this). An
object that vanishes is not missed. One frame of each clip is read. See `object_state_strict`.
Source: the paper, section 3.3, Table 1 (Phantom 0.825/0.143, fine-tuned with memory 0.846/0.106).
"""

from __future__ import annotations

from procvid.evaluate.evidence import JUDGE, SCENE, RunEvidence
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import MetricItem, Result, from_items


class ObjectState(Metric):
    """See the card above."""

    id = "object_state"
    title = "Object-state consistency"
    group = "paper"
    order = 5
    direction = "higher"
    needs = (SCENE, JUDGE)
    published = ("0.825 ± 0.143", "0.846 ± 0.106")
    chained = True
    has_objections = True

    def measure(self, run: RunEvidence) -> Result:
        """Return the share of consistent observations."""
        items = [
            MetricItem(
                f"step {clip.number}, {seen.name}",
                float(seen.consistent),
                seen.reason,
                {"state": seen.state, "first": seen.first},
            )
            for clip in run.clips
            for seen in clip.seen
        ]
        items += [MetricItem(f"step {c.number}", None, c.unread) for c in run.clips if c.unread]
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[SCENE],
            why_none="no object was seen in any clip",
        )
