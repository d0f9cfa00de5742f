"""How like its reference an object is, clip by clip; `object_fidelity` and `gap_decay` read it."""

from __future__ import annotations

from dataclasses import dataclass

from procvid.evaluate.evidence import RunEvidence, Sighting

GATE = 0.5
"""Least detector score, 0 to 1, of an object that counts as seen."""

PASTED = 0.5
"""From this `copy_paste` on a region is the reference's own pixels: it was not drawn, and so no
identity was kept. Its likeness counts as 0, or pasting would win."""

PASTED_TOLD = "the reference's own pixels: it counts as 0"

NEEDED = 0.8
"""Likeness in detail (-1 to 1) that keeping an object's identity may need; what is above it up to 1
is copying. A toy object that the renderer draws anew reaches about 0.7 at its median."""


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
    """

    number: int
    name: str
    value: float | None
    reason: str
    gap: int | None
    first: bool = False


def likenesses(run: RunEvidence) -> list[Likeness]:
    """Every planned persistent object of every clip, in order; not the counter, which is found even
    in a black picture.

    The reference is the crop that conditioned the clip; where there was none, the object's first
    sight in this video in the same state, which then has nothing to compare with.
    """
    found, last_seen = [], dict[str, int]()
    first_sight: dict[tuple[str, str], tuple[int, Sighting]] = {}
    for clip in run.clips:
        for sight in clip.sightings:
            if sight.likelihood == "unlikely" or sight.changes or sight.role == "surface":
                continue
            known = (sight.name, sight.state if sight.role == "food" else "")
            gap = clip.number - last_seen[sight.name] if sight.name in last_seen else None
            found.append(_compare(clip.number, sight, first_sight.get(known), gap))
            if sight.score >= GATE and sight.vector is not None:
                last_seen[sight.name] = clip.number
                first_sight.setdefault(known, (clip.number, sight))
    return found


def copying(pixel_match: float) -> float:
    """0 to 1: how far a likeness in detail goes beyond what identity needs."""
    return min(1.0, max(0.0, (pixel_match - NEEDED) / (1 - NEEDED)))


def _compare(
    number: int, sight: Sighting, earlier: tuple[int, Sighting] | None, gap: int | None
) -> Likeness:
    vector, reference, source = sight.vector, sight.reference_vector, sight.reference
    if reference is None and earlier is not None:
        reference, source = earlier[1].vector, f"its first sight in step {earlier[0]}"
    if reference is None:
        return Likeness(number, sight.name, None, "first appearance", gap, first=True)
    if sight.score < GATE or vector is None:
        return Likeness(number, sight.name, None, f"not found (score {sight.score:.2f})", gap)
    if sight.pixel_match is not None and copying(sight.pixel_match) >= PASTED:
        return Likeness(number, sight.name, 0.0, PASTED_TOLD, gap)
    return Likeness(number, sight.name, float(vector @ reference), f"against {source}", gap)
