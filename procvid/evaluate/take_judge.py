"""Score the takes of one step with the evidence of `object_fidelity` and `object_state_strict`.

The score of a clip is the mean of two shares, each 0 to 1: how much its objects look like their
references, and how many planned objects are visible in a planned state. A still, and a clip that
contains a pasted reference, get 0. The score ranks takes of one step; it is not a metric.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from procvid.evaluate.credit import no_credit
from procvid.evaluate.evidence import FRAMES, JUDGE, OBJECTS, SCENE, ClipEvidence, RunEvidence
from procvid.evaluate.fidelity import likenesses
from procvid.evaluate.gather import EvidenceCache, Gatherer
from procvid.evaluate.inputs import ClipInput, Reference, RunInput
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.standard import RealClips
from procvid.evaluate.states import STATED
from procvid.types import Frames, Image, ModelInfo, Plan, Recipe, StepPlan, TakeVerdict

NOTHING_TO_JUDGE = "No planned object has a reference or a state to check."
FPS = 8
"""Frame rate of the evidence; the score does not depend on it."""


@dataclass(frozen=True)
class _Share:
    """A share, 0 to 1, and what it counts."""

    value: float
    words: str


class EvidenceTakeJudge:
    """See the module docstring.

    Args:
        parts: The backbones of the metrics. A missing one leaves its share out.
        reads_scenes: Read the states of the objects too. A scene reader behind an API costs money.
    """

    info = ModelInfo(id="evidence of takes", revision="1")

    def __init__(self, parts: EvaluationParts, *, reads_scenes: bool) -> None:
        self._parts = parts
        self._needs = (OBJECTS, FRAMES, *((SCENE, JUDGE) if reads_scenes else ()))
        self._cache = EvidenceCache()

    def judge(self, frames: Frames, step: StepPlan, references: Mapping[str, Image]) -> TakeVerdict:
        """Return the score of a clip and what it consists of; see `TakeJudge`."""
        evidence = self._evidence(frames, step, references)
        (clip,) = evidence.clips
        if clip.known is False:
            return TakeVerdict(None, f"The clip does not look like {self._world}.")
        denied = no_credit(clip)
        if denied:
            return TakeVerdict(0.0, f"{denied[:1].upper()}{denied[1:]}.")
        shares = [s for s in (_likeness(evidence), _states(clip, step)) if s is not None]
        if not shares:
            why = "; ".join(dict.fromkeys(evidence.missing.values())).rstrip(".")
            return TakeVerdict(None, f"{why}." if why else NOTHING_TO_JUDGE)
        value = round(float(np.mean([share.value for share in shares])), 4)
        return TakeVerdict(value, f"{'; '.join(share.words for share in shares).capitalize()}.")

    @property
    def _world(self) -> str:
        return self._parts.world.name if self._parts.world else "a clip that the models know"

    def _evidence(
        self, frames: Frames, step: StepPlan, references: Mapping[str, Image]
    ) -> RunEvidence:
        given = tuple(Reference(name, image, "its reference") for name, image in references.items())
        clip = ClipInput(1, frames=frames, fps=FPS, references=given)
        run = RunInput(
            name="take",
            clips=(clip,),
            recipe=Recipe("", (step.text,)),
            plan=Plan("", (replace(step, number=1, recipe_step=0),), ""),
        )
        real = RealClips((), self._parts, self._needs)
        judgements = Judgements.of(self._parts)
        gatherer = Gatherer(run, self._parts, self._needs, judgements, self._cache, real)
        gatherer.add(clip)
        return gatherer.finish()


def _likeness(evidence: RunEvidence) -> _Share | None:
    """Return how much the lasting objects look like their references; a missing one counts as 0."""
    compared = [each for each in likenesses(evidence) if not each.first]
    if not compared:
        return None
    values = [min(1.0, max(0.0, each.value or 0.0)) for each in compared]
    lost = [each.name for each in compared if each.value is None]
    words = f"likeness to the references {np.mean(values):.2f}"
    return _Share(float(np.mean(values)), f"{words}, no {', no '.join(lost)}" if lost else words)


def _states(clip: ClipEvidence, step: StepPlan) -> _Share | None:
    """Return the share of the planned objects that are visible in the state before or after."""
    planned = {item.name: item for item in step.objects if item.role in STATED}
    if not clip.planned or not planned:
        return None
    seen = {one.name: one.state for one in clip.seen}
    right = [
        name
        for name, item in planned.items()
        if name in seen and _fits(seen[name], (item.state_before, item.state_after))
    ]
    words = f"{len(right)} of {len(planned)} objects in a planned state"
    return _Share(len(right) / len(planned), words)


def _fits(state: str, planned: tuple[str, str]) -> bool:
    wanted = {" ".join(text.lower().split()) for text in planned}
    return not state or " ".join(state.lower().split()) in wanted
