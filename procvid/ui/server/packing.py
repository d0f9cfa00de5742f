"""All of a run in one zip file, with a manifest."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from procvid.errors import RunError
from procvid.run.folder import CROPS, MEMORY, VIDEO
from procvid.run.records import AI_GENERATED
from procvid.storage.atomic import output_errors, replacing
from procvid.storage.files import is_temporary, sha256_of
from procvid.storage.lock import LOCK

MANIFEST = "manifest.json"
PACKED = "packed"
"""The folder of the zips, beside the runs."""
LEFT_OUT = (LOCK, CROPS, MEMORY)
"""What only procvid itself has a use for."""


def pack(run_id: str, run: Path, target: Path) -> Path:
    """Write the zip of a run: video, captions, clips, references, provenance, and a manifest.

    Args:
        run_id: Named in the manifest.
        run: The run folder; it has a video.
        target: Of the zip; written whole or not at all.

    Raises:
        RunError: There is no video yet.
        OutputError: It cannot be written.
    """
    if not (run / VIDEO).is_file():
        raise RunError(f"Run {run_id} has no video yet.", "Finish it first.")
    files = [file for file in sorted(run.rglob("*")) if _belongs(file.relative_to(run))]
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
    # Clips and pictures are compressed already.
    with replacing(target) as temporary, zipfile.ZipFile(temporary, "w") as packed:
        packed.writestr(MANIFEST, json.dumps(manifest, indent=2) + "\n")
        for file in files:
            packed.write(file, file.relative_to(run).as_posix())
    return target


def _belongs(name: Path) -> bool:
    return not any(part in LEFT_OUT or is_temporary(part) for part in name.parts)
