"""One step of a run again, and steps that are to stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from procvid.errors import InputError, RunError
from procvid.media.image import resize
from procvid.run.folder import RunFolder, read_run
from procvid.storage.lock import locked
from procvid.storage.text import printable
from procvid.types import Image, StepChanges
from procvid.ui.server.context import AppContext
from procvid.ui.server.feed import Feed
from procvid.ui.server.guests import Guest
from procvid.ui.server.jobs import read_seed, whole_number
from procvid.ui.server.stream import RunView

MAX_PROMPT = 2_000
"""Longest prompt of a person's own, in characters."""
MAX_SIDE_PX = 1280
"""Longest side of a reference picture that is kept: no clip is larger."""
MAX_NAMED = 64


def redo(
    context: AppContext,
    run_id: str,
    step: object,
    changes: StepChanges,
    guest: Guest,
) -> Feed:
    """Make one step of a run again; other steps that show an object cut from it become stale.

    Raises:
        RunError: There is no such run or step, it is locked, or the run is in work.
        BusyError: The queue is full.
    """
    number = whole_number("step", step)
    view = context.view_of(run_id)
    if not view.ended:
        raise RunError(f"Run {run_id} is in work already.", "Wait for it or stop it first.")
    shown = view.steps.get(number)
    if shown is None or shown.clip is None:
        made = ", ".join(str(s.number) for s in view.steps.values() if s.clip) or "none"
        raise RunError(f"Step {number} has no clip to make again; these have one: {made}.")
    if shown.locked:
        raise RunError(f"Step {number} is locked, so it stays as it is.", "Unlock it first.")
    job = context.job_of(run_id)
    context.parts(job.wishes.memory, job.wishes.lora)
    context.allowance.spend(guest, "runs")
    again = replace(job, again=number, changes={number: fitted(changes)})
    return context.worker.submit(again, guest.key, guest.max_waiting)


def fitted(changes: StepChanges) -> StepChanges:
    """Return the changes with uploads of at most MAX_SIDE_PX a side."""
    return replace(changes, uploads=tuple(_smaller(image) for image in changes.uploads))


def _smaller(image: Image) -> Image:
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
) -> StepChanges:
    """Check what came over the wire, where nothing enforces the types.

    Raises:
        InputError: A value is of the wrong kind, empty or too long.
    """
    return StepChanges(
        seed=None if seed is None else read_seed(seed),
        prompt=None if prompt is None else _prompt(prompt),
        uploads=tuple(uploads),
        shows=_names("shows", shows),
        banned=_names("banned", banned),
        chosen=_pairs(chosen),
    )


def _prompt(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError("The prompt is empty.", "Say what the clip shall show, or leave it out.")
    if len(value) > MAX_PROMPT:
        raise InputError(f"The prompt has {len(value)} characters.", f"Write at most {MAX_PROMPT}.")
    return printable(value)


def _names(what: str, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    good = isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
    if not good or len(value) > MAX_NAMED or any(len(v) > 80 for v in value):
        raise InputError(f"The list {what!r} is no short list of names.", "Send [] for none.")
    return tuple(value)


def _pairs(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError("The chosen crops are no object.", 'Send {"frying pan": "CROP ID"}.')
    return dict(
        zip(_names("chosen", list(value)), _names("chosen", list(value.values())), strict=True)
    )


def lock(context: AppContext, run_id: str, step: object, *, keep: bool) -> RunView:
    """Keep a step as it is, whatever becomes of the steps before it, or no longer.

    Raises:
        RunError: There is no such run or step, or the run is in work.
        OutputError: It cannot be written.
    """
    number = whole_number("step", step)
    view = context.view_of(run_id)
    if number not in view.steps or view.steps[number].clip is None:
        raise RunError(f"Step {number} has no clip that could be kept.", "Make it first.")
    path = context.existing_folder_of(run_id)
    with locked(path):
        folder = RunFolder(path, read_run(path))
        numbers = set(folder.locked_steps())
        folder.lock_steps(numbers | {number} if keep else numbers - {number})
    return context.view_of(run_id)
