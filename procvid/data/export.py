"""Write the result: a dataset repository, and the clip list for `procvid memory build`."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from importlib import resources
from itertools import groupby
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image as Pillow

from procvid.data.journal import as_line
from procvid.data.source import Row
from procvid.data.stages import frames_of
from procvid.errors import InputError
from procvid.media.image import fit_within
from procvid.storage.atomic import replacing, write_text
from procvid.storage.files import whole_folder

DATASET = "dataset"
FACTS = "curation.json"
CLIPS_IN_SHARD = 5_000
"""With images of at most 512 pixels, a shard has a few hundred MB."""

MAX_SIDE_PX = 512
JPEG_QUALITY = 90
ACTION = pa.struct(
    [
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("text", pa.string()),
        ("iou", pa.float64()),
    ]
)
SCHEMA = pa.schema(
    [
        ("video_id", pa.string()),
        ("clip", pa.int32()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("text", pa.string()),
        ("caption", pa.string()),
        ("caption_unavailable", pa.string()),
        ("rating", pa.int32()),
        ("rating_unavailable", pa.string()),
        ("actions", pa.list_(ACTION)),
        ("title", pa.string()),
        ("file", pa.string()),
        ("licence", pa.string()),
        ("url", pa.string()),
        ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    ],
    metadata={"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})},
)


def write_clip_list(file: Path, root: Path, rows: Iterator[Row]) -> None:
    """Write the clip list for `procvid memory build`. Files are relative to the list.

    Raises:
        OutputError: The file cannot be written.
    """
    with replacing(file) as temporary, temporary.open("w", encoding="utf-8") as out:
        for row in rows:
            line = {
                "file": Path(os.path.relpath(root / row["file"], file.parent)).as_posix(),
                "start_s": row["start_s"],
                "end_s": row["end_s"],
                "text": (row["caption"] or row["text"])[:2_000],
                "action": row["text"][:2_000],
                "title": str(row["title"] or "")[:2_000],
                "source_id": row["video_id"],
                "licence": row["licence"],
                "url": row["url"],
            }
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_dataset(
    folder: Path,
    root: Path,
    rows: Callable[[], Iterator[Row]],
    total: int,
    pictures: bool,
    counts: Row,
) -> Iterator[int]:
    """Write the whole repository, and yield the number of clips so far.

    If the repository already holds these rows, nothing is written.

    Args:
        folder: The repository's folder.
        root: The folder of the videos.
        rows: Returns a new iterator over the final rows on each call.
        total: The number of rows.
        pictures: Store the middle frame of each clip.
        counts: The counts for the card.

    Raises:
        OutputError: The folder cannot be written.
    """
    digest = sha256(f"{pictures}".encode())
    for row in rows():
        digest.update(as_line(row).encode("utf-8", "replace"))
    facts = {"rows_sha256": digest.hexdigest(), "clips": total, "pictures": pictures}
    text = (json.dumps(facts, indent=2, sort_keys=True) + "\n").encode("utf-8")
    if (folder / FACTS).is_file() and (folder / FACTS).read_bytes() == text:
        return
    with whole_folder(folder) as temporary:
        (temporary / "data").mkdir()
        yield from _write_shards(temporary / "data", root, rows(), pictures)
        videos = counts["stages"]["ratings"]["videos"]
        write_text(temporary / "README.md", _card(total, videos, pictures, counts))
        (temporary / FACTS).write_bytes(text)


def _write_shards(folder: Path, root: Path, rows: Iterator[Row], pictures: bool) -> Iterator[int]:
    done = number = 0
    writer: pq.ParquetWriter | None = None
    try:
        # One row group per video, so that the images of only one video are in memory.
        for _, group in groupby(rows, key=lambda row: row["video_id"]):
            clips = list(group)
            if writer is None or done >= number * CLIPS_IN_SHARD:
                if writer is not None:
                    writer.close()
                name = f"train-{number:05d}.parquet"
                writer = pq.ParquetWriter(folder / name, SCHEMA, compression="zstd")
                number += 1
            table = [{**row, "image": _picture(root, row) if pictures else None} for row in clips]
            writer.write_table(pa.Table.from_pylist(table, SCHEMA))
            done += len(clips)
            yield done
    finally:
        if writer is not None:
            writer.close()


def _picture(root: Path, row: Row) -> Row | None:
    """Return the middle frame as JPEG, or None if the video is gone."""
    middle_s = (row["start_s"] + row["end_s"]) / 2
    try:
        frame = frames_of(root / row["file"], middle_s, row["end_s"], count=1)[0]
    except InputError:
        return None
    sink = io.BytesIO()
    Pillow.fromarray(fit_within(frame, MAX_SIDE_PX)).save(sink, "JPEG", quality=JPEG_QUALITY)
    return {"bytes": sink.getvalue(), "path": f"{row['video_id']}-{row['clip']:03d}.jpg"}


def _card(clips: int, videos: int, pictures: bool, counts: Row) -> str:
    image = "`image` is the middle frame." if pictures else "The dataset has no pictures."
    counts_text = json.dumps(counts, indent=2, ensure_ascii=False)
    card = (resources.files("procvid.data") / "card.md").read_text("utf-8")
    return card.format(clips=clips, videos=videos, pictures=image, counts=counts_text)
