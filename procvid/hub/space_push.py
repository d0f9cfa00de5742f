"""Push the Space to the Hub: one commit of the changed files on a known parent."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd

from procvid.errors import InputError, UnavailableError
from procvid.hub.client import HubClient, ListedFile, hub_errors
from procvid.hub.commit import CommitDraft, head_of, make_commit
from procvid.hub.names import CARD, HUB_FILES, HubId
from procvid.hub.secrets import refuse_pickles, refuse_secrets
from procvid.hub.space import SHARED, SpaceFile
from procvid.storage.files import sha256_of

OURS = "procvid/__init__.py"
"""A Space without this file belongs to another app and is not overwritten."""


@dataclass(frozen=True)
class SpacePlan:
    """Changes that a push would make.

    Attributes:
        target: The Space, at "main".
        head: Its current commit; "" if the Space does not exist yet.
        uploads: New or changed files.
        kept: Names of unchanged files.
        deletes: Files in the package's folders that are gone from this checkout; other files stay.
        private: Visibility of a Space that has to be created.
    """

    target: HubId
    head: str
    uploads: tuple[SpaceFile, ...]
    kept: tuple[str, ...]
    deletes: tuple[str, ...]
    private: bool = False

    @property
    def upload_bytes(self) -> int:
        """Size of all files to upload."""
        return sum(file.num_bytes for file in self.uploads)

    @property
    def is_done(self) -> bool:
        """True if the Space equals this checkout."""
        return bool(self.head) and not (self.uploads or self.deletes)


def plan_push(
    client: HubClient, files: Sequence[SpaceFile], target: HubId, *, private: bool = False
) -> SpacePlan:
    """Compare local files with those of a Space.

    Raises:
        InputError: A file holds what looks like a secret, or the Space holds another app.
        UnavailableError: The Hub cannot be reached.
    """
    refuse_pickles([file.name for file in files])
    for file in files:
        refuse_secrets(file.source, file.name)
    if target.revision != "main":
        raise InputError(
            f"{target.label!r} names a revision.", "Leave it out: a Space runs its main branch."
        )
    target = HubId(target.repo, "main", "space")
    head, _ = head_of(client, target)
    on_hub = client.files_at(target.at(head)) if head else {}
    if set(on_hub) - {*HUB_FILES, CARD} and OURS not in on_hub:
        raise InputError(
            f"The Space {target.repo} holds another app. Nothing was pushed.",
            "Choose another name, or empty that Space first.",
        )
    same = {file.name for file in files if _is_same(on_hub.get(file.name), file)}
    names = {file.name for file in files}
    folders = tuple(f"{folder}/" for folder in SHARED)
    return SpacePlan(
        target,
        head,
        uploads=tuple(file for file in files if file.name not in same),
        kept=tuple(sorted(same)),
        deletes=tuple(sorted(n for n in set(on_hub) - names if n.startswith(folders))),
        private=private,
    )


def push(client: HubClient, plan: SpacePlan) -> str:
    """Carry out a plan and return the new commit of the Space.

    Raises:
        UnavailableError: The push failed; the message states what the Space holds.
    """
    target = plan.target
    if plan.is_done:
        return plan.head
    head = plan.head or _make_space(client, plan)
    draft = CommitDraft(
        target,
        head,
        [CommitOperationAdd(file.name, file.source) for file in plan.uploads],
        plan.deletes,
        message=f"procvid: {len(plan.uploads)} files, {len(plan.deletes)} removed",
    )
    with warnings.catch_warnings():
        # The client warns about parquet files in a Space; they are the tiny profile's crop store.
        warnings.simplefilter("ignore", UserWarning)
        commit, _ = make_commit(
            client,
            draft,
            lambda made: _check_landed(client, plan, made),
            "The Space is unchanged.",
        )
    return commit


def _make_space(client: HubClient, plan: SpacePlan) -> str:
    target = plan.target
    with hub_errors(target):
        client.api.create_repo(
            target.repo,
            repo_type=target.repo_type,
            space_sdk="gradio",
            private=plan.private,
            exist_ok=True,
        )
    return client.commit_of(target)


def _is_same(listed: ListedFile | None, file: SpaceFile) -> bool:
    if listed is None or listed.size != file.num_bytes:
        return False
    if listed.sha256:
        return listed.sha256 == sha256_of(file.source)
    data = file.source.read_bytes()
    # The id that git gives to these bytes; it protects no secret.
    return listed.git_oid == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _check_landed(client: HubClient, plan: SpacePlan, commit: str) -> None:
    """Raise UnavailableError unless a commit holds exactly these files."""
    on_hub: Mapping[str, ListedFile] = client.files_at(plan.target.at(commit))
    whole = all(_is_same(on_hub.get(file.name), file) for file in plan.uploads)
    if not whole or set(plan.deletes) & set(on_hub):
        raise UnavailableError(
            f"The head of {plan.target.repo} is a commit of someone else ({commit[:12]}).",
            "Check it, then run the command again.",
        )
