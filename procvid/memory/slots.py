"""Which of the found crops become the references of a step: at most four, by importance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from procvid.errors import InputError
from procvid.memory.memory import RUN
from procvid.memory.words import canonical, named
from procvid.types import PlannedObject, Retrieval, Role, Slot

MAX_SLOTS = 4
"""Phantom was trained with at most four references."""

ROLE_ORDER: tuple[Role, ...] = ("vessel", "surface", "food", "tool")
"""Among equally important objects, what fills more of the picture goes first."""


def choose_slots(
    objects: Sequence[PlannedObject],
    retrievals: Sequence[Retrieval],
    *,
    limit: int = MAX_SLOTS,
    pinned: Sequence[Slot] = (),
) -> tuple[Slot, ...]:
    """Choose the references of a step, numbered from 1.

    Args:
        objects: The step's objects; their importance orders the slots, then their role.
        retrievals: The memory's answers, at most one per object name.
        limit: How many references at most.
        pinned: Slots a person has chosen: they stay, and at their number where the count allows it.

    Returns:
        Slots in order of their numbers; no two show one object.

    Raises:
        InputError: more pinned slots than the limit, or two of one object.
    """
    _check(pinned, limit)
    taken = {canonical(slot.object_name) for slot in pinned}
    answers = {canonical(answer.object_name): answer for answer in retrievals}
    ranked = sorted(objects, key=lambda o: (-o.importance, ROLE_ORDER.index(o.role), o.name))
    chosen: list[Slot] = []
    for item in ranked:
        answer = answers.get(canonical(item.name))
        if canonical(item.name) in taken or answer is None or len(pinned) + len(chosen) == limit:
            continue
        slot = _slot(item, answer)
        if slot is not None:
            taken.add(canonical(item.name))
            chosen.append(slot)
    return _numbered(chosen, pinned)


def _slot(item: PlannedObject, answer: Retrieval) -> Slot | None:
    hit = answer.hit
    image = None if hit is None else hit.crop.image
    if hit is None or image is None:
        return None
    crop = hit.crop
    return Slot(
        number=0,
        object_name=item.name,
        words=named(item.name, item.role, crop.state),
        image=image,
        crop_id=crop.id,
        source_id=crop.source_id,
        state=crop.state,
        box_xyxy=crop.box_xyxy,
        score=hit.score,
        origin="run" if hit.store == RUN else "memory",
    )


def _numbered(chosen: Sequence[Slot], pinned: Sequence[Slot]) -> tuple[Slot, ...]:
    free = list(range(1, len(chosen) + len(pinned) + 1))
    placed = []
    for slot in sorted(pinned, key=lambda s: s.number):
        number = slot.number if slot.number in free else free[0]
        free.remove(number)
        placed.append(replace(slot, number=number))
    placed += [replace(slot, number=n) for slot, n in zip(chosen, free, strict=True)]
    return tuple(sorted(placed, key=lambda s: s.number))


def _check(pinned: Sequence[Slot], limit: int) -> None:
    if len(pinned) > limit:
        raise InputError(
            f"There are {len(pinned)} pinned references, a step takes {limit}.", "Unpin some."
        )
    names = [canonical(slot.object_name) for slot in pinned]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two pinned references show the {name}.", "Unpin one of them.")
