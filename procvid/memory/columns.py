"""Convert a crop store to and from the bytes of its files.

The files are `crops.parquet`, `embeddings.safetensors` and `manifest.json`. The same crops give the
same bytes. The schema metadata of the parquet file makes `datasets` and the Hub's viewer show the
`image` column as pictures.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load, save

from procvid.errors import InputError, StoreError
from procvid.types import Crop, Likelihood, Role, Vectors

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("name", pa.string()),
        ("role", pa.string()),
        ("description", pa.string()),
        ("state", pa.string()),
        ("likelihood", pa.string()),
        ("source_id", pa.string()),
        ("time_s", pa.float64()),
        ("box_xyxy", pa.list_(pa.float64())),
        ("detector_score", pa.float64()),
        ("quality", pa.float64()),
        ("licence", pa.string()),
        ("url", pa.string()),
        ("shows", pa.list_(pa.string())),
        ("banned", pa.bool_()),
        ("image", IMAGE),
    ],
    metadata={"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}}}})},
)
SCHEMA_OF_FACTS = pa.schema([field for field in SCHEMA if field.name != "image"])
SINCE_VERSION_2 = ("url", "shows", "banned")
SCHEMAS = {
    1: pa.schema([field for field in SCHEMA if field.name not in SINCE_VERSION_2]),
    2: SCHEMA,
}
"""The columns of each readable version of the store."""

ROWS_IN_GROUP = 1000
NUMBERS = ("time_s", "detector_score", "quality")
MAX_CHARS = 2_000
"""Limit of each text of a crop, because it may become part of a planner's prompt."""

MAX_ROWS = 2_000_000
MAX_UNPACKED_BYTES = 16 * 1024**3
VECTOR_KINDS = ("image", "text", "fused")

HINT = "Download the store again, or rebuild it with `procvid memory build`."


