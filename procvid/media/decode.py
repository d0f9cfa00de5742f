"""Read videos within limits, because a file of a few kilobytes can hold days of 8K video.

The declared size, rate and duration are checked before decoding. Frames, bytes and wall time are
counted while decoding. Only the mov/mp4 and Matroska/WebM readers and local files are allowed, so a
playlist cannot point elsewhere.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from procvid.errors import InputError
from procvid.media.hdr import ToneMapper, needs_tone_mapping
from procvid.types import Clip, Image

OPTIONS = {"format_whitelist": "mov,matroska,webm", "protocol_whitelist": "file"}
STILLS = Disposition.attached_pic | Disposition.timed_thumbnails
"""Marks of streams that are no film."""

WHAT_TO_GIVE = "Give an mp4, mov, mkv or webm file with a video track."


@dataclass(frozen=True)
class Limits:
    """Upper limits of a video. The defaults need 3 GB of free memory.

    `max_frames` and `max_decoded_bytes` limit what is in memory at once, `max_wall_s` the decoding
    time. `stream_frames` applies only `max_wall_s` of these three.
    """

    max_file_bytes: int = 8 * 1024**3
    max_pixels: int = 4096 * 2304
    max_fps: float = 240.0
    max_duration_s: float = 6 * 3600.0
    max_frames: int = 2_000
    max_decoded_bytes: int = 1024**3
    max_wall_s: float = 120.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class VideoFacts:
    """The facts that a video file declares.

    `width` counts square pixels. Frames are shown with width and height exchanged if the file turns
    them. `num_frames` is estimated if it is not declared.
    """

    width: int
    height: int
    fps: float
    num_frames: int
    duration_s: float


def probe(path: Path, limits: Limits = DEFAULT_LIMITS) -> VideoFacts:
    """Return the declared size, rate, frames and duration without decoding.

    Raises:
        InputError: The file is missing, damaged or over a limit, or has no video.
    """
    with opened(Path(path), limits) as (_, __, facts):
        return facts


def read_metadata(path: Path) -> dict[str, str]:
    """Return the container's metadata as `write_clip` wrote it, without the mp4 brands.

    Raises:
        InputError: The file is missing or damaged, or has no video.
    """
    with opened(Path(path), DEFAULT_LIMITS) as (container, _, __):
        brands = {"major_brand", "minor_version", "compatible_brands"}
        return {key: value for key, value in container.metadata.items() if key not in brands}


def read_chapters(path: Path) -> list[tuple[float, float, str]]:
    """Return the chapters of a video as `(start_s, end_s, title)`.

    Raises:
        InputError: The file is missing or damaged, or has no video.
    """
    with opened(Path(path), DEFAULT_LIMITS) as (container, _, __):
        found = []
        for chapter in container.chapters():
            unit = chapter["time_base"] or Fraction(1, 1000)
            title = chapter["metadata"].get("title", "")
            found.append((float(chapter["start"] * unit), float(chapter["end"] * unit), title))
        return found


def read_clip(path: Path, limits: Limits = DEFAULT_LIMITS, *, downscale: int = 1) -> Clip:
    """Decode a whole short video: frames uint8 (T, H, W, 3) RGB, rate rounded to whole fps.

    Args:
        path: An mp4, mov, mkv or webm file.
        limits: Upper limits of the video.
        downscale: Average frames over blocks of this many pixels each way, which reverses the
            `scale` of `write_clip`. The frame's sides must be divisible by it.

    Raises:
        InputError: The file is missing, damaged or over a limit, or has no video.
    """
    path = Path(path)
    frames: list[Image] = []
    num_bytes = 0
    with opened(path, limits) as (container, stream, facts):
        screen = Screen(stream, limits)
        for frame in decoded(container, stream, path, limits):
            image = block_mean(screen.rgb(frame), downscale, path.name)
            num_bytes += image.nbytes
            if len(frames) >= limits.max_frames or num_bytes > limits.max_decoded_bytes:
                raise InputError(
                    f"The video {path.name} has more than {len(frames)} frames, too many to read.",
                    "Cut it shorter.",
                )
            if frames and image.shape != frames[0].shape:
                raise InputError(
                    f"The video {path.name} changes its size after {len(frames)} frames.",
                    "Re-encode it at one size.",
                )
            frames.append(image)
    if not frames:
        raise InputError(f"The video {path.name} has no frames.", WHAT_TO_GIVE)
    return Clip(frames=np.stack(frames), fps=max(1, round(facts.fps)))


def stream_frames(
    path: Path,
    start_s: float = 0.0,
    end_s: float | None = None,
    sample_fps: float = 2.0,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[tuple[float, Image]]:
    """Yield `(time_s, frame)` of a part of a video, at most `sample_fps` a second, one at a time.

    The first frame at or after each tick `start_s + k / sample_fps` is yielded. `time_s` counts from
    the start of the video. The whole video is never in memory.

    Raises:
        InputError: The file is missing, damaged or over a limit, has no video, or the span is empty.
    """
    path = Path(path)
    end = float("inf") if end_s is None else end_s
    if not (0 <= start_s < end and sample_fps > 0):
        raise InputError(
            f"The span {start_s} s to {end_s} s at {sample_fps} frames per second is empty.",
            "Give a start of 0 s or later, an end after it and a rate above 0.",
        )
    with opened(path, limits) as (container, stream, _):
        origin, screen = _origin(stream), Screen(stream, limits)
        if start_s > 0 and stream.time_base:
            with readable(path):
                container.seek(int((start_s + origin) / stream.time_base), stream=stream)
        ticks = 0
        for frame in decoded(container, stream, path, limits):
            time_s = float(frame.time or 0.0) - origin
            if time_s >= end:
                return
            # Container clocks round, so allow half a millisecond.
            if time_s + 5e-4 < start_s + ticks / sample_fps:
                continue
            yield time_s, screen.rgb(frame)
            ticks = int((time_s - start_s + 5e-4) * sample_fps) + 1


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[tuple[InputContainer, VideoStream, VideoFacts]]:
    """Open a video within `limits`, and yield its container, first film and facts."""
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise InputError(
            f"The video file {path.name[:60]!r} cannot be read ({error.strerror}).",
            "Check its name.",
        ) from error
    if size is None:
        raise InputError(f"The video file {path} does not exist.", "Check the path.")
    if size == 0:
        raise InputError(f"The video {path.name} is empty.", WHAT_TO_GIVE)
    _allow(path, size <= limits.max_file_bytes, f"is {size:,} bytes large")
    with readable(path):
        # The prefix "file:" keeps FFmpeg from reading a name such as "concat:a|b" as a protocol.
        container = av.open(f"file:{path.absolute()}", "r", options=OPTIONS)
    with container:
        # Cover art is a still image in a video stream.
        films = [s for s in container.streams.video if not s.disposition & STILLS]
        if not films:
            raise InputError(f"The file {path.name} has no video track.", WHAT_TO_GIVE)
        stream = films[0]
        if stream.codec_context is None:
            raise InputError(
                f"The video {path.name} uses an unsupported codec.",
                "Re-encode it as h264 in an mp4 file.",
            )
        facts = _facts(container, stream)
        _allow(path, facts.width > 0 and facts.height > 0, "declares no size")
        pixels = facts.width * facts.height
        _allow(path, pixels <= limits.max_pixels, f"is {facts.width}x{facts.height} pixels large")
        _allow(path, facts.fps <= limits.max_fps, f"declares {facts.fps:.0f} frames per second")
        _allow(path, facts.duration_s <= limits.max_duration_s, f"lasts {facts.duration_s:.0f} s")
        # The bitstream may declare another size than the container, so the decoder has the limit too.
        stream.codec_context.options = {"max_pixels": str(limits.max_pixels)}
        yield container, stream, facts


class Screen:
    """Turns the decoded frames of a video into the images that a player shows.

    Pixels that are not square are stretched, frames are turned and mirrored as the file asks, and
    HDR is mapped to SDR.

    Args:
        stream: The stream of the frames.
        limits: Upper limits of the video.
    """

    def __init__(self, stream: VideoStream, limits: Limits = DEFAULT_LIMITS) -> None:
        self._aspect = _aspect(stream)
        self._max_pixels = limits.max_pixels
        self._mapper: ToneMapper | None = None

    def rgb(self, frame: VideoFrame) -> Image:
        """Return a decoded frame as uint8 (H, W, 3) RGB.

        Raises:
            InputError: The frame with square pixels is over the limit.
        """
        matrix = _display_matrix(frame)
        width = _shown_width(frame.width, self._aspect)
        if width * frame.height > self._max_pixels:
            raise InputError(
                f"A frame of {width}x{frame.height} pixels is over the limit.",
                "Give a smaller video.",
            )
        if needs_tone_mapping(frame):
            frame = self._sdr(frame)
        if width != frame.width:
            frame = frame.reformat(width, frame.height, "rgb24", interpolation="LANCZOS")
        # One thread: FFmpeg starts its threads anew for each frame, which takes longer than the work.
        image = np.asarray(frame.to_ndarray(format="rgb24", threads=1), dtype=np.uint8)
        return image if matrix is None else _oriented(image, matrix)

    def _sdr(self, frame: VideoFrame) -> VideoFrame:
        if self._mapper is None or not self._mapper.fits(frame):
            self._mapper = ToneMapper(frame)
        return self._mapper.map(frame)


def _aspect(stream: VideoStream) -> Fraction:
    """Return the width of a pixel over its height, 1 if it is not declared."""
    aspect = stream.sample_aspect_ratio
    return Fraction(aspect) if aspect and aspect > 0 else Fraction(1)


def _shown_width(width: int, aspect: Fraction) -> int:
    return max(1, round(width * aspect))


def _display_matrix(frame: VideoFrame) -> NDArray[np.int32] | None:
    """Return the 2x2 matrix that maps decoded to shown coordinates, or None if there is none."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return None
    return np.frombuffer(data, np.int32).reshape(3, 3)[:2, :2]


