"""Measure predicted embeddings of clips against the true ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from procvid.train.director.stories import Story
from procvid.types import Vectors

SCENES = 50
"""Scenes among which the true one is searched: it and others of other stories."""


def measure(
    stories: Sequence[Story], predicted: Sequence[Vectors], seed: int = 0
) -> dict[str, list[float]]:
    """Compare predictions with the true clips; return a value per story of each figure.

    The figures are means over the steps of a story but the first, which has nothing before it: "cosine"
    and "l2" of prediction and truth, and with enough stories "recall@1" and "recall@5", the share of
    steps whose true scene is the best, or among the best five, of `SCENES`. The other scenes are drawn
    from other stories. Without 49 of them a story has no recall.

    Args:
        stories: Stories with their true clips, of two steps or more.
        predicted: Embeddings of each story's clips, float32 (N, D).
        seed: Seed of the drawn scenes.
    """
    rng = np.random.default_rng(seed)
    clips = np.concatenate([story.clips for story in stories])
    owner = np.repeat(np.arange(len(stories)), [len(story.clips) for story in stories])
    found = defaultdict[str, list[float]](list)
    for number, (story, guess) in enumerate(zip(stories, predicted, strict=True)):
        guess, true = guess[1:], story.clips[1:]
        unit = guess / np.maximum(np.linalg.norm(guess, axis=1, keepdims=True), 1e-8)
        cosine = (unit * true).sum(1)
        found["cosine"].append(float(cosine.mean()))
        found["l2"].append(float(np.linalg.norm(guess - true, axis=1).mean()))
        others = np.flatnonzero(owner != number)
        if len(others) < SCENES - 1:
            continue
        drawn = clips[[rng.choice(others, SCENES - 1, replace=False) for _ in true]]
        # A tie is no success, so constant predictions find nothing.
        better = (~(np.einsum("nd,nsd->ns", unit, drawn) < cosine[:, None])).sum(1)
        for most in (1, 5):
            found[f"recall@{most}"].append(float((better < most).mean()))
    return dict(found)


def means(found: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the mean of each figure over the stories."""
    return {name: float(np.mean(values)) for name, values in found.items()}
