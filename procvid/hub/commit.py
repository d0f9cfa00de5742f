"""One commit on the head of a repository, and where its answer gets lost, whether it was made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import RepositoryNotFoundError

from procvid.errors import ProcvidError, UnavailableError
from procvid.hub.client import (
    HubClient,
    UnreachableError,
    as_procvid_error,
    hub_errors,
    is_transient,
    patiently,
)
from procvid.hub.names import HubId

TRIES = 2
AGAIN = "Run the same command again: what is uploaded is not uploaded twice."


@dataclass(frozen=True)
class Change:
    """A commit to make.

    Attributes:
        target: The repository, at "main".
        head: The commit that it stands on; the Hub refuses it where another came first.
        uploads: The files that are new or changed.
        deletes: Names of files to take away.
        message: Title of the commit.
        description: Text below it, or "".
    """

    target: HubId
    head: str
    uploads: Sequence[CommitOperationAdd]
    deletes: Sequence[str]
    message: str
    description: str = ""


def head_of(client: HubClient, target: HubId) -> tuple[str, bool]:
    """The commit of main and whether the repository is public; ("", False) where there is none.

    Raises:
        UnavailableError: The Hub cannot be asked.
    """
    with hub_errors(target):
        try:
            info = client.api.repo_info(target.repo, repo_type=target.repo_type)
        except RepositoryNotFoundError as error:
            if type(error) is not RepositoryNotFoundError:
                raise
            return "", False
    return str(info.sha), not info.private


def make_commit(
    client: HubClient, change: Change, check: Callable[[str], None], stays: str
) -> tuple[str, str]:
    """Make a commit; where its answer is lost, see whether it was made.

    Args:
        client: The Hub.
        change: What to commit.
        check: Raises unless the commit of this id holds what was to be committed.
        stays: Sentence of an error after which the repository is as it was.

    Returns:
        The commit, and a note for the user or "".

    Raises:
        UnavailableError: It was not made, or whether it was cannot be asked.
    """
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *change.uploads,
        *(CommitOperationDelete(name, is_folder=False) for name in change.deletes),
    ]
    target = change.target
    lost: ProcvidError | None = None
    for _ in range(TRIES):
        try:
            made = client.api.create_commit(
                target.repo,
                list(operations),
                commit_message=change.message,
                commit_description=change.description,
                repo_type=target.repo_type,
                parent_commit=change.head,
            )
        except Exception as error:
            told = as_procvid_error(error, target)
            if told is None:
                raise
            if not is_transient(error) and not isinstance(told, UnreachableError):
                raise unchanged(told, stays) from error
            lost = told
        else:
            check(str(made.oid))
            return str(made.oid), ""
        now = _look_again(client, target, lost)
        if now != change.head:
            check(now)
            return now, "The Hub's answer was lost, but the commit was made."
    assert lost is not None
    raise unchanged(lost, stays)


def unchanged(told: ProcvidError, stays: str) -> UnavailableError:
    """The error, with a sentence that says what the repository holds now."""
    return UnavailableError(f"{told.message} {stays}", told.hint or AGAIN)


def _look_again(client: HubClient, target: HubId, lost: ProcvidError) -> str:
    try:
        return patiently(lambda: client.commit_of(target))
    except ProcvidError as error:
        raise UnavailableError(
            f"{lost.message} Whether {target.repo} holds the old or the new files could not be "
            "asked; it holds one of them, whole.",
            AGAIN,
        ) from error
