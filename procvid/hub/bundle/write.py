"""Write the folder of a bundle: its files, its card and its manifest."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from procvid.errors import InputError
from procvid.hub.bundle.check import validate
from procvid.hub.bundle.sources import Source
from procvid.hub.names import CARD, MANIFEST, Artifact, is_file_of, shown
from procvid.hub.release import MAX_FILES, FileFact, Release, fact_of
from procvid.hub.secrets import refuse_pickles, refuse_secrets
from procvid.storage.atomic import output_errors


def write_bundle(
    out: Path,
    artifact: Artifact,
    sources: Mapping[str, Source],
    *,
    name: str,
    licence: str,
    rights: str,
    facts: Mapping[str, Any],
    versions: Mapping[str, str],
    card: Callable[[Release], str],
) -> Release:
    """Fill a new folder with the files of a release, its card and its manifest.

    Args:
        out: The folder; must not exist.
        artifact: Kind of the release.
        sources: All files except card and manifest, by their name in the release.
        name: Display name.
        licence: Licence of the whole release; may be empty.
        rights: Terms of use, in words.
        facts: See `Release.facts`.
        versions: Versions of the programs that made the artifact.
        card: Returns the card; gets the release with every file except the card.

    Raises:
        InputError: The sources hold secrets, pickles, links, foreign names, or too many files.
        OutputError: The folder cannot be written.
    """
    names = sorted(sources)
    refuse_pickles(names)
    wrong = [each for each in names if not is_file_of(artifact, each)]
    if wrong:
        raise InputError(
            f"These files do not belong in a {artifact}: {shown(wrong)}.", "Move them elsewhere."
        )
    if len(names) + 1 > MAX_FILES:
        raise InputError(f"{len(names) + 1} files are too many; a release holds {MAX_FILES}.")
    files: dict[str, FileFact] = {}
    with output_errors(out):
        out.mkdir(parents=True)
        for each in names:
            _place(sources[each], out / each)
            refuse_secrets(out / each, each)
            files[each] = fact_of(out / each)
        release = Release(artifact, name, licence, rights, facts, versions, files)
        (out / CARD).write_bytes(card(release).encode("utf-8"))
        refuse_secrets(out / CARD, CARD)
        files[CARD] = fact_of(out / CARD)
        (out / MANIFEST).write_bytes(release.to_bytes())
        refuse_secrets(out / MANIFEST, MANIFEST)
    return validate(out)


def _place(source: Source, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, bytes):
        target.write_bytes(source)
        return
    if source.is_symlink() or not source.is_file():
        raise InputError(
            f"{source.name!r} is a link or not a file.", "Replace it with the file itself."
        )
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
