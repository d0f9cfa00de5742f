"""`step_retrieval`: does the clip show its step rather than a very similar one?

What: the cosines of `step_consistency` times CLIP's learned logit scale. The value is the share of
steps whose own text ranks first (top-1). Parts: `mrr`, the mean reciprocal rank; `share`, the mean
probability; and the same with the other steps of the recipe as candidates (`recipe_top1`,
`recipe_mrr`, `recipe_share`, `recipe_chance`). A clip that does not move although its step has an
action, or that contains a pasted reference, ranks last in every list.
Range: 0 to 1.
Direction: higher is better. Chance: 1/6 for top-1 and share.
Backbone: CLIP of the profile.
Blind spots: CLIP sees single frames, so actions that differ only in motion look alike. Two steps with
the same text tie, which counts against the clip. Negatives of the rules are simpler than a person's.
Source: procvid; the corrected form of the paper's step consistency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from procvid.evaluate.credit import no_credit
from procvid.evaluate.evidence import CLIP, JUDGE, OBJECTS, ClipEvidence, RunEvidence, Texts
from procvid.evaluate.metric import Metric
from procvid.evaluate.result import MetricItem, Result, from_items
from procvid.evaluate.vectors import rank_of_first, softmax, video_vector


@dataclass(frozen=True)
class TextRank:
    """Rank of the right text (from 1), its probability (0 to 1), and the number of texts."""

    rank: int
    share: float
    num_texts: int


class StepRetrieval(Metric):
    """See the card above."""

    id = "step_retrieval"
    title = "Step retrieval (top-1)"
    group = "corrected"
    order = 2
    direction = "higher"
    needs = (CLIP, JUDGE)
    optional_needs = (OBJECTS,)
    plot = "steps"
    plotted_fact = "share"

    def measure(self, run: RunEvidence) -> Result:
        """Return top-1 over the steps with a text."""
        items: list[MetricItem] = []
        near: list[TextRank] = []
        own: list[TextRank] = []
        for clip in run.clips:
            key, texts = f"step {clip.number}", run.candidates.get(clip.number)
            if texts is None or clip.clip_vectors is None:
                items.append(MetricItem(key, None, "the clip has no text"))
                continue
            place = find(clip, texts, run.logit_scale)
            near.append(place)
            others = other_steps(run, clip.number)
            if others is not None:
                own.append(find(clip, others, run.logit_scale))
            note = no_credit(clip)
            facts = {"rank": min(place.rank, place.num_texts), "share": round(place.share, 6)}
            items.append(MetricItem(key, float(place.rank == 1), note, facts))
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


def find(clip: ClipEvidence, texts: Texts, logit_scale: float) -> TextRank:
    """Return the rank of the first text; a clip without credit ranks it behind all others."""
    assert clip.clip_vectors is not None
    if no_credit(clip):
        return TextRank(len(texts.texts) + 1, 0.0, len(texts.texts))
    cosines = texts.vectors @ video_vector(clip.clip_vectors)
    share = float(softmax(cosines * logit_scale)[0])
    return TextRank(rank_of_first(cosines), share, len(texts.texts))


def reciprocal(place: TextRank) -> float:
    """Return 1 / rank, or 0 for a text that ranks behind the list."""
    return 0.0 if place.rank > place.num_texts else 1 / place.rank


def other_steps(run: RunEvidence, number: int) -> Texts | None:
    """Return the recipe's steps with this one first, or None for a recipe of one step."""
    if run.steps is None or len(run.steps.texts) < 2 or number > len(run.steps.texts):
        return None
    order = [number - 1, *(i for i in range(len(run.steps.texts)) if i != number - 1)]
    return Texts(tuple(run.steps.texts[i] for i in order), run.steps.vectors[order])


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
