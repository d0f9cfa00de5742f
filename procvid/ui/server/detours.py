"""Change the recipe of a run or a draft, and start the run of the changed recipe.

The finished clips are copied into the folder of the new run before it is queued. So it needs the
earlier run no more: that one may be redone or deleted while the new one waits, and a server that
starts again continues the new one from its folder and its ticket.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from procvid.errors import InputError, ProcvidError, RunError
from procvid.plan.codec import check_plan
from procvid.plan.detour.detour import Detour, make_detour
from procvid.plan.detour.wishes import MOST_WISHES, Wishes, wishes_of
from procvid.plan.shots import mode_of
from procvid.run.detour import DetourOf, begin_detour
from procvid.run.finish import record_of
from procvid.run.folder import hold, read_run
from procvid.storage.atomic import remove
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.feed import Feed
from procvid.ui.server.queue import Draft, Job
from procvid.ui.server.visitors import Visitor

IN_PROGRESS = "Wait until it ends, or stop it first."


def read_wishes(
    without: object = None,
    swap: object = None,
    skip: object = None,
    add: object = None,
    servings: object = "",
    diet: object = None,
) -> Wishes:
    """Check the wishes, because Gradio does not check the types.

    Raises:
        InputError: One is of the wrong type, empty, too long, no swap, or part of a circle of swaps; or
            there is none.
    """
    if isinstance(servings, int) and not isinstance(servings, bool):
        servings = str(servings)
    if not isinstance(servings, str):
        given = str(servings)[:40]
        raise InputError(f"The servings {given!r} are not a number.", 'Write "2", or "2/4".')
    wishes = wishes_of(
        without=_texts("without", without),
        swap=_texts("swap", swap),
        skip=_texts("skip", skip),
        add=_texts("add", add),
        servings=servings.strip(),
        diet=_texts("diet", diet),
    )
    if wishes.empty:
        raise InputError("There is nothing to change.", "Name at least one change.")
    return wishes


def _texts(name: str, value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise InputError(f"{name!r} is not a list of texts.", "Send [] for none.")
    if len(value) > MOST_WISHES:
        raise InputError(
            f"{name!r} has {len(value)} wishes.", f"Use at most {MOST_WISHES} of one kind."
        )
    # A step may be given as a number.
    texts = [str(v) if isinstance(v, int) and not isinstance(v, bool) else v for v in value]
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"{name!r} is not a list of texts.", "Send [] for none.")
    return texts


def detour_of(draft: Draft, wishes: Wishes) -> Detour:
    """Return a recipe and its plan with the wishes, and what differs.

    Raises:
        InputError: A thing or step is not in the recipe, no substitute is known, or nothing would be
            left or changed.
    """
    return make_detour(draft.recipe, draft.plan, wishes)


def detour_of_run(context: AppContext, run_id: str, wishes: Wishes) -> Detour:
    """Do the same with the recipe and the plan of a run.

    Raises:
        RunError: There is no such run, a person deleted it, or it was never planned.
        InputError: As `detour_of`.
    """
    return detour_of(context.job_of(run_id).draft, wishes)


def start_detour(context: AppContext, run_id: str, wishes: Wishes, visitor: Visitor) -> Feed:
    """Queue the run of a changed recipe; clips in which nothing changed are taken over.

    It has the options and the seed of the earlier run. The feed's view has its id.

    Raises:
        RunError: There is no such run, or it is in progress.
        InputError: As `detour_of`, or the server cannot make such clips.
        BusyError: The queue is full.
        OutputError: The clips cannot be copied.
    """
    if not context.view_of(run_id).ended:
        raise RunError("The run is in progress.", IN_PROGRESS)
    job = context.job_of(run_id)
    detour = detour_of(job.draft, wishes)
    draft = Draft(detour.recipe, check_plan(detour.plan))
    new = Job(new_run_id(), draft, job.options)
    parts = context.parts(job.options.memory, job.options.lora)
    source = context.existing_folder_of(run_id)
    # The request of the earlier run, not one of its options, so that equal clips stay equal.
    request = replace(read_run(source).request, recipe=draft.recipe, shots=mode_of(draft.recipe))
    parts.generator.check(request.sampling)
    context.allowance.spend(visitor, "runs")
    folder = context.folder_of(new.run_id)

    def copy_clips() -> None:
        with hold(folder, record_of(request, parts)) as run:
            begin_detour(run, DetourOf(source, wishes, detour))
            run.write_plan(draft.plan)

    try:
        if not context.worker.if_idle(run_id, copy_clips):
            raise RunError("The run is in progress.", IN_PROGRESS)
        return context.worker.submit(new, visitor.key, visitor.max_waiting)
    except (ProcvidError, OSError):
        remove(folder)
        raise


def split_texts(text: object) -> list[str]:
    """Return the texts of a field: one a line, or parted by commas or semicolons.

    Raises:
        InputError: It is not text.
    """
    if text is None:
        return []
    if not isinstance(text, str):
        raise InputError("This field is not text.", "Reload the page.")
    return _filled(text.replace(";", "\n").replace(",", "\n").splitlines())


def split_lines(text: object) -> list[str]:
    """Return the lines of a field. Raise InputError if it is not text."""
    if text is None:
        return []
    if not isinstance(text, str):
        raise InputError("This field is not text.", "Reload the page.")
    return _filled(text.splitlines())


def _filled(texts: Iterable[str]) -> list[str]:
    return [text.strip() for text in texts if text.strip()]
