"""Similarity of objects to their references, clip by clip, for `object_fidelity` and `gap_decay`."""

from __future__ import annotations

from dataclasses import dataclass

from procvid.evaluate.credit import no_credit
from procvid.evaluate.evidence import RunEvidence, Sighting

GATE = 0.5
"""Detection threshold: lowest detector score, 0 to 1, of an object that counts as seen."""

NONE_PLANNED = "the plan has no object that stays the same"
NONE_BEFORE = "no planned object has a reference or an earlier appearance to compare with"
NONE_FOUND = "no planned object was found again"


@dataclass(frozen=True)
class Likeness:
    """Similarity of a persistent object to its reference in one clip.

    Attributes:
        number: Number of the step.
        name: Name of the object.
        value: Cosine with the reference, -1 to 1, or None.
        reason: Why there is no value, or what the object was compared with.
        gap: Steps since the object was last seen, or None if it was not seen before.
        first: True if this is a first appearance without a reference, so nothing can be compared.
        credited: False in a clip that earns no credit; its value is 0, found or not.
    """

    number: int
    name: str
    value: float | None
    reason: str
    gap: int | None
    first: bool = False
    credited: bool = True


def likenesses(run: RunEvidence) -> list[Likeness]:
    """Return the likeness of every planned persistent object of every clip, in order.

    The reference is the crop that conditioned the clip. Without one, it is the object's first
    appearance in this video in the same state, which itself has nothing to compare with. The counter is
    left out, because a detector finds it even in a black image.
    """
    found, last_seen = [], dict[str, int]()
    first_sight: dict[tuple[str, str], tuple[int, Sighting]] = {}
    for clip in run.clips:
        denied = no_credit(clip)
        for sight in clip.sightings:
            seen = sight.score >= GATE and sight.vector is not None
            gap = clip.number - last_seen[sight.name] if sight.name in last_seen else None
            if seen:
                # A food that changes in this step is visible too.
                last_seen[sight.name] = clip.number
            if sight.likelihood == "unlikely" or sight.changes or sight.role == "surface":
                continue
            known = (sight.name, sight.state if sight.role == "food" else "")
            found.append(_compare(clip.number, sight, first_sight.get(known), gap, denied))
            if seen:
                first_sight.setdefault(known, (clip.number, sight))
    return found


def _compare(
    number: int, sight: Sighting, earlier: tuple[int, Sighting] | None, gap: int | None, denied: str
) -> Likeness:
    vector, reference, source = sight.vector, sight.reference_vector, sight.reference
    if reference is None and earlier is not None and not sight.reference_lost:
        reference, source = earlier[1].vector, f"its first appearance in step {earlier[0]}"
    if reference is None and not sight.reference_lost:
        return Likeness(number, sight.name, None, "first appearance", gap, first=True)
    if denied:
        return Likeness(number, sight.name, 0.0, denied, gap, credited=False)
    if reference is None:
        return Likeness(number, sight.name, None, sight.reference_lost, gap)
    if sight.score < GATE or vector is None:
        return Likeness(number, sight.name, None, f"not found (score {sight.score:.2f})", gap)
    return Likeness(number, sight.name, float(vector @ reference), f"compared with {source}", gap)
