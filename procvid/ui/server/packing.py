"""Pack a run into one zip file with a manifest."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from procvid.errors import RunError
from procvid.run.film.narration import NARRATION
from procvid.run.folder import CROPS, LIBRARY, MEMORY, POSTER, VIDEO
from procvid.run.records import AI_GENERATED
from procvid.storage.atomic import output_errors, replacing
from procvid.storage.files import is_temporary, sha256_of
from procvid.storage.lock import LOCK

MANIFEST = "manifest.json"
PACKED = "packed"
"""Folder of the zip files, beside the runs."""
EXPORTS = "exports"
"""Folder of the films to take away, beside the runs; one folder a run."""
LEFT_OUT = (LOCK, CROPS, MEMORY, NARRATION, LIBRARY, POSTER)
"""Files that only procvid itself uses."""


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
        raise RunError(f"Run {run_id} has no video yet.", "Finish it first.")
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
