"""`procvid coach`: compare one's own clip with the recipe of a run."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from procvid.cli.arguments import add_json, add_profile
from procvid.cli.diff import add_reader, difference_json
from procvid.errors import InputError, RunError
from procvid.evaluate.differences.coach import Coached, coach
from procvid.evaluate.inputs import clips_input, run_input
from procvid.plan.shots import number_of
from procvid.settings.environment import user_path
from procvid.storage.text import printable
from procvid.types import Plan
from procvid.wiring import run as wiring
from procvid.wiring.differences import build_coach


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Compare a clip from your own kitchen with the recipe of a run: which step it shows, what "
        "differs, and whether that is a mistake or a variation."
    )
    parser.add_argument("run_folder", metavar="RUN", help="run folder")
    parser.add_argument("clip", metavar="CLIP", help="your clip")
    parser.add_argument("--step", metavar="N", help="step that it shows, such as 3 or 3b")
    add_reader(parser)
    add_profile(parser)
    add_json(parser)
    parser.set_defaults(run=advise)


def advise(arguments: argparse.Namespace) -> None:
    """Print what the coach says.

    Raises:
        InputError: The clip cannot be read, or the recipe has no such step.
        RunError: The folder is no run with clips.
        ServiceError: A service is not available.
        UnavailableError: The reader does not know such clips.
    """
    folder, file = user_path(arguments.run_folder), user_path(arguments.clip)
    if not file.is_file():
        raise InputError(f"{str(file)!r} is not a file.", "Give one clip.")
    run = run_input(folder)
    if run.plan is None:
        raise RunError("The run has no plan yet.", "Finish it with `procvid generate` first.")
    step = 0 if arguments.step is None else number_of(run.plan, arguments.step)
    profile, _ = wiring.select_profile(arguments.profile)
    comparer, reader = build_coach(profile, arguments.reader)
    (clip,) = clips_input([file]).clips
    coached = coach(run, run.plan, clip, comparer, reader, step)
    if arguments.json:
        print(json.dumps(coached_json(coached, run.plan), ensure_ascii=False))
    else:
        print("\n".join(coached_lines(coached, run.plan)))


def coached_lines(coached: Coached, plan: Plan) -> Iterator[str]:
    """Yield what the coach says, line by line."""
    for guess in coached.guesses:
        text = printable(plan.steps[guess.number - 1].text)
        yield f"{'*' if guess.number == coached.step else ' '} {guess.fit:.2f}  step {guess.name}: {text}"
    if coached.step:
        yield f"Compared with step {plan.names[coached.step]}:"
        for remark in coached.remarks:
            each = remark.difference
            when = "" if each.b_s is None else f" at {each.b_s:.1f} s"
            yield f"  {remark.meaning}{when}: {printable(each.text)} ({printable(remark.why)})"
        if not coached.remarks:
            yield "  nothing differs from the recipe"
        if coached.found.unseen:
            yield f"Not seen: {'; '.join(coached.found.unseen)}"
    for note in coached.notes:
        yield f"Note: {printable(note)}"


def coached_json(coached: Coached, plan: Plan) -> dict[str, Any]:
    """Return what the coach says as JSON."""
    return {
        "guesses": [
            {"step": guess.name, "fit": guess.fit, "text": plan.steps[guess.number - 1].text}
            for guess in coached.guesses
        ],
        "step": plan.names[coached.step] if coached.step else None,
        "asked": coached.asked,
        "remarks": [
            {**difference_json(each.difference), "meaning": each.meaning, "why": each.why}
            for each in coached.remarks
        ],
        "unseen": list(coached.found.unseen),
        "notes": list(coached.notes),
    }
