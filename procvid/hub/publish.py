"""A bundle -> the Hub: one commit with its parent given, then the tag.

The head of the repository is the old release or the new one and never between: blobs are uploaded
before the commit and are seen by nobody, and one commit puts all files in place. An answer that got
lost is looked up: the head tells whether the commit was made.
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
    Listed,
    UnreachableError,
    as_procvid_error,
    hub_errors,
    is_transient,
)
from procvid.hub.commit import TRIES, Change, head_of, make_commit, unchanged
from procvid.hub.names import BESIDE, CARD, MANIFEST, REPO_TYPES, HubId, check_tag, shown
from procvid.hub.release import MAX_MANIFEST_BYTES, Release, fact_of, release_from_bytes

_STAYS = "Nothing was published: what was there before is there."


@dataclass(frozen=True)
class PublishPlan:
    """What publishing would do, found out without changing anything.

    Attributes:
        target: The repository, at "main".
        folder: The bundle.
        release: What it says of itself.
        private: For a repository that is made anew.
        tag: Of the release, or "".
        head: The commit that is there; "" where the repository has to be made.
        uploads: Bytes by name of the files that change or are new.
        kept: Files that are there as they are.
        deletes: Files of the old release that the new one lacks.
        tag_at: The commit that the tag names already, or "".
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
        """Of all files that will be sent."""
        return sum(self.uploads.values())

    @property
    def is_done(self) -> bool:
        """Whether this very release is there already, tag and all."""
        return not self.uploads and not self.deletes and (not self.tag or self.tag_at == self.head)


