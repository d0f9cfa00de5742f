"""`step_retrieval`: does the clip show its step rather than a step very like it?

What: the cosines of `step_consistency` times CLIP's learned logit scale. Value: the share of steps
whose own text comes first (top-1). Parts: `mrr`, the mean reciprocal rank; `share`, the mean share
of probability; and the same three with the recipe's other steps as candidates (`recipe_top1`,
`recipe_mrr`, `recipe_share`, `recipe_chance`). A clip that does not move where its step has an action,
or in which a reference is pasted, shows no step: it counts as last in every list.
Range: 0 to 1. Direction: higher is better. Chance: 1/6 for top-1 and share.
Backbone: CLIP of the profile.
Blind spots: CLIP sees single frames, so actions that differ in motion alone look alike; two steps
of one text tie, which counts against the clip; negatives of the rules are simpler than a person's.
Source: procvid; the corrected form of the paper's step consistency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from procvid.evaluate.credit import no_credit
from procvid.evaluate.evidence import CLIP, JUDGE, OBJECTS, ClipEvidence, RunEvidence, Texts
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import Item, Result, from_items
from procvid.evaluate.vectors import rank_of_first, softmax, video_vector


@dataclass(frozen=True)
class Place:
    """Where the right text came: rank from 1, its share of probability, among how many."""

    rank: int
    share: float
    num_texts: int


class StepRetrieval(Metric):
    """See the module."""

    id = "step_retrieval"
    title = "Step retrieval"
    direction = "higher"
    needs = (CLIP, JUDGE)
    heeds = (OBJECTS,)

    def measure(self, run: RunEvidence) -> Result:
        """Top-1 over the steps that have a text."""
        items: list[Item] = []
        near: list[Place] = []
        own: list[Place] = []
        for clip in run.clips:
            key, texts = f"step {clip.number}", run.candidates.get(clip.number)
            if texts is None or clip.clip_vectors is None:
                items.append(Item(key, None, "the clip has no text"))
                continue
            place = find(clip, texts, run.logit_scale)
            near.append(place)
            others = other_steps(run, clip.number)
            if others is not None:
                own.append(find(clip, others, run.logit_scale))
            note = no_credit(clip)
            facts = {"rank": min(place.rank, place.num_texts), "share": round(place.share, 6)}
            items.append(Item(key, float(place.rank == 1), note, facts))
        return from_items(
            self.id,
            self.direction,
            items,
            backbone=run.backbones[CLIP],
            chance=_mean([1 / place.num_texts for place in near]),
            parts={
                "mrr": _mean([reciprocal(p) for p in near]),
                "share": _mean([p.share for p in near]),
                "recipe_top1": _mean([float(p.rank == 1) for p in own]),
                "recipe_mrr": _mean([reciprocal(p) for p in own]),
                "recipe_share": _mean([p.share for p in own]),
                "recipe_chance": _mean([1 / p.num_texts for p in own]),
            },
            why_none="the clips have no texts",
        )


def find(clip: ClipEvidence, texts: Texts, logit_scale: float) -> Place:
    """Where the first of the texts comes; behind all of them for a clip without credit."""
    assert clip.clip_vectors is not None
    if no_credit(clip):
        return Place(len(texts.texts) + 1, 0.0, len(texts.texts))
    cosines = texts.vectors @ video_vector(clip.clip_vectors)
    share = float(softmax(cosines * logit_scale)[0])
    return Place(rank_of_first(cosines), share, len(texts.texts))


def reciprocal(place: Place) -> float:
    """1 / rank, and 0 for what is nowhere in the list."""
    return 0.0 if place.rank > place.num_texts else 1 / place.rank


def other_steps(run: RunEvidence, number: int) -> Texts | None:
    """The recipe's steps with this one first; None when it is the only one."""
    if run.steps is None or len(run.steps.texts) < 2 or number > len(run.steps.texts):
        return None
    order = [number - 1, *(i for i in range(len(run.steps.texts)) if i != number - 1)]
    return Texts(tuple(run.steps.texts[i] for i in order), run.steps.vectors[order])


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
