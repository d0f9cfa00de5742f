"""A video with its captions and annotations, as every reader returns it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from procvid.storage.names import composed
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
    """The videos below a folder, each with an id of its own.

    The id is the name without its suffix. Videos that share it, such as `a/x.mp4` and `b/x.mp4`,
    have their path without suffix as id, or their whole path if that is shared too. Ids are in
    composed form (NFC).

    Args:
        root: The folder, searched recursively.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        found: dict[str, str] = {}
        named: dict[str, list[str]] = {}
        for path, video_id in _with_ids(_videos(root)):
            found[video_id] = path
            named.setdefault(composed(Path(path).stem), []).append(path)
        self.files: Mapping[str, str] = found
        self._named = named

    def find(self, video_id: str) -> str:
        """Return the first file with this name, relative to the folder, or ""."""
        return next(iter(self._named.get(composed(video_id), ())), "")

    def others(self, video_id: str) -> Sequence[str]:
        """Return further files of this name, which `find` does not return."""
        return self._named.get(composed(video_id), [])[1:]


def _videos(root: Path) -> list[str]:
    """Return the paths of all videos below a folder, relative to it, in order."""
    paths = sorted(root.rglob("*")) if root.is_dir() else []
    return [
        path.relative_to(root).as_posix()
        for path in paths
        if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith(".")
    ]


def _with_ids(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each path with the shortest id that no other path could have."""
    choices = {
        path: (
            composed(Path(path).stem),
            composed(Path(path).with_suffix("").as_posix()),
            composed(path),
        )
        for path in paths
    }
    count = Counter(choice for ids in choices.values() for choice in set(ids))
    for path, ids in choices.items():
        yield path, next((choice for choice in ids if count[choice] == 1), path)


def timed(rows: Sequence[Sequence[Any]]) -> tuple[TimedText, ...]:
    """Return `[[start_s, end_s, text], ...]` from JSON as values."""
    return tuple(TimedText(float(start), float(end), str(text)) for start, end, text in rows)


def triples(texts: Sequence[TimedText]) -> list[list[Any]]:
    """Return timed texts as `[[start_s, end_s, text], ...]` for JSON."""
    return [[text.start_s, text.end_s, text.text] for text in texts]
