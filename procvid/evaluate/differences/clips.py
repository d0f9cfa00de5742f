"""What differs between two clips: decoding, checks, and the question to the reader."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from procvid.errors import UnavailableError
from procvid.evaluate.inputs import ClipInput
from procvid.evaluate.known_world import KnownWorld
from procvid.evaluate.motion import LEAST_PICTURES, num_pictures
from procvid.evaluate.sampling import SampledClip, sample
from procvid.media.image import resize
from procvid.protocols import DifferenceReader
from procvid.types import Frames
from procvid.types.difference import ClipDifferences, ClipView

NUM_CHECKED = 8
"""Frames of a clip by which it is decided whether the models know its world."""

SAME = "Both clips are the same."


@dataclass(frozen=True)
class Comparer:
    """Compares two clips.

    Attributes:
        reader: Says what differs.
        world: What the reader knows; None for one that reads any clip.
    """

    reader: DifferenceReader
    world: KnownWorld | None = None

    def compare(
        self, a: ClipInput, b: ClipInput, text: str = "", names: tuple[str, str] = ("A", "B")
    ) -> ClipDifferences:
        """Return what clip `b` shows instead of clip `a`.

        Args:
            a: The clip to compare with.
            b: The other clip.
            text: The step that both should show, or "".
            names: What the clips are called in notes and errors.

        Raises:
            InputError: A clip cannot be read, or the reader gave no usable answer.
            UnavailableError: The reader does not know such clips.
            ServiceError: A service is not available.
        """
        one, two = sample(a, None), sample(b, None)
        if _equal(one, two):
            return ClipDifferences(alike=("everything",), notes=(SAME,))
        for clip, name in zip((one, two), names, strict=True):
            self.check(clip, name)
        found = self.reader.differences(view_of(one), view_of(two), text)
        still = [name for clip, name in zip((one, two), names, strict=True) if not moves(clip)]
        notes = [f"Clip {name} does not move, so its action is a guess." for name in still]
        return replace(found, notes=(*notes, *found.notes))

    def check(self, clip: SampledClip, name: str) -> None:
        """Raise UnavailableError if the reader does not know such clips."""
        if self.world is None:
            return
        pictures = [clip.images[k] for k in clip.spread(NUM_CHECKED)]
        if not self.world.knows(pictures):
            raise UnavailableError(
                f"Clip {name} shows something other than {self.world.name}, which is all that the "
                "embedded reader knows.",
                "Use --reader openai, a vision model.",
            )


def view_of(clip: SampledClip) -> ClipView:
    """Return what a reader sees of a decoded clip."""
    first = clip.images[0]
    height, width = first.shape[:2]
    frames: Frames = np.stack([_fitted(image, width, height) for image in clip.images])
    fps = clip.fps if clip.fps > 0 else 1.0
    return ClipView(frames, tuple(index / fps for index in clip.indices))


def moves(clip: SampledClip) -> bool:
    """Return True if a clip is no still."""
    return num_pictures(clip.images) >= LEAST_PICTURES


def _fitted(image: Frames, width: int, height: int) -> Frames:
    return image if image.shape[:2] == (height, width) else resize(image, width, height)


def _equal(a: SampledClip, b: SampledClip) -> bool:
    """Return True if two clips have the same frames at the same times."""
    if (a.num_frames, a.indices, a.fps) != (b.num_frames, b.indices, b.fps):
        return False
    return all(np.array_equal(x, y) for x, y in zip(a.images, b.images, strict=True))
