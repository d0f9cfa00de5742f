"""Finds cooking steps by a lexicon; needs no model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from procvid.types import ModelInfo, TimedText


class RulesStepFinder:
    """Finds steps by the rules of `procvid.plan.transcript`, which wiring hands over.

    Args:
        steps_said: Finds them; the same cues give the same steps.
    """

    info = ModelInfo(id="rules", revision="1")

    def __init__(self, steps_said: Callable[[Sequence[TimedText]], tuple[TimedText, ...]]) -> None:
        self._steps_said = steps_said

    def find(self, title: str, cues: Sequence[TimedText]) -> tuple[TimedText, ...]:
        """Steps in the order of time. Raises InputError when the transcript is not English."""
        return self._steps_said(cues)
