"""Score the takes of one step with the evidence of `object_fidelity` and `object_state_strict`.

The score of a clip is the mean of two shares, each 0 to 1: how much its objects look like their
references, and how many planned objects are visible in a planned state. A still, and a clip that
contains a pasted reference, get 0. The score ranks takes of one step; it is not a metric.

The verdict also says how a clip contradicts the plan: it is a still or has a pasted reference, a
vessel or a mentioned food is not found, a food that changes is not in its new state in the last
frame, or the objects look too little like their references (`docs/takes.md` has the error rates).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.credit import no_credit
from procvid.evaluate.evidence import FRAMES, JUDGE, OBJECTS, SCENE, ClipEvidence, RunEvidence
from procvid.evaluate.fidelity import GATE, likenesses
from procvid.evaluate.gather import EvidenceCache, Gatherer
from procvid.evaluate.inputs import ClipInput, Reference, RunInput
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.standard import RealClips
from procvid.evaluate.states import STATED
from procvid.types import Frames, Image, ModelInfo, Plan, Recipe, StepPlan, TakeVerdict

LIKENESS, STATES = "likeness", "states"
"""Names of the parts of a score."""

NOTHING_TO_JUDGE = "No planned object has a reference or a state to check."
FPS = 8
"""Frame rate of the evidence; the score does not depend on it."""


@dataclass(frozen=True)
class PlanChecks:
    """What the models of a profile can check of a plan.

    Attributes:
        states: Food states that the scene reader can name; without any it is not asked.
        least_likeness: Lowest likeness to the references, 0 to 1, that follows the plan.
    """

    states: frozenset[str] = frozenset()
    least_likeness: float = 0.0


@dataclass(frozen=True)
class _Share:
    """A share, 0 to 1, what it counts, and its name among the parts of the score."""

    name: str
    value: float
    words: str


class EvidenceTakeJudge:
    """See the module docstring.

    Args:
        parts: The backbones of the metrics. A missing one leaves its share out.
        checks: What they can check of a plan. A scene reader behind an API costs money.
    """

    info = ModelInfo(id="evidence of takes", revision="1")

    def __init__(self, parts: EvaluationParts, checks: PlanChecks) -> None:
        self._parts, self._checks = parts, checks
        self._needs = (OBJECTS, FRAMES, *((SCENE, JUDGE) if checks.states else ()))
        self._cache = EvidenceCache()

    def judge(self, frames: Frames, step: StepPlan, references: Mapping[str, Image]) -> TakeVerdict:
        """Return the score of a clip and what it consists of; see `TakeJudge`."""
        evidence = self._evidence(frames, step, references)
        (clip,) = evidence.clips
        if clip.known is False:
            return TakeVerdict(None, f"The clip does not look like {self._world}.")
        denied = no_credit(clip)
        if denied:
            return TakeVerdict(0.0, f"{denied[:1].upper()}{denied[1:]}.", {}, (denied,))
        shares = [s for s in (_likeness(evidence), _states(clip, step)) if s is not None]
        if not shares:
            why = "; ".join(dict.fromkeys(evidence.missing.values())).rstrip(".")
            return TakeVerdict(None, f"{why}." if why else NOTHING_TO_JUDGE)
        value = round(float(np.mean([share.value for share in shares])), 4)
        parts = {share.name: round(share.value, 4) for share in shares}
        words = "; ".join(share.words for share in shares).capitalize()
        against = tuple(self._contradictions(evidence, frames, step, parts))
        return TakeVerdict(value, f"{words}.", parts, against)

    def _contradictions(
        self,
        evidence: RunEvidence,
        frames: Frames,
        step: StepPlan,
        parts: Mapping[str, float],
    ) -> Iterator[str]:
        """Yield a clause for each contradiction to the plan."""
        scores = {sight.name: sight.score for sight in evidence.clips[0].sightings}
        for item in step.objects:
            wanted = item.role == "vessel" or (item.role == "food" and item.mentioned)
            if wanted and scores.get(item.name, 1.0) < GATE:
                yield f"no {item.name} is seen"
        yield from self._unchanged(frames, step)
        least = self._checks.least_likeness
        if parts.get(LIKENESS, 1.0) < least:
            yield f"the likeness to the references is below {least:.2f}"

    def _unchanged(self, frames: Frames, step: StepPlan) -> Iterator[str]:
        """Yield a clause for each food that is not in its new state at the end of the clip."""
        changed = {
            item.name: item.state_after
            for item in step.objects
            if item.role == "food"
            and item.state_after in self._checks.states
            and item.state_after != item.state_before
        }
        reader = self._parts.scene_reader
        if not changed or reader is None:
            return
        try:
            last = {one.name: one.state for one in reader.read(frames[-1:], "")}
        except (InputError, UnavailableError):
            return
        for name, state in changed.items():
            if name in last and not _fits(last[name], (state,)):
                yield f"the {name} ends {last[name]} instead of {state}"

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
    return _Share(
        LIKENESS, float(np.mean(values)), f"{words}, no {', no '.join(lost)}" if lost else words
    )


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
    return _Share(STATES, len(right) / len(planned), words)


def _fits(state: str, planned: tuple[str, ...]) -> bool:
    wanted = {" ".join(text.lower().split()) for text in planned}
    return not state or " ".join(state.lower().split()) in wanted
