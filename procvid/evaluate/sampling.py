"""One pass over a clip: evenly spread frames, and a thumbnail of every frame for the shot detector.

Memory use does not depend on the length of the clip: when too many frames are held, every second one
is dropped, and from then on only every second one is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from procvid.errors import InputError
from procvid.evaluate.inputs import ClipInput
from procvid.media.decode import block_mean
from procvid.media.image import resize
from procvid.media.video import Limits, probe, stream_frames
from procvid.types import Frames, Image

LIMITS = Limits(max_duration_s=1200.0, max_wall_s=600.0)
"""At most twenty minutes of video, decoded in at most ten minutes."""

MAX_HELD = 64
"""Frames of a clip that are held in memory."""

MAX_SIDE = 1024
"""Longest side of a held frame, in pixels; no backbone uses more."""

EVERY_FRAME = 1000.0
WINDOW = 50
KEPT_ENDS = 150
"""Thumbnails that are kept at each end of a long clip; the middle is dropped in whole windows."""

MOTION_SIDE = 32


@dataclass(frozen=True, eq=False)
class SampledClip:
    """A decoded clip.

    Attributes:
        images: uint8 (H, W, 3) RGB frames, including the first and the last, at most 65.
        indices: Index of each image in the clip.
        num_frames, fps, width, height: Of the clip, before any scaling down.
        pixel_motion: Mean absolute difference of neighbouring images at 32x32 px, 0 to 255; None
            for a clip of one frame.
        shot_thumbnails: Thumbnails of the frames for the shot detector, or None.
    """

    images: tuple[Image, ...]
    indices: tuple[int, ...]
    num_frames: int
    fps: float
    width: int
    height: int
    pixel_motion: float | None
    shot_thumbnails: Frames | None

    def spread(self, count: int) -> list[int]:
        """Return the positions in `images` nearest to `count` evenly spread frames, ends included."""
        wanted = np.linspace(0, self.num_frames - 1, count)
        held = np.array(self.indices)
        return [int(np.abs(held - index).argmin()) for index in wanted]

    @property
    def middle(self) -> int:
        """Position in `images` nearest to the middle of the clip."""
        return int(np.abs(np.array(self.indices) - (self.num_frames - 1) / 2).argmin())


def sample(clip: ClipInput, thumbnail: Callable[[Frames], Frames] | None) -> SampledClip:
    """Decode a clip once.

    Args:
        clip: The clip.
        thumbnail: Makes the thumbnails of the shot detector; None if it is not used.

    Raises:
        InputError: The file is not a video, is damaged, or exceeds a limit.
    """
    held: list[tuple[int, Image]] = []
    thumbnails: list[Frames] = []
    stride, count, width, height = 1, 0, 0, 0
    last: Image | None = None
    for last in frames_of(clip):
        height, width = last.shape[:2]
        if count % stride == 0:
            held.append((count, _bounded(last)))
            if len(held) > MAX_HELD:
                held = held[::2]
                stride *= 2
        if thumbnail is not None:
            thumbnails.append(thumbnail(last[None])[0])
            if len(thumbnails) > 2 * KEPT_ENDS + 2 * WINDOW:
                del thumbnails[KEPT_ENDS : KEPT_ENDS + WINDOW]
        count += 1
    if last is None:
        name = f"clip of step {clip.number}" if clip.file is None else f"video {clip.file.name}"
        raise InputError(f"The {name} contains no readable frame.", "Give another file.")
    if held[-1][0] != count - 1:
        held.append((count - 1, _bounded(last)))
    images = tuple(image for _, image in held)
    return SampledClip(
        images=images,
        indices=tuple(index for index, _ in held),
        num_frames=count,
        fps=_fps(clip),
        width=width,
        height=height,
        pixel_motion=motion_of(images),
        shot_thumbnails=np.stack(thumbnails) if thumbnails else None,
    )


def motion_of(images: tuple[Image, ...]) -> float | None:
    """Return the mean absolute difference of neighbouring images at 32x32 px; None for one image."""
    if len(images) < 2:
        return None
    small = [resize(image, MOTION_SIDE, MOTION_SIDE).astype(np.int16) for image in images]
    return float(np.mean([np.abs(b - a).mean() for a, b in pairwise(small)]))


def frames_of(clip: ClipInput) -> Iterator[Image]:
    """Yield every frame of a clip, uint8 (H, W, 3) RGB, in the size in which it was generated."""
    if clip.frames is not None:
        yield from clip.frames
        return
    assert clip.file is not None, "a clip needs frames or a file"
    for _, frame in stream_frames(clip.file, sample_fps=EVERY_FRAME, limits=LIMITS):
        fits = frame.shape[0] % clip.scale == 0 and frame.shape[1] % clip.scale == 0
        yield block_mean(frame, clip.scale, clip.file.name) if fits else frame


def _fps(clip: ClipInput) -> float:
    return clip.fps if clip.file is None else probe(clip.file, LIMITS).fps


def _bounded(image: Image) -> Image:
    height, width = image.shape[:2]
    share = MAX_SIDE / max(height, width)
    if share >= 1:
        return image
    return resize(image, max(1, round(width * share)), max(1, round(height * share)))
