"""Read HT-Step (Afouras et al., 2023): `annotations.json`, with step numbers of `taxonomy.csv`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from procvid.data.readers.annotations import YOUTUBE, entries, segments, table
from procvid.data.source import Source, VideoFolder

FILE = "annotations.json"
TAXONOMY = "taxonomy.csv"


def read_ht_step(folder: Path, videos: VideoFolder) -> Iterator[Source]:
    """Yield the annotated videos in the order of the file. The text of a step is its headline.

    Raises:
        InputError: A file is missing or damaged.
    """
    columns = ("global_step_index", "headline")
    steps = {row["global_step_index"]: row["headline"] for row in table(folder / TAXONOMY, columns)}
    for video_id, value in entries(folder / FILE):
        known = value if isinstance(value, dict) else {}
        found = segments(known.get("annotations"), lambda row: steps.get(str(row.get("id"))))
        yield Source(
            video_id,
            videos.find(video_id),
            title=str(known.get("activity") or ""),
            actions=found,
            url=f"{YOUTUBE}{video_id}",
            fault="" if found else "The video has no annotated steps.",
        )
