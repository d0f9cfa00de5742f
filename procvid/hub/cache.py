"""Releases that were pulled are kept, one folder a commit, and verified before each use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from procvid.errors import InputError, UnavailableError
from procvid.hub.client import HubClient, UnreachableError
from procvid.hub.names import ARTIFACTS, Artifact, HubId
from procvid.hub.pull import Pulled, Pulling, Unpack, expect, look, pull, read_receipt
from procvid.storage.atomic import remove
from procvid.storage.files import write_json

REFS = "refs.json"

_COMMIT_FOLDER = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Handling:
    """How a kind of artifact is put in its place and verified there.

    Attributes:
        unpack: Fills a new folder from the fetched files.
        check: Raises InputError unless a folder is as it was unpacked.
    """

    unpack: Unpack
    check: Callable[[Path], None]


@dataclass(frozen=True)
class Kept:
    """A release in the cache."""

    artifact: Artifact
    hub_id: HubId
    folder: Path


@dataclass(frozen=True)
class Cache:
    """The folder of pulled releases: `ARTIFACT/OWNER--NAME/COMMIT`.

    Attributes:
        root: Made when it is first needed.
        handling: By kind.
    """

    root: Path
    handling: Mapping[Artifact, Handling]

    def place(self, artifact: Artifact, pinned: HubId) -> Path:
        """Where a release is kept, or would be."""
        return self._repo(artifact, pinned) / pinned.revision

    def kept(self) -> list[Kept]:
        """All releases that are here, in order of their names; their bytes are not looked at."""
        found = []
        for artifact in ARTIFACTS:
            for folder in sorted((self.root / artifact).glob("*/*")):
                hub_id = read_receipt(folder) if _COMMIT_FOLDER.fullmatch(folder.name) else None
                if hub_id is not None:
                    found.append(Kept(artifact, hub_id, folder))
        return found

    def known(self, artifact: Artifact, wanted: HubId) -> HubId | None:
        """The release of that commit, or that this revision meant last, if it is here; nobody is asked."""
        if not wanted.is_pinned:
            commit = _read_refs(self._repo(artifact, wanted) / REFS).get(wanted.revision)
            if commit is None:
                return None
            wanted = wanted.at(commit)
        return wanted if self.place(artifact, wanted).is_dir() else None

    def obtain(
        self, client: HubClient, artifact: Artifact, wanted: HubId
    ) -> Iterator[Pulling | Pulled]:
        """A verified release, from here or from the Hub; the last event tells its folder.

        A pinned one that is here asks nobody. Another is looked up, and when the Hub cannot be
        reached, the commit that its revision meant last is taken, with a note. A damaged copy is
        pulled again once.

        Raises:
            UnavailableError: It cannot be had.
            InputError: It is no release of this kind, or it lies.
            OutputError: It cannot be kept here.
        """
        notes: list[str] = []
        pinned = self._pinned(client, artifact, wanted, notes)
        place = self.place(artifact, pinned)
        handling = self.handling[artifact]
        if place.is_dir():
            try:
                handling.check(place)
                yield Pulled(place, pinned, tuple(notes))
                return
            except InputError as error:
                notes.append(f"The copy of {wanted.label} here was damaged, so it is pulled again.")
                yield Pulling(wanted.label, 0, 0, notes[-1])
                damage = error.message
            try:
                offer = look(client, pinned)
            except UnreachableError as error:
                raise UnavailableError(
                    f"The copy of {wanted.label} here is damaged ({damage}), and the Hub cannot be "
                    "reached to pull it again.",
                    "Connect to the network and try again.",
                ) from error
            remove(place)
        else:
            offer = look(client, pinned)
        expect(offer, artifact)
        for event in pull(client, offer, place, handling.unpack):
            if isinstance(event, Pulled):
                yield Pulled(event.folder, event.hub_id, (*notes, *event.notes))
            else:
                yield event

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
                f"{error.message} The copy of {wanted.label} that is here is taken ({commit[:12]})."
            )
            return wanted.at(commit)
        if known.get(wanted.revision) != commit:
            write_json(refs, {**known, wanted.revision: commit})
        return wanted.at(commit)

    def _repo(self, artifact: Artifact, hub_id: HubId) -> Path:
        return self.root / artifact / hub_id.repo.replace("/", "--")


def _read_refs(file: Path) -> dict[str, str]:
    try:
        told = json.loads(file.read_text("utf-8"))
        return {
            str(key): value
            for key, value in told.items()
            if isinstance(value, str) and _COMMIT_FOLDER.fullmatch(value)
        }
    except (OSError, ValueError, AttributeError):
        return {}
