"""Files of published models: fetched once from the Hub at a pinned revision, checked, kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
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
from procvid.storage.atomic import output_error
from procvid.storage.files import sha256_of


@dataclass(frozen=True)
class HubModel:
    """A model on the Hub.

    Attributes:
        repo: "owner/name".
        revision: The commit, 40 hex digits.
        files: What of it is needed.
        size_bytes: Of all of them, about.
        sha256: Of files whose bytes are pinned, by name.
    """

    repo: str
    revision: str
    files: tuple[str, ...]
    size_bytes: int
    sha256: Mapping[str, str] = field(default_factory=dict)


def fetch(model: HubModel, *, only_kept: bool = False) -> Path:
    """The folder with a model's files, from the cache or, if need be, from the Hub.

    Args:
        model: Which one.
        only_kept: Ask nobody: the files are in the cache, whole, or it is an error.

    Raises:
        UnavailableError: It cannot be had; says why and what to do.
        OutputError: The disk is full or the cache cannot be written.
    """
    folder = _pull(model, only_kept=only_kept, force=False)
    wrong = _wrong_files(folder, model)
    if wrong and not only_kept:
        # Bytes that went wrong on their way are as many as right ones: only the hash tells.
        folder = _pull(model, only_kept=False, force=True)
        wrong = _wrong_files(folder, model)
    if wrong:
        raise UnavailableError(
            f"The file {wrong[0]} of {model.repo} is missing or not the published one.",
            f"Remove it from the cache and fetch it again: {_command(model)}",
        )
    return folder


def is_kept(model: HubModel) -> bool:
    """Whether all files are in the cache; their bytes are not looked at."""
    try:
        folder = _pull(model, only_kept=True, force=False)
    except ProcvidError:
        return False
    return all((folder / name).is_file() for name in model.files)


def check_access(model: HubModel) -> bool:
    """Whether a model is here already; if not, that it could be fetched. Fetches nothing.

    Raises:
        UnavailableError: It could not; says why and what to do.
    """
    if is_kept(model):
        return True
    try:
        huggingface_hub.HfApi().auth_check(model.repo)
    except Exception as error:
        told = _told(error, model)
        if told is None:
            raise
        raise told from None
    return False


def cache_folder() -> Path:
    """Where fetched files are kept: the Hub's cache, which may not be there yet."""
    return Path(huggingface_hub.constants.HF_HUB_CACHE)


def _pull(model: HubModel, *, only_kept: bool, force: bool) -> Path:
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
        told = _told(error, model)
        if told is None:
            raise
        raise told from None


def _wrong_files(folder: Path, model: HubModel) -> list[str]:
    return [
        name
        for name in model.files
        if not (folder / name).is_file()
        or (name in model.sha256 and sha256_of(folder / name) != model.sha256[name])
    ]


def _told(error: Exception, model: HubModel) -> ProcvidError | None:
    """A library's error as one sentence; None for what is a mistake of ours."""
    page = f"https://huggingface.co/{model.repo}"
    match error:
        case GatedRepoError():
            return UnavailableError(
                f"The model {model.repo} is gated: its owners want their terms accepted first.",
                f"Accept them at {page}, then log in with `hf auth login`.",
            )
        case RevisionNotFoundError():
            return UnavailableError(
                f"The model {model.repo} has no revision {model.revision[:12]} any more.",
                "Update procvid.",
            )
        case RepositoryNotFoundError():
            return UnavailableError(
                f"There is no model {model.repo} on the Hub, or your token may not see it.",
                "Check HF_TOKEN, or log in with `hf auth login`.",
            )
        case HfHubHTTPError():
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status == 401:
                return UnavailableError(
                    "The Hub does not know the token in HF_TOKEN (401).",
                    "Unset it, or log in with `hf auth login`.",
                )
            return UnavailableError(
                f"The Hub answered {status} for {model.repo}.", "Try again in a few minutes."
            )
        case LocalEntryNotFoundError() | OfflineModeIsEnabled():
            return _not_whole(model)
        case OSError() if error.errno is not None and not isinstance(error, ConnectionError):
            return output_error(Path(huggingface_hub.constants.HF_HUB_CACHE), error)
    if _is_of_the_network(error):
        return _not_whole(model)
    return None


def _is_of_the_network(error: Exception) -> bool:
    """Raw errors of the HTTP library slip through, and which library that is depends on the Hub's."""
    module = type(error).__module__.partition(".")[0]
    kept_apart = type(error).__name__ == "IncompleteSnapshotError"
    return kept_apart or module in ("httpx", "httpx2") or isinstance(error, ConnectionError)


def _not_whole(model: HubModel) -> UnavailableError:
    return UnavailableError(
        f"The model {model.repo} is not whole in the cache, and the Hub cannot be reached.",
        f"Go online once and run: {_command(model)}",
    )


def _command(model: HubModel) -> str:
    return f"hf download {model.repo} --revision {model.revision}"
