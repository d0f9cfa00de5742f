"""Prepare the downloads of a run: its video under a good name, and a zip file with a manifest."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

from procvid.errors import RunError
from procvid.run.film.names import film_name
from procvid.run.film.narration import NARRATION
from procvid.run.folder import CROPS, LIBRARY, MAY_TRAIN, MEMORY, POSTER, VIDEO
from procvid.run.records import AI_GENERATED
from procvid.storage.atomic import output_errors, remove, replacing
from procvid.storage.files import is_temporary, sha256_of
from procvid.storage.lock import LOCK

MANIFEST = "manifest.json"
PACKED = "packed"
"""Folder of the downloads, beside the runs; one folder a run."""
EXPORTS = "exports"
"""Folder of the films to take away, beside the runs; one folder a run."""
LEFT_OUT = (LOCK, CROPS, MEMORY, NARRATION, LIBRARY, POSTER, MAY_TRAIN)
"""Files that only procvid itself uses."""


def pack_named(runs_folder: Path, run_id: str, run: Path, title: str) -> Path:
    """Pack a run into a zip that is named after its title.

    Raises:
        RunError: The run has no video yet.
        OutputError: The zip cannot be written.
    """
    target = _named(runs_folder, run_id, title, ".zip")
    return pack(run_id, run, target)


def video_named(runs_folder: Path, run_id: str, run: Path, title: str) -> Path:
    """Return the video of a run under a name after its title, without a second copy if possible.

    Raises:
        RunError: The run has no video yet.
        OutputError: The file cannot be written.
    """
    video, target = run / VIDEO, _named(runs_folder, run_id, title, ".mp4")
    if not video.is_file():
        raise RunError("There is no video yet.", "Finish it first.")
    with replacing(target) as temporary:
        try:
            os.link(video, temporary)
        except OSError:
            shutil.copyfile(video, temporary)
    return target


def _named(runs_folder: Path, run_id: str, title: str, suffix: str) -> Path:
    """Return the path of a file to download; one with an earlier title is removed."""
    target = runs_folder / PACKED / run_id / film_name(title, suffix)
    for other in target.parent.glob(f"*{suffix}"):
        if other.name != target.name and not is_temporary(other.name):
            remove(other)
    return target


def pack(run_id: str, run: Path, target: Path) -> Path:
    """Write the zip of a run: video, captions, clips, references, provenance, and a manifest.

    Args:
        run_id: Id for the manifest.
        run: The run folder; it must have a video.
        target: The zip file; it is written atomically.

    Returns:
        The zip file.

    Raises:
        RunError: The run has no video yet.
        OutputError: The zip cannot be written.
    """
    if not (run / VIDEO).is_file():
        raise RunError("There is no video yet.", "Finish it first.")
    files = [file for file in sorted(run.rglob("*")) if _is_included(file.relative_to(run))]
    files = [file for file in files if file.is_file()]
    manifest = {
        "run_id": run_id,
        "ai_generated": AI_GENERATED,
        "files": {
            file.relative_to(run).as_posix(): {
                "bytes": file.stat().st_size,
                "sha256": sha256_of(file),
            }
            for file in files
        },
    }
    with output_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    # Stored without compression: clips and images are compressed already.
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w") as packed:
        packed.writestr(MANIFEST, json.dumps(manifest, indent=2) + "\n")
        for file in files:
            packed.write(file, file.relative_to(run).as_posix())
    return target


def _is_included(name: Path) -> bool:
    return not any(part in LEFT_OUT or is_temporary(part) for part in name.parts)
