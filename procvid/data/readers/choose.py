"""Choose the reader of a collection by its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from procvid.data.readers import folder, howto100m, ht_step, youcook2
from procvid.data.source import Source, VideoFolder
from procvid.errors import InputError
from procvid.settings import COLLECTION_FORMATS


@dataclass(frozen=True)
class Collection:
    """The location of videos and their annotations.

    Attributes:
        path: A folder, or the file of YouCook2.
        format: One of `settings.COLLECTION_FORMATS`.
        videos: The folder of the videos. Default: `path`, or the folder of that file.
        captions: Another caption file, for HowTo100M.
        category: Category of HowTo100M, or "" for all.
    """

    path: Path
    format: str = "auto"
    videos: Path | None = None
    captions: Path | None = None
    category: str = howto100m.FOOD

    @property
    def root(self) -> Path:
        """Return the folder that contains all videos."""
        return self.videos or (self.path if self.path.is_dir() else self.path.parent)

    @property
    def chosen(self) -> str:
        """Return the format. "auto" is resolved by the names of the files."""
        if self.format != "auto":
            return self.format
        if self.path.is_file() or (self.path / youcook2.FILE).is_file():
            return "youcook2"
        if (self.path / howto100m.INDEX).is_file():
            return "howto100m"
        return "ht-step" if (self.path / ht_step.FILE).is_file() else "folder"

    def read(self) -> Iterator[Source]:
        """Return the videos in any order, including further files of one id, which are unusable.

        Raises:
            InputError: The files do not have this format.
        """
        if not self.path.exists():
            raise InputError(f"{self.path} does not exist.", "Check the path.")
        videos = VideoFolder(self.root)
        if self.chosen == "folder":
            return folder.read_folder(videos)
        return _with_others(self._annotated(videos), videos)

    def _annotated(self, videos: VideoFolder) -> Iterator[Source]:
        match self.chosen:
            case "howto100m":
                return howto100m.read_howto100m(self.path, videos, self.captions, self.category)
            case "youcook2":
                file = self.path / youcook2.FILE if self.path.is_dir() else self.path
                return youcook2.read_youcook2(file, videos)
            case "ht-step":
                return ht_step.read_ht_step(self.path, videos)
            case other:
                raise InputError(
                    f"Unknown format {other!r}.",
                    f"Choose one of {', '.join(COLLECTION_FORMATS)}.",
                )


def _with_others(sources: Iterator[Source], videos: VideoFolder) -> Iterator[Source]:
    """Yield the sources, and after them each further file that has the id of one of them."""
    others = []
    for source in sources:
        yield source
        others += [(other, source.file) for other in videos.others(source.video_id)]
    for other, first in others:
        fault = f"The video has the id of {first!r}, which is used instead."
        yield Source(other, other, fault=fault)
