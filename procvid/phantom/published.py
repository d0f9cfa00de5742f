"""The published files on the Hugging Face Hub, at revisions that do not change."""

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
"""By profile, in the repository of Phantom."""

BASE_FILES = ("text_encoder/*", "tokenizer/*", "vae/*", "model_index.json")
"""In the repository of Wan2.1, which has a transformer of its own that is not wanted."""


_OFFLINE = "it is not in the cache here, and the Hub cannot be reached"
_SAID: Mapping[type[Exception], str] = {
    errors.GatedRepoError: "its owner asks for an agreement first, on its page there",
    errors.RepositoryNotFoundError: "there is none of that name, or it is private",
    errors.RevisionNotFoundError: "it has no such revision",
    errors.LocalEntryNotFoundError: _OFFLINE,
    errors.OfflineModeIsEnabled: _OFFLINE,
}
"""What the client says in several lines; the first kind that fits."""


@dataclass(frozen=True)
class Published:
    """Downloaded weights: a file or folder, and the hash of a pickle.

    Attributes:
        source: For `open_checkpoint`.
        sha256: Of a `.pth`, from the record of the pinned commit; None for safetensors.
    """

    source: Path
    sha256: str | None


def fetch_transformer(profile: str, pinned: str) -> Published:
    """Download Phantom's weights, or find them in the cache of the Hub.

    Args:
        profile: "phantom-1.3b" or "phantom-14b".
        pinned: "owner/name@revision", where the revision is a whole commit hash.

    Raises:
        UnavailableError: They cannot be had; says why.
    """
    patterns = TRANSFORMER_FILES[profile]
    folder = _download(pinned, patterns)
    pickles = [name for name in patterns if name.endswith(".pth")]
    if not pickles:
        return Published(folder, None)
    return Published(folder / pickles[0], _recorded_sha256(pinned, pickles[0]))


def fetch_base(pinned: str) -> Path:
    """Download text encoder, tokenizer and autoencoder of Wan2.1, or find them in the cache.

    Raises:
        UnavailableError: They cannot be had; says why.
    """
    return _download(pinned, BASE_FILES)


def fetch_lora(repository: str) -> Path:
    """Download the LoRA files of a Hub repository ("owner/name" or "owner/name@revision").

    Raises:
        UnavailableError: They cannot be had; says why.
    """
    try:
        return _download(repository, ("*.safetensors",))
    except UnavailableError as error:
        raise UnavailableError(
            f"The LoRA {error.message}", "Connect to the network, or give a file that is here."
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
    """The sha256 that the pinned commit records for a large file: the commit's hash covers it."""
    repository, _, revision = pinned.partition("@")
    try:
        (fact,) = HfApi().get_paths_info(repository, [file], revision=revision)
        return str(fact.lfs.sha256)
    except Exception as error:
        raise _unavailable(repository, error) from error


def _unavailable(repository: str, error: Exception) -> UnavailableError:
    # The client raises its own errors, those of its transport, OSError and ValueError.
    said = next((told for kind, told in _SAID.items() if isinstance(error, kind)), "")
    if not said:
        first = (str(error).splitlines() or [""])[0][:160]
        said = f"{type(error).__name__}: {first}"
    return UnavailableError(
        f"{repository} cannot be had from the Hugging Face Hub ({said}).",
        "Connect to the network, or give files that are here with --transformer and --base.",
    )
