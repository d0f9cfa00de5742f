"""Select the files of an artifact's folder that go into its bundle."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
from pathlib import Path
from typing import Any

from procvid import __version__
from procvid.errors import InputError
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.card_scores import CardScores, read_card_scores
from procvid.hub.names import CARD, MANIFEST, RECEIPT, SCORES, shown
from procvid.hub.secrets import refuse_pickles

Source = Path | bytes
"""A local file, or the bytes themselves."""


def select_files(folder: Path, *patterns: str) -> dict[str, Source]:
    """Return the files of a folder whose relative names match one of the patterns.

    Raises:
        InputError: The folder is missing, or holds a link, a pickle or any other file.
    """
    if not folder.is_dir():
        raise InputError(f"The folder {str(folder)!r} does not exist.", "Check its name.")
    found: list[str] = []
    for parent, folders, files in os.walk(folder):
        links = [name for name in (*folders, *files) if (Path(parent) / name).is_symlink()]
        if links:
            raise InputError(
                f"The folder {str(folder)!r} contains a link: {links[0]!r}.",
                "Replace the link with the file.",
            )
        found += [(Path(parent) / name).relative_to(folder).as_posix() for name in files]
    refuse_pickles(found)
    ours = (re.escape(MANIFEST), re.escape(CARD), re.escape(RECEIPT))
    unknown = [n for n in found if not any(re.fullmatch(p, n) for p in (*patterns, *ours))]
    if unknown:
        raise InputError(
            f"The folder {str(folder)!r} contains files that do not belong to it: "
            f"{shown(sorted(unknown))}.",
            "Move them elsewhere and try again.",
        )
    return {n: folder / n for n in found if any(re.fullmatch(p, n) for p in patterns)}


def add_scores(
    folder: Path,
    options: BundleOptions,
    sources: dict[str, Source],
    *,
    lora: Path | None = None,
    run: Path | None = None,
) -> CardScores | None:
    """Add `scores.json` to the sources and return its content, or None if there is no such file.

    Args:
        folder: Folder of the artifact.
        options: Options of the bundle; they may name another `scores.json`.
        sources: Files of the bundle; changed.
        lora: See `read_card_scores`.
        run: See `read_card_scores`.

    Raises:
        InputError: The file is missing, damaged, or measures something else.
    """
    file = options.scores or folder / SCORES
    if options.scores is not None and not file.is_file():
        raise InputError(f"The file {str(file)!r} does not exist.", "Run `procvid evaluate`.")
    scores = read_card_scores(file, lora, run)
    if scores is not None:
        sources[SCORES] = file
    return scores


def read_object(file: Path) -> dict[str, Any]:
    """Read a JSON object; {} if the file does not exist.

    Raises:
        InputError: The file does not hold a JSON object.
    """
    if not file.is_file():
        return {}
    try:
        value = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InputError(f"The file {file.name} is not a JSON object.", "Correct or remove it.")
    return value


def versions_of(*packages: str) -> dict[str, str]:
    """Return the versions of procvid, huggingface_hub and the installed packages among these."""
    versions = {"procvid": __version__}
    for package in ("huggingface_hub", *packages):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
