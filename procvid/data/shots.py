"""Find the shots of a video in one pass, which holds a thousand thumbnails and one frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from procvid.data.looks import FrameMeter, FrameSample
from procvid.errors import InputError
from procvid.media.video import Limits, probe, stream_frames
from procvid.protocols import ShotDetector
from procvid.types import Frames

LIMITS = Limits(max_wall_s=3 * 3600.0)
CHUNK, CONTEXT = 1_000, 100
"""Frames per call of a detector, and context frames on both sides of them."""


@dataclass(frozen=True)
class ShotRules:
    """How shots become clips.

    Attributes:
        threshold: Minimum probability of a cut, exclusive, 0 to 1.
        min_clip_s: Shorter shots are left out.
        max_clip_s: Longer shots are split into equal parts of at most this length.
        sample_fps: Frames per second to measure.
    """

    threshold: float = 0.5
    min_clip_s: float = 1.0
    max_clip_s: float = 30.0
    sample_fps: float = 2.0


@dataclass(frozen=True)
class VideoScan:
    """The result of one pass over a video: shots as `(start_s, end_s)`, and measures of frames."""

    width: int
    height: int
    duration_s: float
    shots: tuple[tuple[float, float], ...]
    samples: tuple[FrameSample, ...]
    logo: float


def scan_video(file: Path, detector: ShotDetector, rules: ShotRules) -> VideoScan:
    """Decode a video once, and return its shots and measures.

    Raises:
        InputError: The video cannot be read, is over a limit, or has no frames.
    """
    facts = probe(file, LIMITS)
    looks = FrameMeter()
    cuts = _Cuts(detector)
    times_s: list[float] = []
    next_sample_s = 0.0
    for time_s, frame in stream_frames(file, 0.0, None, LIMITS.max_fps, LIMITS):
        times_s.append(time_s)
        cuts.add(detector.thumbnails(frame[None]))
        if time_s + 5e-4 >= next_sample_s:
            looks.add(time_s, frame)
            next_sample_s = time_s + 1 / rules.sample_fps
    if not times_s:
        raise InputError(f"The video {file.name} has no frames.")
    frame_s = (times_s[-1] - times_s[0]) / max(1, len(times_s) - 1) or 1 / max(1.0, facts.fps)
    ends_s = [*times_s[1:], times_s[-1] + frame_s]
    spans = shots_of(cuts.finish(), rules.threshold)
    return VideoScan(
        facts.width,
        facts.height,
        round(ends_s[-1], 3),
        tuple((round(times_s[a], 3), round(ends_s[b], 3)) for a, b in spans),
        tuple(looks.samples),
        looks.logo(),
    )


class _Cuts:
    """Cut probabilities, computed in chunks. They equal those of the whole video at once."""

    def __init__(self, detector: ShotDetector) -> None:
        self._detector = detector
        self._held: list[Frames] = []
        self._before = 0
        self._found: list[NDArray[np.float32]] = []

    def add(self, thumbnail: Frames) -> None:
        self._held.append(thumbnail)
        if len(self._held) == self._before + CHUNK + CONTEXT:
            self._ask(CHUNK)
            self._held = self._held[self._before + CHUNK - CONTEXT :]
            self._before = CONTEXT

    def finish(self) -> NDArray[np.float32]:
        """Return the probabilities of all frames, float32 (T,)."""
        self._ask(len(self._held) - self._before)
        return np.concatenate(self._found)

    def _ask(self, count: int) -> None:
        wanted = range(self._before, self._before + count)
        if count:
            probabilities = self._detector.probabilities(np.concatenate(self._held), wanted)
            self._found.append(probabilities[self._before : self._before + count])


def shots_of(cuts: NDArray[np.float32], threshold: float) -> list[tuple[int, int]]:
    """Return the first and last frame of each shot.

    Consecutive cut frames are one transition. Its first frame still belongs to the shot.
    """
    found: list[tuple[int, int]] = []
    start: int | None = None
    for index, sure in enumerate(cuts > threshold):
        if start is None and not sure:
            start = index
        elif start is not None and sure:
            found.append((start, index))
            start = None
    if start is not None:
        found.append((start, len(cuts) - 1))
    return found or [(0, len(cuts) - 1)]


def parts(start_s: float, end_s: float, longest_s: float) -> Iterator[tuple[float, float]]:
    """Yield a span in equal parts of at most `longest_s`."""
    count = max(1, math.ceil((end_s - start_s) / longest_s - 1e-9))
    edges = [round(start_s + (end_s - start_s) * k / count, 3) for k in range(count + 1)]
    yield from pairwise(edges)
