"""What the page and the API ask of procvid: both call these functions and show the answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import procvid
from procvid.errors import InputError, RecipeError
from procvid.plan.codec import check_plan
from procvid.plan.parse import parse_recipe
from procvid.run.parts import start_memory
from procvid.run.step import conditioning_of
from procvid.settings import MAX_SEED
from procvid.types import Conditioning, Plan, StepChanges
from procvid.ui.server.context import AppContext, new_run_id
from procvid.ui.server.feed import Feed
from procvid.ui.server.guests import Guest
from procvid.ui.server.making import request_of
from procvid.ui.server.own_memory import alias_of
from procvid.ui.server.queue import Draft, Job, Wishes
from procvid.wiring.run import build_planner

MAX_KEY = 300
MAX_NAME = 200
"""Longest name of a memory, in characters."""
MAX_FILE_BYTES = 2_000_000
"""Largest recipe file that the page opens; the parser has a limit of its own."""


def read_wishes(
    seed: object,
    memory: object,
    steps: object,
    fast: object = False,
    stores: Collection[str] = (),
    lora: object = "",
    loras: Collection[str] = (),
) -> Wishes:
    """Check what came over the wire, where nothing enforces the types.

    Args:
        seed: A whole number.
        memory: A name.
        steps: A whole number, or None for the profile's own.
        fast: Whether a clip may be a little further from the exact one.
        stores: The pulled stores that this caller may name.
        lora: A pulled LoRA, or "" for none.
        loras: Those that this caller may name.

    Raises:
        InputError: A value is of the wrong kind, or a store or LoRA is not theirs to use.
    """
    if not isinstance(memory, str):
        raise InputError(f"The memory {memory!r} is not a name.", "Write 'default' or 'none'.")
    if len(memory) > MAX_NAME or ("/" in memory and memory not in stores):
        raise InputError(f"There is no memory {memory[:40]!r}.", "Choose default or none.")
    if lora and lora not in loras:
        raise InputError(
            f"There is no LoRA {str(lora)[:40]!r} here.", "Pull it in the Artifacts tab first."
        )
    if not isinstance(fast, bool):
        raise InputError(f"Fast is {str(fast)[:40]!r}, not true or false.", "Write true or false.")
    return Wishes(
        seed=read_seed(seed),
        memory=memory,
        steps=None if steps is None else whole_number("steps", steps),
        fast=fast,
        lora=str(lora or ""),
    )


def read_seed(value: object) -> int:
    """A seed, 0 to 2**63 - 1. Raises InputError."""
    seed = whole_number("seed", value)
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"The seed {str(seed)[:24]} is out of range.", f"Choose 0 to {MAX_SEED}.")
    return seed


def whole_number(name: str, value: object) -> int:
    """A whole number, as int or float. Raises InputError."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"The {name} {str(value)[:40]!r} is not a whole number.", "Write e.g. 0.")
    return value


def draft_of(context: AppContext, text: object, key: str = "") -> Draft:
    """Read a recipe and plan it, with a visitor's own OpenAI key where they gave one.

    Raises:
        RecipeError: The text is no recipe.
        ServiceError: The service cannot be asked with this key.
    """
    if not isinstance(text, str):
        raise RecipeError(f"The recipe is a {type(text).__name__}, not text.", "Send its text.")
    recipe = parse_recipe(text)
    planner = build_planner("openai", key=own_key(key)) if key.strip() else context.planner
    return Draft(recipe, check_plan(planner.plan(recipe)))


def own_key(key: str) -> str:
    """A visitor's key without the spaces around it. Raises InputError."""
    given = key.strip()
    if len(given) > MAX_KEY or not (given.isascii() and given.isprintable()) or " " in given:
        raise InputError(
            "This is no OpenAI key.", "Paste it as the service gave it, or leave it out."
        )
    return given


def undrawable(context: AppContext, plan: Plan) -> tuple[str, ...]:
    """Objects of the plan that the generator was never taught."""
    names = dict.fromkeys(o.name for step in plan.steps for o in step.objects)
    return tuple(context.parts("default").generator.undrawable(tuple(names)))


def preview_references(context: AppContext, plan: Plan, wishes: Wishes) -> list[Conditioning]:
    """Per step the references that the memory offers before the first clip is made."""
    parts = context.parts(wishes.memory)
    memory = start_memory(parts, wishes.seed, plan)
    return [conditioning_of(parts, step, memory, StepChanges()) for step in plan.steps]


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


def begin(
    context: AppContext,
    draft: Draft,
    wishes: Wishes,
    guest: Guest,
    changes: Mapping[int, StepChanges] | None = None,
) -> Feed:
    """Put a new run into the queue; its id is in the feed's view.

    Raises:
        ProcvidError: The queue is full, or the run cannot be made in this way.
    """
    check_plan(draft.plan)
    wishes = replace(wishes, memory=alias_of(wishes.memory))
    job = Job(new_run_id(), draft, wishes, changes=changes or {})
    # What is wrong can be told now and not when its turn comes.
    parts = context.parts(wishes.memory, wishes.lora)
    parts.generator.check(request_of(job, parts.profile).sampling)
    context.allowance.spend(guest, "runs")
    return context.worker.submit(job, guest.key, guest.max_waiting)


def go_on(context: AppContext, run_id: str, guest: Guest) -> Feed:
    """Make what is missing of a run or has become stale; follow it when it is in work already.

    Raises:
        RunError: There is no such run.
        BusyError: The queue is full.
    """
    context.folder_of(run_id)
    feed = context.worker.feed(run_id)
    if feed is not None:
        return feed
    job = context.job_of(run_id)
    context.parts(job.wishes.memory, job.wishes.lora)
    context.allowance.spend(guest, "runs")
    return context.worker.submit(job, guest.key, guest.max_waiting)


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
