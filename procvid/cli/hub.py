"""`procvid hub publish`, `pull`, `verify`, `card` and `list`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from procvid.cli.plain import printable
from procvid.cli.screen import PullScreen
from procvid.errors import InputError
from procvid.hub.bundle.artifact import bundle
from procvid.hub.bundle.check import homes_named, read_release, validate
from procvid.hub.bundle.options import BundleOptions
from procvid.hub.cache import bundle_folder, default_cache
from procvid.hub.cache import verify as verify_release
from procvid.hub.client import HubClient, UnreachableError
from procvid.hub.names import (
    CARD,
    MANIFEST,
    REPO_TYPES,
    Artifact,
    HubId,
    ReleaseTarget,
    check_tag,
    parse_hub_id,
    size,
)
from procvid.hub.publish import PublishedRelease, PublishPlan, plan_publish
from procvid.hub.publish import publish as send
from procvid.hub.pull import Pulled, Pulling, look, read_receipt
from procvid.hub.pull import pull as fetch
from procvid.hub.release import Release
from procvid.hub.store import check_store, unverified_files
from procvid.memory.crops import load_store
from procvid.memory.folder import KIND as STORE_KIND
from procvid.settings import TINY
from procvid.wiring import run as wiring

SHOWN = 12


def publish(arguments: argparse.Namespace) -> None:
    """Tell what would be sent, ask, and send it."""
    where = _where(arguments)
    with bundle_folder() as made:
        release = _bundled(arguments, where, made)
        client = HubClient()
        plan = plan_publish(
            client,
            made,
            release,
            where.hub_id,
            private=arguments.private,
            tag=where.tag,
        )
        _tell_plan(plan, arguments.json)
        if arguments.dry_run:
            return
        if not (plan.is_done or arguments.yes):
            _ask(plan)
        screen = PullScreen(arguments.json)
        try:
            for event in send(client, plan):
                if isinstance(event, PublishedRelease):
                    screen.clear()
                    _tell_published(event, arguments.json)
                else:
                    screen.show(event)
        finally:
            screen.clear()


def pull(arguments: argparse.Namespace) -> None:
    """A release -> a folder, whole or absent."""
    client, cache = HubClient(), default_cache()
    wanted = parse_hub_id(arguments.id)
    screen = PullScreen(arguments.json)
    try:
        if arguments.to:
            place = Path(arguments.to).expanduser()
            offer = look(client, wanted)
            events: Iterator[Pulling | Pulled]
            if _is_there(place, offer.hub_id):
                verify_release(offer.release.artifact, place)
                events = iter([Pulled(place, offer.hub_id, ("it was there already",))])
            else:
                events = fetch(client, offer, place)
        else:
            found = _find(client, wanted)
            events = cache.obtain(client, *found)
        told: set[str] = set()
        for event in events:
            if isinstance(event, Pulled):
                screen.clear()
                told = set() if arguments.json else told
                left = tuple(note for note in event.notes if note not in told)
                _tell_pulled(dataclasses.replace(event, notes=left), arguments.json)
            else:
                screen.show(event)
                told.add(event.note)
    finally:
        screen.clear()


def verify(arguments: argparse.Namespace) -> None:
    """Whether a folder is as its manifest says, byte for byte."""
    folder = Path(arguments.folder).expanduser()
    told = _verified(folder)
    if arguments.json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        print(f"Whole: {told['files']} files, {size(int(str(told['bytes'])))}, {told['artifact']} "
              f"{told['name']}, licence {told['licence'] or 'none'}.")  # fmt: skip
        for name in told.get("not_verified", ()):
            print(printable(f"Note: {name} lies there too; no manifest names it, so it is not "
                            "verified."))  # fmt: skip


def card(arguments: argparse.Namespace) -> None:
    """The card alone; asks nobody."""
    where = _where(arguments)
    with bundle_folder() as made:
        _bundled(arguments, where, made)
        print((made / CARD).read_text("utf-8"), end="")


def list_kept(arguments: argparse.Namespace) -> None:
    """What was pulled and is still here."""
    for kept in default_cache().releases():
        if arguments.json:
            told = {"artifact": kept.artifact, "id": kept.hub_id.label, "folder": str(kept.folder)}
            print(json.dumps(told))
        else:
            print(
                f"{kept.artifact:7} {kept.hub_id.repo}@{kept.hub_id.revision[:12]}  {kept.folder}"
            )


def _where(arguments: argparse.Namespace) -> ReleaseTarget:
    if arguments.tag:
        check_tag(arguments.tag)
    target = parse_hub_id(arguments.repo)
    if target.revision != "main":
        raise InputError(f"{arguments.repo!r} names a revision.", "Use --tag for the new release.")
    return ReleaseTarget(HubId(target.repo, "main", REPO_TYPES[arguments.kind]), arguments.tag)


def _bundled(arguments: argparse.Namespace, where: ReleaseTarget, out: Path) -> Release:
    options = BundleOptions(
        target=where,
        licence=" ".join(arguments.licence.split()),
        no_pixels=arguments.no_pixels,
        without_licence=arguments.without_licence,
        base=arguments.base,
        scores=Path(arguments.scores).expanduser() if arguments.scores else None,
    )
    folder = Path(arguments.folder).expanduser()
    return bundle(
        arguments.kind, folder, out, options, lambda: wiring.build_generator(TINY).info.revision
    )


def _tell_plan(plan: PublishPlan, as_json: bool) -> None:
    homes = homes_named(plan.folder, plan.release)
    if as_json:
        told = {
            "event": "plan",
            "repo": plan.target.repo,
            "repo_type": plan.target.repo_type,
            "new": not plan.head,
            "private": plan.private,
            "tag": plan.tag,
            "uploads": dict(plan.uploads),
            "bytes": plan.upload_bytes,
            "deletes": list(plan.deletes),
            "names_folders": homes,
        }
        print(json.dumps(told, ensure_ascii=False), flush=True)
        return
    new = (
        "a new one, " + ("private" if plan.private else "public")
        if not plan.head
        else (f"there, at {plan.head[:12]}")
    )
    print(
        f"{plan.target.repo_type} {plan.target.repo} ({new})"
        + (f", tag {plan.tag}" if plan.tag else "")
    )
    print(f"Licence: {plan.release.licence or 'none'}.")
    for name, num_bytes in list(plan.uploads.items())[:SHOWN]:
        print(f"  {size(num_bytes):>10}  {name}")
    if len(plan.uploads) > SHOWN:
        print(f"  and {len(plan.uploads) - SHOWN} more")
    for name in plan.deletes:
        print(f"  {'removed':>10}  {name}")
    print(
        f"To send: {len(plan.uploads)} files, {size(plan.upload_bytes)}, in one commit; "
        f"{len(plan.kept)} are there already."
    )
    for name, home in homes.items():
        print(f"Note: {name} names a folder of a person: {home}")


def _ask(plan: PublishPlan) -> None:
    if not sys.stdin.isatty():
        raise InputError(
            "Nothing was sent: there is nobody to ask here.", "Add --yes when the above is right."
        )
    public = "for all to see" if not plan.private else "privately"
    if input(f"Publish it {public}? [y/N] ").strip().lower() not in ("y", "yes"):
        raise InputError("Nothing was sent.", "")


def _tell_published(event: PublishedRelease, as_json: bool) -> None:
    if as_json:
        told = {"repo": event.target.repo, "commit": event.commit, "tag": event.tag}
        print(json.dumps({"event": "published", **told, "note": event.note}), flush=True)
        return
    if event.note:
        print(f"Note: {event.note}")
    tag = f", tag {event.tag}" if event.tag else ""
    print(f"Done: {event.target.repo} is at {event.commit[:12]}{tag}.")


def _tell_pulled(event: Pulled, as_json: bool) -> None:
    if as_json:
        told = {"id": event.hub_id.label, "folder": str(event.folder), "notes": event.notes}
        print(json.dumps({"event": "pulled", **told}, ensure_ascii=False), flush=True)
        return
    for note in event.notes:
        print(f"Note: {note}")
    print(f"Done: {event.hub_id.repo}@{event.hub_id.revision[:12]} is whole in {event.folder}")


def _is_there(place: Path, pinned: HubId) -> bool:
    if not place.exists() or (place.is_dir() and not any(place.iterdir())):
        return False
    there = read_receipt(place) if place.is_dir() else None
    if there is not None and there == pinned:
        return True
    raise InputError(f"{str(place)!r} is there already.", "Remove it, or choose another --to.")


def _find(client: HubClient, wanted: HubId) -> tuple[Artifact, HubId]:
    """Kind and pinned name of a release; of one that is here already without asking anybody."""
    for kept in default_cache().releases():
        if wanted.is_pinned and (kept.hub_id.repo, kept.hub_id.revision) == (
            wanted.repo,
            wanted.revision,
        ):
            return kept.artifact, kept.hub_id
    try:
        offer = look(client, wanted)
    except UnreachableError:
        for kept in default_cache().releases():
            if kept.hub_id.repo == wanted.repo:
                return kept.artifact, dataclasses.replace(wanted, repo_type=kept.hub_id.repo_type)
        raise
    return offer.release.artifact, dataclasses.replace(wanted, repo_type=offer.hub_id.repo_type)


def _verified(folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / MANIFEST).read_text("utf-8"))
        is_store = told.get("kind") == STORE_KIND
    except (OSError, ValueError, AttributeError):
        is_store = False
    if is_store:
        check_store(folder)
        store = load_store(folder)
        files = told["files"].values()
        unnamed = unverified_files(folder)
        facts: dict[str, Any] = {
            "artifact": "memory",
            "name": store.name,
            "licence": store.licence,
        }
        total = sum(f["size"] for f in files)
        return {**facts, "files": len(files), "bytes": total, "not_verified": unnamed}
    read_release(folder)
    release = validate(folder)
    return {
        "artifact": release.artifact,
        "name": release.name,
        "licence": release.licence,
        "files": len(release.files),
        "bytes": release.total_bytes,
    }
