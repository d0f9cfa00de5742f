"""The crop store under one name: the value in `store`, its folder in `folder`."""

from __future__ import annotations

from procvid.memory.folder import load_store, read_manifest, save_store
from procvid.memory.store import (
    CropStore,
    StoredCrops,
    add_crops,
    check_embedder,
    empty_store,
    fused,
    merged,
    without,
    without_pixels,
    without_source,
)

__all__ = [
    "CropStore",
    "StoredCrops",
    "add_crops",
    "check_embedder",
    "empty_store",
    "fused",
    "load_store",
    "merged",
    "read_manifest",
    "save_store",
    "without",
    "without_pixels",
    "without_source",
]
