"""A field for one picture, which names what is wrong with a file that it cannot show."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from procvid.errors import InputError
from procvid.media.image import fit_within, load_image
from procvid.types import Image
from procvid.ui.server.guard import for_the_page

SUFFIXES = [".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".heic", ".heif"]
"""File types of upload buttons."""

SHOWN_PX = 1600
"""Longest side of a photo that is converted for the browser."""


def picture_field(**settings: Any) -> gr.Image:
    """Return a gr.Image whose handlers get the path of the uploaded file.

    Gradio opens the file before a handler is called, and its error is no sentence. The handlers
    here open it themselves.
    """
    field = gr.Image(type="filepath", sources=["upload"], format="png", **settings)
    field.preprocess = _path_of  # type: ignore[method-assign]
    return field


def _path_of(payload: Any) -> str | None:
    return None if payload is None else payload.path


def shown_picture(path: str | None) -> Image | None:
    """Return the picture in a file, or warn the visitor and return None."""
    try:
        return load_image(Path(path)) if path else None
    except InputError as error:
        gr.Warning(escape(for_the_page(error), quote=False), title="Cannot open this picture")
        return None


def as_shown(field: gr.Image, path: str | None, image: Image) -> dict[Any, Any]:
    """Return the new value of a field whose file browsers cannot show, or nothing for others."""
    if not path or Path(path).suffix.lower() not in (".heic", ".heif"):
        return {}
    return {field: fit_within(image, SHOWN_PX)}
