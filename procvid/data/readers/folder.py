"""Read a plain folder of videos with subtitles of the same name (`a.mp4`, `a.vtt` or `a.en.srt`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from procvid.data.source import Source, VideoFolder
from procvid.data.subtitles import SUFFIXES, read_subtitles
from procvid.errors import InputError


def read_folder(videos: VideoFolder) -> Iterator[Source]:
    """Yield the videos in order of their ids. `fault` is set if the subtitles are unusable.

    Raises:
        InputError: The folder has no video.
    """
    if not videos.files:
        raise InputError(
            f"The folder {videos.root} has no videos.", "Choose a folder with mp4 or mkv files."
        )
    for video_id, name in sorted(videos.files.items()):
        subtitles = _beside(videos.root / name)
        title = video_id.replace("_", " ").replace("-", " ")
        try:
            if subtitles is None:
                raise InputError("The video has no subtitles beside it.")
            cues = read_subtitles(subtitles)
        except InputError as error:
            yield Source(video_id, name, title, fault=str(error))
        else:
            yield Source(video_id, name, title, cues)


def _beside(video: Path) -> Path | None:
    """Return the subtitles of a video, English ones first."""
    stem = video.stem
    found = [
        path
        for path in sorted(video.parent.iterdir())
        if path.suffix.lower() in SUFFIXES
        and (path.stem == stem or path.stem.rpartition(".")[0] == stem)
    ]
    found.sort(key=lambda path: (path.stem != stem, ".en" not in path.stem))
    return found[0] if found else None
