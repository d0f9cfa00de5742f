"""Read YouCook2 (Zhou et al., 2018): `youcookii_annotations_trainval.json`, steps by annotators."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from procvid.data.readers.annotations import YOUTUBE, entries, segments
from procvid.data.source import Source, VideoFolder

FILE = "youcookii_annotations_trainval.json"


def read_youcook2(file: Path, videos: VideoFolder) -> Iterator[Source]:
    """Yield the annotated videos in the order of the file.

    Raises:
        InputError: The file is missing or damaged.
    """
    for video_id, value in entries(file, "database"):
        known = value if isinstance(value, dict) else {}
        steps = segments(known.get("annotations"), lambda row: row.get("sentence"))
        yield Source(
            video_id,
            videos.find(video_id),
            actions=steps,
            url=str(known.get("video_url") or f"{YOUTUBE}{video_id}"),
            fault="" if steps else "The video has no annotated steps.",
        )
