"""`procvid hub verify`: check a release folder against its manifest."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from procvid.cli.arguments import add_json
from procvid.hub.bundle.check import read_release, validate
from procvid.hub.names import MANIFEST, size
from procvid.hub.store import check_store, unverified_files
from procvid.memory.store_folder import KIND as STORE_KIND
from procvid.memory.store_folder import load_store
from procvid.settings.environment import user_path
from procvid.storage.text import printable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("folder", metavar="FOLDER", help="bundle, store or pulled release")
    add_json(parser)
    parser.set_defaults(run=verify)


def verify(arguments: argparse.Namespace) -> None:
    """Check every byte of a folder.

    Raises:
        InputError: The folder is not a release, or a file differs from the manifest.
    """
    facts = _verified(user_path(arguments.folder))
    if arguments.json:
        print(json.dumps(facts, ensure_ascii=False))
        return
    print(
        f"Verified: {facts['artifact']} {facts['name']}, {facts['files']} files, "
        f"{size(facts['bytes'])}, licence {facts['licence'] or 'none'}."
    )
    for name in facts.get("not_verified", ()):
        print(printable(f"Note: {name} is not in the manifest and was not verified."))


def _verified(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
        is_store = manifest.get("kind") == STORE_KIND
    except (OSError, ValueError, AttributeError):
        is_store = False
    if is_store:
        check_store(folder)
        store = load_store(folder)
        return {
            "artifact": "memory",
            "name": store.name,
            "licence": store.licence,
            "files": len(manifest["files"]),
            "bytes": sum(file["size"] for file in manifest["files"].values()),
            "not_verified": unverified_files(folder),
        }
    read_release(folder)
    release = validate(folder)
    return {
        "artifact": release.artifact,
        "name": release.name,
        "licence": release.licence,
        "files": len(release.files),
        "bytes": release.total_bytes,
    }
