"""Make one commit on the head of a repository, and find out if it was made when the answer is lost."""

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
    retrying,
)
from procvid.hub.names import HubId

TRIES = 2
AGAIN = "Run the same command again; it does not upload anything twice."


@dataclass(frozen=True)
class CommitDraft:
    """A commit that is to be made.

    Attributes:
        target: The repository, at "main".
        head: Its parent; the Hub refuses the commit if the head has moved.
        uploads: New or changed files.
        deletes: Names of files to remove.
        message: Title of the commit.
        description: Text below the title, or "".
    """

    target: HubId
    head: str
    uploads: Sequence[CommitOperationAdd]
    deletes: Sequence[str]
    message: str
    description: str = ""


def head_of(client: HubClient, target: HubId) -> tuple[str, bool]:
    """Return the commit of main and if the repository is public; ("", False) if it does not exist.

    Raises:
        UnavailableError: The Hub cannot be reached.
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
    client: HubClient, draft: CommitDraft, check: Callable[[str], None], unchanged_text: str
) -> tuple[str, str]:
    """Make a commit; if the answer is lost, look up if it was made.

    Args:
        client: Client of the Hub.
        draft: The commit.
        check: Raises unless the commit with this id holds the files of the draft.
        unchanged_text: Sentence for errors that leave the repository unchanged.

    Returns:
        The commit id, and a note for the user or "".

    Raises:
        UnavailableError: The commit was not made, or the result is unknown.
    """
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        *draft.uploads,
        *(CommitOperationDelete(name, is_folder=False) for name in draft.deletes),
    ]
    target = draft.target
    lost: ProcvidError | None = None
    for _ in range(TRIES):
        try:
            made = client.api.create_commit(
                target.repo,
                list(operations),
                commit_message=draft.message,
                commit_description=draft.description,
                repo_type=target.repo_type,
                parent_commit=draft.head,
            )
        except Exception as error:
            ours = as_procvid_error(error, target)
            if ours is None:
                raise
            if not is_transient(error) and not isinstance(ours, UnreachableError):
                raise with_state(ours, unchanged_text) from error
            lost = ours
        else:
            check(str(made.oid))
            return str(made.oid), ""
        now = _look_again(client, target, lost)
        if now != draft.head:
            check(now)
            return now, "The Hub's answer was lost, but the commit was made."
    assert lost is not None
    raise with_state(lost, unchanged_text)


def with_state(error: ProcvidError, state: str) -> UnavailableError:
    """Return the error with a sentence on what the repository holds now."""
    return UnavailableError(f"{error.message} {state}", error.hint or AGAIN)


def _look_again(client: HubClient, target: HubId, lost: ProcvidError) -> str:
    try:
        return retrying(lambda: client.commit_of(target))
    except ProcvidError as error:
        raise UnavailableError(
            f"{lost.message} {target.repo} holds either all old or all new files; the Hub did not "
            "answer which.",
            AGAIN,
        ) from error
