"""Score the takes of one step, and say how they contradict the plan.

The score of a clip is the weighted mean of scores that the profile brings, such as the rewards of
reinforcement. Without any it is the mean of two shares of evidence, each 0 to 1: how much the objects
look like their references (`object_fidelity`), and how many planned objects are visible in a planned
state (`object_state_strict`). A still, and a clip that contains a pasted reference, get 0. The score
ranks takes of one step; it is not a metric.

A clip contradicts the plan if it is a still or has a pasted reference, a vessel or a mentioned food is
not found, a food is in another state in the last frame, or the objects look too little like their
references (`docs/takes.md` has the error rates).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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


ClipScore = Callable[[Frames, StepPlan, Mapping[str, Image]], "float | None"]
"""Scores a clip of a step with its references by object name: 0 to 1, or None if it does not apply."""


@dataclass(frozen=True)
class WeighedScore:
    """A part of the score of a take, with its weight and its name in words."""

    name: str
    weight: float
    score: ClipScore


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
    """A share, 0 to 1, what it counts, its name among the parts of the score, and its weight."""

    name: str
    value: float
    words: str
    weight: float = 1.0


class EvidenceTakeJudge:
    """See the module docstring.

    Args:
        parts: The backbones of the metrics. A missing one leaves its share out.
        checks: What they can check of a plan. A scene reader behind an API costs money.
        scores: What the score consists of; by default likeness and states.
    """

    info = ModelInfo(id="evidence of takes", revision="1")

    def __init__(
        self, parts: EvaluationParts, checks: PlanChecks, scores: Sequence[WeighedScore] = ()
    ) -> None:
        self._parts, self._checks, self._scores = parts, checks, tuple(scores)
        reads = checks.states and not scores
        self._needs = (OBJECTS, FRAMES, *((SCENE, JUDGE) if reads else ()))
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
        likeness = _likeness(evidence)
        own = (likeness, _states(clip, step))
        scored = self._scored(frames, step, references) if self._scores else own
        shares = [share for share in scored if share is not None]
        if not shares:
            why = "; ".join(dict.fromkeys(evidence.missing.values())).rstrip(".")
            return TakeVerdict(None, f"{why}." if why else NOTHING_TO_JUDGE)
        weights = [share.weight for share in shares]
        value = round(float(np.average([share.value for share in shares], weights=weights)), 4)
        parts = {share.name: round(share.value, 4) for share in shares}
        words = "; ".join(share.words for share in shares).capitalize()
        against = tuple(self._contradictions(evidence, frames, step, likeness))
        return TakeVerdict(value, f"{words}.", parts, against)

    def _scored(
        self, frames: Frames, step: StepPlan, references: Mapping[str, Image]
    ) -> Iterator[_Share]:
        for each in self._scores:
            value = each.score(frames, step, references)
            if value is not None:
                words = f"{each.name.replace('_', ' ')} {value:.2f}"
                yield _Share(each.name, value, words, each.weight)

    def _contradictions(
        self,
        evidence: RunEvidence,
        frames: Frames,
        step: StepPlan,
        likeness: _Share | None,
    ) -> Iterator[str]:
        """Yield a clause for each contradiction to the plan."""
        scores = {sight.name: sight.score for sight in evidence.clips[0].sightings}
        for item in step.objects:
            wanted = item.role == "vessel" or (item.role == "food" and item.mentioned)
            if wanted and scores.get(item.name, 1.0) < GATE:
                yield f"no {item.name} is seen"
        yield from self._wrong_states(frames, step)
        least = self._checks.least_likeness
        if likeness is not None and likeness.value < least:
            yield f"the likeness to the references is below {least:.2f}"

    def _wrong_states(self, frames: Frames, step: StepPlan) -> Iterator[str]:
        """Yield a clause for each food that is seen in another state at the end of the clip."""
        planned = {
            item.name: item.state_after
            for item in step.objects
            if item.role == "food" and item.state_after in self._checks.states
        }
        reader = self._parts.scene_reader
        if not planned or reader is None:
            return
        try:
            last = {one.name: one.state for one in reader.read(frames[-1:], "")}
        except (InputError, UnavailableError):
            return
        for name, state in planned.items():
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
