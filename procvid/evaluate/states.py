"""States of objects across clips: one dictionary for the run, and a judgement for each change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from procvid.evaluate.evidence import ClipEvidence, Observation
from procvid.evaluate.judgements import Judgements
from procvid.types import Plan, PlannedObject, SceneObject, StateChange

STATED = ("food", "vessel", "tool")
"""Roles that must be visible. The counter is in every image and is rarely listed."""


def judge_states(
    clips: Sequence[ClipEvidence],
    scenes: Sequence[Sequence[SceneObject]],
    plan: Plan | None,
    judgements: Judgements,
) -> list[ClipEvidence]:
    """Return the clips with `seen`, `vanished` and `planned` filled in.

    Args:
        clips: In order.
        scenes: The objects that the scene reader found in the middle frame of each clip.
        plan: Lists the objects that should be visible; without it nothing can vanish.
        judgements: Decides whether a step explains a change.

    Raises:
        UnavailableError: The judge gave no usable answer.
    """
    states: dict[str, str] = {}
    steps = {step.number: step.objects for step in plan.steps} if plan else {}
    judged: list[ClipEvidence] = []
    for clip, scene in zip(clips, scenes, strict=True):
        if clip.unread or clip.known is False:
            # The scene reader gave no answer, so nothing here is right, wrong or missing.
            judged.append(clip)
            continue
        seen = tuple(_judge(item, clip.text, states, judgements) for item in _once(scene))
        names = {item.name for item in seen}
        planned = _planned(steps.get(clip.number, ()))
        vanished = tuple(name for name in planned if name not in names)
        for item in seen:
            if item.consistent:
                states[item.name] = item.state
        judged.append(replace(clip, seen=seen, vanished=vanished, planned=len(planned)))
    return judged


def _judge(
    item: SceneObject, text: str, states: dict[str, str], judgements: Judgements
) -> Observation:
    before = states.get(item.name)
    if before is None:
        reason = f"The {item.name} appears here for the first time."
        return Observation(item.name, item.state, True, True, reason)
    if _same(before, item.state):
        reason = f"The {item.name} stays {item.state}." if item.state else f"The {item.name} stays."
        return Observation(item.name, item.state, False, True, reason)
    verdict = judgements.explains(StateChange(item.name, before, item.state, text))
    return Observation(item.name, item.state, False, verdict.explained, verdict.reason)


def _planned(objects: Sequence[PlannedObject]) -> list[str]:
    return list(dict.fromkeys(item.name for item in objects if item.role in STATED))


def _once(scene: Sequence[SceneObject]) -> list[SceneObject]:
    first: dict[str, SceneObject] = {}
    for item in scene:
        first.setdefault(item.name, item)
    return list(first.values())


def _same(before: str, after: str) -> bool:
    return " ".join(before.lower().split()) == " ".join(after.lower().split())