@dataclass(frozen=True)
class Uploading:
    """`done_bytes` of `total_bytes` are up; `what` is in work."""

    what: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class Published:
    """The last event: the release is at `commit`."""

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
    """Look at the repository and tell what publishing a bundle there would do.

    Raises:
        InputError: The tag names another commit, the repository holds other things than a release
            of this kind, or it is public and a private one was asked for.
        UnavailableError: The Hub cannot be asked.
    """
    if target.revision != "main":
        raise InputError(
            f"A release goes to the main branch, not to {target.revision!r}.",
            "Leave @REVISION out; --tag names the release.",
        )
    if tag:
        check_tag(tag)
    target = HubId(target.repo, "main", REPO_TYPES[release.artifact])
    head, public = head_of(client, target)
    there = client.files_at(target.at(head)) if head else {}
    if head and private and public:
        raise InputError(
            f"{target.repo} is public, and --private was asked for: nothing was published.",
            "Make it private on its page first, or leave --private out.",
        )
    old = _old_release(client, target.at(head), there, release) if head else None
    beside = sorted(set(there) - set(old.files if old else ()) - {MANIFEST, CARD, *BESIDE})
    if beside:
        raise InputError(
            f"{target.repo} holds files that are of no release: {shown(beside)}.",
            "Choose another repository, or remove them there first.",
        )
    names = [MANIFEST, *release.files]
    same = old is not None and old.to_bytes() == release.to_bytes()
    kept = tuple(n for n in names if same or _is_there(there.get(n), old, release, n))
    tag_at = _tag_at(client, target, tag) if head and tag else ""
    if tag_at and (tag_at != head or not same):
        raise InputError(
            f"{target.repo} has a tag {tag!r} already, of another release.", "Choose another tag."
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


def publish(client: HubClient, plan: PublishPlan) -> Iterator[Uploading | Published]:
    """Carry a plan out.

    Raises:
        UnavailableError: It could not be done; says what the repository holds now: the old release
            or the new one.
    """
    target, total = plan.target, plan.upload_bytes
    if plan.is_done:
        yield Published(target, plan.head, plan.tag, "It was there already; nothing was sent.")
        return
    yield Uploading("looking at the repository", 0, total)
    head = plan.head or _make_repository(client, plan)
    commit, note = head, ""
    if plan.uploads or plan.deletes:
        additions = [CommitOperationAdd(name, plan.folder / name) for name in plan.uploads]
        done = 0
        for addition in additions:
            yield Uploading(addition.path_in_repo, done, total)
            with _old_stays(target):
                client.api.preupload_lfs_files(
                    target.repo, [addition], repo_type=target.repo_type, free_memory=False
                )
            done += plan.uploads[addition.path_in_repo]
        yield Uploading("the commit", done, total)
        counts = plan.release.facts.get("counts")
        about = f"{plan.release.name}{f' {plan.tag}' if plan.tag else ''}"
        change = Change(
            target,
            head,
            additions,
            plan.deletes,
            message=f"Release of {plan.release.artifact} {about}"[:200],
            description=f"{counts}" if counts else "",
        )
        commit, note = make_commit(
            client, change, lambda made: _check_landed(client, plan, made), _STAYS
        )
    if plan.tag:
        yield Uploading(f"the tag {plan.tag}", total, total)
        _set_tag(client, plan, commit)
    yield Published(target, commit, plan.tag, note)


def _old_release(
    client: HubClient, target: HubId, there: Mapping[str, Listed], new: Release
) -> Release | None:
    if MANIFEST not in there:
        return None
    if there[MANIFEST].size > MAX_MANIFEST_BYTES:
        raise InputError(f"The manifest.json of {target.repo} is no release's.")
    old = release_from_bytes(_manifest_bytes(client, target))
    if old.artifact != new.artifact:
        raise InputError(
            f"{target.repo} holds a release of another kind: a {old.artifact}, not a "
            f"{new.artifact}.",
            "Choose another repository.",
        )
    return old


def _manifest_bytes(client: HubClient, target: HubId) -> bytes:
    with tempfile.TemporaryDirectory(prefix="procvid-") as folder:
        return client.fetch(target, MANIFEST, Path(folder)).read_bytes()


def _is_there(listed: Listed | None, old: Release | None, new: Release, name: str) -> bool:
    if listed is None or old is None or name == MANIFEST:
        return False
    if name == CARD:
        # Somebody may have mended it on the page; then the new card goes over it.
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
    with _old_stays(target):
        client.api.create_repo(
            target.repo, repo_type=target.repo_type, private=plan.private, exist_ok=True
        )
    head, public = head_of(client, target)
    if plan.private and public:
        raise UnavailableError(f"{target.repo} was made by somebody else meanwhile, and public.")
    there = client.files_at(target)
    if set(there) - set(BESIDE):
        raise UnavailableError(
            f"{target.repo} was filled by somebody else meanwhile: nothing was published.",
            "Look at it, then run the command again.",
        )
    return head


def _check_landed(client: HubClient, plan: PublishPlan, commit: str) -> None:
    """Raise unless a commit holds this very release."""
    target = plan.target.at(commit)
    there = client.files_at(target)
    wrong = [name for name, fact in plan.release.files.items() if there.get(name) is None]
    wrong += [
        name
        for name, fact in plan.release.files.items()
        if name in there
        and (there[name].size != fact.size or (there[name].sha256 or fact.sha256) != fact.sha256)
    ]
    manifest = there.get(MANIFEST)
    if not wrong and manifest is not None:
        ours = fact_of(plan.folder / MANIFEST)
        if (
            manifest.size == ours.size
            and _manifest_bytes(client, target) == (plan.folder / MANIFEST).read_bytes()
        ):
            return
    raise UnavailableError(
        f"The head of {target.repo} is a commit of somebody else ({commit[:12]}), not this release.",
        "Look at it, then run the command again.",
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
                f"The tag {plan.tag} of {target.repo} was given to {at[:12] or 'nothing'} meanwhile."
            )
        except Exception as error:
            told = error if isinstance(error, ProcvidError) else as_procvid_error(error, target)
            if told is None:
                raise
            if left and (is_transient(error) or isinstance(told, UnreachableError)):
                continue
            raise UnavailableError(
                f"{told.message} The new release is there, as {commit[:12]}; its tag {plan.tag} is "
                "missing.",
                "Run the same command again: it sets the tag alone.",
            ) from error


@contextmanager
def _old_stays(target: HubId) -> Iterator[None]:
    """Like `hub_errors`; the sentence also says that the repository is as it was."""
    try:
        with hub_errors(target):
            yield
    except ProcvidError as error:
        raise unchanged(error, _STAYS) from error
