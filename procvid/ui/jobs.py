"""What the page and the API ask of procvid: both call these functions and show the answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import procvid
from procvid.condition import Overrides
from procvid.errors import InputError, RecipeError, RunError
from procvid.events import Event
from procvid.onestep import conditioning_of, start_memory
from procvid.plan.parse import parse_recipe
from procvid.rundir.folder import CAPTIONS, CLIP, EVENTS, VIDEO, RunFolder, read_run
from procvid.settings import MAX_SEED, Profile, choose_sampling
from procvid.types import EXACT, Conditioning, GenerateRequest, Plan, Recipe
from procvid.ui.context import AppContext
from procvid.ui.stream import RunView
from procvid.workflow import make_video

MAX_FILE_BYTES = 2_000_000
"""Largest recipe file that the page opens; the parser has a limit of its own."""


@dataclass(frozen=True)
class Draft:
    """A recipe and its plan as the person has it before them, edited or not."""

    recipe: Recipe
    plan: Plan


@dataclass(frozen=True)
class Wishes:
    """How to make the video: the seed, the memory's name, denoising steps or the profile's own, speed."""

    seed: int = 0
    memory: str = "default"
    steps: int | None = None
    fast: bool = False


@dataclass(frozen=True)
class Job:
    """All that a run needs, kept so that a stopped one goes on as it was begun."""

    run_id: str
    draft: Draft
    wishes: Wishes


def read_wishes(
    seed: object,
    memory: object,
    steps: object,
    fast: object = False,
    stores: Collection[str] = (),
) -> Wishes:
    """Check what came over the wire, where nothing enforces the types.

    Args:
        seed: A whole number.
        memory: A name.
        steps: A whole number, or None for the profile's own.
        fast: Whether a clip may be a little further from the exact one.
        stores: The pulled stores that this caller may name.

    Raises:
        InputError: A value is of the wrong kind, or the memory is a store that is not theirs to use.
    """
    if not isinstance(memory, str):
        raise InputError(f"The memory {memory!r} is not a name.", "Write 'default' or 'none'.")
    if "/" in memory and memory not in stores:
        raise InputError(f"There is no memory {memory[:40]!r}.", "Choose default or none.")
    if not isinstance(fast, bool):
        raise InputError(f"Fast is {str(fast)[:40]!r}, not true or false.", "Write true or false.")
    return Wishes(
        seed=_seed(seed),
        memory=memory,
        steps=None if steps is None else _whole_number("steps", steps),
        fast=fast,
    )


def _seed(value: object) -> int:
    seed = _whole_number("seed", value)
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"The seed {str(seed)[:24]} is out of range.", f"Choose 0 to {MAX_SEED}.")
    return seed


def _whole_number(name: str, value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"The {name} {str(value)[:40]!r} is not a whole number.", "Write e.g. 0.")
    return value


def draft_of(context: AppContext, text: object) -> Draft:
    """Read a recipe and plan it.

    Raises:
        RecipeError: The text is no recipe.
    """
    if not isinstance(text, str):
        raise RecipeError(f"The recipe is a {type(text).__name__}, not text.", "Send its text.")
    recipe = parse_recipe(text)
    return Draft(recipe, context.planner.plan(recipe))


def undrawable(context: AppContext, plan: Plan) -> tuple[str, ...]:
    """Objects of the plan that the generator was never taught."""
    names = dict.fromkeys(o.name for step in plan.steps for o in step.objects)
    return tuple(context.parts("default").generator.undrawable(tuple(names)))


def preview_references(context: AppContext, plan: Plan, wishes: Wishes) -> list[Conditioning]:
    """Per step the references that the memory offers before the first clip is made."""
    parts = context.parts(wishes.memory)
    memory = start_memory(parts, wishes.seed, plan)
    return [conditioning_of(parts, step, memory, Overrides()) for step in plan.steps]


def versions(context: AppContext) -> dict[str, Any]:
    """Version of procvid, the profile that runs with the reason, models and libraries."""
    parts = context.parts("default")
    return {
        "procvid": procvid.__version__,
        "profile": parts.profile.name,
        "profile_reason": parts.profile_reason,
        "models": {"planner": parts.planner.info.id, **parts.models()},
        "libraries": dict(parts.versions),
    }


def new_view(context: AppContext, job: Job) -> RunView:
    """A run that waits for its turn."""
    sampling = context.profile.sampling
    view = RunView(job.run_id, context.folder_of(job.run_id), sampling.width, sampling.height)
    view.show_plan(job.draft.plan)
    return view


def stream_run(context: AppContext, job: Job) -> Iterator[tuple[RunView, Event | None]]:
    """Make a run's clips, or those still missing; the view after each event, None when it stops.

    Closing it stops the run within a denoising step and keeps the finished clips.

    Raises:
        ProcvidError: As `make_video`; the view was yielded as failed before.
    """
    view = new_view(context, job)
    with context.working_on(job.run_id) as stop:
        try:
            parts = context.parts(job.wishes.memory)
            request = _request(job, parts.profile)
            events = make_video(request, parts, view.folder, plan=job.draft.plan)
            with closing(events):
                while not stop.is_set() and (event := next(events, None)) is not None:
                    view.apply(event)
                    yield view, event
        except Exception:
            view.state = "failed"
            yield view, None
            raise
    if not view.ended:
        view.state = "stopped"
        yield view, None


def _request(job: Job, profile: Profile) -> GenerateRequest:
    wishes = job.wishes
    return GenerateRequest(
        recipe=job.draft.recipe,
        sampling=choose_sampling(
            profile, num_inference_steps=wishes.steps, seed=wishes.seed, fast=wishes.fast
        ),
        profile=profile.name,
        memory=wishes.memory,
        seed=wishes.seed,
    )


def view_of(context: AppContext, run_id: str) -> RunView:
    """A run as it lies on disk, whoever began it and however it ended.

    Raises:
        RunError: This is no run id, there is no such run, or its files are damaged.
    """
    path = context.existing_folder_of(run_id)
    run = read_run(path)
    folder, sampling = RunFolder(path, run), run.request.sampling
    view = RunView(run_id, path, sampling.width, sampling.height)
    view.state = "running" if context.in_work(run_id) else "stopped"
    plan = folder.read_plan()
    if plan is None:
        return view
    view.show_plan(plan)
    records = {}
    for number, step in view.steps.items():
        record = folder.read_step(number)
        if record is not None:
            records[number] = record
            step.clip = folder.step_folder(number) / CLIP
    view.warnings = _warnings(path / EVENTS)
    duration_s = folder.finished_duration_s(records)
    if duration_s is not None and len(records) == len(plan.steps):
        view.state, view.duration_s = "done", duration_s
        view.video, view.captions = path / VIDEO, path / CAPTIONS
    return view


def job_of(context: AppContext, run_id: str) -> Job:
    """A run's job, to go on with it.

    Raises:
        RunError: There is no such run, its files are damaged, or it was never planned.
    """
    path = context.existing_folder_of(run_id)
    run = read_run(path)
    plan = RunFolder(path, run).read_plan()
    if plan is None:
        raise RunError(f"Run {run_id} has no plan yet.", "Begin anew with the recipe.")
    request = run.request
    sampling = request.sampling
    wishes = Wishes(
        request.seed, request.memory, sampling.num_inference_steps, sampling.shortcuts != EXACT
    )
    return Job(run_id, Draft(request.recipe, plan), wishes)


def _warnings(log: Path) -> list[str]:
    """What the run has warned of so far, each once; a line cut off by a kill is passed over."""
    told: dict[str, None] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("event") == "warned":
            step = event.get("step")
            told[f"Step {step}: {event['message']}" if step else event["message"]] = None
    return list(told)


def read_text(file: str) -> str:
    """The text of an uploaded recipe, for the person to see and mend before it is planned.

    Raises:
        RecipeError: It is too large or no text.
    """
    path = Path(file)
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise RecipeError(
            f"The file {path.name[:60]!r} has {size} bytes.", f"At most {MAX_FILE_BYTES} are read."
        )
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"The file {path.name[:60]!r} is not UTF-8 text.", "Save it as plain text."
        ) from error
