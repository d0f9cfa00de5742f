"""Make a video: plan the recipe, then make each step with the memory of the steps before.

`make_video` and `_story` are the product on one screen. Repeating a request resumes its run where
it was cut off; `procvid.run` describes the files on disk.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

from procvid.errors import RunError
from procvid.events import ClipReady, Event, Planned, RunStarted, Warned
from procvid.plan.codec import check_plan
from procvid.plan.shots import cut_into_shots, same_source
from procvid.protocols import TakeJudge
from procvid.run.best_of import TakeMaker, check_policy
from procvid.run.changes import keep_changes, kept_changes
from procvid.run.detour import (
    DetourOf,
    begin_detour,
    memory_of,
    remember_earlier,
    take_over,
)
from procvid.run.finish import (
    clip_file,
    crop_notes,
    end_of_redo,
    finished_steps,
    join_video,
    logged,
    record_of,
    run_finished,
    write_progress,
)
from procvid.run.folder import PLAN, RUN, RunFolder, hold, read_run
from procvid.run.generate import Pace
from procvid.run.parts import (
    Parts,
    memory_notes,
    stand_in_note,
    undrawable_names,
)
from procvid.run.repeats import repeat_notes
from procvid.run.retakes import changes_of_takes, check_count, remake
from procvid.run.step import make_step, remember
from procvid.types import GenerateRequest, Plan, StepChanges

NO_CHANGES = StepChanges()
ONE_CLIP_A_STEP = (
    "This run began with one clip per step and continues so. "
    "For one clip per action, choose another folder for --out."
)


def make_video(
    request: GenerateRequest,
    parts: Parts,
    folder: Path,
    *,
    plan: Plan | None = None,
    changes: Mapping[int, StepChanges] | None = None,
    judge: TakeJudge | None = None,
    final_judge: TakeJudge | None = None,
    detour: DetourOf | None = None,
) -> Generator[Event, None, None]:
    """Make the video of a recipe in a run folder, or continue an unfinished one.

    Every event but `Progress` is also in `events.jsonl`. Closing the iterator keeps the finished
    steps. The result depends on the request, the models and the libraries alone: cut off and
    resumed, it is the same to the last byte.

    Args:
        request: The request; its own seed counts, not the one in its sampling.
        parts: The models, from `procvid.wiring.run.build`.
        folder: New, empty, or of the same request.
        plan: An edited plan; by default the planner makes one. With a plan of an uncut recipe
            each step gets one clip.
        changes: Changes to steps that are not made yet, by step number.
        judge: Scores the takes, if the request asks for several per step.
        final_judge: Scores the two best takes of each step once more.
        detour: An earlier run, whose clips are taken over where nothing changed. Recipe and plan
            are those of the detour.

    Yields:
        `RunStarted`, `Planned`, per step `Conditioned`, `Progress`... and `ClipReady`, with several
        takes a `TakeReady` for each; `Warned` anywhere; `RunFinished` last.

    Raises:
        InputError: The models cannot make such a clip, or the number of takes is out of range.
        UnavailableError: The clip does not fit into memory in any way.
        RunError: The folder belongs to another request, or another process works in it.
        OutputError: The folder cannot be written.
    """
    check_policy(request.takes)
    parts.generator.check(request.sampling)
    planner = _planner_of(request, parts, Path(folder))
    request, about_shots = _cut(request, Path(folder), plan)
    # Before the folder is made, so that a clip that does not fit leaves none behind.
    about_clips = (*parts.generator.notes(request.sampling), *about_shots)
    with hold(Path(folder), record_of(request, parts, planner)) as run:
        keep_changes(run, changes or {})
        if detour is not None:
            begin_detour(run, detour)
        yield from logged(run, _story(run, parts, plan, about_clips, judge, final_judge))


def _story(
    run: RunFolder,
    parts: Parts,
    edited: Plan | None,
    about_clips: Sequence[str],
    judge: TakeJudge | None,
    final_judge: TakeJudge | None,
) -> Generator[Event, None, None]:
    plan = _plan_of(run, parts, edited)
    records = finished_steps(run, parts, plan)
    fresh = set(records) - set(run.stale_steps(records))
    yield RunStarted(
        run_id=run.record.run_id,
        folder=str(run.path),
        profile=parts.profile.name,
        profile_reason=parts.profile_reason,
        num_steps=len(plan.steps),
        finished_steps=tuple(sorted(fresh)),
    )
    yield Planned(plan)
    about_plan = (*_undrawable_warnings(plan, parts), *repeat_notes(parts, plan))
    about_parts = (*about_clips, *memory_notes(parts), *about_plan)
    warnings = (*run.notes, *plan.notes, *about_parts)
    yield from (Warned(message) for message in warnings)
    if len(fresh) == len(plan.steps):
        duration_s = run.finished_duration_s(records)
        if duration_s is not None:
            yield run_finished(run, plan, duration_s, warnings, nothing_to_do=True)
            return

    memory = memory_of(run, parts, plan)
    policy = run.record.request.takes
    pace = Pace(num_clips=(len(plan.steps) - len(fresh)) * policy.best_of)
    takes = TakeMaker(run, parts, pace, judge, final_judge)
    for step in plan.steps:
        number = step.number
        done = number in records and number not in run.stale_steps(records)
        if number in records:
            shown = records[number].clip_sha256 if done else ""
            remember_earlier(run, parts, memory, number, shown)
        elif (taken := (yield from take_over(run, parts, step, memory))) is not None:
            records[number], done = taken, True
            pace.expect(-policy.best_of)
            write_progress(run, plan, records)
        if done:
            yield ClipReady(number, clip_file(run, number), seconds=0.0, reused=True)
        else:
            changes, lost = kept_changes(run, number)
            yield from (Warned(message, number) for message in lost)
            if policy.several:
                made = takes.make(step, memory, changes, records)
                records[number], seconds = yield from made
            elif number in records:
                remade = remake(run, parts, step, memory, (changes,), pace)
                records[number], seconds = yield from remade
            else:
                records[number] = yield from make_step(run, parts, step, memory, changes, pace)
                seconds = pace.clip_ends()
            write_progress(run, plan, records)
            yield ClipReady(number, clip_file(run, number), seconds)
        remember(run, parts, memory, records[number])

    about_crops = crop_notes(records)
    yield from (Warned(message) for message in about_crops)
    duration_s = join_video(run, plan, records)
    yield run_finished(run, plan, duration_s, (*warnings, *about_crops))


def regenerate_step(
    folder: Path,
    number: int,
    parts: Parts,
    changes: StepChanges = NO_CHANGES,
    *,
    takes: int = 1,
    judge: TakeJudge | None = None,
) -> Generator[Event, None, None]:
    """Redo one step of a run; later steps become stale if their anchors or crops change.

    The old clip is kept as a take (`procvid.run.takes`). Other steps do not change. A warning lists
    the stale ones, `run.json` notes them, and the next `make_video` makes them again.

    Args:
        folder: A run with this step and all before it on disk.
        number: The step, from 1.
        parts: The models that the run was made with.
        changes: What to change. Without seed, prompt, uploads and crops a new seed is derived.
        takes: Number of takes to make, each with its own seed. The best one becomes the clip.
        judge: Scores the takes; without one the first take becomes the clip.

    Yields:
        `Conditioned`, `Progress`..., with several takes a `TakeReady` for each, `ClipReady`, a
        `Warned` when steps become stale, and `RunFinished` when all steps are finished.

    Raises:
        InputError: The number of takes is out of range.
        RunError: The run or step does not exist, or the models are not those of the run.
        OutputError: The folder cannot be written.
    """
    check_count(takes)
    request = read_run(Path(folder)).request
    with hold(Path(folder), record_of(request, parts, request.planner)) as run:
        yield from logged(run, _again(run, parts, number, changes, takes, judge))


def _again(
    run: RunFolder,
    parts: Parts,
    number: int,
    changes: StepChanges,
    takes: int,
    judge: TakeJudge | None,
) -> Generator[Event, None, None]:
    plan = run.read_plan()
    records = {} if plan is None else finished_steps(run, parts, plan)
    missing = [n for n in range(1, number + 1) if n not in records]
    if plan is None or missing or number < 1:
        names = plan.names if plan else {}
        last = max(records, default=0)
        raise RunError(
            f"Step {names.get(number, number)} cannot be redone: "
            f"the run has steps {names[1]} to {names[last]}."
            if last
            else f"Step {number} cannot be redone: the run has no finished step.",
            "Choose a finished step, or finish the run with `procvid generate` first.",
        )
    if number in run.locked_steps():
        raise RunError(f"Step {plan.names[number]} is locked.", "Unlock it first.")
    wanted = changes_of_takes(run, number, changes, takes)
    memory = memory_of(run, parts, plan)
    for earlier in range(1, number):
        remember_earlier(run, parts, memory, earlier, records[earlier].clip_sha256)
        remember(run, parts, memory, records[earlier])
    remember_earlier(run, parts, memory, number)
    pace = Pace(num_clips=takes)
    step = plan.steps[number - 1]
    records[number], seconds = yield from remake(run, parts, step, memory, wanted, pace, judge)
    write_progress(run, plan, records)
    yield ClipReady(number, clip_file(run, number), seconds)
    yield from end_of_redo(run, plan, records)


def _planner_of(request: GenerateRequest, parts: Parts, folder: Path) -> str:
    """Return the planner of the run; a run begun with "auto" resumes without the key."""
    if request.planner == "auto" and (folder / PLAN).exists() and (folder / RUN).exists():
        return read_run(folder).request.planner
    return parts.planner.info.id


def _cut(
    request: GenerateRequest, folder: Path, plan: Plan | None
) -> tuple[GenerateRequest, tuple[str, ...]]:
    """Cut the recipe of a request into shots; return the request, and a note for the user.

    With "auto" a run keeps the shots that it began with, also those of an older version.
    """
    uncut = plan is not None and not any(step.recipe_step for step in plan.steps)
    asked = cut_into_shots(request.recipe, "one" if uncut else request.shots)
    if request.shots == "auto" and (folder / RUN).exists():
        there = read_run(folder).request
        if same_source(there.recipe, asked) and there.recipe.steps != asked.steps:
            one = not there.recipe.has_shots
            notes = (ONE_CLIP_A_STEP,) if one else ()
            return dataclasses.replace(request, recipe=there.recipe, shots=there.shots), notes
    return dataclasses.replace(request, recipe=asked), ()


def _plan_of(run: RunFolder, parts: Parts, edited: Plan | None) -> Plan:
    """Return the plan on disk, else the edited one, else the planner's, and write it."""
    there = run.read_plan()
    if there is not None:
        if edited is not None and check_plan(edited) != there:
            raise RunError(
                f"The run in {str(run.path)!r} has another plan.",
                "Choose another folder for the edited plan.",
            )
        return there
    plan = check_plan(edited or parts.planner.plan(run.record.request.recipe))
    run.write_plan(plan)
    return plan


def _undrawable_warnings(plan: Plan, parts: Parts) -> Iterator[str]:
    objects = [item for step in plan.steps for item in step.objects]
    note = stand_in_note(parts, objects)
    if note:
        yield note
    unknown = undrawable_names(parts, objects)
    foods = {item.name for item in objects if item.role == "food"}
    for names, instead in (
        ([name for name in unknown if name in foods], "it draws something else"),
        ([name for name in unknown if name not in foods], "it draws something similar or nothing"),
    ):
        if names:
            listed = ", ".join(names)
            yield f"The {parts.profile.name} model was not trained on {listed}; {instead}."
