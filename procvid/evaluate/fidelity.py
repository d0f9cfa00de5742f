"""How like its reference an object is, clip by clip; `object_fidelity` and `gap_decay` read it."""

from __future__ import annotations

from dataclasses import dataclass

from procvid.evaluate.credit import no_credit
from procvid.evaluate.evidence import RunEvidence, Sighting

GATE = 0.5
"""Least detector score, 0 to 1, of an object that counts as seen."""

NONE_PLANNED = "no object is planned that stays the same"
NONE_BEFORE = "no planned object was seen before, so there is nothing to compare with"
NONE_FOUND = "no planned object was found again"


@dataclass(frozen=True)
class Likeness:
    """A persistent object in one clip.

    Attributes:
        number: The step.
        name: The object.
        value: Cosine to the reference, -1 to 1, or None with a reason.
        reason: Why there is none, or what it was compared with.
        gap: Steps since the object was last seen, or None when it was not.
        first: Whether there is nothing to compare with, because it appears for the first time.
        credited: False in a clip that earns no credit; the value is 0 there, found or not.
    """

    number: int
    name: str
    value: float | None
    reason: str
    gap: int | None
    first: bool = False
    credited: bool = True


def likenesses(run: RunEvidence) -> list[Likeness]:
    """Every planned persistent object of every clip, in order; not the counter, which is found even
    in a black picture.

    The reference is the crop that conditioned the clip; where there was none, the object's first
    sight in this video in the same state, which then has nothing to compare with.
    """
    found, last_seen = [], dict[str, int]()
    first_sight: dict[tuple[str, str], tuple[int, Sighting]] = {}
    for clip in run.clips:
        denied = no_credit(clip)
        for sight in clip.sightings:
            seen = sight.score >= GATE and sight.vector is not None
            gap = clip.number - last_seen[sight.name] if sight.name in last_seen else None
            if seen:
                # Also a food that changes in this step was in sight in it.
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
        reference, source = earlier[1].vector, f"its first sight in step {earlier[0]}"
    if reference is None and not sight.reference_lost:
        return Likeness(number, sight.name, None, "first appearance", gap, first=True)
    if denied:
        return Likeness(number, sight.name, 0.0, denied, gap, credited=False)
    if reference is None:
        return Likeness(number, sight.name, None, sight.reference_lost, gap)
    if sight.score < GATE or vector is None:
        return Likeness(number, sight.name, None, f"not found (score {sight.score:.2f})", gap)
    return Likeness(number, sight.name, float(vector @ reference), f"against {source}", gap)
