"""Which reader a source needs, seen from its files."""

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
    """Where videos and their annotations lie.

    Attributes:
        path: A folder, or YouCook2's file.
        format: One of `settings.COLLECTION_FORMATS`.
        videos: The folder of the videos; by default `path`, or its folder.
        captions: Of HowTo100M: another file of captions.
        category: Of HowTo100M; "" for all.
    """

    path: Path
    format: str = "auto"
    videos: Path | None = None
    captions: Path | None = None
    category: str = howto100m.FOOD

    @property
    def root(self) -> Path:
        """The folder that all video files are below."""
        return self.videos or (self.path if self.path.is_dir() else self.path.parent)

    @property
    def chosen(self) -> str:
        """The format, guessed from the files' names where it was not told."""
        if self.format != "auto":
            return self.format
        if self.path.is_file() or (self.path / youcook2.FILE).is_file():
            return "youcook2"
        if (self.path / howto100m.INDEX).is_file():
            return "howto100m"
        return "ht-step" if (self.path / ht_step.FILE).is_file() else "folder"

    def read(self) -> Iterator[Source]:
        """The videos one by one, in any order.

        Raises:
            InputError: what is there is not of this format.
        """
        if not self.path.exists():
            raise InputError(f"There is no {self.path}.", "Check its name.")
        videos = VideoFolder(self.root)
        match self.chosen:
            case "folder":
                return folder.read_folder(videos)
            case "howto100m":
                return howto100m.read_howto100m(self.path, videos, self.captions, self.category)
            case "youcook2":
                file = self.path / youcook2.FILE if self.path.is_dir() else self.path
                return youcook2.read_youcook2(file, videos)
            case "ht-step":
                return ht_step.read_ht_step(self.path, videos)
            case other:
                raise InputError(
                    f"There is no reader of {other!r}.",
                    f"Choose one of {', '.join(COLLECTION_FORMATS)}.",
                )
