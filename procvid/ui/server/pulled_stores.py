"""List crop stores and LoRAs pulled from the Hub as choices of the Create page."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from procvid.errors import InputError, StoreError
from procvid.hub.cache import open_cache, verify
from procvid.hub.names import Artifact, hub_id_of
from procvid.settings.environment import read_environment
from procvid.ui.server.visitors import PUBLIC, visitor_of


def stores_of(request: gr.Request | None) -> dict[str, str]:
    """Return the pulled stores that a visitor may use: their labels by OWNER/NAME@COMMIT.

    A name with its commit always means the same store, so a run can resume with it.
    """
    return _pulled_by(request, "memory")


def loras_of(request: gr.Request | None) -> dict[str, str]:
    """Return the pulled LoRAs that a visitor may use: their labels by OWNER/NAME@COMMIT."""
    return _pulled_by(request, "lora")


def _pulled_by(request: gr.Request | None, artifact: Artifact) -> dict[str, str]:
    releases = visitor_of(request).cache.releases() if request is not None else ()
    return {
        each.hub_id.label: f"{each.hub_id.repo}@{each.hub_id.revision[:12]}, from the Hub"
        for each in releases
        if each.artifact == artifact
    }


def folder_of_pulled(name: str, artifact: Artifact = "memory") -> Path | None:
    """Return the folder of a pulled store or LoRA, or None if no such release is installed.

    The caller must check that the visitor may use it; see `stores_of`.

    Raises:
        StoreError: The store is damaged.
        InputError: The LoRA is damaged.
    """
    wanted = hub_id_of(name, artifact)
    if wanted is None or not wanted.is_pinned:
        return None
    root = read_environment().cache_folder
    for cache in (open_cache(root), open_cache(root / PUBLIC)):
        place = cache.place(artifact, wanted)
        if not place.is_dir():
            continue
        try:
            verify(artifact, place)
        except InputError as error:
            kind = StoreError if artifact == "memory" else InputError
            raise kind(error.message, "Pull it again in the Hub tab.") from error
        return place
    return None
