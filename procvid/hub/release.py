"""`manifest.json` of a release: what it is, and sha256 and size of every file in it."""

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
"""With the manifest a release stays at 100 files."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_MEND = "Get another revision, or ask its owner to publish it again."


@dataclass(frozen=True)
class FileFact:
    """Size in bytes and sha256 of a file."""

    size: int
    sha256: str


@dataclass(frozen=True)
class Release:
    """What a release says of itself.

    Attributes:
        artifact: "lora", "memory" or "run".
        name: For people.
        licence: Of the whole, as its owner wrote it; may be empty.
        rights: What may be done with it, in words.
        facts: Of this kind of artifact: base model, rank and targets; embedder and counts.
        versions: Of the programs that made it.
        files: All of them but the manifest itself, by relative name.
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
        """Of all files."""
        return sum(fact.size for fact in self.files.values())

    def to_bytes(self) -> bytes:
        """The manifest, with the sha256 of itself."""
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
    """Read a manifest; nothing in it is believed that can be checked.

    Raises:
        InputError: It is no manifest, of a newer schema, was changed, or names files that no
            release may hold.
    """
    body = _parsed(data)
    if not isinstance(body, dict) or body.get("kind") != KIND:
        raise InputError("The manifest.json is not that of a procvid release.", _MEND)
    version = body.get("schema_version")
    if version != SCHEMA_VERSION:
        raise InputError(
            f"The release has schema version {str(version)[:20]}, this procvid reads "
            f"{SCHEMA_VERSION}.",
            "Update procvid.",
        )
    told = body.pop("self_sha256", None)
    if told != _digest(_dump(body)):
        raise InputError("The manifest.json was changed after it was written.", _MEND)
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
        raise InputError("The manifest.json lacks what it must say.", _MEND)
    wrong = [name for name in files if not is_file_of(artifact, name)]
    if wrong:
        raise InputError(
            f"The release names files that no {artifact} has: {shown(wrong)}.",
            "Do not trust it: nothing of it was fetched.",
        )
    if len(files) > MAX_FILES:
        raise InputError(f"The release names {len(files)} files, more than {MAX_FILES}.", _MEND)
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
    """Size and hash of a file."""
    return FileFact(file.stat().st_size, sha256_of(file))


def damaged_files(folder: Path, files: Mapping[str, FileFact]) -> dict[str, str]:
    """The files of a folder that are not as they should be, each with what is wrong."""
    wrong = {}
    for name, fact in files.items():
        file = folder / name
        if file.is_symlink() or any(p.is_symlink() for p in file.parents if folder in p.parents):
            wrong[name] = "is a link"
        elif not file.is_file():
            wrong[name] = "is missing"
        elif file.stat().st_size != fact.size:
            wrong[name] = f"has {file.stat().st_size:,} bytes, not {fact.size:,}"
        elif sha256_of(file) != fact.sha256:
            wrong[name] = "has other bytes than were published"
    return wrong


def only_the_card(wrong: Mapping[str, str]) -> bool:
    """Whether nothing but the card differs: its owner may mend a word on the Hub's page."""
    return set(wrong) <= {CARD}


def _parsed(data: bytes) -> Any:
    if len(data) > MAX_MANIFEST_BYTES:
        raise InputError(f"The manifest.json has {len(data):,} bytes, too many.", _MEND)
    try:
        return json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError("The manifest.json is not JSON.", _MEND) from None


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
