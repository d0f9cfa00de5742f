"""The objects' states through the clips: one global dictionary, and a judgement for each change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from procvid.evaluate.evidence import ClipEvidence, Seen
from procvid.evaluate.judgements import Judgements
from procvid.types import Plan, PlannedObject, SceneObject, StateChange

STATED = ("food", "vessel", "tool")
"""Roles that are planned to be seen; the counter is everywhere and seldom told."""


def judge_states(
    clips: Sequence[ClipEvidence],
    scenes: Sequence[Sequence[SceneObject]],
    plan: Plan | None,
    judgements: Judgements,
) -> list[ClipEvidence]:
    """The clips with `seen`, `vanished` and `planned` filled in.

    Args:
        clips: In order.
        scenes: What the scene reader saw in the middle frame of each.
        plan: Says what should be seen; without it nothing can vanish.
        judgements: Says whether a change is explained.

    Raises:
        UnavailableError: The judge gave no usable answer.
    """
    states: dict[str, str] = {}
    steps = {step.number: step.objects for step in plan.steps} if plan else {}
    judged: list[ClipEvidence] = []
    for clip, scene in zip(clips, scenes, strict=True):
        if clip.unread:
            # Nothing is known of it, so nothing in it is right, wrong or missing.
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


def _judge(item: SceneObject, text: str, states: dict[str, str], judgements: Judgements) -> Seen:
    before = states.get(item.name)
    if before is None:
        return Seen(item.name, item.state, True, True, f"The {item.name} is seen first here.")
    if _same(before, item.state):
        told = f"The {item.name} stays {item.state}." if item.state else f"The {item.name} stays."
        return Seen(item.name, item.state, False, True, told)
    verdict = judgements.explains(StateChange(item.name, before, item.state, text))
    return Seen(item.name, item.state, False, verdict.explained, verdict.reason)


def _planned(objects: Sequence[PlannedObject]) -> list[str]:
    return list(dict.fromkeys(item.name for item in objects if item.role in STATED))


def _once(scene: Sequence[SceneObject]) -> list[SceneObject]:
    first: dict[str, SceneObject] = {}
    for item in scene:
        first.setdefault(item.name, item)
    return list(first.values())


def _same(before: str, after: str) -> bool:
    return " ".join(before.lower().split()) == " ".join(after.lower().split())
