"""`procvid regenerate`: generate one step of a run again."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from procvid.cli.arguments import add_json, whole_number
from procvid.cli.screen import show_run
from procvid.errors import InputError, RunError
from procvid.media.image import load_image
from procvid.plan.shots import number_of
from procvid.run.folder import RunFolder, read_run
from procvid.run.retakes import check_count
from procvid.run.step import check_shown, check_strengths
from procvid.run.story import regenerate_step
from procvid.run.takes import MAX_AT_ONCE
from procvid.settings import MAX_REFERENCES, MAX_SEED, PROFILES
from procvid.types import Plan, StepChanges
from procvid.wiring import run as wiring
from procvid.wiring.takes import build_take_judge


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Generate one step of a run again. Later steps that depend on its images become stale."
    )
    parser.add_argument("folder", metavar="DIR", help="run folder")
    parser.add_argument(
        "--step",
        metavar="N",
        required=True,
        help="number of the step, or name of the shot, such as 3b",
    )
    parser.add_argument("--seed", metavar="N", type=whole_number, help="seed of the step")
    parser.add_argument("--prompt", metavar="TEXT", help="prompt, used word for word")
    parser.add_argument(
        "--reference",
        metavar="IMAGE",
        nargs="+",
        action="extend",
        default=[],
        help=f"up to {MAX_REFERENCES} reference images, used before those from memory",
    )
    parser.add_argument(
        "--use",
        metavar="OBJECT=CROP",
        action="append",
        default=[],
        help="id of the crop to use for an object; repeatable",
    )
    parser.add_argument(
        "--ban",
        metavar="CROP",
        action="append",
        default=[],
        help="id of a crop not to use; repeatable",
    )
    parser.add_argument(
        "--leave-out",
        metavar="OBJECT",
        action="append",
        default=[],
        help="name of an object that gets no reference; repeatable",
    )
    parser.add_argument(
        "--strength",
        metavar="OBJECT=SHARE",
        action="append",
        default=[],
        help="how far the clip takes over the look of an object's reference, 0 to 1 (default: 1); "
        "repeatable",
    )
    parser.add_argument(
        "--takes",
        metavar="N",
        type=whole_number,
        default=1,
        help=f"number of takes to make, 1 to {MAX_AT_ONCE}; the best one is kept (default: 1)",
    )
    add_json(parser, "print one event per line as JSON")
    parser.set_defaults(run=regenerate)


def regenerate(arguments: argparse.Namespace) -> None:
    """Generate one step of a run again.

    Raises:
        InputError: An option is wrong, or the folder holds no such step.
    """
    folder = Path(arguments.folder)
    request = read_run(folder).request
    plan = _plan_of(folder, arguments.step)
    number = number_of(plan, arguments.step)
    if arguments.seed is not None and not 0 <= arguments.seed <= MAX_SEED:
        raise InputError(f"The seed {arguments.seed} is out of range.", f"Choose 0 to {MAX_SEED}.")
    if arguments.prompt is not None and not arguments.prompt.strip():
        raise InputError("The prompt is empty.", "Write what the clip shows, or omit --prompt.")
    most = PROFILES[request.profile].max_references
    if len(arguments.reference) > most:
        raise InputError(
            f"A step takes at most {most} reference images, not {len(arguments.reference)}.",
            "Leave some out.",
        )
    check_count(arguments.takes)
    changes = StepChanges(
        seed=arguments.seed,
        prompt=arguments.prompt,
        uploads=tuple(load_image(Path(file)) for file in arguments.reference),
        banned=tuple(arguments.ban),
        chosen=_chosen(arguments.use),
        left_out=tuple(name.strip().lower() for name in arguments.leave_out),
        strengths=_strengths(arguments.strength),
    )
    check_strengths(changes.strengths, plan.steps[number - 1])
    check_shown((*changes.left_out, *changes.chosen), plan.steps[number - 1])
    parts = wiring.build_again(request)
    judge = build_take_judge(parts.profile) if arguments.takes > 1 else None
    events = regenerate_step(folder, number, parts, changes, takes=arguments.takes, judge=judge)
    show_run(events, arguments.json, plan)


def _plan_of(folder: Path, name: str) -> Plan:
    plan = RunFolder(folder, read_run(folder)).read_plan()
    if plan is None:
        raise RunError(
            f"Step {name[:20]} cannot be redone: the run has no finished step.",
            "Finish the run with `procvid generate` first.",
        )
    return plan


def _strengths(texts: Sequence[str]) -> dict[str, float]:
    """Return the strength of each object in "OBJECT=SHARE". Raise InputError for another text."""
    found = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        try:
            found[name.strip().lower()] = float(value)
        except ValueError as error:
            message = f"--strength {text[:80]!r} is not OBJECT=SHARE."
            raise InputError(message, 'Write it like "frying pan=0.5".') from error
    return found


def _chosen(pairs: list[str]) -> dict[str, str]:
    """Return crop ids by object name, from OBJECT=CROP."""
    chosen = {}
    for text in pairs:
        name, equals, crop_id = text.rpartition("=")
        if not (equals and name.strip() and crop_id.strip()):
            raise InputError(f"{text[:60]!r} is not OBJECT=CROP.", "Write pan=1234567890abcdef.")
        chosen[name.strip().lower()] = crop_id.strip()
    return chosen
