"""Find neighbouring steps whose clips will look the same, before they are made (paper 003)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from procvid.run.parts import Parts
from procvid.types import Plan, Vectors

LOOKS_THE_SAME = 0.95
"""Least cosine of two predicted clips that look the same; docs/visual_states.md has its errors."""


def alike(states: Vectors, least: float = LOOKS_THE_SAME) -> Iterator[int]:
    """Yield the index of each clip that looks like the one before it.

    Args:
        states: Predicted embeddings of the clips, float32 (N, dim), of unit length.
        least: Least cosine.
    """
    near = (states[1:] * states[:-1]).sum(1)
    yield from (np.flatnonzero(near >= least) + 1).tolist()


def repeat_notes(parts: Parts, plan: Plan) -> Iterator[str]:
    """Yield a sentence for each step of a plan whose clip will look like that of the step before."""
    if parts.predictor is None or len(plan.steps) < 2:
        return
    names = [plan.names[step.number] for step in plan.steps]
    for index in alike(parts.predictor.predict(plan)):
        yield (
            f"Steps {names[index - 1]} and {names[index]} will look nearly the same. If one repeats "
            "the other, remove it."
        )
