"""Redo a step of a run, and lock steps that must not be redone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from procvid.errors import InputError, RunError
from procvid.media.image import resize
from procvid.run.changes import kept_changes
from procvid.run.folder import RunFolder, read_run
from procvid.run.retakes import check_count
from procvid.run.step import check_shown, check_strengths
from procvid.run.takes import check_room
from procvid.storage.lock import locked
from procvid.storage.text import printable
from procvid.types import Image, StepChanges
from procvid.ui.server.context import AppContext
from procvid.ui.server.feed import Feed
from procvid.ui.server.jobs import read_seed, whole_number
from procvid.ui.server.stream import RunView, StepView
from procvid.ui.server.visitors import Visitor

MAX_PROMPT_CHARS = 2_000
MAX_SIDE_PX = 1280
"""Longest side of a stored reference image; no clip is larger."""
MAX_NAMES = 64
MAX_NAME_CHARS = 80


def redo(
    context: AppContext,
    run_id: str,
    step: object,
    changes: StepChanges,
    visitor: Visitor,
    takes: object = 1,
) -> Feed:
    """Redo one step of a run; later steps become stale if their anchors or crops change.

    The old clip stays as a take. With several `takes` the best one becomes the clip.

    Raises:
        InputError: The number of takes is out of range, or the step shows no such object.
        RunError: There is no such run or step, the step is locked, or the run is in progress.
        BusyError: The queue is full.
    """
    count = whole_number("number of takes", takes)
    check_count(count)
    chosen = unlocked_step(context, run_id, step)
    job = context.job_of(run_id)
    planned = job.draft.plan.steps[chosen.number - 1]
    check_shown((*changes.left_out, *changes.chosen), planned)
    check_strengths(changes.strengths, planned)
    path = context.existing_folder_of(run_id)
    check_room(RunFolder(path, read_run(path)), chosen.number, count)
    context.parts(job.options.memory, job.options.lora)
    context.allowance.spend(visitor, "runs")
    wanted = {chosen.number: fitted(changes)}
    again = replace(job, again=chosen.number, changes=wanted, takes=count)
    return context.worker.submit(again, visitor.key, visitor.max_waiting)


def changes_of_take(
    context: AppContext, run_id: str, step: int, *, with_uploads: bool = True
) -> StepChanges:
    """Return the changes that a person made to the present take of a step, without its seed.

    Args:
        context: The app.
        run_id: The run.
        step: The step.
        with_uploads: False to leave out the person's own images.

    Raises:
        RunError: There is no such run, or its files are damaged.
        InputError: An image is lost.
    """
    path = context.existing_folder_of(run_id)
    run = RunFolder(path, read_run(path))
    record = run.read_record(step)
    if record is None:
        return StepChanges()
    changes, lost = kept_changes(run, step)
    changes = replace(changes, seed=None, attempt=0)
    if not with_uploads:
        return replace(changes, uploads=(), shows=())
    if lost:
        raise InputError(lost[0], "Choose an image again.")
    names = tuple(one.object_name if one.words else "" for one in record.own_uploads())
    return replace(changes, shows=names)


def unlocked_step(context: AppContext, run_id: str, step: object) -> StepView:
    """Return a step whose clip may be replaced.

    Raises:
        RunError: There is no such run or step, the step is locked, or the run is in progress.
    """
    number = whole_number("step", step)
    view = context.view_of(run_id)
    if not view.ended:
        raise RunError("The run is in progress.", "Wait until it ends, or stop it first.")
    chosen = view.steps.get(number)
    if chosen is None or chosen.clip is None:
        made = ", ".join(s.name for s in view.steps.values() if s.clip) or "none"
        name = view.name_of(number)
        raise RunError(f"Step {name} has no clip to redo. Steps with a clip: {made}.")
    if chosen.locked:
        raise RunError(f"Step {chosen.name} is locked.", "Unlock it first.")
    return chosen


def fitted(changes: StepChanges) -> StepChanges:
    """Return the changes with uploads of at most `MAX_SIDE_PX` a side."""
    return replace(changes, uploads=tuple(_fitted(image) for image in changes.uploads))


def _fitted(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = MAX_SIDE_PX / max(height, width)
    if scale >= 1:
        return image
    return resize(image, max(1, round(width * scale)), max(1, round(height * scale)))


def read_changes(
    seed: object = None,
    prompt: object = None,
    uploads: Sequence[Image] = (),
    shows: object = None,
    banned: object = None,
    chosen: object = None,
    left_out: object = None,
    strengths: object = None,
) -> StepChanges:
    """Check the changes of a step, because Gradio does not check the types.

    Raises:
        InputError: A value is of the wrong type, empty or too long.
    """
    return StepChanges(
        seed=None if seed is None else read_seed(seed),
        prompt=None if prompt is None else _prompt(prompt),
        uploads=tuple(uploads),
        shows=_names("shows", shows),
        banned=_names("banned", banned),
        chosen=_pairs(chosen),
        left_out=_names("left_out", left_out),
        strengths=_shares(strengths),
    )


def _prompt(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError("The prompt is empty.", "Write one, or leave it out.")
    if len(value) > MAX_PROMPT_CHARS:
        raise InputError(
            f"The prompt has {len(value)} characters.", f"Write at most {MAX_PROMPT_CHARS}."
        )
    return printable(value)


def _names(what: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    good = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
    if not good or len(value) > MAX_NAMES or any(len(v) > MAX_NAME_CHARS for v in value):
        raise InputError(
            f"{what!r} is not a list of at most {MAX_NAMES} names.", "Send [] for none."
        )
    return tuple(value)


def _pairs(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError("The chosen crops are not an object.", 'Send {"frying pan": "CROP ID"}.')
    return dict(
        zip(_names("chosen", list(value)), _names("chosen", list(value.values())), strict=True)
    )


def _shares(value: Any) -> dict[str, float]:
    if value is None:
        return {}
    given = value.values() if isinstance(value, Mapping) else [None]
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in given):
        raise InputError("The strengths are not an object.", 'Send {"frying pan": 0.5}.')
    return {name: float(value[name]) for name in _names("strengths", list(value))}


def lock(context: AppContext, run_id: str, step: object, *, keep: bool) -> RunView:
    """Lock a step so that it is never redone, or unlock it.

    Raises:
        RunError: There is no such run or step, or the run is in progress.
        OutputError: The run folder cannot be written.
    """
    number = whole_number("step", step)
    view = context.view_of(run_id)
    if number not in view.steps or view.steps[number].clip is None:
        raise RunError(f"Step {view.name_of(number)} has no clip to lock.", "Make it first.")
    path = context.existing_folder_of(run_id)
    with locked(path):
        folder = RunFolder(path, read_run(path))
        numbers = set(folder.locked_steps())
        folder.lock_steps(numbers | {number} if keep else numbers - {number})
    return context.view_of(run_id)
