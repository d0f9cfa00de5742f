"""The Space: which files of a checkout it consists of, and where each lies in it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from procvid.errors import InputError, UnavailableError
from procvid.storage.atomic import output_error, replacing_folder

OWN, SHARED = "space", ("procvid", "examples")
KINDS = {
    *(".py", ".txt", ".md", ".json", ".jsonl", ".csv", ".tsv", ".png"),
    *(".safetensors", ".parquet", ".faiss"),
}
"""What the package and the examples consist of; anything else lies there by accident."""
LICENCE = "LICENSE"
FINISHED = "examples/finished"
"""The Space's folder of finished examples; a checkout has none."""


@dataclass(frozen=True)
class SpaceFile:
    """A file of the Space: its name there, where it comes from, and its size."""

    name: str
    source: Path
    num_bytes: int


def space_files(checkout: Path) -> tuple[SpaceFile, ...]:
    """All files of the Space, by name.

    Raises:
        UnavailableError: This is no checkout of procvid: an installed package has no `space/`.
    """
    if not (checkout / OWN / "README.md").is_file():
        raise UnavailableError(
            "The Space is made from a checkout of procvid, and this is an installed package.",
            "Clone the repository and run the same command there.",
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
    """Put the Space together in a new folder, whole or not at all.

    Raises:
        InputError: There is something of that name already.
        OutputError: It cannot be written.
    """
    if folder.exists():
        raise InputError(f"There is a {str(folder)!r} already.", "Choose a new folder for --to.")
    try:
        with replacing_folder(folder) as made:
            for file in files:
                target = made / file.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.source, target)
    except OSError as error:
        raise output_error(folder, error) from error
