"""A run and its twin: the same recipe, plan, options and seeds, with memory and without.

The jumps between the clips of both are measured once, in the background, and stored.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from procvid.errors import ProcvidError, RunError
from procvid.evaluate.events import MetricDone
from procvid.evaluate.inputs import run_input
from procvid.evaluate.result import Result
from procvid.evaluate.suite import evaluate
from procvid.evaluate.verdict import JUMPS, jump_sentence
from procvid.machine import each_on_card
from procvid.run.folder import RUN, RunFolder, read_run
from procvid.run.takes import made_as
from procvid.storage.files import read_json, write_json
from procvid.types import StepChanges
from procvid.ui.server.context import AppContext
from procvid.ui.server.evaluating import FOLDER
from procvid.ui.server.guard import for_the_page
from procvid.ui.server.jobs import start_run
from procvid.ui.server.library import read_card, set_twin, title_of, twin_of
from procvid.ui.server.queue import RUN_ID
from procvid.ui.server.stream import RunView
from procvid.ui.server.visitors import Visitor
from procvid.ui.wipe import Side

PAIRS = "pairs"
"""Folder of the stored measurements, inside the folder of the evaluations."""
LOST = "The video to compare with does not exist. It may have been deleted."

_making = threading.Lock()
_failed: dict[Path, str] = {}


@dataclass(frozen=True)
class AskedRuns:
    """The runs that a page's address names.

    Attributes:
        run_id: The run to show, or "".
        twin: The run to compare it with, or "".
        lost: A sentence if one of them does not exist, or "".
    """

    run_id: str = ""
    twin: str = ""
    lost: str = ""


def asked_runs(context: AppContext, query: Mapping[str, Any]) -> AskedRuns:
    """Return the runs of an address such as `?run=A&with=B`; without one of them the other is shown."""
    one, other = (str(query.get(key) or "") for key in ("run", "with"))
    found = [run_id for run_id in (one, other) if exists(context, run_id)]
    if not other or one == other:
        return AskedRuns(one)
    if len(found) == 2:
        return AskedRuns(one, other)
    return AskedRuns(found[0], lost=LOST) if found else AskedRuns(one)


def exists(context: AppContext, run_id: str) -> bool:
    """Return True if a run waits, is in progress or is on disk, and was not deleted."""
    if not RUN_ID.fullmatch(run_id):
        return False
    card = read_card(context, run_id)
    return card is not None and not card.deleted_at_s


def make_twin(context: AppContext, run_id: str, visitor: Visitor) -> str:
    """Return the id of the twin: the one that exists, continued if it was stopped, or a new one.

    A twin with other seeds or prompts is out of date, because a step was redone since: a new one is made.

    Raises:
        ProcvidError: The run has no video, or the queue is full.
    """
    view = context.view_of(run_id)
    if not view.ended or view.video is None:
        raise RunError("This video is not finished.", "Finish it first.")
    with _making:
        steps = _made_as(context, run_id)
        twin = twin_of(context, run_id)
        if twin and _made_as(context, twin).items() <= steps.items():
            _continue(context, twin, steps, visitor)
            return twin
        job = context.job_of(run_id)
        memory = "default" if job.options.memory == "none" else "none"
        fast = job.options.fast and context.profile.has_fast
        # One take: it has the seeds of the clips that were kept.
        options = replace(job.options, memory=memory, fast=fast, takes=1, verify=False)
        changes = {number: StepChanges(*given) for number, given in steps.items()}
        made = start_run(context, job.draft, options, visitor, changes).snapshot().run_id
        set_twin(context, run_id, made)
        return made


def _made_as(context: AppContext, run_id: str) -> dict[int, tuple[int, str | None]]:
    """Return seed and own prompt of each clip that is made."""
    folder = context.folder_of(run_id)
    return made_as(RunFolder(folder, read_run(folder))) if (folder / RUN).exists() else {}


def _continue(
    context: AppContext,
    run_id: str,
    steps: Mapping[int, tuple[int, str | None]],
    visitor: Visitor,
) -> None:
    """Queue the missing clips of a twin that was stopped."""
    view = context.view_of(run_id)
    if not view.ended or view.video is not None:
        return
    missing = {n: StepChanges(*given) for n, given in steps.items() if not view.steps[n].clip}
    job = replace(context.job_of(run_id), changes=missing)
    context.parts(job.options.memory, job.options.lora)
    context.allowance.spend(visitor, "runs")
    context.worker.submit(job, visitor.key, visitor.max_waiting)


def has_memory(context: AppContext, run_id: str) -> bool:
    """Return True if the run uses reference images."""
    return context.job_of(run_id).options.memory != "none"


def measured(context: AppContext, one: RunView, other: RunView) -> str | None:
    """Return a sentence about the jumps between the clips of a run and its twin.

    Returns:
        None while they are measured; the first call starts that. "" if the two differ in more than
        the memory.
    """
    runs = sorted((one, other), key=lambda view: not has_memory(context, view.run_id))
    flags = [has_memory(context, view.run_id) for view in runs]
    recipes = [context.job_of(view.run_id).draft.recipe for view in runs]
    if flags != [True, False] or recipes[0] != recipes[1]:
        return ""
    file = _stored_in(context, runs)
    if file in _failed:
        return _failed[file]
    try:
        kept = read_json(file)
        return jump_sentence(*(Result.from_json(result) for result in kept["results"]))
    except (OSError, ValueError, KeyError, TypeError):
        if not context.background.start(file, lambda: _measure(context, runs, file)):
            return "The server is busy; the jumps between clips are measured later."
        return None


def _stored_in(context: AppContext, runs: list[RunView]) -> Path:
    """Return the file of a measurement; a redone video has another one."""
    made = "-".join(f"{view.run_id}-{_made_ns(view.video):x}" for view in runs)
    return context.runs_folder / FOLDER / PAIRS / f"{made}.json"


def _made_ns(video: Path | None) -> int:
    try:
        return 0 if video is None else video.stat().st_mtime_ns
    except OSError:
        return 0


def _measure(context: AppContext, runs: list[RunView], file: Path) -> None:
    results = {}
    try:
        inputs = [run_input(view.folder, view.run_id) for view in runs]
        with context.evaluating.hold(), context.device.hold() as card:
            parts, looks = context.evaluation("auto", card)
            for event in each_on_card(card, evaluate(inputs, parts, (JUMPS,), cache=looks)):
                if isinstance(event, MetricDone):
                    results[event.run] = event.result
        write_json(file, {"results": [results[view.run_id].to_json() for view in runs]})
    except ProcvidError as error:
        _failed[file] = f"The jumps between clips cannot be measured: {for_the_page(error)}"
    except Exception:
        _failed[file] = "The jumps between clips cannot be measured; the server's log says why."
        raise


def sides(context: AppContext, one: RunView, other: RunView) -> tuple[Side, Side]:
    """Return two videos for one frame, the one without memory at the left.

    Two runs that agree in memory are named by their titles, or by their order.

    Raises:
        RunError: One of them has no video.
    """
    views = sorted((one, other), key=lambda view: has_memory(context, view.run_id))
    names = ["without memory", "with memory"]
    if len({has_memory(context, view.run_id) for view in views}) == 1:
        views, names = [one, other], ["first", "second"]
    titles = [title_of(context, view.run_id) for view in views]
    if titles[0] != titles[1]:
        names = [f"{title}, {name}" for title, name in zip(titles, names, strict=True)]
    left, right = (_side(view, name) for view, name in zip(views, names, strict=True))
    return left, right


def _side(view: RunView, name: str) -> Side:
    if view.video is None:
        raise RunError("This video is not finished.", "Finish it first.")
    return Side(name, view.video)
