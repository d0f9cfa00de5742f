"""Decode the frames of a listed clip, ahead of the models and with bounded memory.

Of a long clip only a few frames are decoded to name its objects. The detector then reads all
frames batch by batch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import TypeVar

import numpy as np

from procvid.errors import InputError
from procvid.media.video import Limits, probe, stream_frames
from procvid.memory.clip_list import ListedClip
from procvid.types import Frames, Image

MAX_HELD = 32
MAX_HELD_BYTES = 256 * 1024 * 1024
BATCH = 16
POLL_S = 0.1

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class ClipFrames:
    """Decoded frames of a clip, spread evenly over it.

    Attributes:
        clip: The clip.
        frames: uint8 (T, H, W, 3) RGB.
        times_s: The time of each frame in seconds.
        whole: True if these are all frames to search. Else `batches` decodes the others.
        sample_fps: Frames per second to search.
        limits: Limits of the video.
    """

    clip: ListedClip
    frames: Frames
    times_s: tuple[float, ...]
    whole: bool
    sample_fps: float
    limits: Limits

    def batches(self) -> Iterator[tuple[list[Image], list[float]]]:
        """Yield all frames to search with their times, `BATCH` at once, decoded ahead."""
        if self.whole:
            yield from _batched(zip(self.times_s, self.frames, strict=True), self.frames[0].nbytes)
            return
        clip = self.clip
        frames = stream_frames(clip.file, clip.start_s, clip.end_s, self.sample_fps, self.limits)
        yield from ahead(_batched(frames, self.frames[0].nbytes), 1)


def read_clip_frames(clip: ListedClip, sample_fps: float, limits: Limits) -> ClipFrames:
    """Decode the frames that the scene reader names the objects by.

    Raises:
        InputError: The video cannot be read, is over a limit, or has no frames in this span.
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
            # The video is longer than its header declares, so the other frames are streamed.
            whole = False
            break
        times_s.append(time_s)
        frames.append(frame)
    if not frames:
        raise InputError(
            f"The video {clip.file.name} has no frames from {clip.start_s:g} s"
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


def ahead(values: Iterable[Value], depth: int = 2) -> Iterator[Value]:
    """Yield the same values in the same order, with up to `depth` of them computed ahead in a thread.

    An error of the thread is raised at the same position. Closing this iterator stops the thread.
    """
    made: Queue[tuple[bool, Value | BaseException | None]] = Queue(maxsize=depth)
    stop = threading.Event()

    def put(item: tuple[bool, Value | BaseException | None]) -> bool:
        while not stop.is_set():
            try:
                made.put(item, timeout=POLL_S)
                return True
            except Full:
                continue
        return False

    def make() -> None:
        try:
            for value in values:
                if not put((True, value)):
                    return
            put((False, None))
        except BaseException as error:
            put((False, error))

    maker = threading.Thread(target=make, name="decode ahead", daemon=True)
    maker.start()
    try:
        while True:
            is_value, item = made.get()
            if is_value:
                yield item  # type: ignore[misc]
            elif isinstance(item, BaseException):
                raise item
            else:
                return
    finally:
        stop.set()
        while maker.is_alive():
            try:
                made.get_nowait()
            except Empty:
                maker.join(POLL_S)
