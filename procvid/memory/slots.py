"""Choose the references of a step from the retrieved crops: at most four, as a set cover.

One crop may show two objects: a crop of a bowl with batter also shows the batter, but less well than
a crop of the batter itself. The chosen set has the largest sum of importance x confidence over the
objects it covers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

from procvid.errors import InputError
from procvid.memory.reasons import RUN, UPLOAD
from procvid.memory.words import canonical, named, state_fit
from procvid.settings import MAX_REFERENCES
from procvid.types import Crop, PlannedObject, Retrieval, Role, Slot

ROLE_ORDER: tuple[Role, ...] = ("vessel", "surface", "food", "tool")
"""Order of equally important objects: those that fill more of the image come first."""

CONTENTS = 0.6
"""Factor for an object that is only inside another object's crop."""

MAX_CANDIDATES = 14
"""Largest number of crops to choose from, so that all sets can be tried."""


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A crop for a slot, and how well it shows each object, 0 to 1, by name."""

    slot: Slot
    serves: dict[str, float]


def choose_slots(
    objects: Sequence[PlannedObject],
    retrievals: Sequence[Retrieval],
    *,
    limit: int = MAX_REFERENCES,
    pinned: Sequence[Slot] = (),
    left_out: Collection[str] = (),
) -> tuple[Slot, ...]:
    """Choose the references of a step, numbered from 1.

    Args:
        objects: The step's objects, ranked by importance, then by role.
        retrievals: The memory's answers without banned crops, at most one per object name.
        limit: Largest number of references.
        pinned: Slots that a person chose, swapped or uploaded. They stay, at their number if
            possible.
        left_out: Names of objects whose slot stays empty, unless it is pinned. No other object
            gets it.

    Returns:
        The slots in order of their numbers. No two show the same object.

    Raises:
        InputError: More slots are pinned than the limit, or two of them show one object.
    """
    _check(pinned, limit)
    taken = {canonical(slot.object_name) for slot in pinned}
    shown = {slot.crop_id for slot in pinned}
    answers = {canonical(answer.object_name): answer for answer in retrievals}
    ranked = sorted(objects, key=lambda o: (-o.importance, ROLE_ORDER.index(o.role), o.name))
    offered: dict[str, _Candidate] = {}
    for item in ranked:
        name, answer = canonical(item.name), answers.get(canonical(item.name))
        if name in taken or name in offered or answer is None:
            continue
        candidate = _candidate(item, answer, ranked)
        if candidate is not None and candidate.slot.crop_id not in shown:
            offered[name] = candidate
    importance = {canonical(o.name): o.importance for o in reversed(ranked)}
    chosen = _best_cover(
        list(offered.values())[:MAX_CANDIDATES], importance, taken, limit - len(pinned)
    )
    slots = [each.slot for each in chosen if each.slot.object_name not in left_out]
    return _tell_apart(_numbered(slots, pinned), objects)


def _best_cover(
    offered: Sequence[_Candidate], importance: dict[str, float], taken: set[str], room: int
) -> tuple[_Candidate, ...]:
    best: tuple[_Candidate, ...] = ()
    best_worth = 0.0
    # More references never cover less, so only the largest sets are compared. The first of equal
    # sets wins, and the sets come in order of importance.
    for subset in combinations(offered, min(max(0, room), len(offered))):
        worth = 0.0
        for name, weight in importance.items():
            if name not in taken:
                worth += weight * max((c.serves.get(name, 0.0) for c in subset), default=0.0)
        if not best or worth > best_worth + 1e-9:
            best, best_worth = subset, worth
    return best


def _candidate(
    item: PlannedObject, answer: Retrieval, objects: Sequence[PlannedObject]
) -> _Candidate | None:
    hit = answer.hit
    image = None if hit is None else hit.crop.image
    if hit is None or image is None:
        return None
    crop = hit.crop
    contents = [other for other in objects if other is not item and _lies_in(other, crop)]
    serves = {canonical(item.name): hit.score}
    serves |= {canonical(other.name): CONTENTS * hit.score for other in contents}
    slot = Slot(
        number=0,
        object_name=item.name,
        words=named(item.name, item.role, crop.state),
        image=image,
        crop_id=crop.id,
        source_id=crop.source_id,
        state=crop.state,
        box_xyxy=crop.box_xyxy,
        score=hit.score,
        origin=origin_of(hit.store, crop.source_id),
        licence=crop.licence,
        url=crop.url,
        anchor_step=hit.anchor_step,
    )
    return _Candidate(slot, serves)


def origin_of(store: str, source_id: str) -> Literal["memory", "run", "upload"]:
    """Return where the crop of a store comes from."""
    if store != RUN:
        return "memory"
    return "upload" if source_id.startswith(f"{UPLOAD}/") else "run"


def _lies_in(item: PlannedObject, crop: Crop) -> bool:
    """Return True if another object's crop also shows this object in the wanted state."""
    wanted = item.state_before or item.state_after
    for name, state in _contents(crop):
        if name == canonical(item.name):
            return item.role != "food" or (state != "" and state_fit("food", wanted, state) > 0)
    return False


def _contents(crop: Crop) -> Iterator[tuple[str, str]]:
    for words in crop.shows:
        name, _, state = words.partition(": ")
        yield canonical(name), canonical(state)


def _tell_apart(slots: Sequence[Slot], objects: Sequence[PlannedObject]) -> tuple[Slot, ...]:
    """Add the description to the words of a slot if another slot's words contain them."""
    looks = {canonical(o.name): canonical(o.description) for o in objects}
    distinct = []
    for slot in slots:
        look = looks.get(canonical(slot.object_name), "")
        unclear = slot.words and any(
            slot.words in other.words.split(" with ")[0] for other in slots if other is not slot
        )
        if unclear and look and slot.words not in look:
            slot = replace(slot, words=f"{slot.words} ({look})")
        elif unclear and look:
            slot = replace(slot, words=look)
        distinct.append(slot)
    return tuple(distinct)


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
            f"A step takes {limit} references, and {len(pinned)} are pinned.", "Unpin some."
        )
    names = [canonical(slot.object_name) for slot in pinned]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two pinned references show the {name}.", "Unpin one of them.")
