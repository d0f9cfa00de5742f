"""Read a run from disk, finished or not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from procvid.errors import ProcvidError, RunError
from procvid.events import warning_from_json
from procvid.media.image import load_image
from procvid.run.folder import CAPTIONS, CLIP, EVENTS, VIDEO, RunFolder, read_run
from procvid.run.records import StepRecord, stale_steps
from procvid.run.takes import count_takes
from procvid.settings import Profile
from procvid.storage.text import lines_of
from procvid.types import EXACT, Conditioning, Plan, Retrieval, Slot
from procvid.ui.server.queue import Draft, Job, RunOptions
from procvid.ui.server.stream import RunView


def new_view(job: Job, folder: Path, profile: Profile) -> RunView:
    """Return a view of a run that has no files yet."""
    sampling = profile.sampling
    view = RunView(job.run_id, folder, sampling.width, sampling.height)
    view.show_plan(job.draft.plan)
    return view


def read_view(run_id: str, path: Path) -> RunView:
    """Return plan, clips, references, stale and locked steps of a run that is not in progress.

    Raises:
        RunError: There is no such run, or its files are damaged.
    """
    run = read_run(path)
    folder, sampling = RunFolder(path, run), run.request.sampling
    view = RunView(run_id, path, sampling.width, sampling.height, state="stopped")
    plan = folder.read_plan()
    if plan is None:
        return view
    view.show_plan(plan)
    records: dict[int, StepRecord] = {}
    for number, step in view.steps.items():
        record = folder.read_step(number)
        if record is not None:
            records[number] = record
            step.clip = folder.step_folder(number) / CLIP
            step.seed = record.sampling.seed
            step.num_takes = count_takes(folder, number)
            step.conditioning = _conditioning(record, folder.step_folder(number))
    # A locked step can be stale too: it is kept, and shows an old take.
    for number, source in stale_steps(records, run.run_id, folder.earlier.anchors).items():
        view.steps[number].stale = source
    for number in folder.locked_steps() & view.steps.keys():
        view.steps[number].locked = True
    logged = _logged_warnings(path / EVENTS, plan)
    view.warnings, view.warned_steps = logged.warnings, logged.warned_steps
    duration_s = folder.finished_duration_s(records)
    if duration_s is not None and len(records) == len(plan.steps):
        view.state = "stale" if folder.stale_steps(records) else "done"
        view.duration_s = duration_s
        view.video, view.captions = path / VIDEO, path / CAPTIONS
    return view


def _conditioning(record: StepRecord, folder: Path) -> Conditioning:
    slots = []
    chosen = dict(record.overrides.get("chosen") or {})
    for reference in record.references:
        try:
            image = load_image(folder / reference.file)
        except ProcvidError:
            continue
        slots.append(
            Slot(
                number=reference.number,
                object_name=reference.object_name,
                words=reference.words,
                image=image,
                crop_id=reference.crop_id,
                source_id=reference.source_id,
                state=reference.state,
                box_xyxy=reference.box_xyxy,
                score=reference.score,
                origin=reference.origin,  # type: ignore[arg-type]  # written from a slot
                licence=reference.licence,
                url=reference.url,
                anchor_step=reference.anchor_step,
                chosen=chosen.get(reference.object_name) == reference.crop_id,
            )
        )
    missing = tuple(
        Retrieval(entry["object"], entry["state"], None, entry["reason"])
        for entry in record.missing
    )
    return Conditioning(record.step, record.prompt, tuple(slots), missing, record.warnings)


def read_job(run_id: str, path: Path) -> Job:
    """Return the job of a run, to resume it.

    Raises:
        RunError: There is no such run, its files are damaged, or it was never planned.
    """
    run = read_run(path)
    plan = RunFolder(path, run).read_plan()
    if plan is None:
        raise RunError(f"Run {run_id} has no plan yet.", "Start again with the recipe.")
    request = run.request
    sampling = request.sampling
    options = RunOptions(
        request.seed,
        request.memory,
        sampling.num_inference_steps,
        sampling.shortcuts != EXACT,
        "".join(request.lora[:1]),
        sampling.width,
        sampling.height,
        sampling.num_frames,
        request.takes.best_of,
        request.takes.repeats > 0,
        sampling.coherence,
    )
    return Job(run_id, Draft(request.recipe, plan), options)


def _logged_warnings(log: Path, plan: Plan) -> RunView:
    """Return a view with the warnings of the last attempt, each once; skip damaged lines."""
    view = RunView("", log.parent)
    view.show_plan(plan)
    for line in lines_of(log.read_text(encoding="utf-8")) if log.exists() else ():
        try:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == "warned":
                view.apply(warning_from_json(event))
            elif event["event"] in ("run_started", "conditioned"):
                view.forget_warnings(int(event.get("step", 0)))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return view
