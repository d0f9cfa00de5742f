"""Guidance of Phantom-Wan by two scales, one for the references and one for the text.

With `v_it` the velocity predicted from references and text, `v_i` from references and the negative
prompt, `v_n` from zero references and the negative prompt, upstream computes

    v = v_n + g_image * (v_i - v_n) + g_text * (v_it - v_i)

(Phantom, arXiv 2502.11079, and `subject2video.py` of the released code). The weights of the three
predictions are `g_text`, `g_image - g_text` and `1 - g_image`. A prediction with weight zero cancels and
is not computed. This module decides which predictions are needed and combines them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch


@dataclass(frozen=True)
class Branch:
    """One of the model calls of a denoising step.

    Attributes:
        name: Unique name, also of its `transformer.cache_context`.
        sees_references: True for the reference latents, False for zeros in their place.
        sees_text: True for the prompt, False for the negative prompt.
    """

    name: str
    sees_references: bool
    sees_text: bool


UNGUIDED = Branch("unguided", sees_references=False, sees_text=False)
REFERENCES = Branch("references", sees_references=True, sees_text=False)
REFERENCES_AND_TEXT = Branch("references_and_text", sees_references=True, sees_text=True)


@dataclass(frozen=True)
class Guidance:
    """The two guidance scales of a video and the number of its references.

    Without references `v_i` and `v_n` are one prediction, so the formula becomes classifier-free
    guidance with `scale_text` alone and `scale_image` has no effect.

    Attributes:
        scale_text: Weight of the prompt; 1 is no guidance.
        scale_image: Weight of the references; 1 is no guidance.
        num_references: Number of reference frames, 0 or more.
    """

    scale_text: float
    scale_image: float
    num_references: int

    @property
    def branches(self) -> tuple[Branch, ...]:
        """The branches with a nonzero weight, from the least to the most conditioned."""
        # Without references the text scale guides straight from "unguided": the second case.
        scale_image = self.scale_image if self.num_references else self.scale_text
        weights = (
            (UNGUIDED, 1 - scale_image),
            (REFERENCES, scale_image - self.scale_text),
            (REFERENCES_AND_TEXT, self.scale_text),
        )
        return tuple(branch for branch, weight in weights if weight != 0)

    @property
    def needs_negative_text(self) -> bool:
        """True if any branch uses the embedding of the negative prompt."""
        return not all(branch.sees_text for branch in self.branches)

    def combine(self, predictions: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Combine the predictions of `branches` into the guided velocity.

        The formula is a telescoping sum along the chain unguided -> references -> text. Where a
        branch cancels, its neighbours have equal scales (or the chain's start has weight one), so
        leaving it out of the sum gives the same value with the same expression.

        Args:
            predictions: Velocities, float32 `[B, C, T, h, w]`, by name of every branch in `branches`.

        Returns:
            The guided velocity, in the shape and dtype of the predictions.
        """
        scales = {REFERENCES.name: self.scale_image, REFERENCES_AND_TEXT.name: self.scale_text}
        names = [branch.name for branch in self.branches]
        velocity = predictions[names[0]]
        for weaker, stronger in pairwise(names):
            step = predictions[stronger] - predictions[weaker]
            velocity = velocity + scales[stronger] * step
        return velocity
