"""Read and write `manifest.json` of a release: its facts, and sha256 and size of every file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from procvid.errors import InputError
from procvid.hub.names import ARTIFACTS, CARD, Artifact, is_file_of, shown
from procvid.storage.files import sha256_of

KIND = "procvid release"
SCHEMA_VERSION = 1
MAX_MANIFEST_BYTES = 1_000_000
MAX_FILES = 99
"""Largest number of files in a release, without the manifest."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_HINT = "Choose another revision, or ask the owner to publish it again."


@dataclass(frozen=True)
class FileFact:
    """Size in bytes and sha256 of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Release:
    """The manifest of a release.

    Attributes:
        artifact: "lora", "memory" or "run".
        name: Display name.
        licence: Licence of the whole release, as the owner wrote it; may be empty.
        rights: Terms of use, in words.
        facts: Facts of this kind: base model, rank and targets; or embedder and counts.
        versions: Versions of the programs that made it.
        files: All files except the manifest, by relative name.
    """

    artifact: Artifact
    name: str
    licence: str
    rights: str
    facts: Mapping[str, Any]
    versions: Mapping[str, str]
    files: Mapping[str, FileFact]

    @property
    def total_bytes(self) -> int:
        """Size of all files, in bytes."""
        return sum(fact.size for fact in self.files.values())

    def to_bytes(self) -> bytes:
        """Return the manifest as JSON, including its own sha256."""
        body = {
            "kind": KIND,
            "schema_version": SCHEMA_VERSION,
            "artifact": self.artifact,
            "name": self.name,
            "licence": self.licence,
            "rights": self.rights,
            "facts": dict(self.facts),
            "versions": dict(self.versions),
            "files": {n: {"sha256": f.sha256, "size": f.size} for n, f in self.files.items()},
        }
        return _dump({**body, "self_sha256": _digest(_dump(body))})


def release_from_bytes(data: bytes) -> Release:
    """Parse a manifest and check everything that can be checked without the files.

    Raises:
        InputError: The data is not a manifest, has another schema version, was changed, or names
            files that a release may not hold.
    """
    body = _parsed(data)
    if not isinstance(body, dict) or body.get("kind") != KIND:
        raise InputError("The manifest.json does not belong to a procvid release.", _HINT)
    version = body.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"The release has schema version {str(version)[:20]}; this procvid reads version "
            f"{SCHEMA_VERSION}.",
            "Update procvid.",
        )
    stated = body.pop("self_sha256", None)
    if stated != _digest(_dump(body)):
        raise InputError("The manifest.json was changed after it was written.", _HINT)
    try:
        artifact = cast(Artifact, body["artifact"])
        name, licence, rights = texts = (body["name"], body["licence"], body["rights"])
        facts, versions, files = body["facts"], body["versions"], body["files"]
        good = artifact in ARTIFACTS and all(isinstance(text, str) for text in texts)
        good &= all(isinstance(part, dict) for part in (facts, versions, files))
        good = good and all(_is_fact(fact) for fact in files.values())
    except (KeyError, TypeError):
        good = False
    if not good:
        raise InputError("The manifest.json lacks required fields.", _HINT)
    wrong = [name for name in files if not is_file_of(artifact, name)]
    if wrong:
        raise InputError(
            f"The release names files that do not belong in a {artifact}: {shown(wrong)}.",
            "Do not use this release. Nothing was downloaded.",
        )
    if len(files) > MAX_FILES:
        raise InputError(f"The release names {len(files)} files; the limit is {MAX_FILES}.", _HINT)
    return Release(
        artifact=artifact,
        name=name,
        licence=licence,
        rights=rights,
        facts=facts,
        versions={str(k): str(v) for k, v in versions.items()},
        files={name: FileFact(fact["size"], fact["sha256"]) for name, fact in files.items()},
    )


def fact_of(file: Path) -> FileFact:
    """Return size and sha256 of a file."""
    return FileFact(file.stat().st_size, sha256_of(file))


def damaged_files(folder: Path, files: Mapping[str, FileFact]) -> dict[str, str]:
    """Return the files of a folder that differ from `files`, each with what is wrong."""
    wrong = {}
    for name, fact in files.items():
        file = folder / name
        if file.is_symlink() or any(p.is_symlink() for p in file.parents if folder in p.parents):
            wrong[name] = "is a link"
        elif not file.is_file():
            wrong[name] = "is missing"
        elif file.stat().st_size != fact.size:
            wrong[name] = f"has {file.stat().st_size:,} bytes instead of {fact.size:,}"
        elif sha256_of(file) != fact.sha256:
            wrong[name] = "differs from the published file"
    return wrong


def only_the_card(wrong: Mapping[str, str]) -> bool:
    """Return True if at most the card differs: owners may edit it on the Hub."""
    return set(wrong) <= {CARD}


def _parsed(data: bytes) -> Any:
    if len(data) > MAX_MANIFEST_BYTES:
        raise InputError(f"The manifest.json is too large ({len(data):,} bytes).", _HINT)
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError("The manifest.json is not JSON.", _HINT) from None


def _is_fact(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("size"), int)
        and not isinstance(value["size"], bool)
        and value["size"] >= 0
        and isinstance(value.get("sha256"), str)
        and _SHA256.fullmatch(value["sha256"]) is not None
    )


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _dump(body: Mapping[str, Any]) -> bytes:
    return (json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8")
