"""`procvid generate --dry-run`: print what a run would make and take, without writing anything."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from procvid.cli.plan import print_head, print_objects
from procvid.cli.screen import duration
from procvid.errors import UnavailableError
from procvid.events import Conditioned, to_json
from procvid.hub.names import hub_id_of, size
from procvid.hub.resolve import known_release, named_lora, parse_lora
from procvid.machine import device_name
from procvid.protocols import ServicePlanner
from procvid.run.forecast import Forecast, StepForecast, forecast
from procvid.run.parts import Parts
from procvid.run.records import policy_words
from procvid.run.timings import ClipSetting, pattern_of, read_samples
from procvid.settings import Profile
from procvid.settings.environment import read_environment
from procvid.types import Plan, Recipe, Sampling, ServiceUse, TakePolicy
from procvid.wiring import run as wiring
from procvid.wiring.readiness import Readiness, machine_facts, readiness
from procvid.wiring.stores import missing_downloads

NOT_ASKED = (
    "a dry run asks no language model; this plan comes from the rules planner and will differ from "
    "the run's"
)


def dry_run(
    arguments: argparse.Namespace,
    recipe: Recipe,
    profile: Profile,
    reason: str,
    sampling: Sampling,
    memory: str,
    loras: tuple[str, ...],
    takes: TakePolicy,
) -> None:
    """Print the forecast of a run.

    Raises:
        InputError: The run would be refused.
        UnavailableError: The clips do not fit in GPU memory on any rung of the ladder.
    """
    plan, service = _plan(arguments.planner, profile, recipe)
    downloads = {model.repo: model.size_bytes for model in missing_downloads(profile)}
    facts = machine_facts()
    parts, no_slots = _parts(profile, memory, downloads, loras, arguments.precise)
    samples = read_samples(read_environment().cache_folder)
    about_clips = parts.generator.notes(sampling) if parts else ()
    plan = dataclasses.replace(plan, notes=(*plan.notes, *about_clips))
    precise = profile.is_precise(arguments.precise)
    ready = readiness(profile, sampling, facts, samples, device_name(), precise=precise)
    setting = ClipSetting.of(profile.name, device_name(), sampling, precise)
    result = forecast(
        plan,
        profile,
        sampling,
        pattern_of(samples, setting),
        parts,
        service=service,
        downloads=downloads,
        no_slots=no_slots,
        takes=takes.best_of,
    )
    if arguments.json:
        printed = _to_json(result, plan, profile, reason)
        printed |= {"machine": facts.as_json(), "readiness": ready.as_json()}
        print(json.dumps(printed, ensure_ascii=False))
        return
    print(profile.describe(reason))
    print(
        f"Would make {len(plan.steps)} clips of {sampling.width}x{sampling.height} px, "
        f"{sampling.num_frames} frames at {sampling.fps} fps, "
        f"{sampling.num_inference_steps} denoising steps each, in {arguments.out}."
    )
    if takes.several:
        print(f"Takes: {policy_words(takes)}.")
    if sampling.shortcuts.summary:
        kind = "Distilled" if arguments.distilled else "Fast"
        print(f"{kind}: {sampling.shortcuts.summary}.")
    if sampling.context_frames:
        print(
            "Coherence: each clip sees the end of the one before, one latent frame per model call."
        )
    print_head(plan)
    for step in result.steps:
        _print_step(step, plan.names, result.no_slots, profile.max_references)
    print()
    _print_totals(result, ready, takes.best_of)
    print("\n".join((*facts.lines(), *ready.lines())))


def _plan(wanted: str, profile: Profile, recipe: Recipe) -> tuple[Plan, ServiceUse]:
    planner = wiring.build_planner(wanted, profile)
    if not isinstance(planner, ServicePlanner):
        return planner.plan(recipe), ServiceUse()
    cached = planner.recall(recipe)
    if cached is not None:
        return cached, ServiceUse()
    plan = wiring.build_planner("rules").plan(recipe)
    noted = dataclasses.replace(plan, notes=(NOT_ASKED, *plan.notes))
    return noted, planner.forecast(recipe)


def _parts(
    profile: Profile,
    memory: str,
    downloads: dict[str, int],
    loras: tuple[str, ...],
    precise: bool | None,
) -> tuple[Parts | None, str]:
    """Return the models if this machine has them, else the reason; a dry run downloads nothing.

    Raises:
        InputError: A local LoRA does not exist, or the memory or a LoRA cannot be used.
    """
    local = [text for text in loras if not wiring.is_lora_on_hub(text)]
    for text in local:
        source, _ = parse_lora(text)
        if hub_id_of(source, "lora") is None:
            named_lora(source)
    if hub_id_of(memory, "memory") and known_release(memory, "memory") is None:
        return None, f"not known until {memory} is downloaded (procvid hub pull {memory})"
    if downloads:
        return None, f"not known until these are downloaded: {', '.join(downloads)}"
    try:
        parts = wiring.build(
            profile=profile.name, memory=memory, planner="rules", lora=local, precise=precise
        )
        return parts, ""
    except UnavailableError as error:
        return None, error.message


def _print_step(
    forecast: StepForecast, names: Mapping[int, str], no_slots: str, max_references: int
) -> None:
    step, conditioning = forecast.step, forecast.conditioning
    print(f"\n{names[step.number]}. {step.text}")
    print_objects(step.objects)
    time = "" if forecast.seconds is None else f", {duration(forecast.seconds)}"
    print(f"   seed {forecast.seed}{time}")
    print(f"   prompt: {step.prompt if conditioning is None else conditioning.prompt}")
    if conditioning is None:
        print(f"   slots: {no_slots}")
    else:
        slots = {slot.number: slot for slot in conditioning.slots}
        for number in range(1, max_references + 1):
            slot = slots.get(number)
            text = "free"
            if slot is not None:
                kept = f"kept from step {names[slot.anchor_step]}" if slot.anchor_step else ""
                source = kept or f"from {slot.source_id} (score {slot.score:.2f})"
                text = f"{slot.words}, {source}"
            print(f"   slot {number}: {text}")
    if forecast.own:
        own = ", ".join(
            f"{name} from step {names[number]}" for name, number in forecast.own.items()
        )
        print(f"   not in the memory; the clips may supply it: {own}")


def _print_totals(result: Forecast, ready: Readiness, takes: int) -> None:
    seconds, basis = result.seconds, result.basis
    if seconds is None and ready.clip_seconds is not None:
        seconds, basis = ready.clip_seconds * len(result.steps) * takes, "counted, not measured"
    time = "not known" if seconds is None else duration(seconds)
    peak = "not known" if result.peak_mib is None else f"at most {result.peak_mib:.0f} MiB"
    disk = f"{'at most' if result.disk_is_bound else 'about'} {size(round(result.disk_bytes))}"
    use = result.service
    tokens = f"about {use.tokens} tokens in {use.calls} calls" if use.calls else "no tokens"
    print(f"Time of the run: {time}; memory: {peak}; {basis}.")
    print(f"Disk: {disk}. Language model: {tokens}.")


def _to_json(result: Forecast, plan: Plan, profile: Profile, reason: str) -> dict[str, Any]:
    steps = []
    for step in result.steps:
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
        "seconds": result.seconds,
        "peak_memory_mib": result.peak_mib,
        "disk_bytes": round(result.disk_bytes),
        "disk_is_bound": result.disk_is_bound,
        "api_calls": result.service.calls,
        "api_tokens": result.service.tokens,
        "downloads": dict(result.downloads),
        "basis": result.basis,
        "no_slots": result.no_slots,
    }