def digest(data: bytes) -> str:
    """Return the sha256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def parquet_bytes(facts: Sequence[Crop], pictures: Sequence[bytes | None]) -> bytes:
    """Return crops and their PNG bytes (None without pixels) as a parquet file."""
    columns: dict[str, list[Any]] = {
        field.name: [getattr(crop, field.name) for crop in facts]
        for field in SCHEMA
        if field.name not in ("box_xyxy", "shows", "image")
    }
    columns["box_xyxy"] = [list(crop.box_xyxy) for crop in facts]
    columns["shows"] = [list(crop.shows) for crop in facts]
    columns["image"] = [
        None if png is None else {"bytes": png, "path": f"{crop.id}.png"}
        for crop, png in zip(facts, pictures, strict=True)
    ]
    table = pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=ROWS_IN_GROUP)
    return sink.getvalue()


def check_crops(facts: Sequence[Crop]) -> None:
    """Raise InputError if a crop has values that could not be read again."""
    for crop in facts:
        if not _possible({field.name: getattr(crop, field.name) for field in SCHEMA_OF_FACTS}):
            raise InputError(
                f"The crop {crop.id[:40]!r} ({crop.name[:40]}) has impossible values.",
                f"Use texts of at most {MAX_CHARS:,} characters and finite numbers.",
            )


def crops_from_parquet(data: bytes, version: int = 2) -> tuple[list[Crop], list[bytes | None]]:
    """Return crops (without pixels) and their PNG bytes, from a store of this schema version.

    Raises:
        StoreError: The file has another format, or a crop has impossible values.
    """
    try:
        # Not a Python file: Arrow's threads may still hold it when Python exits, and abort.
        file = pq.ParquetFile(pa.BufferReader(data))
        groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
        unpacked = sum(group.total_byte_size for group in groups)
        if file.metadata.num_rows > MAX_ROWS or unpacked > MAX_UNPACKED_BYTES:
            raise StoreError(
                f"The store's crops.parquet would unpack to {file.metadata.num_rows:,} crops and "
                f"{unpacked:,} bytes, more than the limit.",
                "Split it into several stores.",
            )
        table = file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StoreError("The store's crops.parquet cannot be read.", HINT) from error
    if not table.schema.equals(SCHEMAS[version]):
        raise StoreError("The store's crops.parquet has other columns than a crop store.", HINT)
    facts, pictures = [], []
    for row in table.to_pylist():
        image = row.pop("image")
        pictures.append(None if image is None else image["bytes"])
        facts.append(_crop(row))
    if len({crop.id for crop in facts}) != len(facts):
        raise StoreError("Two crops of the store have the same id.", HINT)
    return facts, pictures


def _crop(row: Mapping[str, Any]) -> Crop:
    if not _possible(row):
        raise StoreError(
            f"The crop {str(row['id'])[:40]!r} of the store has impossible values.", HINT
        )
    values = dict(row)
    box, shows = values.pop("box_xyxy"), values.pop("shows", [])
    return Crop(box_xyxy=(box[0], box[1], box[2], box[3]), image=None, shows=tuple(shows), **values)


def _possible(row: Mapping[str, Any]) -> bool:
    """Return True if a crop can have these values. `row` has all columns but the image."""
    box = row["box_xyxy"]
    return (
        all(value is not None for value in row.values())
        and len(box) == 4
        and all(edge is not None and math.isfinite(edge) for edge in box)
        and all(isinstance(words, str) for words in row.get("shows", []))
        and all(math.isfinite(row[name]) for name in NUMBERS)
        and all(0 <= row[name] <= 1 for name in ("detector_score", "quality"))
        and all(len(value) <= MAX_CHARS for value in row.values() if isinstance(value, str))
        and row["role"] in get_args(Role)
        and row["likelihood"] in get_args(Likelihood)
    )


def vectors_bytes(image: Vectors, text: Vectors, fused: Vectors) -> bytes:
    """Return the three embeddings, float32 (N, dim) each, as a safetensors file."""
    named = zip(VECTOR_KINDS, (image, text, fused), strict=True)
    return bytes(save({kind: np.ascontiguousarray(array, np.float32) for kind, array in named}))


def vectors_from_bytes(data: bytes, num_rows: int) -> tuple[Vectors, Vectors, Vectors]:
    """Return the three embeddings, float32 (N, dim) each.

    Raises:
        StoreError: The file has another format or number of rows, or values that are not finite.
    """
    try:
        read = load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise StoreError("The store's embeddings.safetensors cannot be read.", HINT) from error
    if sorted(read) != sorted(VECTOR_KINDS):
        raise StoreError(
            f"The store's embeddings are {sorted(read)}, not image, text and fused.", HINT
        )
    image, text, fused = (read[kind] for kind in VECTOR_KINDS)
    for array in (image, text, fused):
        if array.dtype != np.float32 or array.ndim != 2 or array.shape != image.shape:
            raise StoreError("The store's embeddings have different shapes or types.", HINT)
    if len(image) != num_rows:
        raise StoreError(f"The store has {num_rows} crops but {len(image)} embeddings.", HINT)
    if not all(np.isfinite(array).all() for array in (image, text, fused)):
        raise StoreError("The store's embeddings hold values that are not finite.", HINT)
    return image, text, fused


def manifest_bytes(manifest: Mapping[str, Any]) -> bytes:
    """Return the manifest as JSON with its own sha256, which reveals any change."""
    body = {key: value for key, value in manifest.items() if key != "self_sha256"}
    body["self_sha256"] = digest(_dump(body))
    return _dump(body)


def manifest_from_bytes(data: bytes) -> dict[str, Any]:
    """Return the manifest.

    Raises:
        StoreError: The bytes are not JSON, or were changed after they were written.
    """
    try:
        manifest = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise StoreError("The store's manifest.json is not JSON.", HINT) from error
    if not isinstance(manifest, dict) or manifest_bytes(manifest) != data:
        raise StoreError("The store's manifest.json was changed after it was written.", HINT)
    return manifest


def _dump(body: Mapping[str, Any]) -> bytes:
    return (json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
