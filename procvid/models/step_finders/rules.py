"""Find cooking steps in a transcript by a lexicon; needs no model."""

from __future__ import annotations

from collections.abc import Sequence

from procvid.plan.recipe.transcript import steps_said
from procvid.types import ModelInfo, TimedText


class RulesStepFinder:
    """Finds steps by the rules of `procvid.plan.recipe.transcript`; the same cues give the same steps."""

    info = ModelInfo(id="rules", revision="2")

    def find(self, title: str, cues: Sequence[TimedText]) -> tuple[TimedText, ...]:
        """Return steps in the order of time. Raise InputError if the transcript is not English."""
        return steps_said(cues)
