"""Anchors: the references that conditioned an object's first clip and stay for the run.

A lasting thing (vessel, surface, tool) has one anchor, a food has one for each state. An image that
a person chose or uploaded replaces the anchor from its step on.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from procvid.memory.words import canonical, state_fit
from procvid.types import Role


@dataclass(frozen=True)
class Anchor:
    """A reference of an earlier step.

    Attributes:
        name: The object.
        role: Its role.
        state: The state that the image shows.
        crop_id: Id of the crop. For an uploaded image, its `upload_id`.
        image_sha256: sha256 of the pixels.
        step: The step that used it first.
        by_person: True if a person chose or uploaded it.
    """

    name: str
    role: Role
    state: str
    crop_id: str
    image_sha256: str
    step: int
    by_person: bool


class Anchors:
    """The anchors of a run so far."""

    def __init__(self, anchors: Iterable[Anchor] = ()) -> None:
        self._known: dict[str, list[Anchor]] = defaultdict(list)
        for anchor in anchors:
            self.add(anchor)

    def add(self, anchor: Anchor) -> None:
        """Add a reference that a step used."""
        self._known[canonical(anchor.name)].append(anchor)

    @property
    def crop_ids(self) -> frozenset[str]:
        """Return the ids of the crops that are anchors."""
        return frozenset(one.crop_id for known in self._known.values() for one in known)

    def of(self, name: str, role: Role, state: str, step: int) -> Anchor | None:
        """Return the anchor of an object in a state for a step, or None.

        The latest choice of a person comes first, then the first reference of the run. A food needs
        a reference whose state fits, the same state before a similar one.
        """
        fitting = [
            anchor
            for anchor in self._known[canonical(name)]
            if anchor.step < step
            and anchor.role == role
            and state_fit(role, state, anchor.state) > 0
        ]

        def rank(anchor: Anchor) -> tuple[float, bool, int]:
            order = anchor.step if anchor.by_person else -anchor.step
            return state_fit(role, state, anchor.state), anchor.by_person, order

        return max(fitting, key=rank, default=None)


def upload_id(image_sha256: str, name: str, role: Role, state: str) -> str:
    """Return the crop id of an uploaded image, by the sha256 of its pixels and what it shows."""
    parts = [image_sha256, canonical(name), role, canonical(state)]
    return f"upload-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:16]}"
