"""The Hub -> a folder that is whole or absent: looked at, fetched, verified, put in its place.

Only files that the manifest names are fetched, and only names that such a release may have. Nothing
is read before its sha256 is right, and nothing that comes from the Hub is ever executed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from procvid.errors import InputError, OutputError, ProcvidError, UnavailableError
from procvid.hub.bundle import check_contents, shard_names
from procvid.hub.client import HubClient, Listed, NoManifestError, UnreachableError, patiently
from procvid.hub.names import BESIDE, CARD, MANIFEST, RECEIPT, Artifact, HubId, shown
from procvid.hub.release import (
    MAX_MANIFEST_BYTES,
    FileFact,
    Release,
    damaged_files,
    fact_of,
    only_the_card,
    release_from_bytes,
)
from procvid.storage.atomic import output_errors, remove, replacing_folder
from procvid.storage.files import write_json
from procvid.storage.lock import LOCK, AlreadyHeldError, locked

SPARE_BYTES = 64 * 2**20
REPO_TYPES = ("model", "dataset")

Unpack = Callable[[Path, Release, Path], None]
"""Fills a new folder from the fetched files of a release."""


@dataclass(frozen=True)
class Offer:
    """A release as the Hub offers it: its manifest is read, its files are not fetched.

    `hub_id` is pinned to the commit; `notes` are for the user.
    """

    hub_id: HubId
    release: Release
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pulling:
    """`done_bytes` of `total_bytes` are here; `what` is in work; `note` is for the user."""

    what: str
    done_bytes: int
    total_bytes: int
    note: str = ""


@dataclass(frozen=True)
class Pulled:
    """The last event: the release is whole in `folder`."""

    folder: Path
    hub_id: HubId
    notes: tuple[str, ...] = ()


def look(client: HubClient, wanted: HubId) -> Offer:
    """Read the manifest of a release and compare it with what the Hub lists; fetch nothing else.

    Raises:
        UnavailableError: It is missing, private, gated, or nobody answers.
        InputError: There is no such revision, the manifest is missing or lies.
    """
    known = wanted if wanted.repo_type else _typed(client, wanted)
    pinned = known if known.is_pinned else known.at(client.commit_of(known))
    there = client.files_at(pinned)
    if MANIFEST not in there:
        raise NoManifestError(
            f"{wanted.label} has no {MANIFEST}: it is no release that procvid can verify.",
            "Check the name, or fetch it with `hf download`.",
        )
    if there[MANIFEST].size > MAX_MANIFEST_BYTES:
        raise InputError(f"The manifest.json of {wanted.label} is too large to be one.")
    with tempfile.TemporaryDirectory(prefix="procvid-") as folder:
        data = patiently(lambda: client.fetch(pinned, MANIFEST, Path(folder))).read_bytes()
    try:
        release = release_from_bytes(data)
    except InputError as error:
        raise InputError(f"{wanted.label}: {error.message}", error.hint) from error
    _compare(wanted, release, there)
    beside = sorted(set(there) - set(release.files) - {MANIFEST, *BESIDE})
    notes: tuple[str, ...] = ()
    if beside:
        notes = (
            f"{wanted.label} also holds {shown(beside)}: its manifest does not, so not fetched",
        )
    return Offer(pinned, release, notes)


def pull(
    client: HubClient, offer: Offer, place: Path, unpack: Unpack
) -> Iterator[Pulling | Pulled]:
    """Fetch a release and put it in its place; cut off, the same call goes on.

    Args:
        client: Of the Hub.
        offer: What `look` found.
        place: The folder to make. It appears when everything in it is verified.
        unpack: Fills it from the fetched files; `moved` takes them as they are.

    Raises:
        UnavailableError: A file cannot be had, or is damaged again after it was fetched again.
        InputError: The files do not hold what the manifest says.
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
            _put_in_place(offer, fetched, place, unpack)
    except (InputError, UnavailableError) as error:
        # What was fetched stays for the next try; of a pull that fetched nothing, nothing does.
        with suppress(OSError):
            fetched.rmdir()
            work.rmdir()
        if isinstance(error, AlreadyHeldError) or "nothing" in error.message:
            raise
        raise type(error)(f"{error.message} Nothing was put in place.", error.hint) from error
    remove(work)
    yield Pulled(place, offer.hub_id, tuple(notes))


def _put_in_place(offer: Offer, fetched: Path, place: Path, unpack: Unpack) -> None:
    release = _as_fetched(offer.release, fetched)
    try:
        check_contents(fetched, release)
        with replacing_folder(place) as new:
            unpack(fetched, release, new)
            write_json(new / RECEIPT, _receipt(offer))
    except OutputError:
        raise
    except InputError:
        # These very bytes were published, so to fetch them again cannot help.
        remove(fetched)
        fetched.mkdir()
        raise


