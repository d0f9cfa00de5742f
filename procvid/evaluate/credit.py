"""Which clips earn no credit: stills and pasted references win no corrected metric.

A clip that shows no motion where its step has an action counts in every corrected metric as the
worst there is, and so does one in which a reference's own pixels lie. Fair to quiet clips: little
motion is motion (see `procvid.evaluate.motion`), and a step that only waits may be a still.
"""

from __future__ import annotations

from procvid.evaluate.evidence import ClipEvidence
from procvid.evaluate.motion import LEAST_PICTURES

PIXEL_FLOOR = 0.4
"""Least `pixel_motion` of a clip that moves, 0 to 255. A frozen clip has 0, or less than 0.2 after
h264; the stillest toy clip has more than 1."""

RESTING = frozenset({"wait", "chill", "soak", "marinate", "preheat"})
"""Actions in which nothing need move."""

NEEDED = 0.7
"""Share of a reference's detail that keeping an object's identity may repeat pixel by pixel; what is
above it up to 1 is copying. Of 33 toy vessels, drawn anew by the renderer in the same place, the most had
0.73; of 64 pasted ones in four sizes the least had 0.75, which `PASTED` tells from them but for one."""

PASTED = 0.2
"""From this `copy_paste` on a region is the reference's own pixels: it was not drawn."""


def stands_still(clip: ClipEvidence) -> bool:
    """Whether nothing moves, but for a camera over a still or two stills in turns."""
    if clip.pixel_motion is None or clip.pixel_motion < PIXEL_FLOOR:
        return True
    least = min(LEAST_PICTURES, clip.num_frames)
    return clip.num_pictures is not None and clip.num_pictures < least


def copying(pixel_match: float) -> float:
    """0 to 1: how far a likeness in detail goes beyond what identity needs."""
    return min(1.0, max(0.0, (pixel_match - NEEDED) / (1 - NEEDED)))


def pasted_in(clip: ClipEvidence) -> tuple[str, ...]:
    """The objects of a clip whose reference lies in it; not the counter, which is plain."""
    return tuple(
        sight.name
        for sight in clip.sightings
        if sight.role != "surface"
        and sight.pixel_match is not None
        and copying(sight.pixel_match) >= PASTED
    )


def no_credit(clip: ClipEvidence) -> str:
    """Why a clip counts as the worst there is, or "" when it is judged by what it shows."""
    if stands_still(clip) and not clip.resting:
        return "frozen: a still picture shows no step"
    pasted = pasted_in(clip)
    return f"pasted: the reference's own pixels ({', '.join(pasted)})" if pasted else ""
