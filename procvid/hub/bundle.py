"""A bundle: the folder that becomes a release, with its manifest and its card, and its checks."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open

from procvid.errors import InputError, ProcvidError
from procvid.hub.lora_file import lora_facts
from procvid.hub.names import (
    BESIDE,
    CARD,
    EMBEDDINGS,
    LORA,
    MANIFEST,
    RECEIPT,
    Artifact,
    is_file_of,
    shown,
)
from procvid.hub.release import (
    MAX_FILES,
    FileFact,
    Release,
    damaged_files,
    fact_of,
    only_the_card,
    release_from_bytes,
)
from procvid.hub.secrets import home_in, refuse_pickles, refuse_secrets
from procvid.run.folder import CLIP, CONDITIONING, read_run
from procvid.storage.atomic import output_error

Source = Path | bytes
"""A file of this machine, or the bytes themselves."""

BUNDLE_ONLY = (MANIFEST, RECEIPT)
"""Beside the files that a manifest names, these two may lie in a folder, and what the Hub adds."""


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
        artifact: Which kind.
        sources: The files but card and manifest, by their name in the release.
        name: For people.
        licence: Of the whole; may be empty.
        rights: In words.
        facts: Of this kind, as `Release.facts`.
        versions: Of the programs that made it.
        card: Writes the card; the release that it gets has every file but the card.

    Raises:
        InputError: Secrets, pickles, links, names that are not of this kind, or too many files.
        OutputError: The folder cannot be written.
    """
    names = sorted(sources)
    refuse_pickles(names)
    wrong = [each for each in names if not is_file_of(artifact, each)]
    if wrong:
        raise InputError(f"No {artifact} holds {shown(wrong)}.", "Move it elsewhere.")
    if len(names) + 1 > MAX_FILES:
        raise InputError(f"{len(names) + 1} files are more than a release of {MAX_FILES} holds.")
    files: dict[str, FileFact] = {}
    try:
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
    except OSError as error:
        raise output_error(out, error) from error
    return validate(out)


def _place(source: Source, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, bytes):
        target.write_bytes(source)
        return
    if source.is_symlink() or not source.is_file():
        raise InputError(f"{source.name!r} is a link or no file.", "Put the file itself there.")
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def read_release(folder: Path) -> Release:
    """The manifest of a bundle or of a pulled release; its files are not looked at.

    Raises:
        InputError: There is none, or it cannot be believed.
    """
    file = folder / MANIFEST
    if not file.is_file():
        raise InputError(
            f"There is no release in {str(folder)!r}: it has no {MANIFEST}.",
            "Check the folder's name.",
        )
    with file.open("rb") as opened:
        return release_from_bytes(opened.read(2_000_000))


def validate(folder: Path) -> Release:
    """Check everything that can be checked of a bundle: every byte, and what the bytes say.

    Raises:
        InputError: The manifest lies or cannot be believed, a file is missing, damaged, beside the
            manifest or a link, or the files do not hold what the manifest says they hold.
    """
    release = read_release(folder)
    wrong = damaged_files(folder, release.files)
    if wrong and not only_the_card(wrong):
        name = next(each for each in wrong if each != CARD)
        raise InputError(
            f"The release in {str(folder)!r} is damaged: {name} {wrong[name]}.",
            "Pull it again, or make it again.",
        )
    beside = sorted(set(files_in(folder)) - set(release.files) - {*BUNDLE_ONLY, *BESIDE})
    if beside:
        raise InputError(
            f"In {str(folder)!r} lie files that its manifest does not name: {shown(beside)}.",
            "Take them out.",
        )
    check_contents(folder, release)
    return release


def check_contents(folder: Path, release: Release) -> None:
    """Raise InputError unless the files hold what the manifest says of them."""
    match release.artifact:
        case "lora":
            _same(release, lora_facts(_one(folder, release, LORA)), release.facts.get("lora"))
        case "memory":
            _check_memory(folder, release)
        case "run":
            _check_run(folder)


def _same(release: Release, found: Any, told: Any) -> None:
    if found != told:
        raise InputError(
            f"The manifest of {release.name!r} lies: it says {_brief(told)}, its files hold "
            f"{_brief(found)}.",
            "Do not use it; tell its owner.",
        )


def _brief(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, sort_keys=True)[:160]


def _one(folder: Path, release: Release, name: str) -> Path:
    if name not in release.files:
        raise InputError(f"The release lacks {name}.", "It is no whole release.")
    return folder / name


def shard_names(release: Release) -> list[str]:
    """The parquet shards of a crop store, in order.

    Raises:
        InputError: One is missing.
    """
    names = sorted(name for name in release.files if name.endswith(".parquet"))
    wanted = [f"data/crops-{k:05d}-of-{len(names):05d}.parquet" for k in range(len(names))]
    if names != wanted or not names:
        raise InputError("The release lacks some of its crops.", "It is no whole release.")
    return names


def _check_memory(folder: Path, release: Release) -> None:
    try:
        rows = 0
        for name in shard_names(release):
            rows += pq.read_metadata(folder / name).num_rows
        with safe_open(_one(folder, release, EMBEDDINGS), framework="np") as opened:
            shapes = {tuple(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118
    except (pa.ArrowException, SafetensorError, OSError) as error:
        raise InputError("A file of the crop store cannot be read.", "Get it again.") from error
    counts, embedder = release.facts.get("counts"), release.facts.get("embedder")
    if not isinstance(counts, dict) or not isinstance(embedder, dict):
        raise InputError("The manifest of the crop store lacks what it must say.")
    _same(release, {"crops": rows}, {"crops": counts.get("crops")})
    told = [[counts.get("crops"), embedder.get("dim")]]
    _same(release, {"embeddings": sorted(map(list, shapes))}, {"embeddings": told})


def _check_run(folder: Path) -> None:
    read_run(folder)
    for clip in sorted(folder.glob(f"steps/*/{CLIP}")):
        try:
            said = json.loads((clip.parent / CONDITIONING).read_text("utf-8"))["clip_sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            said = None
        if said != fact_of(clip).sha256:
            raise InputError(
                f"The clip of step {clip.parent.name} is not the one that its record names.",
                "Make the step again with `procvid regenerate`.",
            )


def files_in(folder: Path) -> Iterator[str]:
    """All files below a folder, relative with slashes, but those of the Hub's client."""
    for parent, _, files in os.walk(folder):
        for file in files:
            name = (Path(parent) / file).relative_to(folder).as_posix()
            if not name.startswith(".cache/"):
                yield name


def homes_named(folder: Path, release: Release) -> dict[str, str]:
    """Files that name a personal folder of some machine, with that folder: told before publishing."""
    found = {name: home_in(folder / name) for name in release.files if "/references/" not in name}
    return {name: home for name, home in found.items() if home}


def is_whole(folder: Path) -> bool:
    """Whether a folder is a valid release; for those who only want to know."""
    try:
        validate(folder)
    except ProcvidError:
        return False
    return True
