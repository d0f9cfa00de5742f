"""Download files of published models from the Hub at a pinned revision, and check them."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from procvid.errors import ProcvidError, UnavailableError
from procvid.machine import check_network
from procvid.phantom.published import recorded_sha256
from procvid.storage.atomic import output_error
from procvid.storage.files import sha256_of
from procvid.storage.pins import HubModel


def fetch(model: HubModel, *, only_kept: bool = False) -> Path:
    """Return the folder with a model's files, downloaded if they are not in the cache.

    Args:
        model: The model.
        only_kept: Use the cache alone, without the network.

    Raises:
        UnavailableError: The files are not available; the message gives the reason.
        OutputError: The disk is full or the cache cannot be written.
    """
    folder = _pull(model, only_kept=only_kept, force=False)
    wrong = _wrong_files(folder, model)
    if wrong and not only_kept:
        # A damaged download can have the right size, so only the hash shows it.
        folder = _pull(model, only_kept=False, force=True)
        wrong = _wrong_files(folder, model)
    if wrong:
        raise UnavailableError(
            f"The file {wrong[0]} of {model.repo} is missing or not the published one.",
            f"Delete it from the cache and download it again: {model.command}",
        )
    return folder


def is_kept(model: HubModel) -> bool:
    """Return True if all files are in the cache; does not check their bytes."""
    try:
        folder = _pull(model, only_kept=True, force=False)
    except ProcvidError:
        return False
    return all((folder / name).is_file() for name in model.files)


def check_access(model: HubModel) -> bool:
    """Return True if a model is in the cache, False if it can be downloaded. Downloads nothing.

    Raises:
        UnavailableError: It cannot be downloaded; the message gives the reason.
    """
    if is_kept(model):
        return True
    check_network(huggingface_hub.get_token())
    try:
        huggingface_hub.HfApi().auth_check(model.repo)
    except Exception as error:
        known = _known_error(error, model)
        if known is None:
            raise
        raise known from None
    return False


def _pull(model: HubModel, *, only_kept: bool, force: bool) -> Path:
    if not only_kept:
        check_network(huggingface_hub.get_token())
    try:
        return Path(
            huggingface_hub.snapshot_download(
                model.repo,
                revision=model.revision,
                allow_patterns=list(model.files),
                local_files_only=only_kept,
                force_download=force,
            )
        )
    except Exception as error:
        known = _known_error(error, model)
        if known is None:
            raise
        raise known from None


def _wrong_files(folder: Path, model: HubModel) -> list[str]:
    return [
        name for name in model.files if not _is_published(folder / name, model.sha256.get(name))
    ]


def _is_published(file: Path, sha256: str | None) -> bool:
    if not file.is_file():
        return False
    wanted = sha256 or recorded_sha256(file)
    return wanted is None or sha256_of(file) == wanted


def _known_error(error: Exception, model: HubModel) -> ProcvidError | None:
    """Return a library's error as one of procvid's; None for an unexpected one."""
    page = f"https://huggingface.co/{model.repo}"
    match error:
        case GatedRepoError():
            return UnavailableError(
                f"The model {model.repo} is gated: you must accept its terms first.",
                f"Accept them at {page}, then log in with `hf auth login`.",
            )
        case RevisionNotFoundError():
            return UnavailableError(
                f"The model {model.repo} no longer has the revision {model.revision[:12]}.",
                "Update procvid.",
            )
        case RepositoryNotFoundError():
            return UnavailableError(
                f"There is no model {model.repo} on the Hub, or your token has no access to it.",
                "Check HF_TOKEN, or log in with `hf auth login`.",
            )
        case HfHubHTTPError():
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status == 401:
                return UnavailableError(
                    "The Hub does not accept the token in HF_TOKEN (401).",
                    "Unset it, or log in with `hf auth login`.",
                )
            return UnavailableError(
                f"The Hub answered {status} for {model.repo}.", "Try again in a few minutes."
            )
        case LocalEntryNotFoundError() | OfflineModeIsEnabled():
            return _incomplete(model)
        case OSError() if error.errno is not None and not isinstance(error, ConnectionError):
            return output_error(Path(huggingface_hub.constants.HF_HUB_CACHE), error)
    if _is_network_error(error):
        return _incomplete(model)
    return None


def _is_network_error(error: Exception) -> bool:
    """Return True for raw errors of the HTTP library, which depends on the version of the Hub's client."""
    module = type(error).__module__.partition(".")[0]
    is_incomplete = type(error).__name__ == "IncompleteSnapshotError"
    return is_incomplete or module in ("httpx", "httpx2") or isinstance(error, ConnectionError)


def _incomplete(model: HubModel) -> UnavailableError:
    return UnavailableError(
        f"The model {model.repo} is not complete in the cache, and the Hub cannot be reached.",
        f"Connect this machine and run: {model.command}",
    )
