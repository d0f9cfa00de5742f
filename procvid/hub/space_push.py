"""The Space's files -> its repository on the Hub: one commit of what changed, with its parent given."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from huggingface_hub import CommitOperationAdd

from procvid.errors import InputError, UnavailableError
from procvid.hub.client import HubClient, Listed, hub_errors
from procvid.hub.commit import Change, head_of, make_commit
from procvid.hub.names import BESIDE, CARD, HubId
from procvid.hub.release import fact_of
from procvid.hub.secrets import refuse_pickles, refuse_secrets
from procvid.hub.space import SHARED, SpaceFile

OURS = "procvid/__init__.py"
"""A Space that holds it is one of procvid; in another one nothing is overwritten."""


@dataclass(frozen=True)
class SpacePlan:
    """What a push would do, found out without changing anything.

    Attributes:
        target: The Space, at "main".
        head: The commit that is there; "" where the Space has to be made.
        uploads: The files that are new or changed.
        kept: Names of those that are there as they are.
        deletes: Files below the package's folders that this checkout has no more; what its owner put
            elsewhere stays.
        private: For a Space that is made anew.
    """

    target: HubId
    head: str
    uploads: tuple[SpaceFile, ...]
    kept: tuple[str, ...]
    deletes: tuple[str, ...]
    private: bool = False

    @property
    def upload_bytes(self) -> int:
        """Of all files that will be sent."""
        return sum(file.num_bytes for file in self.uploads)

    @property
    def is_done(self) -> bool:
        """Whether the Space is as this checkout is."""
        return bool(self.head) and not (self.uploads or self.deletes)


def plan_push(
    client: HubClient, files: Sequence[SpaceFile], target: HubId, *, private: bool = False
) -> SpacePlan:
    """Compare the files with those of a Space.

    Raises:
        InputError: A file holds what looks like a secret, or the Space is another app's.
        UnavailableError: The Hub cannot be asked.
    """
    refuse_pickles([file.name for file in files])
    for file in files:
        refuse_secrets(file.source, file.name)
    if target.revision != "main":
        raise InputError(f"{target.label!r} names a revision.", "A Space runs its main branch.")
    target = HubId(target.repo, "main", "space")
    head, _ = head_of(client, target)
    there = client.files_at(target.at(head)) if head else {}
    if set(there) - {*BESIDE, CARD} and OURS not in there:
        raise InputError(
            f"The Space {target.repo} holds another app: nothing was pushed.",
            "Choose another name, or empty it there first.",
        )
    same = {file.name for file in files if _is_same(there.get(file.name), file)}
    names = {file.name for file in files}
    folders = tuple(f"{folder}/" for folder in SHARED)
    return SpacePlan(
        target,
        head,
        uploads=tuple(file for file in files if file.name not in same),
        kept=tuple(sorted(same)),
        deletes=tuple(sorted(n for n in set(there) - names if n.startswith(folders))),
        private=private,
    )


def push(client: HubClient, plan: SpacePlan) -> str:
    """Carry a plan out; the commit that the Space is at then.

    Raises:
        UnavailableError: It could not be done; the Space is as it was unless it says otherwise.
    """
    target = plan.target
    if plan.is_done:
        return plan.head
    head = plan.head or _make_space(client, plan)
    change = Change(
        target,
        head,
        [CommitOperationAdd(file.name, file.source) for file in plan.uploads],
        plan.deletes,
        message=f"procvid: {len(plan.uploads)} files, {len(plan.deletes)} removed",
    )
    with warnings.catch_warnings():
        # The client wonders at a crop store in a Space; it belongs to the tiny profile.
        warnings.simplefilter("ignore", UserWarning)
        commit, _ = make_commit(
            client,
            change,
            lambda made: _check_landed(client, plan, made),
            "The Space is as it was.",
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


def _is_same(listed: Listed | None, file: SpaceFile) -> bool:
    if listed is None or listed.size != file.num_bytes:
        return False
    if listed.sha256:
        return listed.sha256 == fact_of(file.source).sha256
    data = file.source.read_bytes()
    # The name that git gives to these bytes; it keeps no secret here.
    return listed.git_oid == hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def _check_landed(client: HubClient, plan: SpacePlan, commit: str) -> None:
    """Raise unless a commit holds these very files."""
    there: Mapping[str, Listed] = client.files_at(plan.target.at(commit))
    whole = all(_is_same(there.get(file.name), file) for file in plan.uploads)
    if not whole or set(plan.deletes) & set(there):
        raise UnavailableError(
            f"The head of {plan.target.repo} is a commit of somebody else ({commit[:12]}).",
            "Look at it, then run the command again.",
        )
