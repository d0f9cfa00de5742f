"""Read and write videos: the public names of `decode` and `encode`."""

from __future__ import annotations

from procvid.media.decode import (
    DEFAULT_LIMITS,
    Limits,
    VideoFacts,
    probe,
    read_chapters,
    read_clip,
    read_metadata,
    stream_frames,
)
from procvid.media.encode import AI_GENERATED, join_clips, write_clip

__all__ = [
    "AI_GENERATED",
    "DEFAULT_LIMITS",
    "Limits",
    "VideoFacts",
    "join_clips",
    "probe",
    "read_chapters",
    "read_clip",
    "read_metadata",
    "stream_frames",
    "write_clip",
]
