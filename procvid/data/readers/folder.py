"""A plain folder: videos, each with subtitles of the same name (`a.mp4` with `a.vtt` or `a.en.srt`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from procvid.data.source import Source, VideoFolder
from procvid.data.subtitles import SUFFIXES, read_subtitles
from procvid.errors import InputError


def read_folder(videos: VideoFolder) -> Iterator[Source]:
    """The videos in the order of their ids; one without usable subtitles says so in `fault`.

    Raises:
        InputError: there is no video.
    """
    if not videos.files:
        raise InputError(
            f"There is no video in the folder {videos.root}.", "Give a folder of mp4 or mkv files."
        )
    for video_id, name in sorted(videos.files.items()):
        subtitles = _beside(videos.root / name)
        title = video_id.replace("_", " ").replace("-", " ")
        try:
            if subtitles is None:
                raise InputError("It has no subtitles beside it.")
            cues = read_subtitles(subtitles)
        except InputError as error:
            yield Source(video_id, name, title, fault=str(error))
        else:
            yield Source(video_id, name, title, cues)


def _beside(video: Path) -> Path | None:
    """The subtitles of a video; of several languages English ones."""
    stem = video.stem
    found = [
        path
        for path in sorted(video.parent.iterdir())
        if path.suffix.lower() in SUFFIXES
        and (path.stem == stem or path.stem.rpartition(".")[0] == stem)
    ]
    found.sort(key=lambda path: (path.stem != stem, ".en" not in path.stem))
    return found[0] if found else None
