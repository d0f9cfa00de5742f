"""A video with its captions and annotations, as every reader returns it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procvid.types import TimedText

Row = dict[str, Any]
"""One JSON object, the unit that stages read and write."""

VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm", ".mov")


@dataclass(frozen=True)
class Source:
    """One video of a collection.

    Attributes:
        video_id: Unique id in the collection.
        file: Path relative to the videos folder, or "" if the video is missing.
        title: Title of the video, or the task it belongs to.
        cues: The speech.
        actions: Annotated steps, or None if they must be found in the speech.
        licence: Licence of the video, or "".
        url: Address of the video, or "".
        fault: Why the video is unusable although it exists, or "".
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
    """The videos below a folder. Their name without suffix is their id.

    Args:
        root: The folder, searched recursively.
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
        """Return the file of an id, relative to the folder, or ""."""
        return self.files.get(video_id, "")


def timed(rows: Sequence[Sequence[Any]]) -> tuple[TimedText, ...]:
    """Return `[[start_s, end_s, text], ...]` from JSON as values."""
    return tuple(TimedText(float(start), float(end), str(text)) for start, end, text in rows)


def triples(texts: Sequence[TimedText]) -> list[list[Any]]:
    """Return timed texts as `[[start_s, end_s, text], ...]` for JSON."""
    return [[text.start_s, text.end_s, text.text] for text in texts]
