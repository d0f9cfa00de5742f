"""Client of the Hub whose errors become one sentence each, with a hint."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from huggingface_hub import HfApi, RepoFile, constants, get_token
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.hub.names import HubId
from procvid.machine import check_network
from procvid.storage.atomic import output_error

AGAIN = "Try again in a few minutes."
TRIES = 3
"""Attempts when the Hub is overloaded or the connection breaks."""

WAIT_S = 1.0
BROKEN = ("ReadError", "ReadTimeout", "RemoteProtocolError", "WriteError", "WriteTimeout")
"""Errors of the HTTP library after the server has answered."""

TRANSIENT = (408, 429, 500, 502, 503, 504)
MAX_LISTED = 2000

Value = TypeVar("Value")


class UnreachableError(UnavailableError):
    """The Hub cannot be reached or did not answer in time; a local copy may serve."""


class NoManifestError(InputError):
    """The repository exists but is not a procvid release."""


@dataclass(frozen=True)
class ListedFile:
    """A file as the Hub lists it: size in bytes, sha256 if known, and git object id."""

    size: int
    sha256: str | None
    git_oid: str = ""


@dataclass(frozen=True)
class HubClient:
    """Connection to the Hub.

    Attributes:
        endpoint: Address of the Hub; by default HF_ENDPOINT or huggingface.co.
        token: Access token; None uses HF_TOKEN or `hf auth login`, False sends none.
    """

    endpoint: str | None = None
    token: str | bool | None = None

    @property
    def api(self) -> HfApi:
        """The client of huggingface_hub, with progress bars only on a terminal and without its log.

        Raises:
            UnavailableError: A proxy or the token cannot be used.
        """
        check_network(get_token() if self.token is None else self.token)
        logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
        if not sys.stderr.isatty():
            disable_progress_bars()
        return HfApi(endpoint=self.endpoint, token=self.token, library_name="procvid")

    def commit_of(self, wanted: HubId) -> str:
        """Return the commit that a revision points to.

        Raises:
            UnavailableError: The Hub refuses; an UnreachableError if it does not answer.
        """
        with hub_errors(wanted):
            info = self.api.repo_info(
                wanted.repo, repo_type=wanted.repo_type, revision=wanted.revision
            )
        return str(info.sha)

    def files_at(self, wanted: HubId) -> dict[str, ListedFile]:
        """List all files of a commit.

        Raises:
            UnavailableError: The Hub refuses or does not answer.
            InputError: There are more than 2,000 files.
        """
        found: dict[str, ListedFile] = {}
        with hub_errors(wanted):
            for entry in self.api.list_repo_tree(
                wanted.repo,
                recursive=True,
                revision=wanted.revision,
                repo_type=wanted.repo_type,
            ):
                if not isinstance(entry, RepoFile):
                    continue
                found[entry.path] = ListedFile(
                    entry.size, entry.lfs.sha256 if entry.lfs else None, entry.blob_id
                )
                if len(found) > MAX_LISTED:
                    raise InputError(f"{wanted.label} holds more than {MAX_LISTED:,} files.")
        return found

    def fetch(self, wanted: HubId, name: str, folder: Path, *, force: bool = False) -> Path:
        """Download one file of a commit into a folder, resuming an interrupted download.

        Raises:
            ProcvidError: The file cannot be downloaded or written.
        """
        with hub_errors(wanted, folder):
            return Path(
                self.api.hf_hub_download(
                    wanted.repo,
                    name,
                    repo_type=wanted.repo_type,
                    revision=wanted.revision,
                    local_dir=folder,
                    force_download=force,
                )
            )


def is_offline() -> bool:
    """Return True if HF_HUB_OFFLINE keeps this process off the Hub."""
    return bool(constants.HF_HUB_OFFLINE)


def retrying(ask: Callable[[], Value]) -> Value:
    """Return the result of `ask`, calling it again while the Hub does not answer."""
    for tried in range(1, TRIES):
        try:
            return ask()
        except UnreachableError:
            time.sleep(WAIT_S * tried)
    return ask()


@contextmanager
def hub_errors(wanted: HubId, folder: Path | None = None) -> Iterator[None]:
    """Turn the client's errors into ours; programming errors pass through.

    Raises:
        ProcvidError: What went wrong, without text from the service.
    """
    try:
        yield
    except ProcvidError:
        raise
    except Exception as error:
        ours = as_procvid_error(error, wanted, folder)
        if ours is None:
            raise
        raise ours from error


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status behind an error, or None."""
    seen: BaseException | None = error
    while seen is not None:
        status = getattr(getattr(seen, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        seen = seen.__cause__ or seen.__context__
    return None


def is_transient(error: BaseException) -> bool:
    """Return True if trying again may help."""
    status = status_of(error)
    return status in TRANSIENT if status is not None else isinstance(error, UnreachableError)


def as_procvid_error(
    error: Exception, wanted: HubId, folder: Path | None = None
) -> ProcvidError | None:
    """Return our error for an error of the client, or None for any other error."""
    match error:
        case GatedRepoError():
            return UnavailableError(
                f"{wanted.repo} is gated: its owners require you to accept their terms.",
                f"Accept them on the page of {wanted.repo}, then log in with `hf auth login`.",
            )
        case RevisionNotFoundError():
            return InputError(
                f"{wanted.repo} has no revision {wanted.revision!r}.",
                "See its page on the Hub for tags and branches.",
            )
        case RepositoryNotFoundError():
            return UnavailableError(
                f"There is no {_kind(wanted)} {wanted.repo} on the Hub, or it is private and your "
                "token cannot read it.",
                "Check the name. If it is private, log in with `hf auth login`.",
            )
        case LocalEntryNotFoundError() | OfflineModeIsEnabled() if status_of(error) is None:
            return _unreachable(wanted)
        case EntryNotFoundError() if status_of(error) == 404:
            return InputError(f"{wanted.label} lacks a file that its manifest names.")
        case HFValidationError():
            return InputError(f"{wanted.label!r} is not the name of a repository on the Hub.")
    status = status_of(error)
    if status is not None:
        return _of_status(status, error, wanted)
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return UnreachableError(f"A file of {wanted.repo} was cut off in transit.", AGAIN)
    if type(error).__name__ in BROKEN:
        return UnreachableError(
            f"The connection to the Hub broke while accessing {wanted.repo}.", AGAIN
        )
    if _is_of_the_network(error):
        return _unreachable(wanted)
    if isinstance(error, OSError) and error.errno is not None and folder is not None:
        return output_error(folder, error)
    if isinstance(error, HfHubHTTPError):
        return _unreachable(wanted)
    return None


def _of_status(status: int, error: Exception, wanted: HubId) -> ProcvidError:
    if status == 401:
        return UnavailableError(
            "The Hub does not accept your token (401), or there is none.",
            "Log in with `hf auth login`, or check HF_TOKEN.",
        )
    if status == 403:
        return UnavailableError(
            f"Your token does not have access to {wanted.repo} (403).",
            "Use a token that can read the repository; to publish, one that can write to it.",
        )
    if status in (409, 412):
        return UnavailableError(
            f"{wanted.repo} was changed by someone else in the meantime ({status}).",
            "Check it, then run the command again.",
        )
    if status == 429:
        wait = re.sub(r"\D", "", _header(error, "Retry-After"))[:6]
        hint = f"Try again in {wait} s." if wait else AGAIN
        return UnreachableError(f"The Hub limits requests to {wanted.repo} (429).", hint)
    if status in TRANSIENT:
        return UnreachableError(f"The Hub answered {status} for {wanted.repo}.", AGAIN)
    return UnavailableError(
        f"The Hub refused {wanted.repo} ({status}).", "Check the name and revision."
    )


def _header(error: BaseException, name: str) -> str:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return str(headers.get(name, ""))


def _is_of_the_network(error: Exception) -> bool:
    """Return True for raw errors of the HTTP library, which depends on the client's version."""
    kinds = (ConnectionError, TimeoutError)
    return type(error).__module__.partition(".")[0] in ("httpx", "httpx2") or isinstance(
        error, kinds
    )


def _unreachable(wanted: HubId) -> UnreachableError:
    return UnreachableError(
        f"The Hub cannot be reached for {wanted.repo}.",
        "Connect to the network, unset HF_HUB_OFFLINE, or give a local folder.",
    )


def _kind(wanted: HubId) -> str:
    return wanted.repo_type or "repository"
