"""Clips that earn no credit: stills and pasted references get the worst value in corrected metrics.

A clip earns no credit if nothing moves although its step has an action, or if it contains the pixels
of a reference. A little motion is enough (see `procvid.evaluate.motion`), and a step that only waits
may be a still.
"""

from __future__ import annotations

from procvid.evaluate.evidence import ClipEvidence
from procvid.evaluate.motion import LEAST_PICTURES

PIXEL_FLOOR = 0.4
"""Lowest `pixel_motion` of a clip that moves, 0 to 255, where its images are not counted."""

RESTING = frozenset({"wait", "chill", "soak", "marinate", "preheat"})
"""Actions during which nothing has to move."""

NEEDED = 0.7
"""Share of a reference's detail that an object drawn with the same identity may repeat pixel by pixel;
a larger share is copying. Of 33 toy vessels that the renderer drew again in the same place, the largest
share was 0.73; of 64 pasted ones in four sizes, the smallest was 0.75. `PASTED` separates all but
one."""

PASTED = 0.2
"""Value of `copy_paste` from which a region counts as pasted."""


def stands_still(clip: ClipEvidence) -> bool:
    """Return True for a still, even one that is panned or alternated with another.

    Decided by pixels and optical flow, so it holds for any clip, also one that no encoder knows.
    """
    if clip.pixel_motion is None:
        return True
    if clip.num_pictures is None:
        return clip.pixel_motion < PIXEL_FLOOR
    return clip.num_pictures < min(LEAST_PICTURES, clip.num_frames)


def copying(pixel_match: float) -> float:
    """Return, as 0 to 1, how far a pixel match exceeds what keeping the identity needs."""
    return min(1.0, max(0.0, (pixel_match - NEEDED) / (1 - NEEDED)))


def pasted_in(clip: ClipEvidence) -> tuple[str, ...]:
    """Return the objects whose reference is pasted into a clip. The counter is left out: it is plain."""
    return tuple(
        sight.name
        for sight in clip.sightings
        if sight.role != "surface"
        and sight.pixel_match is not None
        and copying(sight.pixel_match) >= PASTED
    )


def no_credit(clip: ClipEvidence) -> str:
    """Return why a clip gets the worst value, or "" if it is judged by its content."""
    if stands_still(clip) and not clip.resting:
        return "frozen: nothing moves in the clip"
    pasted = pasted_in(clip)
    return f"pasted: the pixels of a reference ({', '.join(pasted)})" if pasted else ""
