"""`goal_consistency`: does the video end with the finished dish? As published.

What: cosine of CLIP's embedding of the last frame of the last clip and of one sentence that tells
what the finished dish looks like, written from all steps by the judge.
Range: -1 to 1; published CLIPs give 0.15 to 0.35. Direction: higher is better.
Backbone: CLIP of the profile.
Blind spots: has no zero: the paper's value fell (0.2490 to 0.2415) when its videos got better; how
high a right picture scores depends on the sentence. See `goal_retrieval`.
Source: the paper, section 3.3, Table 1.
"""

from __future__ import annotations

from procvid.evaluate.evidence import CLIP, JUDGE, RunEvidence
from procvid.evaluate.metric import Metric, why_no_dish
from procvid.evaluate.result import Item, Result, from_items, not_applicable


class GoalConsistency(Metric):
    """See the module."""

    id = "goal_consistency"
    title = "Goal consistency"
    direction = "higher"
    needs = (CLIP, JUDGE)
    paper = True

    def measure(self, run: RunEvidence) -> Result:
        """One cosine a recipe."""
        if run.goal is None or not run.clips or run.clips[-1].last_clip_vector is None:
            return not_applicable(self.id, self.direction, why_no_dish(run))
        cosine = float(run.goal.vectors[0] @ run.clips[-1].last_clip_vector)
        items = [Item("last frame", cosine, run.goal.texts[0])]
        return from_items(self.id, self.direction, items, backbone=run.backbones[CLIP])
