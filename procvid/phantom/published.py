"""Download of the published files from the Hugging Face Hub, at pinned revisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, errors, snapshot_download

from procvid.errors import UnavailableError

TRANSFORMER_FILES: Mapping[str, Sequence[str]] = {
    "phantom-1.3b": ("Phantom-Wan-1.3B.pth",),
    "phantom-14b": ("Phantom_Wan_14B-*.safetensors", "Phantom_Wan_14B.safetensors.index.json"),
}
"""Files in Phantom's repository, by profile."""

BASE_FILES = ("text_encoder/*", "tokenizer/*", "vae/*", "model_index.json")
"""Files in the repository of Wan2.1, without its transformer."""

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
        source: File or folder for `open_checkpoint`.
        sha256: Hash of a `.pth` as recorded in the pinned commit; None for safetensors.
    """

    source: Path
    sha256: str | None


def fetch_transformer(profile: str, pinned: str) -> PublishedFiles:
    """Download Phantom's weights, or find them in the Hub cache.

    Args:
        profile: "phantom-1.3b" or "phantom-14b".
        pinned: "owner/name@revision" with a full commit hash.

    Raises:
        UnavailableError: The download failed.
    """
    patterns = TRANSFORMER_FILES[profile]
    folder = _download(pinned, patterns)
    pickles = [name for name in patterns if name.endswith(".pth")]
    if not pickles:
        return PublishedFiles(folder, None)
    return PublishedFiles(folder / pickles[0], _recorded_sha256(pinned, pickles[0]))


def fetch_base(pinned: str) -> Path:
    """Download text encoder, tokenizer and autoencoder of Wan2.1, or find them in the Hub cache.

    Raises:
        UnavailableError: The download failed.
    """
    return _download(pinned, BASE_FILES)


def fetch_lora(repository: str) -> Path:
    """Download the LoRA files of a Hub repository ("owner/name" or "owner/name@revision").

    Raises:
        UnavailableError: The download failed.
    """
    try:
        return _download(repository, ("*.safetensors",))
    except UnavailableError as error:
        raise UnavailableError(
            f"The LoRA {error.message}", "Connect to the network, or give a local file."
        ) from error


def _download(pinned: str, patterns: Sequence[str]) -> Path:
    repository, _, revision = pinned.partition("@")
    try:
        return Path(
            snapshot_download(repository, revision=revision or None, allow_patterns=list(patterns))
        )
    except Exception as error:
        raise _unavailable(repository, error) from error


def _recorded_sha256(pinned: str, file: str) -> str:
    """Return the sha256 of a large file as recorded in the pinned commit, whose hash covers it."""
    repository, _, revision = pinned.partition("@")
    try:
        (fact,) = HfApi().get_paths_info(repository, [file], revision=revision)
        return str(fact.lfs.sha256)
    except Exception as error:
        raise _unavailable(repository, error) from error


def _unavailable(repository: str, error: Exception) -> UnavailableError:
    # The client raises its own errors, those of its transport, OSError and ValueError.
    reason = next((text for kind, text in _REASONS.items() if isinstance(error, kind)), "")
    if not reason:
        first = (str(error).splitlines() or [""])[0][:160]
        reason = f"{type(error).__name__}: {first}"
    return UnavailableError(
        f"{repository} could not be downloaded from the Hugging Face Hub ({reason}).",
        "Connect to the network, or give local files with --transformer and --base.",
    )
