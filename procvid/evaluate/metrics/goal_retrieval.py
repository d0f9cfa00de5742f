"""`goal_retrieval`: does the video end with the right dish rather than another one?

What: rank of the dish's sentence among 9 sentences of other dishes, by cosine with the last frame of
the last clip. The value is the reciprocal rank. Parts: `top1`, `rank`, and `share`, the probability
with CLIP's learned logit scale. A last clip that does not move although its step has an action, or
that contains a pasted reference, ranks behind all others and counts as 0.
Range: 0 to 1.
Direction: higher is better. Chance: 0.1 for top-1 and share; a guess has a mean reciprocal rank of
0.29.
Backbone: CLIP of the profile.
Blind spots: only one frame is compared. A dish that looks like another is a hard case, not a fault.
Source: procvid; the corrected form of the paper's goal consistency.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.credit import no_credit
from procvid.evaluate.evidence import CLIP, JUDGE, OBJECTS, ClipEvidence, RunEvidence
from procvid.evaluate.metric import Metric, why_no_dish
from procvid.evaluate.result import MetricItem, Result, from_items, not_applicable
from procvid.evaluate.vectors import rank_of_first, softmax


class GoalRetrieval(Metric):
    """See the card above."""

    id = "goal_retrieval"
    title = "Goal retrieval (1 / rank)"
    group = "corrected"
    order = 3
    direction = "higher"
    needs = (CLIP, JUDGE)
    optional_needs = (OBJECTS,)

    def clips_read(self, run: RunEvidence) -> tuple[ClipEvidence, ...]:
        """Return the last clip."""
        return run.clips[-1:]

    def measure(self, run: RunEvidence) -> Result:
        """Return the reciprocal rank of the recipe's dish."""
        if run.goal is None or not run.clips or run.clips[-1].last_clip_vector is None:
            return not_applicable(self.id, self.direction, why_no_dish(run))
        cosines = run.goal.vectors @ run.clips[-1].last_clip_vector
        denied, count = no_credit(run.clips[-1]), len(run.goal.texts)
        rank = count + 1 if denied else rank_of_first(cosines)
        note = denied or f"closest text: {run.goal.texts[int(np.argmax(cosines))]}"
        return from_items(
            self.id,
            self.direction,
            [MetricItem("last frame", 0.0 if denied else 1 / rank, note, {"rank": rank})],
            backbone=run.backbones[CLIP],
            chance=float(np.mean([1 / k for k in range(1, count + 1)])),
            parts={
                "top1": float(rank == 1),
                "rank": float(rank),
                "share": 0.0 if denied else float(softmax(cosines * run.logit_scale)[0]),
                "top1_chance": 1 / count,
            },
        )
