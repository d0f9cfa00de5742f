"""List the files of a checkout that form the Space, and write them to a folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from procvid.errors import InputError, UnavailableError
from procvid.storage.atomic import output_error, replacing_folder

OWN, SHARED = "space", ("procvid", "examples")
KINDS = {
    *(".py", ".txt", ".md", ".json", ".jsonl", ".csv", ".tsv", ".png"),
    *(".safetensors", ".parquet", ".faiss", ".css", ".jpg", ".mp4", ".svg"),
}
"""File types of the package and the examples; other files are not part of the Space."""
LICENCE = "LICENSE"
FINISHED = "examples/finished"
"""Folder of the finished example videos; `space_files` leaves it to its caller."""


@dataclass(frozen=True)
class SpaceFile:
    """A file of the Space: its name there, its local source, and its size in bytes."""

    name: str
    source: Path
    num_bytes: int


def space_files(checkout: Path) -> tuple[SpaceFile, ...]:
    """Return all files of the Space, sorted by name.

    Raises:
        UnavailableError: The folder is not a checkout of procvid.
    """
    if not (checkout / OWN / "README.md").is_file():
        raise UnavailableError(
            "The Space is built from a checkout of procvid, but this is an installed package.",
            "Clone the repository and run the command there.",
        )
    found = {file.name: file for file in (checkout / OWN).iterdir() if file.is_file()}
    for folder in SHARED:
        for file in (checkout / folder).rglob("*"):
            name = file.relative_to(checkout)
            hidden = any(part.startswith((".", "__pycache__")) for part in name.parts)
            finished = name.is_relative_to(FINISHED)
            if file.is_file() and file.suffix in KINDS and not (hidden or finished):
                found[name.as_posix()] = file
    for file in (checkout / LICENCE, checkout / "procvid" / "py.typed"):
        if file.is_file():
            found[file.relative_to(checkout).as_posix()] = file
    return tuple(SpaceFile(n, found[n], found[n].stat().st_size) for n in sorted(found))


def write_space(files: tuple[SpaceFile, ...], folder: Path) -> None:
    """Write the Space to a new folder, completely or not at all.

    Raises:
        InputError: The folder exists.
        OutputError: The folder cannot be written.
    """
    if folder.exists():
        raise InputError(
            f"The folder {str(folder)!r} exists already.", "Choose a new folder for --to."
        )
    try:
        with replacing_folder(folder) as made:
            for file in files:
                target = made / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.source, target)
    except OSError as error:
        raise output_error(folder, error) from error
