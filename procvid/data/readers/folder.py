"""Read a plain folder of videos with subtitles of the same name (`a.mp4`, `a.vtt` or `a.en.srt`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from procvid.data.source import Source, VideoFolder
from procvid.data.subtitles import SUFFIXES, read_subtitles
from procvid.errors import InputError
from procvid.storage.names import composed

LANGUAGE = re.compile(
    r"(?:[a-z]{2,3}(?:[-_][a-z0-9]{1,8}){0,3}|english|spanish|german|french|italian|portuguese|"
    r"russian|japanese|korean|chinese|auto|forced|default)(?:\.(?:auto|forced|default|sdh|cc|hi))?"
)
"""A language in a file name: a code as in BCP 47 or a name, perhaps with the kind of subtitles."""


def read_folder(videos: VideoFolder) -> Iterator[Source]:
    """Yield the videos in order of their ids. `fault` is set if the subtitles are unusable.

    Raises:
        InputError: The folder has no video.
    """
    if not videos.files:
        raise InputError(
            f"The folder {videos.root} has no videos.", "Choose a folder with mp4 or mkv files."
        )
    by_folder: dict[str, list[str]] = {}
    for name in videos.files.values():
        by_folder.setdefault(str(PurePosixPath(name).parent), []).append(name)
    beside = {
        folder: _Subtitles(videos.root / folder, names) for folder, names in by_folder.items()
    }
    for video_id, name in sorted(videos.files.items()):
        subtitles = beside[str(PurePosixPath(name).parent)].of(videos.root / name)
        title = PurePosixPath(name).stem.replace("_", " ").replace("-", " ")
        try:
            if subtitles is None:
                raise InputError("The video has no subtitles beside it.")
            cues = read_subtitles(subtitles)
        except InputError as error:
            yield Source(video_id, name, title, fault=str(error))
        else:
            yield Source(video_id, name, title, cues)


class _Subtitles:
    """The subtitle files of a folder, by the name of the video they belong to."""

    def __init__(self, folder: Path, videos: Iterable[str]) -> None:
        owners = {name: composed(Path(video).stem) for video in videos for name in _names(video)}
        self._of: dict[str, list[tuple[bool, bool, Path]]] = {}
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in SUFFIXES:
                name = composed(path.stem)
                # The longest name wins: soup.part2.srt belongs to soup.part2.mp4, not to soup.mp4.
                owner = max(
                    (own for own in _beginnings(name) if own in owners), default="", key=len
                )
                rest = name[len(owner) + 1 :].lower()
                if owner and (not rest or LANGUAGE.fullmatch(rest)):
                    rank = (rest != "", not rest.startswith("en"), path)
                    self._of.setdefault(owners[owner], []).append(rank)

    def of(self, video: Path) -> Path | None:
        """Return the subtitles of a video: without a language first, then English ones."""
        found = self._of.get(composed(video.stem))
        return min(found)[2] if found else None


def _names(video: str) -> tuple[str, str]:
    """Return the names that subtitles of a video begin with: `soup` and `soup.mp4`."""
    path = Path(video)
    return composed(path.stem), composed(path.name)


def _beginnings(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
