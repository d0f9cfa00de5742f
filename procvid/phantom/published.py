"""Download of the published files from the Hugging Face Hub, at pinned revisions.

A model without a pinned revision is downloaded at its latest commit, and its large files must have the
hashes that this commit records.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import HfApi, constants, errors, snapshot_download, try_to_load_from_cache

from procvid.errors import UnavailableError
from procvid.storage.files import sha256_of
from procvid.storage.pins import BASES, TRANSFORMERS, WAN_OTHER_BYTES, HubModel

_OFFLINE = "it is not in the local cache, and the Hub cannot be reached"
_REASONS: Mapping[type[Exception], str] = {
    errors.GatedRepoError: "accept the agreement on its Hub page first",
    errors.RepositoryNotFoundError: "it does not exist or is private",
    errors.RevisionNotFoundError: "it has no such revision",
    errors.LocalEntryNotFoundError: _OFFLINE,
    errors.OfflineModeIsEnabled: _OFFLINE,
}
"""Reason by error of the client; the first match is used."""


@dataclass(frozen=True)
class PublishedFiles:
    """Downloaded weights.

    Attributes:
        source: File or folder for `open_checkpoint`; for other parts, the folder that holds theirs.
        sha256: Hash of a `.pth` as recorded in the pinned commit; None for safetensors.
        origin: "owner/name@commit" of a model whose commit is not pinned; else "".
    """

    source: Path
    sha256: str | None = None
    origin: str = ""


@dataclass(frozen=True)
class Download:
    """What a download takes.

    Attributes:
        fetch_bytes: Bytes that are not in the Hub's cache yet.
        problem: Why the Hub could not be asked, so that the bytes are those of the list of pins;
            "" if it was.
    """

    fetch_bytes: int
    problem: str = ""


def download_of(model: HubModel, *, ask: bool = True) -> Download:
    """Return what the download of a model takes. Downloads nothing.

    Args:
        model: The model.
        ask: Ask the Hub for the sizes of the files that are missing.
    """
    if is_cached(model):
        return Download(0)
    if not ask:
        return Download(model.size_bytes, "the Hub was not asked")
    try:
        # One request. The client's own dry run would try for half a minute without a network.
        info = HfApi().model_info(model.repo, revision=model.revision, files_metadata=True)
    except Exception as error:
        return Download(model.size_bytes, _reason(error))
    missing = [
        file.size or 0
        for file in info.siblings or ()
        if any(fnmatch(file.rfilename, pattern) for pattern in model.files)
        and not try_to_load_from_cache(model.repo, file.rfilename, revision=model.revision)
    ]
    return Download(sum(missing))


def written_bytes(profile: str) -> int:
    """Return about how many bytes a conversion to half precision writes.

    Half of the published float32 weights; autoencoder and tokenizer stay as they are.
    """
    weights = TRANSFORMERS[profile].size_bytes + BASES[profile].size_bytes - WAN_OTHER_BYTES
    return weights // 2 + WAN_OTHER_BYTES


def is_cached(model: HubModel) -> bool:
    """Return True if every file of a model is in the Hub's cache; does not check their bytes."""
    try:
        folder = _snapshot(model, local_files_only=True)
    except Exception:
        # The client has a new error in almost every version; the download will report it.
        return False
    names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    shards = {
        shard for name in names if name.endswith(".index.json") for shard in _shards(folder / name)
    }
    wanted = all(any(fnmatch(name, pattern) for name in names) for pattern in model.files)
    return wanted and all(shard.is_file() for shard in shards)


def _shards(index: Path) -> set[Path]:
    try:
        files = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return {index.parent / str(name) for name in files}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # A damaged index: nothing that it lists is there.
        return {index / "damaged"}


def hub_cache() -> Path:
    """Return the Hub's cache, where downloads are kept; it may not exist yet."""
    return Path(constants.HF_HUB_CACHE)


def fetch_transformer(profile: str) -> PublishedFiles:
    """Download the weights of a transformer, or find them in the Hub cache.

    An interrupted download continues where it stopped.

    Args:
        profile: A profile whose model `procvid convert` makes.

    Raises:
        UnavailableError: The download failed, or a file has another hash than its commit records.
    """
    model = TRANSFORMERS[profile]
    files = _fetch(model)
    pickles = [name for name in model.files if name.endswith(".pth")]
    if not pickles:
        part = files.source / "transformer"
        return replace(files, source=part) if part.is_dir() else files
    file = files.source / pickles[0]
    return PublishedFiles(file, recorded_sha256(file) or _asked_sha256(model, pickles[0]))


