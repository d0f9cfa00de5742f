"""Check a bundle or a pulled release: every byte, and that the contents match the manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from procvid.errors import InputError
from procvid.hub.lora_file import lora_facts
from procvid.hub.names import CARD, EMBEDDINGS, HUB_FILES, LORA, MANIFEST, RECEIPT, shown
from procvid.hub.release import (
    Release,
    damaged_files,
    only_the_card,
    release_from_bytes,
)
from procvid.hub.secrets import home_in
from procvid.run.folder import CLIP, CONDITIONING, read_run
from procvid.storage.files import sha256_of

UNNAMED = (MANIFEST, RECEIPT, *HUB_FILES)
"""Files that may lie in a release's folder although its manifest does not name them."""


def read_release(folder: Path) -> Release:
    """Read the manifest of a bundle or of a pulled release; the files are not checked.

    Raises:
        InputError: The manifest is missing or not valid.
    """
    file = folder / MANIFEST
    if not file.is_file():
        raise InputError(
            f"{str(folder)!r} holds no release: it has no {MANIFEST}.",
            "Check the folder's name.",
        )
    with file.open("rb") as opened:
        return release_from_bytes(opened.read(2_000_000))


def validate(folder: Path) -> Release:
    """Check all files of a bundle or of a pulled release, and what they hold.

    Raises:
        InputError: The manifest is not valid, a file is missing, damaged, foreign or a link, or the
            files do not hold what the manifest states.
    """
    release = read_release(folder)
    wrong = damaged_files(folder, release.files)
    if wrong and not only_the_card(wrong):
        name = next(each for each in wrong if each != CARD)
        raise InputError(
            f"The release in {str(folder)!r} is damaged: {name} {wrong[name]}.",
            "Pull or build it again.",
        )
    foreign = sorted(set(files_in(folder)) - set(release.files) - set(UNNAMED))
    if foreign:
        raise InputError(
            f"{str(folder)!r} contains files that its manifest does not name: {shown(foreign)}.",
            "Remove them.",
        )
    check_contents(folder, release)
    return release


def check_contents(folder: Path, release: Release) -> None:
    """Raise InputError unless the files hold what the manifest states."""
    match release.artifact:
        case "lora":
            _require_equal(
                release, lora_facts(_required(folder, release, LORA)), release.facts.get("lora")
            )
        case "memory":
            _check_memory(folder, release)
        case "run":
            _check_run(folder)


def shard_names(release: Release) -> list[str]:
    """Return the parquet shards of a published crop store, in order.

    Raises:
        InputError: A shard is missing.
    """
    names = sorted(name for name in release.files if name.endswith(".parquet"))
    wanted = [f"data/crops-{k:05d}-of-{len(names):05d}.parquet" for k in range(len(names))]
    if names != wanted or not names:
        raise InputError("The release lacks some of its crops.", "Choose another revision.")
    return names


def files_in(folder: Path) -> Iterator[str]:
    """Yield the relative names of all files below a folder, except the Hub client's own."""
    for parent, _, files in os.walk(folder):
        for file in files:
            name = (Path(parent) / file).relative_to(folder).as_posix()
            if not name.startswith(".cache/"):
                yield name


def homes_named(folder: Path, release: Release) -> dict[str, str]:
    """Return the files that mention a home folder, each with that folder."""
    found = {name: home_in(folder / name) for name in release.files if "/references/" not in name}
    return {name: home for name, home in found.items() if home}


def _require_equal(release: Release, found: Any, stated: Any) -> None:
    if found != stated:
        raise InputError(
            f"The manifest of {release.name!r} is wrong: it states {_brief(stated)}, but the files "
            f"hold {_brief(found)}.",
            "Do not use this release, and report it to its owner.",
        )


def _brief(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, sort_keys=True)[:160]


def _required(folder: Path, release: Release, name: str) -> Path:
    if name not in release.files:
        raise InputError(f"The release lacks {name}.", "Choose another revision.")
    return folder / name


def _check_memory(folder: Path, release: Release) -> None:
    try:
        rows = 0
        for name in shard_names(release):
            rows += pq.read_metadata(folder / name).num_rows
        with safe_open(_required(folder, release, EMBEDDINGS), framework="np") as opened:
            shapes = {tuple(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118
    except (pa.ArrowException, SafetensorError, OSError) as error:
        raise InputError(
            "A file of the crop store cannot be read.", "Download it again."
        ) from error
    counts, embedder = release.facts.get("counts"), release.facts.get("embedder")
    if not isinstance(counts, dict) or not isinstance(embedder, dict):
        raise InputError("The manifest of the crop store lacks required fields.")
    _require_equal(release, {"crops": rows}, {"crops": counts.get("crops")})
    stated = [[counts.get("crops"), embedder.get("dim")]]
    _require_equal(release, {"embeddings": sorted(map(list, shapes))}, {"embeddings": stated})


def _check_run(folder: Path) -> None:
    read_run(folder)
    for clip in sorted(folder.glob(f"steps/*/{CLIP}")):
        try:
            stated = json.loads((clip.parent / CONDITIONING).read_text("utf-8"))["clip_sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            stated = None
        if stated != sha256_of(clip):
            raise InputError(
                f"The clip of step {clip.parent.name} does not match its record.",
                "Make the step again with `procvid regenerate`.",
            )
