"""The Hub's client with its errors told: each becomes one sentence that says what to do."""

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

from huggingface_hub import HfApi, RepoFile
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
from procvid.storage.atomic import output_error

AGAIN = "Try again in a few minutes."
TRIES = 3
"""How often something is asked for when the Hub is out of breath or the connection breaks."""

WAIT_S = 1.0
BROKEN = ("ReadError", "ReadTimeout", "RemoteProtocolError", "WriteError", "WriteTimeout")
"""Errors of the HTTP library once somebody has answered."""
TRANSIENT = (408, 429, 500, 502, 503, 504)
MAX_LISTED = 2000

Answer = TypeVar("Answer")


class UnreachableError(UnavailableError):
    """The Hub cannot be reached, or did not answer in time; a copy that is here may do."""


class NoManifestError(InputError):
    """The repository is there and is no procvid release."""


@dataclass(frozen=True)
class Listed:
    """A file as the Hub lists it: size in bytes, sha256 where it keeps one, and git's own name for it."""

    size: int
    sha256: str | None
    git_oid: str = ""


@dataclass(frozen=True)
class HubClient:
    """How the Hub is spoken to.

    Attributes:
        endpoint: Another Hub than huggingface.co; by default that of HF_ENDPOINT.
        token: Of whoever asks; None takes that of HF_TOKEN or of `hf auth login`, False none.
    """

    endpoint: str | None = None
    token: str | bool | None = None

    @property
    def api(self) -> HfApi:
        """The client itself; it draws its bars on a terminal only, and what went wrong is ours to tell."""
        logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL)
        if not sys.stderr.isatty():
            disable_progress_bars()
        return HfApi(endpoint=self.endpoint, token=self.token, library_name="procvid")

    def commit_of(self, wanted: HubId) -> str:
        """The commit that a revision means now.

        Raises:
            UnavailableError: It cannot be had; an UnreachableError when nobody answered.
        """
        with hub_errors(wanted):
            info = self.api.repo_info(
                wanted.repo, repo_type=wanted.repo_type, revision=wanted.revision
            )
        return str(info.sha)

    def files_at(self, wanted: HubId) -> dict[str, Listed]:
        """All files of a commit.

        Raises:
            UnavailableError: They cannot be had.
            InputError: There are thousands.
        """
        found: dict[str, Listed] = {}
        with hub_errors(wanted):
            for entry in self.api.list_repo_tree(
                wanted.repo,
                recursive=True,
                revision=wanted.revision,
                repo_type=wanted.repo_type,
            ):
                if not isinstance(entry, RepoFile):
                    continue
                found[entry.path] = Listed(
                    entry.size, entry.lfs.sha256 if entry.lfs else None, entry.blob_id
                )
                if len(found) > MAX_LISTED:
                    raise InputError(f"{wanted.label} holds more than {MAX_LISTED} files.")
        return found

    def fetch(self, wanted: HubId, name: str, folder: Path, *, force: bool = False) -> Path:
        """Fetch one file of a commit into a folder; cut off, it goes on where it was.

        Raises:
            ProcvidError: It cannot be had, or not written.
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


def patiently(ask: Callable[[], Answer]) -> Answer:
    """What `ask` returns; it is asked again where nobody answered or the Hub was out of breath."""
    for tried in range(1, TRIES):
        try:
            return ask()
        except UnreachableError:
            time.sleep(WAIT_S * tried)
    return ask()


@contextmanager
def hub_errors(wanted: HubId, folder: Path | None = None) -> Iterator[None]:
    """Turn the client's errors into ours; what is a mistake of ours stays as it is.

    Raises:
        ProcvidError: What went wrong, without a word of the service in it.
    """
    try:
        yield
    except ProcvidError:
        raise
    except Exception as error:
        told = as_procvid_error(error, wanted, folder)
        if told is None:
            raise
        raise told from error


def status_of(error: BaseException) -> int | None:
    """The HTTP status behind an error, or None."""
    seen: BaseException | None = error
    while seen is not None:
        status = getattr(getattr(seen, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        seen = seen.__cause__ or seen.__context__
    return None


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help."""
    status = status_of(error)
    return status in TRANSIENT if status is not None else isinstance(error, UnreachableError)


def as_procvid_error(
    error: Exception, wanted: HubId, folder: Path | None = None
) -> ProcvidError | None:
    """One sentence for an error of the client, or None for what is no such error."""
    match error:
        case GatedRepoError():
            return UnavailableError(
                f"{wanted.repo} is gated: its owners want their terms accepted first.",
                f"Accept them on the page of {wanted.repo}, then log in with `hf auth login`.",
            )
        case RevisionNotFoundError():
            return InputError(
                f"{wanted.repo} has no revision {wanted.revision!r}.",
                "Look up its tags on its page.",
            )
        case RepositoryNotFoundError():
            return UnavailableError(
                f"There is no {_kind(wanted)} {wanted.repo} on the Hub, or it is private and your "
                "token may not see it.",
                "Check the name; for a private one log in with `hf auth login`.",
            )
        case LocalEntryNotFoundError() | OfflineModeIsEnabled() if status_of(error) is None:
            return _unreachable(wanted)
        case EntryNotFoundError() if status_of(error) == 404:
            return InputError(f"{wanted.label} lacks a file that it names.")
        case HFValidationError():
            return InputError(f"{wanted.label!r} is not the name of a repository on the Hub.")
    status = status_of(error)
    if status is not None:
        return _of_status(status, error, wanted)
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        return UnreachableError(f"A file of {wanted.repo} was cut off on its way.", AGAIN)
    if type(error).__name__ in BROKEN:
        return UnreachableError(f"The connection to the Hub broke at {wanted.repo}.", AGAIN)
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
            "The Hub does not know you (401): there is no token, or a wrong one.",
            "Log in with `hf auth login`, or check HF_TOKEN.",
        )
    if status == 403:
        return UnavailableError(
            f"Your token may not do that with {wanted.repo} (403).",
            "Use a token that may read it, or write to it for a release.",
        )
    if status in (409, 412):
        return UnavailableError(
            f"{wanted.repo} was changed by somebody else meanwhile ({status}).",
            "Look at it, then run the command again.",
        )
    if status == 429:
        wait = re.sub(r"\D", "", _header(error, "Retry-After"))[:6]
        hint = f"Try again in {wait} s." if wait else AGAIN
        return UnreachableError(f"The Hub asks to wait before {wanted.repo} (429).", hint)
    if status in TRANSIENT:
        return UnreachableError(f"The Hub answered {status} for {wanted.repo}.", AGAIN)
    return UnavailableError(f"The Hub refused {wanted.repo} ({status}).", "Check what was asked.")


def _header(error: BaseException, name: str) -> str:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return str(headers.get(name, ""))


def _is_of_the_network(error: Exception) -> bool:
    """Errors of the HTTP library slip through raw; which library that is depends on the client."""
    kinds = (ConnectionError, TimeoutError)
    return type(error).__module__.partition(".")[0] in ("httpx", "httpx2") or isinstance(
        error, kinds
    )


def _unreachable(wanted: HubId) -> UnreachableError:
    return UnreachableError(
        f"The Hub cannot be reached for {wanted.repo}.",
        "Connect to the network, unset HF_HUB_OFFLINE, or name a folder that is here.",
    )


def _kind(wanted: HubId) -> str:
    return wanted.repo_type or "repository"
