"""List, choose and delete the takes of a step, for the page and the API alike."""

from __future__ import annotations

from contextlib import closing, suppress
from typing import Any

from gradio import FileData

from procvid.errors import InputError, RunError
from procvid.machine import on_card
from procvid.run.folder import RunFolder, read_run
from procvid.run.preferences import allow_training
from procvid.run.retakes import choose_take, confirm_take, delete_take
from procvid.run.takes import Take, take_facts, takes_of
from procvid.ui.server.context import AppContext
from procvid.ui.server.jobs import whole_number
from procvid.ui.server.redo import unlocked_step
from procvid.ui.server.stream import RunView


def list_takes(context: AppContext, run_id: str, step: object) -> list[Take]:
    """Return the takes of a step of a run, also while the run is in progress; [] before its first clip.

    Raises:
        RunError: There is no such run or step, or its files are damaged.
    """
    number = whole_number("step", step)
    path = context.existing_folder_of(run_id)
    run = RunFolder(path, read_run(path))
    plan = run.read_plan()
    names = plan.names if plan else {}
    if number not in names:
        listed = f"Choose 1 to {max(names)}." if names else "Make the plan first."
        raise RunError(f"Step {number} does not exist.", listed)
    return takes_of(run, number)


def keep_take(context: AppContext, run_id: str, step: object, take: object) -> RunView:
    """Make a take the clip of its step, join the video again, and return the run.

    Raises:
        RunError: There is no such run, step or take, the step is locked, the take is damaged, or the
            run is in progress.
        OutputError: The run folder cannot be written.
    """
    chosen = unlocked_step(context, run_id, step)
    number = whole_number("take", take)
    options = context.job_of(run_id).options
    parts = context.parts(options.memory, options.lora)
    card = (*context.device.working, *context.cards)[0]
    path = context.existing_folder_of(run_id)
    with on_card(card), closing(choose_take(path, chosen.number, number, parts)) as events:
        for _ in events:
            pass
    return context.view_of(run_id)


def remove_take(context: AppContext, run_id: str, step: object, take: object) -> RunView:
    """Delete a take that is not the clip of its step, and return the run.

    Raises:
        RunError: There is no such run, step or take, it is the step's clip, the step is locked, or the
            run is in progress.
        OutputError: The run folder cannot be written.
    """
    chosen = unlocked_step(context, run_id, step)
    delete_take(context.existing_folder_of(run_id), chosen.number, whole_number("take", take))
    return context.view_of(run_id)


def keep_current_take(context: AppContext, run_id: str, step: object) -> None:
    """Store that a person chose the take that is the clip of a step, unless the run is in progress."""
    path = context.existing_folder_of(run_id)
    with suppress(RunError):
        confirm_take(path, whole_number("step", step))


def let_train(context: AppContext, run_id: str, allowed: object) -> None:
    """Store or withdraw the permission to train on the takes of a run.

    Raises:
        InputError: `allowed` is neither True nor False.
        RunError: There is no such run.
        OutputError: The run folder cannot be written.
    """
    if not isinstance(allowed, bool):
        given = str(allowed)[:40]
        raise InputError(f"Allowed is {given!r}, not true or false.", "Write true or false.")
    allow_training(context.existing_folder_of(run_id), allowed)


def take_json(take: Take) -> dict[str, Any]:
    """Return a take for the API: files as FileData, no server folders."""
    return {
        **take_facts(take),
        "clip": FileData(path=str(take.clip)).model_dump(),
        "references": [
            {
                "object": one.object_name,
                "words": one.words,
                "crop_id": one.crop_id,
                "image": FileData(path=str(take.folder / one.file)).model_dump(),
            }
            for one in take.references
        ],
    }
