"""Check that a file was uploaded to this server before it is opened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gradio.utils import get_upload_folder

from procvid.errors import InputError, RecipeError
from procvid.media.image import load_image
from procvid.plan.recipe.parse import MAX_PAGE_BYTES, decode
from procvid.types import Image


def uploaded(file: object, what: str = "clip") -> Path:
    """Return the path of an uploaded file.

    Args:
        file: The value from the client: a path, FileData, or anything else.
        what: Name of the file in errors.

    Raises:
        InputError: It is not an uploaded file.
    """
    name = file.get("path") if isinstance(file, Mapping) else getattr(file, "path", file)
    if not isinstance(name, str | Path):
        raise InputError(f"A {what} is not an uploaded file.", "Send it with handle_file.")
    try:
        path = Path(name).resolve()
        is_here = path.is_relative_to(Path(get_upload_folder()).resolve()) and path.is_file()
    except (OSError, ValueError):
        # A null byte, or a name that is too long for a file.
        raise InputError(
            f"A {what} is not an uploaded file.", "Send it with handle_file."
        ) from None
    if not is_here:
        raise InputError(
            f"The {what} {path.name[:60]!r} was not uploaded to this server.", "Upload it first."
        )
    return path


def read_pictures(files: object, limit: int) -> list[Image]:
    """Return the reference images of a step from uploaded files; an empty list for None.

    Raises:
        InputError: They are not a list, too many, not uploaded to this server, or not images.
    """
    if files is None:
        return []
    if not isinstance(files, Sequence) or isinstance(files, str):
        raise InputError("The references are not a list of images.", "Send [] for none.")
    if len(files) > limit:
        raise InputError(
            f"There are {len(files)} reference images, but a step takes at most {limit}.",
            "Remove some.",
        )
    return [load_image(uploaded(file, "reference")) for file in files]


def read_recipe_file(file: str) -> str:
    """Return the text of an uploaded recipe.

    Raises:
        RecipeError: It is too large or not text.
    """
    path = Path(file)
    size = path.stat().st_size
    if size > MAX_PAGE_BYTES:
        raise RecipeError(
            f"The file {path.name[:60]!r} has {size} bytes.", f"The limit is {MAX_PAGE_BYTES}."
        )
    return decode(path.read_bytes(), path.name[:60])