def _oriented(image: Image, matrix: NDArray[np.int32]) -> Image:
    """Return the image turned and mirrored by the nearest multiple of 90 degrees.

    A decoded point (x, y) is shown at (a x + c y, b x + d y) for the rows (a, b), (c, d).
    """
    (a, b), (c, d) = matrix.tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, a, d = image.transpose(1, 0, 2), c, b
    if a < 0:
        image = image[:, ::-1]
    if d < 0:
        image = image[::-1]
    return np.ascontiguousarray(image)


def block_mean(image: Image, size: int, name: str = "image") -> Image:
    """Return the rounded average over blocks of `size` x `size` pixels.

    Raises:
        InputError: The sides are not divisible by `size`.
    """
    if size == 1:
        return image
    height, width = image.shape[:2]
    if size < 1 or height % size or width % size:
        raise InputError(
            f"The video {name} of {width}x{height} pixels cannot be reduced by {size}."
        )
    # Whole rows first: NumPy adds long rows fast, and short blocks slowly.
    rows = image.reshape(height // size, size, width * 3).sum(axis=1, dtype=np.uint32)
    sums = rows.reshape(height // size, width // size, size, 3).sum(axis=2)
    return np.asarray(np.rint(sums / np.float32(size * size)), dtype=np.uint8)


def decoded(
    container: InputContainer, stream: VideoStream, path: Path, limits: Limits
) -> Iterator[VideoFrame]:
    """Yield the frames of an open video within the limits of size and time."""
    spent_s = 0.0
    frames = container.decode(stream)
    while True:
        started_s = time.monotonic()
        with readable(path):
            frame = next(frames, None)
        if frame is None:
            return
        decoded_s = time.monotonic() - started_s
        _allow(path, frame.width * frame.height <= limits.max_pixels, "grows beyond its size")
        yield frame
        # The time that the consumer takes does not count.
        spent_s += decoded_s
        _allow(path, spent_s <= limits.max_wall_s, f"took more than {limits.max_wall_s:.0f} s")


def _facts(container: InputContainer, stream: VideoStream) -> VideoFacts:
    fps = float(stream.average_rate or stream.guessed_rate or 0)
    duration_s = 0.0
    if stream.duration and stream.time_base:
        duration_s = float(stream.duration * stream.time_base)
    elif container.duration:
        duration_s = container.duration / 1_000_000
    num_frames = stream.frames or round(duration_s * fps)
    context = stream.codec_context
    width = _shown_width(context.width, _aspect(stream))
    return VideoFacts(width, context.height, fps, num_frames, duration_s)


def _origin(stream: VideoStream) -> float:
    if stream.start_time is None or stream.time_base is None:
        return 0.0
    return float(stream.start_time * stream.time_base)


def _allow(path: Path, allowed: bool, what: str) -> None:
    if not allowed:
        raise InputError(
            f"The video {path.name} {what}, which is over the limit.",
            "Give a shorter or smaller video.",
        )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn errors of FFmpeg into an InputError. Use it only around calls of FFmpeg."""
    try:
        yield
    except (FFmpegError, OSError, ValueError, UnicodeDecodeError) as error:
        raise InputError(
            f"The file {path.name} is not a readable video, or it is damaged.", WHAT_TO_GIVE
        ) from error
