"""`procvid generate`, `regenerate` and `plan`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from procvid.cli.dry_run import dry_run
from procvid.cli.screen import PullScreen, RunScreen
from procvid.errors import InputError
from procvid.events import Event
from procvid.hub.access import hub_id_of
from procvid.hub.resolve import known_release, parse_lora, pinned
from procvid.media.image import load_image
from procvid.plan.codec import plan_to_json
from procvid.plan.parse import read_recipe
from procvid.run.folder import read_run
from procvid.run.story import make_video, regenerate_step
from procvid.run.timings import Setting, measured
from procvid.settings import MAX_REFERENCES, MAX_SEED, choose_sampling, parse_size, read_environment
from procvid.types import GenerateRequest, Plan, PlannedObject, StepChanges
from procvid.wiring import benchmark as wiring_measuring
from procvid.wiring import run as wiring


def generate(arguments: argparse.Namespace) -> None:
    """Recipe -> run folder, or what is still missing of it."""
    recipe = read_recipe(Path(arguments.recipe))
    check_speed(fast=arguments.fast, precise=arguments.precise)
    loras = tuple(absolute_lora(text, ask=not arguments.dry_run) for text in arguments.lora)
    profile, reason = wiring.select_profile(arguments.profile)
    sampling = choose_sampling(
        profile,
        size=parse_size(arguments.size) if arguments.size is not None else None,
        num_frames=arguments.frames,
        num_inference_steps=arguments.steps,
        seed=arguments.seed,
        fast=arguments.fast,
    )
    memory = absolute_memory(arguments.memory, ask=not arguments.dry_run)
    if arguments.dry_run:
        dry_run(arguments, recipe, profile, reason, sampling, memory, loras)
        return
    parts = wiring.build(
        profile=profile.name,
        memory=memory,
        planner=arguments.planner,
        profile_reason=reason,
        lora=loras,
        precise=arguments.precise,
    )
    request = GenerateRequest(
        recipe=recipe,
        sampling=sampling,
        profile=profile.name,
        memory=memory,
        planner=arguments.planner,
        lora=loras,
        precise=arguments.precise,
        seed=arguments.seed,
    )
    out = Path(arguments.out)
    events = measured(
        make_video(request, parts, out),
        out,
        Setting.of(profile.name, wiring.device_name(), sampling, arguments.precise),
        read_environment().cache_folder,
        lambda: wiring_measuring.peak_memory_mib(profile),
    )
    _show(events, arguments.json)


def check_speed(*, fast: bool, precise: bool) -> None:
    """Raise InputError when both more speed and more exactness are wanted."""
    if fast and precise:
        raise InputError("--fast and --precise ask for opposite things.", "Choose one of them.")


def regenerate(arguments: argparse.Namespace) -> None:
    """One step of a run again."""
    folder = Path(arguments.folder)
    request = read_run(folder).request
    if arguments.seed is not None and not 0 <= arguments.seed <= MAX_SEED:
        raise InputError(f"The seed {arguments.seed} is out of range.", f"Choose 0 to {MAX_SEED}.")
    if arguments.prompt is not None and not arguments.prompt.strip():
        raise InputError("The prompt is empty.", "Say what the clip shall show, or leave it out.")
    if len(arguments.reference) > MAX_REFERENCES:
        raise InputError(
            f"There are {len(arguments.reference)} reference images, "
            f"a step takes {MAX_REFERENCES}.",
            "Leave some out.",
        )
    references = tuple(load_image(Path(file)) for file in arguments.reference)
    # The plan is on disk: whoever made it is not asked again, and needs no key.
    parts = wiring.build(
        profile=request.profile,
        memory=request.memory,
        planner="rules",
        lora=request.lora,
        precise=request.precise,
    )
    changes = StepChanges(
        seed=arguments.seed,
        prompt=arguments.prompt,
        uploads=references,
        banned=tuple(arguments.ban),
        chosen=_chosen(arguments.use),
    )
    events = regenerate_step(folder, arguments.step, parts, changes)
    _show(events, arguments.json)


def plan(arguments: argparse.Namespace) -> None:
    """The plan of a recipe; loads no model."""
    recipe = read_recipe(Path(arguments.recipe))
    made = wiring.build_planner(arguments.planner).plan(recipe)
    if arguments.json:
        print(json.dumps(plan_to_json(made), indent=2, ensure_ascii=False))
    else:
        _tell_plan(made)


def _show(events: Iterator[Event], as_json: bool) -> None:
    screen = RunScreen(as_json)
    try:
        with closing(events):  # type: ignore[type-var]  # both makers of events are generators
            for event in events:
                screen.show(event)
    finally:
        screen.clear()


def absolute_memory(wanted: str, *, ask: bool = True) -> str:
    """A folder made absolute, so that the run can be gone on with from anywhere; a release pinned.

    Without `ask` a release that is not here stays as it was named.
    """
    if wanted in ("default", "none"):
        return wanted
    if hub_id_of(wanted, "memory") is None:
        return str(Path(wanted).expanduser().resolve())
    if ask:
        return pinned(wanted, "memory", PullScreen().show)
    return known_release(wanted, "memory") or wanted


def _chosen(given: list[str]) -> dict[str, str]:
    """Crop ids by object name, from OBJECT=CROP."""
    chosen = {}
    for text in given:
        name, equals, crop_id = text.rpartition("=")
        if not (equals and name.strip() and crop_id.strip()):
            raise InputError(f"{text[:60]!r} is not OBJECT=CROP.", "Write pan=1234567890abcdef.")
        chosen[name.strip().lower()] = crop_id.strip()
    return chosen


def absolute_lora(wanted: str, *, ask: bool = True) -> str:
    """A file or folder made absolute, a release pinned, likewise; without `ask` the Hub is not asked."""
    source, _ = parse_lora(wanted)
    here, weight = Path(source).expanduser(), wanted.removeprefix(source)
    if here.exists():
        return f"{here.resolve()}{weight}"
    return f"{pinned(source, 'lora', PullScreen().show)}{weight}" if ask else wanted


def _tell_plan(plan: Plan) -> None:
    print(f"{plan.title} ({len(plan.steps)} steps, planned by {plan.planner})")
    for note in plan.notes:
        print(f"Note: {note}")
    for step in plan.steps:
        print(f"\n{step.number}. {step.text}")
        for item in step.objects:
            print(f"   - {_told(item)}")
        print(f"   prompt: {step.prompt}")


def _told(item: PlannedObject) -> str:
    state = item.state_before
    if item.state_after != item.state_before:
        state = f"{item.state_before} -> {item.state_after}"
    return f"{item.name} ({item.role}, {state}, {item.likelihood.replace('_', ' ')})"
