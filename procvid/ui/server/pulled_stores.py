"""Crop stores and LoRAs that were pulled from the Hub, as choices of the Create tab."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from procvid.errors import InputError, StoreError
from procvid.hub.access import check_release, check_store, hub_id_of, open_cache
from procvid.hub.names import Artifact
from procvid.settings import read_environment
from procvid.ui.server.visitors import PUBLIC, visitor_of


def stores_of(request: gr.Request | None) -> dict[str, str]:
    """The pulled stores that a visitor may use: what the page calls each, by OWNER/NAME@COMMIT.

    A name with its commit never means another store, so a run can go on with it.
    """
    return _pulled_by(request, "memory")


def loras_of(request: gr.Request | None) -> dict[str, str]:
    """The pulled LoRAs that a visitor may use, likewise."""
    return _pulled_by(request, "lora")


def _pulled_by(request: gr.Request | None, artifact: Artifact) -> dict[str, str]:
    kept = visitor_of(request).cache.kept() if request is not None else ()
    return {
        each.hub_id.label: f"{each.hub_id.repo}@{each.hub_id.revision[:12]}, from the Hub"
        for each in kept
        if each.artifact == artifact
    }


def folder_of_pulled(name: str, artifact: Artifact = "memory") -> Path | None:
    """Where a pulled store or LoRA lies, whoever pulled it; None for a name of none that is here.

    Whether a visitor may use it is for the caller to know: see `stores_of`.

    Raises:
        StoreError: The store is damaged.
        InputError: The LoRA is.
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
            (check_store if artifact == "memory" else check_release)(place)
        except InputError as error:
            kind = StoreError if artifact == "memory" else InputError
            raise kind(error.message, "Pull it again in the Artifacts tab.") from error
        return place
    return None
