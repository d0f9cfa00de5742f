"""Pull a release from the Hub into a folder that is either complete and verified, or absent.

Only files that the manifest names are downloaded, and only names that such a release may have. No
file is read before its sha256 is verified, and nothing from the Hub is ever executed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from procvid.errors import InputError, OutputError, ProcvidError, UnavailableError
from procvid.hub.bundle.check import check_contents, shard_names
from procvid.hub.client import HubClient, ListedFile, NoManifestError, UnreachableError, retrying
from procvid.hub.names import CARD, HUB_FILES, MANIFEST, RECEIPT, Artifact, HubId, shown
from procvid.hub.release import (
    MAX_MANIFEST_BYTES,
    FileFact,
    Release,
    damaged_files,
    fact_of,
    only_the_card,
    release_from_bytes,
)
from procvid.hub.store import unpack_store
from procvid.storage.atomic import output_errors, remove, replacing_folder
from procvid.storage.files import write_json
from procvid.storage.lock import LOCK, AlreadyHeldError, locked

SPARE_BYTES = 64 * 2**20
REPO_TYPES = ("model", "dataset")


@dataclass(frozen=True)
class Offer:
    """A release on the Hub of which only the manifest was downloaded.

    Attributes:
        hub_id: The release, pinned to its commit.
        release: Its manifest.
        notes: Messages for the user.
    """

    hub_id: HubId
    release: Release
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pulling:
    """Progress event: `what` is being done, `done_bytes` of `total_bytes` are downloaded.

    `note` is a message for the user.
    """

    what: str
    done_bytes: int
    total_bytes: int
    note: str = ""


@dataclass(frozen=True)
class Pulled:
    """Last event: the release is complete in `folder`."""

    folder: Path
    hub_id: HubId
    notes: tuple[str, ...] = ()


def look(client: HubClient, wanted: HubId) -> Offer:
    """Read the manifest of a release and compare it with the Hub's list of files.

    Raises:
        UnavailableError: The release is missing, private or gated, or the Hub does not answer.
        InputError: The revision or the manifest is missing, or the manifest is wrong.
    """
    typed = wanted if wanted.repo_type else _find_type(client, wanted)
    pinned = typed if typed.is_pinned else typed.at(client.commit_of(typed))
    listed = client.files_at(pinned)
    if MANIFEST not in listed:
        raise NoManifestError(
            f"{wanted.label} has no {MANIFEST}, so procvid cannot verify it.",
            "Check the name, or download it with `hf download`.",
        )
    if listed[MANIFEST].size > MAX_MANIFEST_BYTES:
        raise InputError(f"The manifest.json of {wanted.label} is too large to be a manifest.")
    with tempfile.TemporaryDirectory(prefix="procvid-") as folder:
        data = retrying(lambda: client.fetch(pinned, MANIFEST, Path(folder))).read_bytes()
    try:
        release = release_from_bytes(data)
    except InputError as error:
        raise InputError(f"{wanted.label}: {error.message}", error.hint) from error
    _compare(wanted, release, listed)
    unnamed = sorted(set(listed) - set(release.files) - {MANIFEST, *HUB_FILES})
    notes: tuple[str, ...] = ()
    if unnamed:
        notes = (
            f"Skipped files of {wanted.label} that its manifest does not name: {shown(unnamed)}",
        )
    return Offer(pinned, release, notes)


def pull(client: HubClient, offer: Offer, place: Path) -> Iterator[Pulling | Pulled]:
    """Download and verify a release; after an interruption the same call resumes.

    Args:
        client: Client of the Hub.
        offer: Result of `look`.
        place: Folder to create. It appears when everything in it is verified.

    Raises:
        UnavailableError: A file cannot be downloaded, or is damaged twice.
        InputError: The files do not hold what the manifest states.
        OutputError: The disk is too small, or the folder cannot be written.
    """
    work = place.with_name(f".{place.name}.pulling")
    with output_errors(work):
        work.mkdir(parents=True, exist_ok=True)
    notes = list(offer.notes)
    fetched = work / offer.hub_id.revision
    try:
        with locked(work):
            for other in work.iterdir():
                if other not in (fetched, work / LOCK):
                    remove(other)
            with output_errors(fetched):
                fetched.mkdir(exist_ok=True)
            _check_disk(offer, fetched)
            for event in _fetch_all(client, offer, fetched):
                notes += [event.note] if event.note else []
                yield event
            total = offer.release.total_bytes
            yield Pulling("verifying", total, total)
            _put_in_place(offer, fetched, place)
    except (InputError, UnavailableError) as error:
        # Downloaded files stay for the next try; empty folders go.
        with suppress(OSError):
            fetched.rmdir()
            work.rmdir()
        if isinstance(error, AlreadyHeldError) or "Nothing" in error.message:
            raise
        raise type(error)(f"{error.message} Nothing was installed.", error.hint) from error
    remove(work)
    yield Pulled(place, offer.hub_id, tuple(notes))


def _put_in_place(offer: Offer, fetched: Path, place: Path) -> None:
    release = _as_fetched(offer.release, fetched)
    try:
        check_contents(fetched, release)
        with replacing_folder(place) as new:
            if release.artifact == "memory":
                unpack_store(fetched, release, new)
            else:
                _move_files(fetched, release, new)
            write_json(new / RECEIPT, _receipt(offer))
    except OutputError:
        raise
    except InputError:
        # The bytes are as published, so downloading them again cannot help.
        remove(fetched)
        fetched.mkdir()
        raise


def _move_files(fetched: Path, release: Release, new: Path) -> None:
    for name in release.files:
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(fetched / name, new / name)
    (new / MANIFEST).write_bytes(release.to_bytes())


def read_receipt(folder: Path) -> HubId | None:
    """Return the release that a pulled folder came from, or None if it was not pulled."""
    try:
        receipt = json.loads((folder / RECEIPT).read_text("utf-8"))
        return HubId(str(receipt["repo"]), str(receipt["commit"]), str(receipt["repo_type"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _receipt(offer: Offer) -> dict[str, str]:
    return {
        "repo": offer.hub_id.repo,
        "repo_type": offer.hub_id.repo_type,
        "commit": offer.hub_id.revision,
        "artifact": offer.release.artifact,
    }


def _find_type(client: HubClient, wanted: HubId) -> HubId:
    """Return the repository as a model or as a dataset, whichever exists."""
    found: list[HubId] = []
    missing: ProcvidError | None = None
    for repo_type in REPO_TYPES:
        typed = replace(wanted, repo_type=repo_type)
        try:
            client.commit_of(typed)
        except UnreachableError:
            raise
        except ProcvidError as error:
            # Keep the more specific error: "gated" or "no revision" instead of "no repository".
            if missing is None or "no model" in missing.message or isinstance(error, InputError):
                missing = error
            continue
        found.append(typed)
    if len(found) > 1:
        raise InputError(
            f"{wanted.repo} is both a model and a dataset.",
            f"Write models/{wanted.label} or datasets/{wanted.label}.",
        )
    if found:
        return found[0]
    assert missing is not None
    message = missing.message
    for kind in REPO_TYPES:
        message = message.replace(f"no {kind} {wanted.repo}", f"no repository {wanted.repo}")
    raise type(missing)(message, missing.hint)


def _compare(wanted: HubId, release: Release, listed: Mapping[str, ListedFile]) -> None:
    for name, fact in release.files.items():
        file = listed.get(name)
        if file is None:
            raise InputError(
                f"The manifest of {wanted.label} is wrong: it names {name}, which does not exist.",
                "Choose another revision. Nothing was downloaded.",
            )
        stored = file.sha256 or fact.sha256
        if name != CARD and (file.size, stored) != (fact.size, fact.sha256):
            differs = (
                f"{file.size:,} bytes instead of {fact.size:,}"
                if file.size != fact.size
                else f"sha256 {stored[:12]} instead of {fact.sha256[:12]}"
            )
            raise InputError(
                f"The manifest of {wanted.label} is wrong: it does not match {name} ({differs}).",
                "Choose another revision. Nothing was downloaded.",
            )
    if release.artifact == "memory":
        shard_names(release)


def _check_disk(offer: Offer, fetched: Path) -> None:
    here = sum(f.stat().st_size for f in fetched.rglob("*") if f.is_file())
    # A crop store is built from its shards while they are still there.
    copies = 2 if offer.release.artifact == "memory" else 1
    needed = copies * offer.release.total_bytes - here + SPARE_BYTES
    free = shutil.disk_usage(fetched).free
    if needed > free:
        raise OutputError(
            f"{offer.hub_id.repo} needs {needed / 1e9:.1f} GB of disk, but only {free / 1e9:.1f} GB "
            "are free. Nothing was downloaded.",
            "Free some space, or choose another folder with --to or PROCVID_CACHE.",
        )


def _fetch_all(client: HubClient, offer: Offer, fetched: Path) -> Iterator[Pulling]:
    done, total = 0, offer.release.total_bytes
    for name, fact in sorted(offer.release.files.items()):
        yield Pulling(name, done, total)
        note = _fetch_one(client, offer.hub_id, name, fact, fetched)
        done += fact.size
        yield Pulling(name, done, total, note)


def _fetch_one(client: HubClient, hub_id: HubId, name: str, fact: FileFact, fetched: Path) -> str:
    """Download a file unless a valid copy exists; retry once if damaged. Return a note or ""."""
    only = {name: fact}
    if not damaged_files(fetched, only):
        return ""
    retrying(lambda: client.fetch(hub_id, name, fetched))
    wrong = damaged_files(fetched, only)
    if not wrong:
        return ""
    if name == CARD:
        return "The card was changed after the release was published."
    # A flipped byte does not change the size, so the client would keep the file.
    remove(fetched / name)
    retrying(lambda: client.fetch(hub_id, name, fetched, force=True))
    again = damaged_files(fetched, only)
    if again:
        remove(fetched / name)
        raise UnavailableError(
            f"The file {name} of {hub_id.repo} {again[name]}, also after a second download. "
            "Nothing was installed.",
            "Try again later, or choose another revision.",
        )
    return f"{name} was damaged in transit and downloaded again."


def _as_fetched(release: Release, fetched: Path) -> Release:
    """Return the release with the card as downloaded, which the owner may have edited."""
    wrong = damaged_files(fetched, release.files)
    if not wrong:
        return release
    assert only_the_card(wrong), wrong
    files = {**release.files, CARD: fact_of(fetched / CARD)}
    return replace(release, files=files)


def expect(offer: Offer, artifact: Artifact) -> None:
    """Raise InputError unless an offer has this kind."""
    if offer.release.artifact != artifact:
        raise InputError(
            f"{offer.hub_id.repo} is a {offer.release.artifact}, not a {artifact}.",
            "Choose another repository.",
        )
