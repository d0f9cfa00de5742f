"""What differs between runs and takes of this server, and between a visitor's clip and a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

from procvid.errors import InputError, RunError
from procvid.evaluate.differences.clips import Comparer
from procvid.evaluate.differences.coach import Coached, coach
from procvid.evaluate.differences.runs import StepDifferences, run_differences
from procvid.evaluate.inputs import clips_input, run_input
from procvid.plan.shots import number_of
from procvid.protocols import CoachReader
from procvid.settings import PROFILES
from procvid.types import Plan
from procvid.types.difference import ClipDifferences
from procvid.ui.server.context import AppContext
from procvid.ui.server.takes import list_takes
from procvid.ui.server.uploads import uploaded
from procvid.wiring.differences import build_coach

KEPT = 64
"""Compared pairs of clips that are remembered."""

_building = threading.Lock()


def differences_of_runs(context: AppContext, a: str, b: str) -> Iterator[StepDifferences]:
    """Yield what run `b` shows instead of run `a`, step by step.

    Raises:
        RunError: A run does not exist or has no clip.
        ServiceError: The profile needs a vision model, and there is no key.
        UnavailableError: The reader's files are missing.
    """
    runs = [run_input(context.existing_folder_of(one), name) for one, name in ((a, "A"), (b, "B"))]
    yield from run_differences(runs[0], runs[1], _readers(context)[0])


def differences_of_takes(
    context: AppContext, run_id: str, step: int, a: int, b: int
) -> ClipDifferences:
    """Return what take `b` of a step shows instead of take `a`.

    Raises:
        InputError: A clip cannot be read.
        RunError: There is no such run, step or take.
        ServiceError: The profile needs a vision model, and there is no key.
        UnavailableError: The reader does not know such clips.
    """
    clips = {take.number: take.clip for take in list_takes(context, run_id, step)}
    for number in (a, b):
        if number not in clips:
            raise RunError(f"There is no take {number} of step {step}.", "Reload the page.")
    comparer, _ = _readers(context)
    times = (clips[a].stat().st_mtime_ns, clips[b].stat().st_mtime_ns)
    return _compared(comparer, clips[a], clips[b], times)


def coach_clip(
    context: AppContext, run_id: str, clip: object, step: str = ""
) -> tuple[Coached, Plan]:
    """Return what a visitor's clip does differently from a run, and the plan of the run.

    Args:
        context: The app.
        run_id: The run.
        clip: The uploaded file; it stays with its visitor and is deleted with the other uploads.
        step: The step that it shows, such as "3b"; "" to find out.

    Raises:
        InputError: The file was not uploaded, cannot be read, or there is no such step.
        RunError: The run does not exist or has no clip.
        ServiceError: The profile needs a vision model, and there is no key.
        UnavailableError: The reader does not know such clips.
    """
    if not isinstance(step, str):
        raise InputError("The step is not text.", 'Send "" to find out which it is.')
    file = uploaded(clip)
    run = run_input(context.existing_folder_of(run_id))
    if run.plan is None:
        raise RunError("The run has no plan yet.", "Make the video first.")
    number = number_of(run.plan, step) if step.strip() else 0
    comparer, reader = _readers(context)
    (own,) = clips_input([file], name="your clip").clips
    return coach(run, run.plan, own, comparer, reader, number), run.plan


def _readers(context: AppContext) -> tuple[Comparer, CoachReader]:
    with _building:
        return _built(context.profile.name)


@cache
def _built(profile: str) -> tuple[Comparer, CoachReader]:
    return build_coach(PROFILES[profile])


@lru_cache(KEPT)
def _compared(comparer: Comparer, a: Path, b: Path, times: tuple[int, int]) -> ClipDifferences:
    """Compare two files as they were at these times."""
    clips = clips_input([a, b]).clips
    return comparer.compare(clips[0], clips[1])
