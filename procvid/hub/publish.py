"""Publish a bundle on the Hub: one commit on a known parent, then the tag.

The head of the repository is either the old release or the new one: blobs are uploaded before the
commit and stay invisible, and one commit puts all files in place. If the answer to the commit is
lost, the head of the repository shows if it was made.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd

from procvid.errors import InputError, ProcvidError, UnavailableError
from procvid.hub.client import (
    HubClient,
    ListedFile,
    UnreachableError,
    as_procvid_error,
    hub_errors,
    is_transient,
)
from procvid.hub.commit import TRIES, CommitDraft, head_of, make_commit, with_state
from procvid.hub.names import CARD, HUB_FILES, MANIFEST, REPO_TYPES, HubId, check_tag, shown
from procvid.hub.release import MAX_MANIFEST_BYTES, Release, fact_of, release_from_bytes

_UNCHANGED = "Nothing was published; the repository is unchanged."


@dataclass(frozen=True)
class PublishPlan:
    """Changes that publishing would make.

    Attributes:
        target: The repository, at "main".
        folder: The bundle.
        release: Its manifest.
        private: Visibility of a repository that has to be created.
        tag: Tag of the release, or "".
        head: Current commit; "" if the repository does not exist yet.
        uploads: Sizes in bytes of new or changed files, by name.
        kept: Unchanged files.
        deletes: Files of the old release that the new one lacks.
        tag_at: The commit that the tag points to already, or "".
    """

    target: HubId
    folder: Path
    release: Release
    private: bool
    tag: str
    head: str
    uploads: Mapping[str, int]
    kept: tuple[str, ...]
    deletes: tuple[str, ...]
    tag_at: str

    @property
    def upload_bytes(self) -> int:
        """Size of all files to upload."""
        return sum(self.uploads.values())

    @property
    def is_done(self) -> bool:
        """True if the repository holds exactly this release, including the tag."""
        return not self.uploads and not self.deletes and (not self.tag or self.tag_at == self.head)


@dataclass(frozen=True)
class Uploading:
    """Progress event: `what` is being done, `done_bytes` of `total_bytes` are uploaded."""

    what: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class PublishedRelease:
    """Last event: the release is at `commit`."""

    target: HubId
    commit: str
    tag: str
    note: str = ""


def plan_publish(
    client: HubClient,
    folder: Path,
    release: Release,
    target: HubId,
    *,
    private: bool = False,
    tag: str = "",
) -> PublishPlan:
    """Compare a bundle with the repository and return what publishing would change.

    Raises:
        InputError: The tag points to another commit, the repository holds anything but a release of
            this kind, or it is public although `private` is set.
        UnavailableError: The Hub cannot be reached.
    """
    if target.revision != "main":
        raise InputError(
            f"A release goes to the main branch, not to {target.revision!r}.",
            "Leave @REVISION out and use --tag.",
        )
    if tag:
        check_tag(tag)
    target = HubId(target.repo, "main", REPO_TYPES[release.artifact])
    head, public = head_of(client, target)
    on_hub = client.files_at(target.at(head)) if head else {}
    if head and private and public:
        raise InputError(
            f"{target.repo} is public, but you asked for a private one. Nothing was published.",
            "Make it private on its page first, or leave --private out.",
        )
    old = _old_release(client, target.at(head), on_hub, release) if head else None
    foreign = sorted(set(on_hub) - set(old.files if old else ()) - {MANIFEST, CARD, *HUB_FILES})
    if foreign:
        raise InputError(
            f"{target.repo} holds files that do not belong to a release: {shown(foreign)}.",
            "Choose another repository, or remove them there first.",
        )
    names = [MANIFEST, *release.files]
    same = old is not None and old.to_bytes() == release.to_bytes()
    kept = tuple(n for n in names if same or _is_same(on_hub.get(n), old, release, n))
    tag_at = _tag_at(client, target, tag) if head and tag else ""
    if tag_at and (tag_at != head or not same):
        raise InputError(
            f"The tag {tag!r} of {target.repo} belongs to another release.", "Choose another tag."
        )
    return PublishPlan(
        target=target,
        folder=folder,
        release=release,
        private=private,
        tag=tag,
        head=head,
        uploads={n: (folder / n).stat().st_size for n in names if n not in kept},
        kept=kept,
        deletes=tuple(sorted(set(old.files) - set(release.files))) if old else (),
        tag_at=tag_at,
    )


def publish(client: HubClient, plan: PublishPlan) -> Iterator[Uploading | PublishedRelease]:
    """Carry out a plan.

    Raises:
        UnavailableError: Publishing failed; the message states if the repository holds the old
            release or the new one.
    """
    target, total = plan.target, plan.upload_bytes
    if plan.is_done:
        yield PublishedRelease(
            target,
            plan.head,
            plan.tag,
            "The repository holds this release already; nothing was sent.",
        )
        return
    yield Uploading("checking the repository", 0, total)
    head = plan.head or _make_repository(client, plan)
    commit, note = head, ""
    if plan.uploads or plan.deletes:
        additions = [CommitOperationAdd(name, plan.folder / name) for name in plan.uploads]
        done = 0
        for addition in additions:
            yield Uploading(addition.path_in_repo, done, total)
            with _unchanged_errors(target):
                client.api.preupload_lfs_files(
                    target.repo, [addition], repo_type=target.repo_type, free_memory=False
                )
            done += plan.uploads[addition.path_in_repo]
        yield Uploading("the commit", done, total)
        counts = plan.release.facts.get("counts")
        about = f"{plan.release.name}{f' {plan.tag}' if plan.tag else ''}"
        draft = CommitDraft(
            target,
            head,
            additions,
            plan.deletes,
            message=f"Release of {plan.release.artifact} {about}"[:200],
            description=f"{counts}" if counts else "",
        )
        commit, note = make_commit(
            client, draft, lambda made: _check_landed(client, plan, made), _UNCHANGED
        )
    if plan.tag:
        yield Uploading(f"the tag {plan.tag}", total, total)
        _set_tag(client, plan, commit)
    yield PublishedRelease(target, commit, plan.tag, note)


def _old_release(
    client: HubClient, target: HubId, on_hub: Mapping[str, ListedFile], new: Release
) -> Release | None:
    if MANIFEST not in on_hub:
        return None
    if on_hub[MANIFEST].size > MAX_MANIFEST_BYTES:
        raise InputError(f"The manifest.json of {target.repo} does not belong to a release.")
    old = release_from_bytes(_manifest_bytes(client, target))
    if old.artifact != new.artifact:
        raise InputError(
            f"{target.repo} holds a {old.artifact}, not a {new.artifact}.",
            "Choose another repository.",
        )
    return old


def _manifest_bytes(client: HubClient, target: HubId) -> bytes:
    with tempfile.TemporaryDirectory(prefix="procvid-") as folder:
        return client.fetch(target, MANIFEST, Path(folder)).read_bytes()


def _is_same(listed: ListedFile | None, old: Release | None, new: Release, name: str) -> bool:
    if listed is None or old is None or name == MANIFEST:
        return False
    if name == CARD:
        # The owner may have edited it on the Hub, so it is always uploaded.
        return False
    fact = new.files[name]
    stored = listed.sha256 or (old.files[name].sha256 if name in old.files else "")
    return (listed.size, stored) == (fact.size, fact.sha256)


def _tag_at(client: HubClient, target: HubId, tag: str) -> str:
    with hub_errors(target):
        refs = client.api.list_repo_refs(target.repo, repo_type=target.repo_type)
    return next((str(ref.target_commit) for ref in refs.tags if ref.name == tag), "")


def _make_repository(client: HubClient, plan: PublishPlan) -> str:
    target = plan.target
    with _unchanged_errors(target):
        client.api.create_repo(
            target.repo, repo_type=target.repo_type, private=plan.private, exist_ok=True
        )
    head, public = head_of(client, target)
    if plan.private and public:
        raise UnavailableError(
            f"Someone else created {target.repo} in the meantime, and it is public."
        )
    on_hub = client.files_at(target)
    if set(on_hub) - set(HUB_FILES):
        raise UnavailableError(
            f"Someone else changed {target.repo} in the meantime. Nothing was published.",
            "Check it, then run the command again.",
        )
    return head


def _check_landed(client: HubClient, plan: PublishPlan, commit: str) -> None:
    """Raise UnavailableError unless a commit holds exactly this release."""
    target = plan.target.at(commit)
    on_hub = client.files_at(target)
    wrong = [name for name, fact in plan.release.files.items() if on_hub.get(name) is None]
    wrong += [
        name
        for name, fact in plan.release.files.items()
        if name in on_hub
        and (on_hub[name].size != fact.size or (on_hub[name].sha256 or fact.sha256) != fact.sha256)
    ]
    manifest = on_hub.get(MANIFEST)
    if not wrong and manifest is not None:
        ours = fact_of(plan.folder / MANIFEST)
        if (
            manifest.size == ours.size
            and _manifest_bytes(client, target) == (plan.folder / MANIFEST).read_bytes()
        ):
            return
    raise UnavailableError(
        f"The head of {target.repo} is a commit of someone else ({commit[:12]}).",
        "Check it, then run the command again.",
    )


def _set_tag(client: HubClient, plan: PublishPlan, commit: str) -> None:
    target = plan.target
    for left in range(TRIES - 1, -1, -1):
        try:
            client.api.create_tag(
                target.repo,
                tag=plan.tag,
                revision=commit,
                repo_type=target.repo_type,
                exist_ok=True,
            )
            at = _tag_at(client, target, plan.tag)
            if at == commit:
                return
            raise UnavailableError(
                f"Someone else moved the tag {plan.tag} of {target.repo} to {at[:12] or 'nothing'}."
            )
        except Exception as error:
            ours = error if isinstance(error, ProcvidError) else as_procvid_error(error, target)
            if ours is None:
                raise
            if left and (is_transient(error) or isinstance(ours, UnreachableError)):
                continue
            raise UnavailableError(
                f"{ours.message} The new release is published as {commit[:12]}, but its tag "
                f"{plan.tag} is missing.",
                "Run the same command again to set the tag.",
            ) from error


@contextmanager
def _unchanged_errors(target: HubId) -> Iterator[None]:
    """Like `hub_errors`; the message adds that the repository is unchanged."""
    try:
        with hub_errors(target):
            yield
    except ProcvidError as error:
        raise with_state(error, _UNCHANGED) from error
