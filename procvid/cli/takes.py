"""`procvid takes`: list the takes of a run, choose one for a step, or delete one."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from procvid.cli.arguments import add_json, whole_number
from procvid.cli.screen import show_run
from procvid.errors import InputError, RunError
from procvid.events import ClipReady
from procvid.plan.shots import number_of
from procvid.run.folder import RunFolder, read_run
from procvid.run.retakes import choose_take, delete_take
from procvid.run.takes import Take, score_words, take_facts, takes_of
from procvid.types import GenerateRequest, Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "List the takes of a run. Redoing a step keeps its old clip as a take; "
        "choose a take again to undo the redo."
    )
    parser.add_argument("folder", metavar="DIR", help="run folder")
    parser.add_argument(
        "--step", metavar="N", help="number of the step, or name of the shot, such as 3b"
    )
    action = parser.add_mutually_exclusive_group()
    action.add_argument(
        "--keep", metavar="K", type=whole_number, help="make take K the clip of the step"
    )
    action.add_argument(
        "--delete", metavar="K", type=whole_number, help="delete take K of the step"
    )
    add_json(parser)
    parser.set_defaults(run=takes)


def takes(arguments: argparse.Namespace) -> None:
    """List the takes of a run, choose one or delete one.

    Raises:
        InputError: An option is missing.
        RunError: There is no such run, step or take, or the step is locked.
    """
    folder = Path(arguments.folder)
    record = read_run(folder)
    run = RunFolder(folder, record)
    plan = run.read_plan()
    if plan is None:
        raise RunError("The run has no plan yet.", "Finish it with `procvid generate` first.")
    number = 0 if arguments.step is None else number_of(plan, arguments.step)
    changes = arguments.keep is not None or arguments.delete is not None
    if changes and not number:
        raise InputError("--keep and --delete need a step.", "Add --step N.")
    if arguments.keep is not None:
        _keep(folder, record.request, plan, number, arguments)
        return
    if arguments.delete is not None:
        delete_take(folder, number, arguments.delete)
    _show(run, plan, number, arguments.json)


def _keep(
    folder: Path,
    request: GenerateRequest,
    plan: Plan,
    number: int,
    arguments: argparse.Namespace,
) -> None:
    from procvid.wiring import run as wiring

    parts = wiring.build_again(request)
    events = choose_take(folder, number, arguments.keep, parts)
    shown = (event for event in events if arguments.json or not isinstance(event, ClipReady))
    show_run(shown, arguments.json, plan)
    if not arguments.json:
        print(f"Step {plan.names[number]} has take {arguments.keep} now.")


def _show(run: RunFolder, plan: Plan, number: int, as_json: bool) -> None:
    """Print the takes of one step, or with 0 of all steps."""
    numbers = [number] if number else [step.number for step in plan.steps]
    found = {each: takes_of(run, each) for each in numbers}
    if as_json:
        listed = [_json(plan.names, n, take) for n, some in found.items() for take in some]
        print(json.dumps(listed, indent=2, ensure_ascii=False))
        return
    for each, some in found.items():
        print(f"Step {plan.names[each]}: {plan.steps[each - 1].text}")
        for take in some:
            print(f"  {_line(take)}")
        if not some:
            print("  no clip yet")


def _line(take: Take) -> str:
    mark = "*" if take.current else " "
    made = take.made_at.strftime("%Y-%m-%d %H:%M")
    words = score_words(take)
    score = f", score {words}" if words else ""
    against = (
        f"; contradicts the plan: {', '.join(take.contradictions)}" if take.contradictions else ""
    )
    return f"{mark} take {take.number}: seed {take.seed}, made {made} UTC{score}{against}"


def _json(names: Mapping[int, str], step: int, take: Take) -> dict[str, Any]:
    return {
        "step": step,
        "name": names[step],
        **take_facts(take),
        "clip": str(take.clip),
        "references": [one.object_name for one in take.references],
    }
