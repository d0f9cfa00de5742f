"""Read a curated dataset as clips with captions: a clip list, or the rows and their videos."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from procvid.data.curate import CLIPS
from procvid.data.export import DATASET
from procvid.errors import InputError
from procvid.evaluate.inverse_clips import CaptionedClip
from procvid.memory.clip_list import ListedClip, read_clip_list
from procvid.settings.environment import user_path
from procvid.storage.names import as_on_disk

NO_CAPTIONS = "The dataset has no captions, so the text of each action is used instead."
COLUMNS = ("video_id", "clip", "start_s", "end_s", "text", "caption", "file")
WHAT_TO_GIVE = "Give a folder of `procvid curate`, a clip list, or a dataset with --videos DIR."


def captioned_clips(
    source: Path, videos: Path | None = None
) -> tuple[tuple[CaptionedClip, ...], tuple[str, ...]]:
    """Return the clips of a dataset that have a caption or an action's text, and notes.

    Args:
        source: The output folder of `procvid curate`, its dataset repository, or a clip list.
        videos: Folder of the videos, for a repository without its clip list.

    Raises:
        InputError: The source is none of these, is damaged, or has no clip with a text.
    """
    source = user_path(source)
    if not source.exists():
        raise InputError(f"The dataset {str(source)!r} does not exist.", WHAT_TO_GIVE)
    list_file = source if source.is_file() else source / CLIPS
    if source.name == DATASET and not list_file.is_file():
        list_file = source.parent / CLIPS
    if videos is None and list_file.is_file():
        return _listed(read_clip_list(list_file))
    folder = source / DATASET if (source / DATASET).is_dir() else source
    shards = sorted(folder.glob("data/*.parquet"))
    if not shards:
        raise InputError(f"{str(source)!r} is not a dataset of clips.", WHAT_TO_GIVE)
    if videos is None:
        raise InputError(
            f"The dataset {str(source)!r} has pictures, but not its videos.",
            "Give the folder of the videos with --videos DIR.",
        )
    return _rows(shards, user_path(videos))


def _listed(
    clips: tuple[ListedClip, ...],
) -> tuple[tuple[CaptionedClip, ...], tuple[str, ...]]:
    seen: Counter[str] = Counter()
    found: list[CaptionedClip] = []
    for clip in clips:
        seen[clip.source_id] += 1
        found.append(
            CaptionedClip(
                id=_safe(f"{clip.source_id}-{seen[clip.source_id]:03d}", len(found)),
                group=clip.source_id,
                caption=" ".join(clip.text.split()),
                file=clip.file.absolute(),
                start_s=clip.start_s,
                end_s=clip.end_s,
            )
        )
    only_actions = all(clip.action == clip.text for clip in clips)
    return tuple(found), (NO_CAPTIONS,) if only_actions else ()


def _rows(shards: list[Path], videos: Path) -> tuple[tuple[CaptionedClip, ...], tuple[str, ...]]:
    found: list[CaptionedClip] = []
    without = captions = 0
    for row in _read(shards):
        text = " ".join(str(row["caption"] or row["text"] or "").split())
        if not text:
            without += 1
            continue
        captions += bool(row["caption"])
        found.append(
            CaptionedClip(
                id=_safe(f"{row['video_id']}-{row['clip'] or 0:03d}", len(found)),
                group=str(row["video_id"]),
                caption=text[:2_000],
                file=as_on_disk(videos / str(row["file"])).absolute(),
                start_s=float(row["start_s"]),
                end_s=float(row["end_s"]),
            )
        )
    if not found:
        raise InputError("The dataset has no clip with a caption.", WHAT_TO_GIVE)
    notes = [] if captions else [NO_CAPTIONS]
    if without:
        notes.append(f"{without} clips without a caption were left out.")
    return tuple(found), tuple(notes)


def _read(shards: list[Path]) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for shard in shards:
        try:
            yield from pq.read_table(shard, columns=list(COLUMNS)).to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"The file {shard.name} is damaged or not from `procvid curate`.", WHAT_TO_GIVE
            ) from error


def _safe(name: str, number: int) -> str:
    """Return a folder name for a clip: its id if that is plain, with its number if not."""
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)[:80]
    return plain if plain == name else f"{plain}-{number:05d}"
