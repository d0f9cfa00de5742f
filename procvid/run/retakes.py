"""Make takes of a step, keep the best one, choose another one, or delete one."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from procvid.errors import InputError, ProcvidError, RunError
from procvid.events import ClipReady, Conditioned, Event, TakeReady, Warned
from procvid.media.image import load_image
from procvid.media.video import read_clip
from procvid.memory.memory import Memory
from procvid.protocols import TakeJudge
from procvid.run.finish import (
    clip_file,
    end_of_redo,
    finished_steps,
    logged,
    record_of,
    write_progress,
)
from procvid.run.folder import RUN, RunFolder, hold, read_run
from procvid.run.generate import Pace, step_seed
from procvid.run.parts import Parts, undrawable_names
from procvid.run.records import StepRecord
from procvid.run.step import crops_are_whole, make_step
from procvid.run.takes import (
    MAX_AT_ONCE,
    Take,
    check_room,
    discard,
    keep_current,
    new_place,
    restore,
    settle,
    take_of,
    takes_json,
    takes_of,
    write_choice,
    write_verdict,
)
from procvid.storage.files import read_json, write_json
from procvid.storage.lock import locked
from procvid.types import StepChanges, StepPlan, TakeVerdict

NO_JUDGE = TakeVerdict(None, "No judge was given.")


def check_count(takes: int) -> None:
    """Raise InputError if one redo cannot make this many takes."""
    if not 1 <= takes <= MAX_AT_ONCE:
        raise InputError(f"{takes} takes are out of range.", f"Choose 1 to {MAX_AT_ONCE}.")


def changes_of_takes(
    run: RunFolder, number: int, changes: StepChanges, count: int
) -> list[StepChanges]:
    """Return the changes of each take to make. Each has its own seed.

    The first take has the given seed. Without any change it has the next seed that no take has had.
    """
    done = [int(take.record.overrides.get("attempt", 0)) for take in takes_of(run, number)]
    attempt = max(done, default=0)
    first = [] if changes.empty else [dataclasses.replace(changes, attempt=attempt)]
    kept = StepChanges() if changes.empty else changes
    seed = run.record.request.seed
    following = range(attempt + 1, attempt + 1 + count - len(first))
    return first + [
        dataclasses.replace(kept, seed=step_seed(seed, number, n), attempt=n) for n in following
    ]


def remake(
    run: RunFolder,
    parts: Parts,
    step: StepPlan,
    memory: Memory | None,
    wanted: Sequence[StepChanges],
    pace: Pace,
    judge: TakeJudge | None = None,
) -> Generator[Event, None, tuple[StepRecord, float]]:
    """Make takes of a step that has a clip, and let the best one become its clip.

    The old clip is kept as a take first, and stays the step's clip until all new takes are made. A
    stopped or killed process keeps the finished takes.

    Returns:
        The record of the step, and the seconds that the takes took.

    Raises:
        RunError: The step has no room for more takes.
        OutputError: The folder cannot be written.
    """
    check_room(run, step.number, len(wanted))
    made, total_s = list[Take](), 0.0
    for changes in wanted:
        place = new_place(run, step.number)
        with closing(make_step(run, parts, step, memory, changes, pace, place)) as events:
            for event in events:
                if isinstance(event, Conditioned):
                    # Done only now, so that refused changes leave the run as it is.
                    keep_current(run, step.number)
                yield event
        seconds = pace.clip_ends()
        total_s += seconds
        take = settle(run, step.number, place)
        if len(wanted) > 1:
            take = write_verdict(take, judged(take, step, parts, judge))
            yield take_ready(run, take, seconds, len(made) + 1, len(wanted))
        made.append(take)
    best = max(made, key=lambda take: -1.0 if take.score is None else take.score)
    if len(wanted) > 1 and best.score is None:
        yield Warned(
            f"The first take was kept, because none was scored. {best.reason}", step.number
        )
    return restore(run, step.number, best), total_s


def judged(take: Take, step: StepPlan, parts: Parts, judge: TakeJudge | None) -> TakeVerdict:
    """Return the verdict on a take. A judge that fails gives none, so the takes are not lost."""
    if judge is None:
        return NO_JUDGE
    try:
        frames = read_clip(take.clip, downscale=parts.profile.display_scale).frames
        references = {one.object_name: one.file for one in take.references}
        names = parts.stand_ins
        images = {names.of(n): load_image(take.folder / f) for n, f in references.items()}
        return judge.judge(frames, _drawable(step, parts), images)
    except ProcvidError as error:
        return TakeVerdict(None, error.message)


def _drawable(step: StepPlan, parts: Parts) -> StepPlan:
    """Return the step as the models know it, without the objects that they cannot draw."""
    unknown = set(undrawable_names(parts, step.objects))
    objects = tuple(item for item in step.objects if item.name not in unknown)
    return parts.stand_ins.in_step(dataclasses.replace(step, objects=objects))


def take_ready(run: RunFolder, take: Take, seconds: float, done: int, total: int) -> TakeReady:
    """Return the event of a take, the `done`-th of `total`."""
    return TakeReady(
        step=take.record.step,
        take=take.number,
        file=run.relative(take.clip),
        seconds=seconds,
        score=take.score,
        reason=take.reason,
        done=done,
        total=total,
    )


def choose_take(folder: Path, number: int, take: int, parts: Parts) -> Generator[Event, None, None]:
    """Make a take the clip of its step; the present clip is kept as a take.

    Later steps become stale, or fresh again, as their anchors and crops now are.

    Args:
        folder: The run.
        number: The step, from 1.
        take: Number of the take, from 1.
        parts: The models that the run was made with.

    Yields:
        `ClipReady`, a `Warned` when steps are stale, and `RunFinished` when all steps are finished.

    Raises:
        RunError: The run, step or take does not exist, the take is damaged, or the step is locked.
        OutputError: The folder cannot be written.
    """
    request = read_run(Path(folder)).request
    with hold(Path(folder), record_of(request, parts, request.planner)) as run:
        yield from logged(run, _choose(run, parts, number, take))


def _choose(run: RunFolder, parts: Parts, number: int, wanted: int) -> Generator[Event, None, None]:
    plan = run.read_plan()
    if plan is None or number not in plan.names:
        raise RunError(f"Step {number} does not exist.", "Choose a step that has a clip.")
    take = take_of(run, number, wanted)
    if number in run.locked_steps():
        raise RunError(f"Step {plan.names[number]} is locked.", "Unlock it first.")
    if not crops_are_whole(take.folder, parts, take.record):
        raise RunError(f"The images of take {wanted} are damaged.", "Choose another take.")
    keep_current(run, number)
    if not take.current:
        restore(run, number, take)
    write_choice(run, number)
    records = finished_steps(run, parts, plan)
    write_progress(run, plan, records)
    yield ClipReady(number, clip_file(run, number), seconds=0.0, reused=True)
    yield from end_of_redo(run, plan, records)


def confirm_take(folder: Path, number: int) -> None:
    """Store that a person chose the take that is the clip of a step.

    Raises:
        RunError: There is no such run.
        OutputError: The folder cannot be written.
    """
    path = Path(folder)
    record = read_run(path)
    with locked(path):
        write_choice(RunFolder(path, record), number)


def delete_take(folder: Path, number: int, take: int) -> None:
    """Delete a take of a step. The clip of the step cannot be deleted.

    Raises:
        RunError: There is no such run or take, it is the current one, or the step is locked.
        OutputError: The folder cannot be written.
    """
    path = Path(folder)
    record = read_run(path)
    with locked(path):
        run = RunFolder(path, record)
        chosen = take_of(run, number, take)
        if number in run.locked_steps():
            raise RunError(f"Step {number} is locked.", "Unlock it first.")
        discard(run, number, chosen)
        state = read_json(path / RUN)
        for entry in state.get("steps", ()):
            if entry["step"] == number:
                entry["takes"] = takes_json(run, number)
        write_json(path / RUN, state)
