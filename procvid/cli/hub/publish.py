"""`procvid hub publish`: publish a folder in one commit, with a tag."""

from __future__ import annotations

import argparse
import json

from procvid.cli.arguments import add_json
from procvid.cli.hub.release import add_release, confirm, make_bundle, where_of
from procvid.cli.sources import TransferScreen
from procvid.hub.bundle.check import homes_named
from procvid.hub.cache import bundle_folder
from procvid.hub.client import HubClient
from procvid.hub.names import size
from procvid.hub.publish import PublishedRelease, PublishPlan, plan_publish
from procvid.hub.publish import publish as upload

MAX_LISTED = 12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_release(parser)
    parser.add_argument(
        "--private", action="store_true", help="make the repository private if it is new"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="list what would be uploaded; upload nothing"
    )
    parser.add_argument("--yes", action="store_true", help="upload without asking")
    add_json(parser, "print one event per line as JSON")
    parser.set_defaults(run=publish)


def publish(arguments: argparse.Namespace) -> None:
    """List what will be uploaded, ask, and upload it."""
    where = where_of(arguments)
    with bundle_folder() as folder:
        release = make_bundle(arguments, where, folder)
        client = HubClient()
        plan = plan_publish(
            client, folder, release, where.hub_id, private=arguments.private, tag=where.tag
        )
        _print_plan(plan, arguments.json)
        if arguments.dry_run:
            return
        if not (plan.is_done or arguments.yes):
            confirm(f"Publish it {'privately' if plan.private else 'publicly'}?")
        screen = TransferScreen(arguments.json)
        try:
            for event in upload(client, plan):
                if isinstance(event, PublishedRelease):
                    screen.clear()
                    _print_published(event, arguments.json)
                else:
                    screen.show(event)
        finally:
            screen.clear()


def _print_plan(plan: PublishPlan, as_json: bool) -> None:
    homes = homes_named(plan.folder, plan.release)
    if as_json:
        facts = {
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
        print(json.dumps(facts, ensure_ascii=False), flush=True)
        return
    state = (
        f"at {plan.head[:12]}" if plan.head else f"new, {'private' if plan.private else 'public'}"
    )
    tag = f", tag {plan.tag}" if plan.tag else ""
    print(f"{plan.target.repo_type} {plan.target.repo} ({state}){tag}")
    print(f"Licence: {plan.release.licence or 'none'}.")
    for name, num_bytes in list(plan.uploads.items())[:MAX_LISTED]:
        print(f"  {size(num_bytes):>10}  {name}")
    if len(plan.uploads) > MAX_LISTED:
        print(f"  and {len(plan.uploads) - MAX_LISTED} more")
    for name in plan.deletes:
        print(f"  {'delete':>10}  {name}")
    print(
        f"To upload: {len(plan.uploads)} files, {size(plan.upload_bytes)}, in one commit; "
        f"{len(plan.kept)} unchanged."
    )
    for name, home in homes.items():
        print(f"Note: {name} contains the path of a home folder: {home}")


def _print_published(event: PublishedRelease, as_json: bool) -> None:
    if as_json:
        facts = {"repo": event.target.repo, "commit": event.commit, "tag": event.tag}
        print(json.dumps({"event": "published", **facts, "note": event.note}), flush=True)
        return
    if event.note:
        print(f"Note: {event.note}")
    tag = f", tag {event.tag}" if event.tag else ""
    print(f"Done: {event.target.repo} is at {event.commit[:12]}{tag}.")
