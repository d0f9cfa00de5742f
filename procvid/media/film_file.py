"""Write a film: frames, sound, chapters and metadata in one mp4 file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer

from procvid.media.ai_mark import add_to_mp4
from procvid.media.encode import AI_GENERATED, encode_frame, h264_stream, mp4_file, yuv_frame
from procvid.media.sound import RATE_HZ, stereo_frames
from procvid.storage.atomic import output_errors
from procvid.types import Image, Samples

if TYPE_CHECKING:
    from av.container.core import Chapter

SOUND_BITS_PER_S = 128_000
FILM_CRF = 20
"""Films are shared; the run keeps its clips near lossless."""


@dataclass(frozen=True)
class FilmTags:
    """Chapters as `(start_s, end_s, title)`, and the metadata of the container."""

    chapters: Sequence[tuple[float, float, str]]
    metadata: Mapping[str, str]


def write_film(
    path: Path,
    frames: Iterable[Image],
    size: tuple[int, int],
    fps: Fraction,
    tags: FilmTags,
    sound: Samples | None = None,
) -> None:
    """Write a film as h264 and AAC mp4, marked as made by AI, atomically.

    Args:
        path: The file.
        frames: uint8 (H, W, 3) RGB, all of one even size.
        size: Width and height of the frames.
        fps: Frames per second.
        tags: Chapters and metadata.
        sound: Mono samples at `RATE_HZ`; None for a silent film.

    Raises:
        OutputError: The file cannot be written. Nothing of it is left.
    """
    with mp4_file(path) as container:
        container.metadata.update({**tags.metadata, **AI_GENERATED})
        container.set_chapters([_chapter(number, *one) for number, one in enumerate(tags.chapters)])
        video = h264_stream(container, *size, fps, crf=FILM_CRF, preset="fast")
        audio = None if sound is None else _aac_stream(container)
        blocks = iter(()) if sound is None else stereo_frames(sound)
        for number, frame in enumerate(frames):
            encode_frame(container, video, yuv_frame(frame, number, fps))
            # The sound follows the picture, or the file buffers all of one of them.
            if audio is not None:
                _encode_until(container, audio, blocks, float((number + 1) / fps))
        encode_frame(container, video)
        if audio is not None:
            _encode_until(container, audio, blocks, float("inf"))
            for packet in audio.encode(None):
                container.mux(packet)
    with output_errors(path):
        add_to_mp4(path)


def _chapter(number: int, start_s: float, end_s: float, title: str) -> Chapter:
    return {
        "id": number,
        "start": round(start_s * 1000),
        "end": round(end_s * 1000),
        "time_base": Fraction(1, 1000),
        "metadata": {"title": title},
    }


def _aac_stream(container: OutputContainer) -> AudioStream:
    stream = container.add_stream("aac", rate=RATE_HZ, layout="stereo")
    stream.bit_rate = SOUND_BITS_PER_S
    return stream


def _encode_until(
    container: OutputContainer, stream: AudioStream, blocks: Iterator[AudioFrame], end_s: float
) -> None:
    for block in blocks:
        for packet in stream.encode(block):
            container.mux(packet)
        assert block.pts is not None
        if (block.pts + block.samples) / RATE_HZ >= end_s:
            return
