"""`goal_consistency`: does the video end with the finished dish? As published.

What: cosine of the CLIP embeddings of the last frame of the last clip and of one sentence that
describes the finished dish. The judge writes the sentence from all steps.
Range: -1 to 1; published CLIPs give 0.15 to 0.35.
Direction: higher is better.
Backbone: CLIP of the profile.
Blind spots: the scale has no zero point: the paper's value fell (0.2490 to 0.2415) as its videos
improved. The score of a correct image depends on the sentence. See `goal_retrieval`.
Source: the paper, section 3.3, Table 1.
"""

from __future__ import annotations

from procvid.evaluate.evidence import CLIP, JUDGE, ClipEvidence, RunEvidence
from procvid.evaluate.metric import Metric, why_no_dish
from procvid.evaluate.result import MetricItem, Result, from_items, not_applicable


class GoalConsistency(Metric):
    """See the card above."""

    id = "goal_consistency"
    title = "Goal consistency"
    group = "paper"
    order = 4
    direction = "higher"
    needs = (CLIP, JUDGE)
    published = ("0.2490", "0.2415")

    def clips_read(self, run: RunEvidence) -> tuple[ClipEvidence, ...]:
        """Return the last clip."""
        return run.clips[-1:]

    def measure(self, run: RunEvidence) -> Result:
        """Return the cosine of the recipe's goal and the last frame."""
        if run.goal is None or not run.clips or run.clips[-1].last_clip_vector is None:
            return not_applicable(self.id, self.direction, why_no_dish(run))
        cosine = float(run.goal.vectors[0] @ run.clips[-1].last_clip_vector)
        items = [MetricItem("last frame", cosine, run.goal.texts[0])]
        return from_items(self.id, self.direction, items, backbone=run.backbones[CLIP])