def fetch_base(profile: str) -> PublishedFiles:
    """Download text encoder, tokenizer and autoencoder, or find them in the Hub cache.

    VACE has a scheduler too.

    Raises:
        UnavailableError: The download failed, or a file has another hash than its commit records.
    """
    return _fetch(BASES[profile])


def _fetch(model: HubModel) -> PublishedFiles:
    """Download a model; without a pinned commit, at its latest one, with a check of its hashes."""
    if model.is_pinned:
        return PublishedFiles(_download(model))
    resolved = _latest(model)
    folder = _download(resolved)
    for name, expected in resolved.sha256.items():
        found = sha256_of(folder / name)
        if found != expected:
            raise UnavailableError(
                f"The file {name} of {resolved.pinned} is damaged: its sha256 is {found}, but the Hub "
                f"records {expected}.",
                f"Delete {(folder / name).resolve()}, then run the command again.",
            )
    return PublishedFiles(folder, origin=resolved.pinned)


def _latest(model: HubModel) -> HubModel:
    """Return a model at its latest commit, with the hashes of its large files.

    Without the Hub, that is the commit in the cache, which names large files by their hashes.
    """
    try:
        info = HfApi().model_info(model.repo, revision=model.revision, files_metadata=True)
    except Exception as error:
        if not is_cached(model):
            raise _unavailable(model.repo, error) from error
        folder = _snapshot(model, local_files_only=True)
        files = (file for file in folder.rglob("*") if file.is_file())
        known = {file.relative_to(folder).as_posix(): recorded_sha256(file) for file in files}
        return _at(model, folder.name, known)
    known = {file.rfilename: file.lfs.sha256 for file in info.siblings or () if file.lfs}
    return _at(model, str(info.sha), known)


def _at(model: HubModel, commit: str, hashes: Mapping[str, str | None]) -> HubModel:
    kept = {
        name: sha256
        for name, sha256 in hashes.items()
        if sha256 and any(fnmatch(name, pattern) for pattern in model.files)
    }
    return replace(model, revision=commit, sha256=kept)


def fetch_lora(repository: str) -> Path:
    """Download the LoRA files of a Hub repository ("owner/name" or "owner/name@revision").

    Raises:
        UnavailableError: The download failed.
    """
    name, _, revision = repository.partition("@")
    try:
        return _download(HubModel(name, revision, ("*.safetensors",), 0))
    except UnavailableError as error:
        raise UnavailableError(
            f"The LoRA {error.message}", "Connect to the network, or give a local file."
        ) from error


def recorded_sha256(file: Path) -> str | None:
    """Return the sha256 of a large file in the Hub's cache, as its commit records it.

    The cache names the file by this hash. None for small files, and where the cache has no links.
    """
    name = file.resolve().name
    return name if re.fullmatch("[0-9a-f]{64}", name) else None


def _snapshot(model: HubModel, *, local_files_only: bool) -> Path:
    return Path(
        snapshot_download(
            model.repo,
            revision=model.revision or None,
            allow_patterns=list(model.files),
            local_files_only=local_files_only,
        )
    )


def _download(model: HubModel) -> Path:
    try:
        return _snapshot(model, local_files_only=False)
    except Exception as error:
        raise _unavailable(model.repo, error) from error


def _asked_sha256(model: HubModel, file: str) -> str:
    """Return the sha256 of a large file as recorded in the pinned commit, whose hash covers it."""
    try:
        (fact,) = HfApi().get_paths_info(model.repo, [file], revision=model.revision)
        return str(fact.lfs.sha256)
    except Exception as error:
        raise _unavailable(model.repo, error) from error


def _unavailable(repository: str, error: Exception) -> UnavailableError:
    return UnavailableError(
        f"{repository} could not be downloaded from the Hugging Face Hub ({_reason(error)}).",
        "Connect to the network, or give local files with --transformer and --base.",
    )


def _reason(error: Exception) -> str:
    # The client raises its own errors, those of its transport, OSError and ValueError.
    for kind, text in _REASONS.items():
        if isinstance(error, kind):
            return text
    if type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore"):
        return "the Hub cannot be reached"
    first = (str(error).splitlines() or [""])[0][:160]
    return f"{type(error).__name__}: {first}"
