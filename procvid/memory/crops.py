"""The crop store under one name: the value in `store`, its folder in `folder`."""

from __future__ import annotations

from procvid.memory.folder import load_store, read_manifest, save_store
from procvid.memory.store import (
    CropStore,
    StoredCrops,
    add_crops,
    check_embedder,
    embed_facts,
    empty_store,
    fused,
    merged,
    of_rows,
    with_rows,
    without,
    without_pixels,
    without_source,
)

__all__ = [
    "CropStore",
    "StoredCrops",
    "add_crops",
    "check_embedder",
    "embed_facts",
    "empty_store",
    "fused",
    "load_store",
    "merged",
    "of_rows",
    "read_manifest",
    "save_store",
    "with_rows",
    "without",
    "without_pixels",
    "without_source",
]
