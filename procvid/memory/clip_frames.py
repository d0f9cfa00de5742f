"""The frames of a listed clip: all that are looked at, or, of a long clip, a few to name its objects by.

What is held at once is bounded; a long clip streams past the detector batch by batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from procvid.errors import InputError
from procvid.media.video import Limits, probe, stream_frames
from procvid.memory.ahead import ahead
from procvid.memory.clip_list import ListedClip
from procvid.types import Frames, Image

MAX_HELD = 32
MAX_HELD_BYTES = 256 * 1024 * 1024
BATCH = 16


@dataclass(frozen=True, eq=False)
class ClipFrames:
    """What was decoded of a clip: `frames` uint8 (T, H, W, 3) RGB, evenly over it.

    `whole` says that these are all that are looked at; else `batches` gives the others.
    """

    clip: ListedClip
    frames: Frames
    times_s: tuple[float, ...]
    whole: bool
    sample_fps: float
    limits: Limits

    def batches(self) -> Iterator[tuple[list[Image], list[float]]]:
        """All frames that are looked at with their times, `BATCH` at once, decoded ahead."""
        if self.whole:
            yield from _batched(zip(self.times_s, self.frames, strict=True), self.frames[0].nbytes)
            return
        clip = self.clip
        frames = stream_frames(clip.file, clip.start_s, clip.end_s, self.sample_fps, self.limits)
        yield from ahead(_batched(frames, self.frames[0].nbytes), 1)


def read_clip_frames(clip: ListedClip, sample_fps: float, limits: Limits) -> ClipFrames:
    """Decode what a clip is named by.

    Raises:
        InputError: the video cannot be read, is over a limit, or shows nothing in this span.
    """
    facts = probe(clip.file, limits)
    end_s = facts.duration_s if clip.end_s is None else clip.end_s
    span_s = (min(end_s, facts.duration_s) if facts.duration_s > 0 else end_s) - clip.start_s
    most = max(1, min(MAX_HELD, MAX_HELD_BYTES // (facts.width * facts.height * 3)))
    whole = span_s * sample_fps <= most
    rate = sample_fps if whole or span_s <= 0 else most / span_s
    times_s: list[float] = []
    frames: list[Image] = []
    for time_s, frame in stream_frames(clip.file, clip.start_s, clip.end_s, rate, limits):
        if frames and frame.shape != frames[0].shape:
            raise InputError(
                f"The video {clip.file.name} changes its size at {time_s:.1f} s.",
                "Re-encode it at one size.",
            )
        if len(frames) > 2 * most:
            # The file says a shorter duration than it has; the others stream past.
            whole = False
            break
        times_s.append(time_s)
        frames.append(frame)
    if not frames:
        raise InputError(
            f"The video {clip.file.name} shows nothing from {clip.start_s:g} s"
            f"{'' if clip.end_s is None else f' to {clip.end_s:g} s'}."
        )
    return ClipFrames(clip, np.stack(frames), tuple(times_s), whole, sample_fps, limits)


def _batched(
    frames: Iterator[tuple[float, Image]], frame_bytes: int
) -> Iterator[tuple[list[Image], list[float]]]:
    size = max(1, min(BATCH, MAX_HELD_BYTES // max(1, frame_bytes)))
    images: list[Image] = []
    times_s: list[float] = []
    for time_s, frame in frames:
        images.append(frame)
        times_s.append(time_s)
        if len(images) == size:
            yield images, times_s
            images, times_s = [], []
    if images:
        yield images, times_s
