"""`procvid diff`: say what differs between two clips or two runs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from procvid.cli.arguments import add_json, add_profile
from procvid.errors import InputError, RunError
from procvid.evaluate.differences.clips import Comparer
from procvid.evaluate.differences.runs import StepDifferences, run_differences
from procvid.evaluate.inputs import clips_input, run_input
from procvid.settings import READER_CHOICES
from procvid.settings.environment import user_path
from procvid.storage.text import printable
from procvid.types.difference import CATEGORIES, TITLES, ClipDifferences, Difference
from procvid.wiring import run as wiring
from procvid.wiring.differences import build_comparer

SCALE = "1 is nearly the same, 5 very different"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "Say what B does differently from A, in ingredients, tools, techniques, actions and looks, "
        f"with a severity from 1 to 5: {SCALE}. Two runs are compared step by step."
    )
    parser.add_argument("a", metavar="A", help="clip or run folder")
    parser.add_argument("b", metavar="B", help="clip or run folder to compare with it")
    parser.add_argument("--text", metavar="STEP", default="", help="step that both clips show")
    add_reader(parser)
    add_profile(parser)
    add_json(parser)
    parser.set_defaults(run=diff)


def add_reader(parser: argparse.ArgumentParser) -> None:
    """Add `--reader`."""
    parser.add_argument(
        "--reader",
        choices=READER_CHOICES,
        default="auto",
        help="tiny knows the toy kitchen only; openai is a vision model (OPENAI_API_KEY); auto asks it "
        "for the GPU profiles only (default: auto)",
    )


def diff(arguments: argparse.Namespace) -> None:
    """Print what differs.

    Raises:
        InputError: One is a clip and the other a run, or a clip cannot be read.
        RunError: A folder is no run, or no clip could be compared.
        ServiceError: A service is not available.
        UnavailableError: The reader does not know such clips.
    """
    a, b = user_path(arguments.a), user_path(arguments.b)
    for path in (a, b):
        if not path.exists():
            raise InputError(f"{str(path)!r} does not exist.", "Give two clips or two run folders.")
    if a.is_dir() != b.is_dir():
        raise InputError(
            "A clip and a run cannot be compared.",
            "Give two clips or two run folders; `procvid coach` compares a clip with a run.",
        )
    profile, _ = wiring.select_profile(arguments.profile)
    comparer = build_comparer(profile, arguments.reader)
    if a.is_dir():
        _runs(a, b, comparer, arguments)
        return
    (one,), (two,) = clips_input([a]).clips, clips_input([b]).clips
    found = comparer.compare(one, two, arguments.text)
    if arguments.json:
        print(json.dumps(clip_json(found), ensure_ascii=False))
    else:
        print("\n".join(clip_lines(found)))


def _runs(a: Path, b: Path, comparer: Comparer, arguments: argparse.Namespace) -> None:
    if arguments.text:
        raise InputError("--text is for two clips.", "The steps of runs have their own texts.")
    compared = 0
    why = ""
    for step in run_differences(run_input(a, "A"), run_input(b, "B"), comparer):
        compared += step.found is not None
        why = why or (step.why if step.a and step.b else "")
        if arguments.json:
            print(json.dumps(_step_json(step), ensure_ascii=False), flush=True)
        else:
            print("\n".join(_step_lines(step)), flush=True)
    if not compared:
        raise RunError(f"No step could be compared: {why or 'the runs share no step'}.")


def _step_lines(step: StepDifferences) -> Iterator[str]:
    number = step.name
    number += (
        f" (step {step.names[0]} of A)" if all(step.names) and len(set(step.names)) > 1 else ""
    )
    yield f"Step {number}: {printable(step.text)}"
    if step.before:
        yield f"  in A: {printable(step.before)}"
    if step.found is None:
        yield f"  {step.why}"
        return
    yield from (f"  {line}" for line in clip_lines(step.found))


def clip_lines(found: ClipDifferences) -> Iterator[str]:
    """Yield what differs between two clips, a line for each difference."""
    if not found.found:
        yield "No difference."
    for category in CATEGORIES:
        for each in found.of(category):
            yield f"{TITLES[category]}: {printable(each.text)} (severity {each.severity}){_moment(each)}"
    if found.found:
        yield f"Severity {found.severity:.1f} ({SCALE}; mean of the five categories)"
    if found.alike:
        yield f"Alike: {printable(', '.join(found.alike))}"
    if found.unseen:
        yield f"Not seen: {'; '.join(found.unseen)}"
    for note in found.notes:
        yield f"Note: {printable(note)}"


def _moment(each: Difference) -> str:
    moments = [
        f"{side} at {seconds:.1f} s"
        for side, seconds in (("A", each.a_s), ("B", each.b_s))
        if seconds is not None
    ]
    return f", {', '.join(moments)}" if moments else ""


def clip_json(found: ClipDifferences) -> dict[str, Any]:
    """Return what differs between two clips as JSON."""
    return {
        "severity": round(found.severity, 2),
        "differences": [difference_json(each) for each in found.found],
        "alike": list(found.alike),
        "unseen": list(found.unseen),
        "dropped": found.dropped,
        "notes": list(found.notes),
    }


def difference_json(each: Difference) -> dict[str, Any]:
    """Return a difference as JSON; times are in seconds."""
    value = {
        "category": each.category,
        "text": each.text,
        "severity": each.severity,
        "subject": each.subject,
        "a": each.a,
        "b": each.b,
    }
    if each.a_s is not None:
        value["a_s"] = round(each.a_s, 3)
    if each.b_s is not None:
        value["b_s"] = round(each.b_s, 3)
    return value


def _step_json(step: StepDifferences) -> dict[str, Any]:
    value: dict[str, Any] = {"a": step.a or None, "b": step.b or None, "text": step.text}
    if step.before:
        value["before"] = step.before
    if step.found is None:
        return {**value, "why": step.why}
    return {**value, **clip_json(step.found)}
