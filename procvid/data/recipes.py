"""Read the videos of a curation as recipes: each video's steps, in the order of their times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from procvid.data.source import Row
from procvid.errors import InputError
from procvid.types import Recipe

SOURCES, ACTIONS = "sources.jsonl", "actions.jsonl"


def is_curation(folder: Path) -> bool:
    """Return True for the output folder of `procvid curate`."""
    return (folder / ACTIONS).is_file()


def curated_recipes(folder: Path) -> Iterator[Recipe]:
    """Yield each video as a recipe, with all steps of its speech or annotations.

    Steps without a good clip count too: people did them.

    Raises:
        InputError: A file of the curation is missing or damaged.
    """
    titles = {row["video_id"]: row["title"] for row in _rows(folder / SOURCES, "title")}
    actions = _rows(folder / ACTIONS, "start_s", "end_s", "text")
    for video_id, rows in groupby(actions, key=lambda row: row["video_id"]):
        ordered = sorted(rows, key=lambda row: (row["start_s"], row["end_s"]))
        texts = tuple(dict.fromkeys(str(row["text"]) for row in ordered))
        yield Recipe(titles.get(video_id) or str(video_id), texts)


def _rows(file: Path, *names: str) -> Iterator[Row]:
    try:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if not isinstance(row, dict) or not {"video_id", *names} <= set(row):
                    raise ValueError("a field is missing")
                yield row
    except (OSError, ValueError) as error:
        raise InputError(
            f"The curation file {str(file)!r} cannot be read.", "Run `procvid curate` again."
        ) from error
