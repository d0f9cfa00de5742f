"""Plan, preview, start and resume runs, for the page and the API alike."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, cast, get_args

import procvid
from procvid.errors import InputError, RecipeError
from procvid.plan.codec import check_plan
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.shots import cut_into_shots
from procvid.run.best_of import policy_of
from procvid.run.parts import stand_in_note, start_memory, undrawable_names
from procvid.run.repeats import repeat_notes
from procvid.run.step import preview
from procvid.settings import MAX_SEED, parse_size
from procvid.types import Coherence, Conditioning, Plan, PlannedObject, ShotMode, StepChanges
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.feed import Feed
from procvid.ui.server.library import refuse_deleted
from procvid.ui.server.own_memory import alias_of
from procvid.ui.server.queue import Draft, Job, RunOptions
from procvid.ui.server.visitors import Visitor
from procvid.wiring.run import build_planner

MAX_KEY = 300
MAX_NAME = 200
"""Longest name of a memory, in characters."""


def read_options(
    seed: object,
    memory: object,
    steps: object,
    fast: object = False,
    stores: Collection[str] = (),
    lora: object = "",
    loras: Collection[str] = (),
    size: object = "",
    frames: object = None,
    takes: object = 1,
    verify: object = False,
    coherence: object = "none",
) -> RunOptions:
    """Check the options of a run, because Gradio does not check the types.

    Args:
        seed: A whole number.
        memory: The name of a memory.
        steps: A whole number, or None for the profile's default.
        fast: True for fewer model calls and slightly different clips.
        stores: The pulled stores that this caller may use.
        lora: A pulled LoRA, or "" for none.
        loras: The pulled LoRAs that this caller may use.
        size: Such as "96x96", in pixels, or "" for the profile's default.
        frames: Frames of a clip, or None for the profile's default.
        takes: Number of takes of each step; the best one is kept.
        verify: True for further takes while the best one contradicts the plan.
        coherence: What a clip sees of the one before it, one of `Coherence`.

    Raises:
        InputError: A value is of the wrong type, or the caller may not use the store or LoRA.
    """
    if not isinstance(memory, str):
        raise InputError(f"The memory {memory!r} is not a name.", "Write 'default' or 'none'.")
    if len(memory) > MAX_NAME or ("/" in memory and memory not in stores):
        raise InputError(f"There is no memory {memory[:40]!r}.", "Choose default or none.")
    if lora and lora not in loras:
        raise InputError(f"There is no LoRA {str(lora)[:40]!r}.", "Pull it in the Hub tab first.")
    for name, value in (("Fast", fast), ("Verify", verify)):
        if not isinstance(value, bool):
            given = str(value)[:40]
            raise InputError(f"{name} is {given!r}, not true or false.", "Write true or false.")
    if not isinstance(size, str):
        raise InputError(f"The size {str(size)[:40]!r} is not text.", "Write it like 96x96, in px.")
    if not isinstance(coherence, str):
        raise InputError(f"The coherence {str(coherence)[:40]!r} is not text.", "Write 'none'.")
    width, height = parse_size(size) if size else (None, None)
    options = RunOptions(
        seed=read_seed(seed),
        memory=memory,
        steps=None if steps is None else whole_number("steps", steps),
        fast=bool(fast),
        lora=str(lora or ""),
        width=width,
        height=height,
        num_frames=None if frames is None else whole_number("frames", frames),
        takes=whole_number("number of takes", takes),
        verify=bool(verify),
        coherence=cast(Coherence, coherence[:40]),
    )
    policy_of(options.takes, options.verify)
    return options


def read_seed(value: object) -> int:
    """Return a seed, 0 to 2**63 - 1. Raise InputError if it is out of range."""
    seed = whole_number("seed", value)
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"The seed {str(seed)[:24]} is out of range.", f"Choose 0 to {MAX_SEED}.")
    return seed


def whole_number(name: str, value: object) -> int:
    """Return a whole number given as int or float. Raise InputError for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"The {name} {str(value)[:40]!r} is not a whole number.", "Write e.g. 0.")
    return value


