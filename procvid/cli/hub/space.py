"""`procvid hub space`: list, build or push the Hugging Face Space of this checkout."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

from procvid.cli.arguments import add_json
from procvid.cli.hub.finished import CACHE, fitting, make_finished
from procvid.cli.hub.release import confirm
from procvid.errors import InputError
from procvid.hub.client import HubClient
from procvid.hub.names import parse_hub_id, size
from procvid.hub.space import FINISHED, SpaceFile, space_files, write_space
from procvid.hub.space_push import SpacePlan, plan_push, push
from procvid.run.examples import example_recipes
from procvid.settings import TINY
from procvid.settings.environment import read_environment
from procvid.wiring import run as wiring

MAX_LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--repo", metavar="ID", default="", help="OWNER/NAME of the Space to push to"
    )
    parser.add_argument("--to", metavar="DIR", help="new folder to build the Space in")
    parser.add_argument(
        "--private", action="store_true", help="make the Space private if it is new"
    )
    parser.add_argument(
        "--no-finished",
        action="store_true",
        help="omit the example videos; those that do not fit are otherwise generated on this machine",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="list the files, or with --repo what would be uploaded; write nothing",
    )
    parser.add_argument("--yes", action="store_true", help="upload without asking")
    add_json(parser)
    parser.set_defaults(run=space)


def space(arguments: argparse.Namespace) -> None:
    """List the files of the Space, write them into a folder, or push the changed ones."""
    if arguments.to and arguments.repo:
        raise InputError("--to and --repo exclude each other.", "Choose one of them.")
    if not (arguments.dry_run or arguments.to or arguments.repo):
        raise InputError(
            "The target of the Space is missing.",
            "Give --repo OWNER/NAME or --to DIR, or list the files with --dry-run.",
        )
    checkout = Path(__file__).parents[3]
    files = space_files(checkout)
    if not arguments.no_finished:
        finished = finished_examples(example_recipes(checkout / "examples"))
        files = tuple(sorted((*files, *finished), key=lambda file: file.name))
    if arguments.repo:
        _push(arguments, files)
        return
    if not arguments.dry_run:
        write_space(files, Path(arguments.to))
    _print_files(arguments, files)


def _print_files(arguments: argparse.Namespace, files: tuple[SpaceFile, ...]) -> None:
    total = sum(file.num_bytes for file in files)
    if arguments.json:
        print(json.dumps({"files": {f.name: f.num_bytes for f in files}, "bytes": total}))
        return
    for file in files:
        print(f"{file.num_bytes:>11,}  {file.name}")
    place = "nothing was written" if arguments.dry_run else f"in {arguments.to}"
    print(f"{total:>11,}  bytes in {len(files)} files, {place}")


def _push(arguments: argparse.Namespace, files: tuple[SpaceFile, ...]) -> None:
    client, target = HubClient(), parse_hub_id(arguments.repo)
    plan = plan_push(client, files, target, private=arguments.private)
    _print_plan(plan, arguments)
    if arguments.dry_run:
        return
    if not (plan.is_done or arguments.yes):
        confirm("Push it?")
    commit = push(client, plan)
    if arguments.json:
        print(json.dumps({"event": "pushed", "repo": plan.target.repo, "commit": commit}))
    else:
        print(f"Done: the Space {plan.target.repo} is at {commit[:12]}.")


def _print_plan(plan: SpacePlan, arguments: argparse.Namespace) -> None:
    if arguments.json:
        facts = {
            "event": "plan",
            "repo": plan.target.repo,
            "new": not plan.head,
            "uploads": {file.name: file.num_bytes for file in plan.uploads},
            "bytes": plan.upload_bytes,
            "deletes": list(plan.deletes),
            "kept": len(plan.kept),
        }
        print(json.dumps(facts), flush=True)
        return
    print(f"Space {plan.target.repo} ({f'at {plan.head[:12]}' if plan.head else 'new'})")
    listed = plan.uploads if arguments.dry_run else plan.uploads[:MAX_LISTED]
    for file in listed:
        print(f"{file.num_bytes:>11,}  {file.name}")
    if len(listed) < len(plan.uploads):
        print(f"  and {len(plan.uploads) - len(listed)} more")
    for name in plan.deletes:
        print(f"{'delete':>11}  {name}")
    print(
        f"To upload: {len(plan.uploads)} files, {size(plan.upload_bytes)}, in one commit; "
        f"{len(plan.kept)} unchanged."
    )


def finished_examples(recipes: tuple[Path, ...]) -> Iterator[SpaceFile]:
    """Yield the files of the finished examples: those of the checkout, or made with `tiny`."""
    parts = wiring.build(TINY.name, planner="rules")
    made = read_environment().cache_folder / CACHE / "files"
    for recipe in recipes:
        example = fitting(recipe, parts) or make_finished(recipe, parts, made)
        for file in example.files:
            yield SpaceFile(f"{FINISHED}/{file.name}", file, file.stat().st_size)
