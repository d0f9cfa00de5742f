"""Keep pulled releases in one folder per commit, and verify them before each use."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from procvid.errors import InputError, UnavailableError
from procvid.hub.bundle.check import validate
from procvid.hub.client import HubClient, UnreachableError
from procvid.hub.names import ARTIFACTS, Artifact, HubId
from procvid.hub.pull import Pulled, Pulling, expect, look, pull, read_receipt
from procvid.hub.store import check_store
from procvid.settings.environment import read_environment
from procvid.storage.atomic import output_errors, remove
from procvid.storage.files import write_json

REFS = "refs.json"

_COMMIT_FOLDER = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class CachedRelease:
    """A release in the cache."""

    artifact: Artifact
    hub_id: HubId
    folder: Path


@dataclass(frozen=True)
class Cache:
    """The folder of pulled releases: `ARTIFACT/OWNER--NAME/COMMIT`.

    Attributes:
        root: The folder; created when needed.
    """

    root: Path

    def place(self, artifact: Artifact, pinned: HubId) -> Path:
        """Return the folder of a release, which may not exist yet."""
        return self._repo(artifact, pinned) / pinned.revision

    def releases(self) -> list[CachedRelease]:
        """Return all releases in the cache, sorted by name; the files are not verified."""
        found = []
        for artifact in ARTIFACTS:
            for folder in sorted((self.root / artifact).glob("*/*")):
                hub_id = read_receipt(folder) if _COMMIT_FOLDER.fullmatch(folder.name) else None
                if hub_id is not None:
                    found.append(CachedRelease(artifact, hub_id, folder))
        return found

    def known(self, artifact: Artifact, wanted: HubId) -> HubId | None:
        """Return the pinned id of a cached release without asking the Hub, or None.

        A tag or branch resolves to its last known commit.
        """
        if not wanted.is_pinned:
            commit = _read_refs(self._repo(artifact, wanted) / REFS).get(wanted.revision)
            if commit is None:
                return None
            wanted = wanted.at(commit)
        return wanted if self.place(artifact, wanted).is_dir() else None

    def obtain(
        self, client: HubClient, artifact: Artifact, wanted: HubId
    ) -> Iterator[Pulling | Pulled]:
        """Yield progress events, then `Pulled` with a verified release.

        A pinned release in the cache needs no network. Any other revision is looked up; if the Hub
        cannot be reached, the commit that it pointed to last is used, with a note. A damaged copy is
        pulled again once.

        Raises:
            UnavailableError: The release cannot be downloaded.
            InputError: It is not a release of this kind, or its manifest is wrong.
            OutputError: The cache cannot be written.
        """
        notes: list[str] = []
        pinned = self._pinned(client, artifact, wanted, notes)
        place = self.place(artifact, pinned)
        if place.is_dir():
            try:
                verify(artifact, place)
                yield Pulled(place, pinned, tuple(notes))
                return
            except InputError as error:
                notes.append(f"The cached copy of {wanted.label} was damaged and is pulled again.")
                yield Pulling(wanted.label, 0, 0, notes[-1])
                damage = error.message
            try:
                offer = look(client, pinned)
            except UnreachableError as error:
                raise UnavailableError(
                    f"The cached copy of {wanted.label} is damaged ({damage}), and the Hub cannot "
                    "be reached to pull it again.",
                    "Connect to the network and try again.",
                ) from error
            remove(place)
        else:
            offer = look(client, pinned)
        expect(offer, artifact)
        for event in pull(client, offer, place):
            if isinstance(event, Pulled):
                yield Pulled(event.folder, event.hub_id, (*notes, *event.notes))
            else:
                yield event

    def fetch(
        self,
        client: HubClient,
        artifact: Artifact,
        wanted: HubId,
        on_progress: Callable[[Pulling], None],
    ) -> Pulled:
        """Return a verified release, calling `on_progress` with each event of the download.

        Raises:
            ProcvidError: See `obtain`.
        """
        for event in self.obtain(client, artifact, wanted):
            if isinstance(event, Pulled):
                return event
            on_progress(event)
        raise AssertionError

    def _pinned(
        self, client: HubClient, artifact: Artifact, wanted: HubId, notes: list[str]
    ) -> HubId:
        if wanted.is_pinned:
            return wanted
        refs = self._repo(artifact, wanted) / REFS
        known = _read_refs(refs)
        try:
            commit = client.commit_of(wanted)
        except UnreachableError as error:
            if wanted.revision not in known:
                raise
            commit = known[wanted.revision]
            notes.append(
                f"{error.message} Using the cached copy of {wanted.label} ({commit[:12]})."
            )
            return wanted.at(commit)
        if known.get(wanted.revision) != commit:
            write_json(refs, {**known, wanted.revision: commit})
        return wanted.at(commit)

    def _repo(self, artifact: Artifact, hub_id: HubId) -> Path:
        return self.root / artifact / hub_id.repo.replace("/", "--")


def open_cache(root: Path) -> Cache:
    """Return the cache of pulled releases below a folder."""
    return Cache(root / "hub")


def default_cache() -> Cache:
    """Return the cache of pulled releases below `PROCVID_CACHE`."""
    return open_cache(read_environment().cache_folder)


@contextmanager
def bundle_folder() -> Iterator[Path]:
    """Yield a path in the cache where a bundle can be made; it is removed afterwards.

    Raises:
        OutputError: The cache cannot be written.
    """
    root = default_cache().root
    with output_errors(root):
        root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bundle-", dir=root) as folder:
        yield Path(folder) / "bundle"


def verify(artifact: Artifact, folder: Path) -> None:
    """Raise InputError unless a pulled release is complete and undamaged."""
    if artifact == "memory":
        check_store(folder)
    else:
        validate(folder)


def _read_refs(file: Path) -> dict[str, str]:
    try:
        refs = json.loads(file.read_text("utf-8"))
        return {
            str(key): value
            for key, value in refs.items()
            if isinstance(value, str) and _COMMIT_FOLDER.fullmatch(value)
        }
    except (OSError, ValueError, AttributeError):
        return {}