def moved(fetched: Path, release: Release, new: Path) -> None:
    """An `Unpack` for releases that are used as they are published."""
    for name in release.files:
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(fetched / name, new / name)
    (new / MANIFEST).write_bytes(release.to_bytes())


def read_receipt(folder: Path) -> HubId | None:
    """Where a pulled folder came from, or None where it is not one."""
    try:
        told = json.loads((folder / RECEIPT).read_text("utf-8"))
        return HubId(str(told["repo"]), str(told["commit"]), str(told["repo_type"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _receipt(offer: Offer) -> dict[str, str]:
    return {
        "repo": offer.hub_id.repo,
        "repo_type": offer.hub_id.repo_type,
        "commit": offer.hub_id.revision,
        "artifact": offer.release.artifact,
    }


def _typed(client: HubClient, wanted: HubId) -> HubId:
    """The same repository as a model or as a data set, whichever there is."""
    found: list[HubId] = []
    missing: ProcvidError | None = None
    for repo_type in REPO_TYPES:
        typed = replace(wanted, repo_type=repo_type)
        try:
            client.commit_of(typed)
        except UnreachableError:
            raise
        except ProcvidError as error:
            # Of two refusals the more telling one: "gated" or "no such revision" beats "missing".
            if missing is None or "no model" in missing.message or isinstance(error, InputError):
                missing = error
            continue
        found.append(typed)
    if len(found) > 1:
        raise InputError(
            f"{wanted.repo} is a model and a data set too.",
            f"Write models/{wanted.label} or datasets/{wanted.label}.",
        )
    if found:
        return found[0]
    assert missing is not None
    told = missing.message.replace(f"no dataset {wanted.repo}", f"no repository {wanted.repo}")
    raise type(missing)(
        told.replace(f"no model {wanted.repo}", f"no repository {wanted.repo}"), missing.hint
    )


def _compare(wanted: HubId, release: Release, there: Mapping[str, Listed]) -> None:
    for name, fact in release.files.items():
        listed = there.get(name)
        if listed is None:
            raise InputError(
                f"The manifest of {wanted.label} lies: it names {name}, which is not there.",
                "Nothing was fetched; choose another revision.",
            )
        stored = listed.sha256 or fact.sha256
        if name != CARD and (listed.size, stored) != (fact.size, fact.sha256):
            differs = (
                f"{listed.size:,} bytes, said to be {fact.size:,}"
                if listed.size != fact.size
                else f"sha256 {stored[:12]}, said to be {fact.sha256[:12]}"
            )
            raise InputError(
                f"The manifest of {wanted.label} lies: {name} is not the file that it names "
                f"({differs}).",
                "Nothing was fetched; choose another revision.",
            )
    if release.artifact == "memory":
        shard_names(release)


def _check_disk(offer: Offer, fetched: Path) -> None:
    here = sum(f.stat().st_size for f in fetched.rglob("*") if f.is_file())
    # A crop store is put together from its shards beside them.
    copies = 2 if offer.release.artifact == "memory" else 1
    needed = copies * offer.release.total_bytes - here + SPARE_BYTES
    free = shutil.disk_usage(fetched).free
    if needed > free:
        raise OutputError(
            f"{offer.hub_id.repo} needs {needed / 1e9:.1f} GB of disk, and {free / 1e9:.1f} GB are "
            "free: nothing was fetched.",
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
    """Fetch a file that is not here or not right; damaged, once more. Returns what to tell."""
    only = {name: fact}
    if not damaged_files(fetched, only):
        return ""
    patiently(lambda: client.fetch(hub_id, name, fetched))
    wrong = damaged_files(fetched, only)
    if not wrong:
        return ""
    if name == CARD:
        return "The card was changed after the release was published."
    # Bytes that went wrong on their way are as many as right ones: only the hash tells.
    remove(fetched / name)
    patiently(lambda: client.fetch(hub_id, name, fetched, force=True))
    again = damaged_files(fetched, only)
    if again:
        remove(fetched / name)
        raise UnavailableError(
            f"The file {name} of {hub_id.repo} {again[name]}, also when fetched again: nothing of "
            "this release was put in place.",
            "Try again later, or choose another revision.",
        )
    return f"{name} was damaged on its way and was fetched again."


def _as_fetched(release: Release, fetched: Path) -> Release:
    """The release, with the card as it is there now where its owner has changed it."""
    wrong = damaged_files(fetched, release.files)
    if not wrong:
        return release
    assert only_the_card(wrong), wrong
    files = {**release.files, CARD: fact_of(fetched / CARD)}
    return replace(release, files=files)


def expect(offer: Offer, artifact: Artifact) -> None:
    """Raise InputError unless an offer is of this kind."""
    if offer.release.artifact != artifact:
        raise InputError(
            f"{offer.hub_id.repo} is a {offer.release.artifact}, not a {artifact}.",
            "Choose another repository.",
        )
