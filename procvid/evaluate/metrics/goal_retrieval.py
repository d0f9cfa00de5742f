"""`goal_retrieval`: is it the right dish at the end, and not another one?

What: the rank of the dish's sentence among 9 sentences of other dishes, by cosine with the last
frame of the last clip. Value: the reciprocal rank. Parts: `top1`, `rank`, `share` (of probability,
with CLIP's learned logit scale). A last clip that does not move where its step has an action, or in
which a reference is pasted, makes no dish: it ranks behind all and counts as 0.
Range: 0 to 1. Direction: higher is better. Chance: 0.1 for top-1 and share; a guess has a
reciprocal rank of 0.29 on average.
Backbone: CLIP of the profile.
Blind spots: one frame; a dish that looks like another is a hard case and not a fault.
Source: procvid; the corrected form of the paper's goal consistency.
"""

from __future__ import annotations

import numpy as np

from procvid.evaluate.credit import no_credit
from procvid.evaluate.evidence import CLIP, JUDGE, OBJECTS, RunEvidence
from procvid.evaluate.metric import Metric, why_no_dish
from procvid.evaluate.result import Item, Result, from_items, not_applicable
from procvid.evaluate.vectors import rank_of_first, softmax


class GoalRetrieval(Metric):
    """See the module."""

    id = "goal_retrieval"
    title = "Goal retrieval"
    direction = "higher"
    needs = (CLIP, JUDGE)
    heeds = (OBJECTS,)

    def measure(self, run: RunEvidence) -> Result:
        """One rank a recipe."""
        if run.goal is None or not run.clips or run.clips[-1].last_clip_vector is None:
            return not_applicable(self.id, self.direction, why_no_dish(run))
        cosines = run.goal.vectors @ run.clips[-1].last_clip_vector
        denied, count = no_credit(run.clips[-1]), len(run.goal.texts)
        rank = count + 1 if denied else rank_of_first(cosines)
        told = denied or f"seen as: {run.goal.texts[int(np.argmax(cosines))]}"
        return from_items(
            self.id,
            self.direction,
            [Item("last frame", 0.0 if denied else 1 / rank, told, {"rank": rank})],
            backbone=run.backbones[CLIP],
            chance=float(np.mean([1 / k for k in range(1, count + 1)])),
            parts={
                "top1": float(rank == 1),
                "rank": float(rank),
                "share": 0.0 if denied else float(softmax(cosines * run.logit_scale)[0]),
                "top1_chance": 1 / count,
            },
        )
