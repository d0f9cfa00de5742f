"""Files that people sent to this server, and no other files of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gradio.utils import get_upload_folder

from procvid.errors import InputError
from procvid.media.image import load_image
from procvid.types import Image


def uploaded(file: object, what: str = "clip") -> Path:
    """An uploaded file.

    Raises:
        InputError: It is none, whatever else it may be.
    """
    told = file.get("path") if isinstance(file, Mapping) else getattr(file, "path", file)
    if not isinstance(told, str | Path):
        raise InputError(f"A {what} is no uploaded file.", "Send it with handle_file.")
    try:
        path = Path(told).resolve()
        is_here = path.is_relative_to(Path(get_upload_folder()).resolve()) and path.is_file()
    except (OSError, ValueError):
        # A null byte, or a name longer than any file has.
        raise InputError(f"A {what} is no uploaded file.", "Send it with handle_file.") from None
    if not is_here:
        raise InputError(
            f"The {what} {path.name[:60]!r} was not uploaded here.", "Upload it first."
        )
    return path


def read_pictures(files: object, limit: int) -> list[Image]:
    """The reference images of a step, from uploaded files; none for None.

    Raises:
        InputError: They are no list, too many, not uploaded here or no pictures.
    """
    if files is None:
        return []
    if not isinstance(files, Sequence) or isinstance(files, str):
        raise InputError("The references are no list of pictures.", "Send [] for none.")
    if len(files) > limit:
        raise InputError(
            f"There are {len(files)} reference images, a step takes {limit}.",
            "Leave some out.",
        )
    return [load_image(uploaded(file, "reference")) for file in files]
