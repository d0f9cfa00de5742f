"""`procvid generate`, `regenerate` and `plan`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from procvid import wiring
from procvid.cli.screen import RunScreen
from procvid.errors import InputError
from procvid.events import Event
from procvid.generate import step_seed
from procvid.media.image import load_image
from procvid.plan.parse import read_recipe
from procvid.rundir.folder import read_run
from procvid.rundir.records import plan_to_json
from procvid.settings import MAX_SEED, Profile, choose_sampling, parse_size
from procvid.types import GenerateRequest, Plan, PlannedObject, Sampling
from procvid.workflow import make_video, regenerate_step


def generate(arguments: argparse.Namespace) -> None:
    """Recipe -> run folder, or what is still missing of it."""
    recipe = read_recipe(Path(arguments.recipe))
    wiring.refuse_what_is_not_here(arguments.fast)
    loras = tuple(_lora(text) for text in arguments.lora)
    profile, reason = wiring.select_profile(arguments.profile)
    sampling = choose_sampling(
        profile,
        size=parse_size(arguments.size) if arguments.size is not None else None,
        num_frames=arguments.frames,
        num_inference_steps=arguments.steps,
        seed=arguments.seed,
    )
    if arguments.dry_run:
        plan = wiring.build_planner(arguments.planner).plan(recipe)
        _tell_dry_run(arguments, plan, profile, reason, sampling)
        return
    memory = _memory(arguments.memory)
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
    _show(make_video(request, parts, Path(arguments.out)), arguments.json)


def regenerate(arguments: argparse.Namespace) -> None:
    """One step of a run again."""
    folder = Path(arguments.folder)
    request = read_run(folder).request
    if arguments.seed is not None and not 0 <= arguments.seed <= MAX_SEED:
        raise InputError(f"The seed {arguments.seed} is out of range.", f"Choose 0 to {MAX_SEED}.")
    if arguments.prompt is not None and not arguments.prompt.strip():
        raise InputError("The prompt is empty.", "Say what the clip shall show, or leave it out.")
    references = [load_image(Path(file)) for file in arguments.reference]
    parts = wiring.build(
        profile=request.profile,
        memory=request.memory,
        planner=request.planner,
        lora=request.lora,
        precise=request.precise,
    )
    events = regenerate_step(
        folder,
        arguments.step,
        parts,
        seed=arguments.seed,
        prompt=arguments.prompt,
        references=references,
    )
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


def _memory(wanted: str) -> str:
    """The store's folder made absolute, so that the run can be gone on with from anywhere."""
    return wanted if wanted in ("default", "none") else str(Path(wanted).expanduser().resolve())


def _lora(wanted: str) -> str:
    """A file or folder made absolute, likewise; a Hub repository as it is."""
    source, equals, weight = wanted.rpartition("=")
    here = Path(source if equals else wanted).expanduser()
    return f"{here.resolve()}{equals}{weight if equals else ''}" if here.exists() else wanted


def _tell_dry_run(
    arguments: argparse.Namespace,
    plan: Plan,
    profile: Profile,
    reason: str,
    sampling: Sampling,
) -> None:
    seeds = {step.number: step_seed(arguments.seed, step.number) for step in plan.steps}
    if arguments.json:
        told = {"profile": profile.name, "profile_reason": reason, "seeds": seeds}
        print(json.dumps({**told, "plan": plan_to_json(plan)}, ensure_ascii=False))
        return
    print(f"Profile {profile.name} ({reason}).")
    print(
        f"Would make {len(plan.steps)} clips of {sampling.width}x{sampling.height} px, "
        f"{sampling.num_frames} frames at {sampling.fps} fps, "
        f"{sampling.num_inference_steps} denoising steps each, in {arguments.out}."
    )
    _tell_plan(plan)


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