def make_draft(context: AppContext, text: object, key: str = "", shots: object = "auto") -> Draft:
    """Read a recipe, cut it into shots and plan it.

    Args:
        context: The app.
        text: The recipe.
        key: The visitor's own OpenAI key for planning, or "".
        shots: "auto" for one clip per action, "one" for one clip per step.

    Raises:
        RecipeError: The text is not a recipe.
        InputError: There is no such choice of shots.
        ServiceError: The service refuses the key or does not answer.
    """
    if not isinstance(text, str):
        raise RecipeError(f"The recipe must be text, not {type(text).__name__}.", "Send its text.")
    if shots not in get_args(ShotMode):
        raise InputError(f"Shots is {str(shots)[:40]!r}.", "Write 'auto' or 'one'.")
    recipe = cut_into_shots(parse_recipe(text), cast(ShotMode, shots))
    planner = build_planner("openai", key=own_key(key)) if key.strip() else context.planner
    return Draft(recipe, check_plan(planner.plan(recipe)))


def own_key(key: str) -> str:
    """Return a visitor's key without surrounding spaces. Raise InputError if it is not a key."""
    given = key.strip()
    if len(given) > MAX_KEY or not (given.isascii() and given.isprintable()) or " " in given:
        raise InputError(
            "This is not an OpenAI key.", "Paste it as the service shows it, or leave it empty."
        )
    return given


def undrawable(context: AppContext, plan: Plan) -> tuple[str, ...]:
    """Return the objects of the plan that the generator was not trained on, without a stand-in."""
    return undrawable_names(context.parts("default"), _objects(plan))


def stand_ins(context: AppContext, plan: Plan) -> str:
    """Return a sentence with the stand-ins of the plan's objects, or "" if none has one."""
    return stand_in_note(context.parts("default"), _objects(plan))


def repeats(context: AppContext, plan: Plan) -> tuple[str, ...]:
    """Return a sentence for each step that will look like the one before."""
    return tuple(repeat_notes(context.parts("default"), plan))


def _objects(plan: Plan) -> list[PlannedObject]:
    return [item for step in plan.steps for item in step.objects]


def preview_references(context: AppContext, plan: Plan, options: RunOptions) -> list[Conditioning]:
    """Return the references of each step as the memory offers them before the first clip."""
    parts = context.parts(options.memory)
    memory = start_memory(parts, options.seed, plan)
    return preview(parts, plan, memory, {})


def versions(context: AppContext) -> dict[str, Any]:
    """Return the version, the profile with the reason for it, the models and the libraries."""
    parts = context.parts("default")
    return {
        "procvid": procvid.__version__,
        "profile": parts.profile.name,
        "profile_reason": parts.profile_reason,
        "models": {"planner": parts.planner.info.id, **parts.models()},
        "libraries": dict(parts.versions),
    }


def start_run(
    context: AppContext,
    draft: Draft,
    options: RunOptions,
    visitor: Visitor,
    changes: Mapping[int, StepChanges] | None = None,
) -> Feed:
    """Queue a new run; the feed's view has its id.

    Raises:
        ProcvidError: The queue is full, or an option does not fit the profile.
    """
    check_plan(draft.plan)
    options = replace(options, memory=alias_of(options.memory))
    job = Job(new_run_id(), draft, options, changes=changes or {})
    # Report errors now, not when the run leaves the queue.
    parts = context.parts(options.memory, options.lora)
    parts.generator.check(job.request(parts.profile).sampling)
    context.allowance.spend(visitor, "runs")
    return context.worker.submit(job, visitor.key, visitor.max_waiting)


def resume_run(context: AppContext, run_id: str, visitor: Visitor) -> Feed:
    """Queue the missing and stale steps of a run; follow it if it is in progress.

    Raises:
        RunError: There is no such run.
        BusyError: The queue is full.
    """
    refuse_deleted(context.folder_of(run_id))
    feed = context.worker.feed(run_id)
    if feed is not None:
        return feed
    job = context.job_of(run_id)
    context.parts(job.options.memory, job.options.lora)
    context.allowance.spend(visitor, "runs")
    return context.worker.submit(job, visitor.key, visitor.max_waiting)
