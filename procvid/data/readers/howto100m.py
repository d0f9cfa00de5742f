"""Read HowTo100M (Miech et al., 2019): `HowTo100M_v1.csv`, `task_ids.csv` and a caption file.

The captions are `raw_caption.json`, or the sentences of Han et al. (2022)
(`sentencified_htm_*.json`). Both have the form `{video_id: {"start": [], "end": [], "text": []}}`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from procvid.data.readers.annotations import YOUTUBE, entries, table, timed_text
from procvid.data.source import Source, VideoFolder
from procvid.errors import InputError
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
            fault = "" if isinstance(value, dict) else "The captions are damaged."
            cues = _cues(value) if isinstance(value, dict) else ()
            yield _source(video_id, videos, title, cues, fault)
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
        lines = (folder / TASKS).read_text("utf-8", errors="replace").splitlines()
        for line in lines:
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


def _cues(value: dict[str, Any]) -> tuple[TimedText, ...]:
    columns = [value.get(name) for name in ("start", "end", "text")]
    if not all(isinstance(column, list) for column in columns):
        return ()
    cues = (timed_text(*cue) for cue in zip(*columns))  # noqa: B905
    return tuple(cue for cue in cues if cue is not None)
