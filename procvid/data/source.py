"""A video with what is known of it, as every reader gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procvid.types import TimedText

Row = dict[str, Any]
"""One JSON object; a stage reads and writes them."""

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov")


@dataclass(frozen=True)
class Source:
    """One video of a collection.

    Attributes:
        video_id: Unique in the collection.
        file: Relative to the videos' folder; "" where the video is missing.
        title: Of the video, or the task that it was found for.
        cues: What is said.
        actions: Steps that people annotated; None where they are still to be found.
        licence: Of the video, or "".
        url: Where it comes from, or "".
        fault: Why it cannot be used though it is there, or "".
    """

    video_id: str
    file: str
    title: str = ""
    cues: tuple[TimedText, ...] = ()
    actions: tuple[TimedText, ...] | None = None
    licence: str = ""
    url: str = ""
    fault: str = ""


class VideoFolder:
    """The videos below a folder by their name without suffix, which is their id.

    Args:
        root: Searched with all folders in it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        found: dict[str, str] = {}
        if root.is_dir():
            for path in sorted(root.rglob("*")):
                if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith("."):
                    found.setdefault(path.stem, path.relative_to(root).as_posix())
        self.files: Mapping[str, str] = found

    def find(self, video_id: str) -> str:
        """The file of an id, relative to the folder; "" when there is none."""
        return self.files.get(video_id, "")


def timed(rows: Sequence[Sequence[Any]]) -> tuple[TimedText, ...]:
    """`[[start_s, end_s, text], ...]` of a JSON file as values."""
    return tuple(TimedText(float(start), float(end), str(text)) for start, end, text in rows)


def triples(texts: Sequence[TimedText]) -> list[list[Any]]:
    """The other way round."""
    return [[text.start_s, text.end_s, text.text] for text in texts]
