"""`procvid generate --dry-run`: what would be made and what it would take; writes and asks nothing."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import Any

from procvid.cli.screen import duration
from procvid.errors import UnavailableError
from procvid.events import Conditioned, to_json
from procvid.hub.access import hub_id_of
from procvid.hub.resolve import known_release
from procvid.protocols import ServicePlanner
from procvid.run.forecast import Forecast, StepForecast, forecast
from procvid.run.parts import Parts
from procvid.run.timings import Setting, pattern_of, read_samples
from procvid.settings import MAX_REFERENCES, Profile, read_environment
from procvid.types import Plan, Recipe, Sampling, ServiceUse
from procvid.wiring import run as wiring

NOT_ASKED = (
    "a dry run asks no language model: this plan is the rules planner's, the run's will differ"
)


def dry_run(
    arguments: argparse.Namespace,
    recipe: Recipe,
    profile: Profile,
    reason: str,
    sampling: Sampling,
    memory: str,
    loras: tuple[str, ...],
) -> None:
    """Print the forecast of a run.

    Raises:
        InputError: The run would be refused.
        UnavailableError: There is not enough memory for its clips in any way.
    """
    plan, service = _plan(arguments.planner, profile, recipe)
    downloads = wiring.missing_downloads(profile)
    parts, no_slots = _parts(profile, memory, downloads, loras, arguments.precise)
    samples = read_samples(read_environment().cache_folder)
    about_clips = parts.generator.notes(sampling) if parts else ()
    plan = dataclasses.replace(plan, notes=(*plan.notes, *about_clips))
    setting = Setting.of(profile.name, wiring.device_name(), sampling, arguments.precise)
    told = forecast(
        plan,
        profile,
        sampling,
        pattern_of(samples, setting),
        parts,
        service=service,
        downloads=downloads,
        no_slots=no_slots,
    )
    if arguments.json:
        print(json.dumps(_as_json(told, plan, profile, reason), ensure_ascii=False))
        return
    print(f"Profile {profile.name} ({reason}).")
    print(
        f"Would make {len(plan.steps)} clips of {sampling.width}x{sampling.height} px, "
        f"{sampling.num_frames} frames at {sampling.fps} fps, "
        f"{sampling.num_inference_steps} denoising steps each, in {arguments.out}."
    )
    if sampling.shortcuts.summary:
        print(f"Fast: {sampling.shortcuts.summary}.")
    print(f"{plan.title} ({len(plan.steps)} steps, planned by {plan.planner})")
    for note in plan.notes:
        print(f"Note: {note}")
    for step in told.steps:
        _tell_step(step, told.no_slots)
    print()
    for line in _totals(told):
        print(line)


def _plan(wanted: str, profile: Profile, recipe: Recipe) -> tuple[Plan, ServiceUse]:
    planner = wiring.build_planner(wanted, profile)
    if not isinstance(planner, ServicePlanner):
        return planner.plan(recipe), ServiceUse()
    kept = planner.recall(recipe)
    if kept is not None:
        return kept, ServiceUse()
    plan = wiring.build_planner("rules").plan(recipe)
    noted = dataclasses.replace(plan, notes=(NOT_ASKED, *plan.notes))
    return noted, planner.forecast(recipe)


def _parts(
    profile: Profile, memory: str, downloads: dict[str, int], loras: tuple[str, ...], precise: bool
) -> tuple[Parts | None, str]:
    """The models as far as they are here; a dry run fetches none, so no LoRA from the Hub either."""
    if hub_id_of(memory, "memory") and known_release(memory, "memory") is None:
        return None, f"not known before {memory} is here (procvid hub pull {memory})"
    here = [text for text in loras if not wiring.is_lora_on_hub(text)]
    if downloads:
        return None, f"not known before {' and '.join(downloads)} are here"
    try:
        parts = wiring.build(
            profile=profile.name, memory=memory, planner="rules", lora=here, precise=precise
        )
        return parts, ""
    except UnavailableError as error:
        return None, error.message


def _tell_step(told: StepForecast, no_slots: str) -> None:
    step = told.step
    time = "" if told.seconds is None else f", {duration(told.seconds)}"
    print(f"\n{step.number}. {step.text}")
    for item in step.objects:
        state = item.state_before
        if item.state_after != item.state_before:
            state = f"{item.state_before} -> {item.state_after}"
        print(f"   - {item.name} ({item.role}, {state}, {item.likelihood.replace('_', ' ')})")
    print(f"   seed {told.seed}{time}")
    conditioning = told.conditioning
    print(f"   prompt: {step.prompt if conditioning is None else conditioning.prompt}")
    if conditioning is None:
        print(f"   slots: {no_slots}")
    else:
        slots = {slot.number: slot for slot in conditioning.slots}
        for number in range(1, MAX_REFERENCES + 1):
            slot = slots.get(number)
            shown = "free"
            if slot is not None:
                shown = f"{slot.words}, from {slot.source_id} (score {slot.score:.2f})"
            print(f"   slot {number}: {shown}")
    if told.own:
        own = ", ".join(f"{name} of step {number}" for name, number in told.own.items())
        print(f"   the run's own pictures go first, once they are there: {own}")


def _totals(told: Forecast) -> list[str]:
    time = "not known" if told.seconds is None else duration(told.seconds)
    memory = "not known" if told.peak_mib is None else f"{told.peak_mib:.0f} MiB at most"
    disk = f"{'at most' if told.disk_is_bound else 'about'} {_size(told.disk_bytes)}"
    use = told.service
    api = f"about {use.tokens} tokens in {use.calls} calls" if use.calls else "no tokens"
    lines = [f"Time: {time}; memory: {memory}; {told.basis}."]
    lines.append(f"Disk: {disk}. Language model: {api}.")
    if told.downloads:
        sizes = ", ".join(f"{name} ({_size(size)})" for name, size in told.downloads.items())
        lines.append(f"To be fetched first: {sizes}.")
    return lines


def _size(size_bytes: float) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{max(1, round(size_bytes / 1e3))} kB"


def _as_json(told: Forecast, plan: Plan, profile: Profile, reason: str) -> dict[str, Any]:
    steps = []
    for step in told.steps:
        slots = None
        if step.conditioning is not None:
            slots = to_json(Conditioned(step.step.number, step.conditioning))["references"]
        steps.append(
            {
                "step": step.step.number,
                "seed": step.seed,
                "prompt": step.conditioning.prompt if step.conditioning else step.step.prompt,
                "slots": slots,
                "own": dict(step.own),
                "seconds": step.seconds,
            }
        )
    return {
        "profile": profile.name,
        "profile_reason": reason,
        "planner": plan.planner,
        "notes": list(plan.notes),
        "steps": steps,
        "seconds": told.seconds,
        "peak_memory_mib": told.peak_mib,
        "disk_bytes": round(told.disk_bytes),
        "disk_is_bound": told.disk_is_bound,
        "api_calls": told.service.calls,
        "api_tokens": told.service.tokens,
        "downloads": dict(told.downloads),
        "basis": told.basis,
        "no_slots": told.no_slots,
    }
