"""Read HowTo100M (Miech et al., 2019): `HowTo100M_v1.csv`, `task_ids.csv` and a caption file.

The captions are `raw_caption.json`, or the sentences of Han et al. (2022)
(`sentencified_htm_*.json`). Both have the form `{video_id: {"start": [], "end": [], "text": []}}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

from procvid.data.readers.annotations import YOUTUBE, entries, table, timed_text
from procvid.data.source import Source, VideoFolder
from procvid.errors import InputError
from procvid.storage.text import lines_of
from procvid.types import TimedText

INDEX = "HowTo100M_v1.csv"
TASKS = "task_ids.csv"
FOOD = "Food and Entertaining"


def read_howto100m(
    folder: Path, videos: VideoFolder, captions: Path | None = None, category: str = FOOD
) -> Iterator[Source]:
    """Yield the videos of a category in the order of the caption file, then those without captions.

    Args:
        folder: The folder of the tables.
        videos: The downloaded videos, named by their ids.
        captions: The caption file. Default: the one in the folder, sentences before raw captions.
        category: Value of `category_1` in the table, or "" for all.

    Raises:
        InputError: A file is missing or damaged.
    """
    titles = _titles(folder, category)
    for video_id, value in entries(captions or _captions(folder)):
        title = titles.pop(video_id, None)
        if title is not None:
            cues = _cues(value)
            fault = "The captions are damaged." if cues is None else ""
            yield _source(video_id, videos, title, cues or (), fault)
    for video_id, title in sorted(titles.items()):
        yield _source(video_id, videos, title, (), "The video has no captions.")


def _source(
    video_id: str, videos: VideoFolder, title: str, cues: tuple[TimedText, ...], fault: str
) -> Source:
    url = f"{YOUTUBE}{video_id}"
    return Source(video_id, videos.find(video_id), title, cues, url=url, fault=fault)


def _titles(folder: Path, category: str) -> dict[str, str]:
    tasks: dict[str, str] = {}
    if (folder / TASKS).is_file():
        for line in lines_of((folder / TASKS).read_text("utf-8", errors="replace")):
            # The published file has tabs, copies have commas, and a name may contain commas.
            number, _, name = line.replace("\t", ",", 1).partition(",")
            tasks[number.strip()] = name.strip()
    columns = ("video_id", "category_1", "task_id")
    return {
        row["video_id"]: tasks.get(row["task_id"], "")
        for row in table(folder / INDEX, columns)
        if row["video_id"] and category in ("", row["category_1"])
    }


def _captions(folder: Path) -> Path:
    for pattern in ("sentencified_htm_*.json", "raw_caption.json", "caption.json"):
        for path in sorted(folder.glob(pattern)):
            return path
    raise InputError(
        f"The folder {folder} has no captions.", "Add raw_caption.json, or give --transcripts."
    )


def _cues(value: object) -> tuple[TimedText, ...] | None:
    """Return the cues, or None if they are damaged."""
    known: dict[str, Any] = value if isinstance(value, dict) else {}
    columns = [known.get(name) for name in ("start", "end", "text")]
    lists = [column for column in columns if isinstance(column, list)]
    if len(lists) != len(columns):
        return None
    return tuple(timed_text(*cue) for cue in zip_longest(*lists))
