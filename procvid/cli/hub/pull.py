"""`procvid hub pull`: download a release and verify every file."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from procvid.cli.arguments import add_json
from procvid.cli.sources import TransferScreen
from procvid.errors import InputError
from procvid.hub.cache import default_cache, verify
from procvid.hub.client import HubClient, UnreachableError
from procvid.hub.names import Artifact, HubId, parse_hub_id
from procvid.hub.pull import Pulled, Pulling, look, read_receipt
from procvid.hub.pull import pull as download
from procvid.settings.environment import user_path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("id", metavar="ID[@REVISION]", help="OWNER/NAME, or datasets/OWNER/NAME")
    parser.add_argument(
        "--to", metavar="DIR", help="new folder (default: the cache that --memory and --lora read)"
    )
    add_json(parser, "print one event per line as JSON")
    parser.set_defaults(run=pull)


def pull(arguments: argparse.Namespace) -> None:
    """Download a release into the cache or a new folder."""
    client, wanted = HubClient(), parse_hub_id(arguments.id)
    screen = TransferScreen(arguments.json)
    shown: set[str] = set()
    try:
        if arguments.to:
            events = _pull_to(client, wanted, user_path(arguments.to))
        else:
            events = default_cache().obtain(client, *_find(client, wanted))
        for event in events:
            if isinstance(event, Pulling):
                screen.show(event)
                shown.add(event.note)
                continue
            screen.clear()
            if arguments.json:
                _print_json(event)
                continue
            for note in event.notes:
                if note not in shown:
                    print(f"Note: {note}")
            release = f"{event.hub_id.repo}@{event.hub_id.revision[:12]}"
            print(f"Done: {release} is in {event.folder}.")
    finally:
        screen.clear()


def _pull_to(client: HubClient, wanted: HubId, folder: Path) -> Iterator[Pulling | Pulled]:
    offer = look(client, wanted)
    if _has_release(folder, offer.hub_id):
        verify(offer.release.artifact, folder)
        return iter([Pulled(folder, offer.hub_id, ("already downloaded",))])
    return download(client, offer, folder)


def _has_release(folder: Path, pinned: HubId) -> bool:
    """Return True if a folder holds this release, False if it is empty or does not exist.

    Raises:
        InputError: The folder holds something else.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    if folder.is_dir() and read_receipt(folder) == pinned:
        return True
    raise InputError(f"{str(folder)!r} already exists.", "Remove it, or choose another --to.")


def _find(client: HubClient, wanted: HubId) -> tuple[Artifact, HubId]:
    """Return the kind and the id of a release; a cached one needs no network."""
    cached = default_cache().releases()
    for kept in cached:
        same_commit = kept.hub_id.revision == wanted.revision
        if wanted.is_pinned and same_commit and kept.hub_id.repo == wanted.repo:
            return kept.artifact, kept.hub_id
    try:
        offer = look(client, wanted)
    except UnreachableError:
        for kept in cached:
            if kept.hub_id.repo == wanted.repo:
                return kept.artifact, dataclasses.replace(wanted, repo_type=kept.hub_id.repo_type)
        raise
    return offer.release.artifact, dataclasses.replace(wanted, repo_type=offer.hub_id.repo_type)


def _print_json(event: Pulled) -> None:
    facts = {"id": event.hub_id.label, "folder": str(event.folder), "notes": event.notes}
    print(json.dumps({"event": "pulled", **facts}, ensure_ascii=False), flush=True)
