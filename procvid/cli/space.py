"""`procvid hub space`: the Space listed, put together in a folder, or pushed."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from procvid.cli.screen import Bar
from procvid.errors import InputError
from procvid.events import Progress, RunFinished
from procvid.hub.client import HubClient
from procvid.hub.names import parse_hub_id, size
from procvid.hub.space import FINISHED, SpaceFile, space_files, write_space
from procvid.hub.space_push import SpacePlan, plan_push, push
from procvid.plan.parse import read_recipe
from procvid.run.examples import Finished, example_recipes, files_of, recipe_sha256
from procvid.run.parts import Parts
from procvid.run.records import RunRecord
from procvid.run.story import make_video, record_of
from procvid.settings import TINY, choose_sampling, read_environment
from procvid.types import GenerateRequest
from procvid.wiring import run as wiring

SHOWN = 20


def space(arguments: argparse.Namespace) -> None:
    """List the files of the Space, put them together, or push what changed."""
    if arguments.to and arguments.repo:
        raise InputError("--to and --repo are two ways to go.", "Choose one of them.")
    if not (arguments.dry_run or arguments.to or arguments.repo):
        raise InputError(
            "Where is the Space to go?",
            "Give --repo OWNER/NAME or --to DIR, or --dry-run to list it.",
        )
    checkout = Path(__file__).parents[2]
    files = space_files(checkout)
    if not arguments.no_finished:
        made = _finished(example_recipes(checkout / "examples"))
        files = tuple(sorted((*files, *made), key=lambda file: file.name))
    if arguments.repo:
        _push(arguments, files)
        return
    if not arguments.dry_run:
        write_space(files, Path(arguments.to))
    _tell_files(arguments, files)


def _tell_files(arguments: argparse.Namespace, files: tuple[SpaceFile, ...]) -> None:
    total = sum(file.num_bytes for file in files)
    if arguments.json:
        print(json.dumps({"files": {f.name: f.num_bytes for f in files}, "bytes": total}))
        return
    for file in files:
        print(f"{file.num_bytes:>11,}  {file.name}")
    print(f"{total:>11,}  bytes in {len(files)} files", end="")
    print(f", in {arguments.to}" if not arguments.dry_run else "; nothing was written")


def _push(arguments: argparse.Namespace, files: tuple[SpaceFile, ...]) -> None:
    client, target = HubClient(), parse_hub_id(arguments.repo)
    plan = plan_push(client, files, target, private=arguments.private)
    _tell_plan(plan, arguments)
    if arguments.dry_run:
        return
    if not (plan.is_done or arguments.yes):
        if not sys.stdin.isatty():
            raise InputError(
                "Nothing was pushed: there is nobody to ask here.", "Add --yes when this is right."
            )
        if input("Push it? [y/N] ").strip().lower() not in ("y", "yes"):
            raise InputError("Nothing was pushed.", "")
    commit = push(client, plan)
    if arguments.json:
        print(json.dumps({"event": "pushed", "repo": plan.target.repo, "commit": commit}))
    else:
        print(f"Done: the Space {plan.target.repo} is at {commit[:12]}.")


def _tell_plan(plan: SpacePlan, arguments: argparse.Namespace) -> None:
    if arguments.json:
        told = {
            "event": "plan",
            "repo": plan.target.repo,
            "new": not plan.head,
            "uploads": {file.name: file.num_bytes for file in plan.uploads},
            "bytes": plan.upload_bytes,
            "deletes": list(plan.deletes),
            "kept": len(plan.kept),
        }
        print(json.dumps(told), flush=True)
        return
    there = f"there, at {plan.head[:12]}" if plan.head else "a new one"
    print(f"Space {plan.target.repo} ({there})")
    shown = plan.uploads if arguments.dry_run else plan.uploads[:SHOWN]
    for file in shown:
        print(f"{file.num_bytes:>11,}  {file.name}")
    if len(shown) < len(plan.uploads):
        print(f"  and {len(plan.uploads) - len(shown)} more")
    for name in plan.deletes:
        print(f"{'removed':>11}  {name}")
    print(
        f"To send: {len(plan.uploads)} files, {size(plan.upload_bytes)}, in one commit; "
        f"{len(plan.kept)} are there already."
    )


def _finished(recipes: tuple[Path, ...]) -> Iterator[SpaceFile]:
    """The videos of the examples, made by the tiny profile; one that was made before is taken."""
    parts = wiring.build(TINY.name, planner="rules")
    root = read_environment().cache_folder / "finished"
    for recipe in recipes:
        request = GenerateRequest(
            recipe=read_recipe(recipe), sampling=choose_sampling(TINY), profile=TINY.name
        )
        run = root / _key(record_of(request, parts))
        facts = _made(request, parts, run, recipe)
        for name, source in files_of(recipe, run, facts, run.with_suffix(".json")):
            yield SpaceFile(f"{FINISHED}/{name}", source, source.stat().st_size)


def _key(record: RunRecord) -> str:
    """By all that the video follows from: recipe, seed, models, memory."""
    identity = json.dumps(record.identity(), sort_keys=True)
    return f"{record.run_id}-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def _made(request: GenerateRequest, parts: Parts, run: Path, recipe: Path) -> Finished:
    bar, last = Bar(), None
    for event in make_video(request, parts, run):
        if isinstance(event, Progress):
            told = f"the example {recipe.name}, step {event.step}"
            bar.show(event.done / event.total, told, event.eta_s)
        last = event
    bar.clear()
    assert isinstance(last, RunFinished)
    return Finished(
        recipe_sha256(recipe),
        parts.profile.name,
        request.seed,
        request.sampling.num_inference_steps,
        len(last.clips),
        round(last.duration_s, 3),
    )
