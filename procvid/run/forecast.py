"""Forecast what a run does and costs, for `generate --dry-run`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from procvid.run.generate import step_seed
from procvid.run.parts import Parts, start_memory
from procvid.run.step import preview
from procvid.run.timings import Pattern
from procvid.settings import Profile
from procvid.types import (
    Conditioning,
    Plan,
    PlannedObject,
    Sampling,
    ServiceUse,
    StepPlan,
)


@dataclass(frozen=True, eq=False)
class StepForecast:
    """Forecast of one step.

    Attributes:
        step: The planned step.
        seed: Seed of the step.
        conditioning: The prompt and the slots that the memory fills now; None if the memory is
            not available on this machine.
        own: Earlier step whose clip may show an object that the memory lacks, by the object's name.
        seconds: Estimated time; None if no similar clip was measured on this machine.
    """

    step: StepPlan
    seed: int
    conditioning: Conditioning | None
    own: Mapping[str, int]
    seconds: float | None


@dataclass(frozen=True, eq=False)
class Forecast:
    """Forecast of a whole run.

    Attributes:
        steps: The steps, in order.
        seconds: Time of all steps, or None.
        peak_mib: Peak memory, or None.
        disk_bytes: Size of the run folder.
        disk_is_bound: True if the size is an upper bound from uncompressed frames.
        service: Requests and tokens that planning takes from a language model.
        downloads: Sizes in bytes of the models to download, by name.
        basis: Source of the figures, or the reason why there are none.
        no_slots: Reason why the memory was not searched, or "".
    """

    steps: tuple[StepForecast, ...]
    seconds: float | None
    peak_mib: float | None
    disk_bytes: float
    disk_is_bound: bool
    service: ServiceUse
    downloads: Mapping[str, int] = field(default_factory=dict)
    basis: str = ""
    no_slots: str = ""


def forecast(
    plan: Plan,
    profile: Profile,
    sampling: Sampling,
    pattern: Pattern | None,
    parts: Parts | None,
    *,
    service: ServiceUse,
    downloads: Mapping[str, int],
    no_slots: str = "",
    takes: int = 1,
) -> Forecast:
    """Forecast a run.

    Args:
        plan: Plan of the run.
        profile: Profile of the run.
        sampling: Size, length and seed of the clips.
        pattern: Measured times of similar clips on this machine, or None.
        parts: The models; None if they cannot be built, with the reason in `no_slots`.
        service: See `Forecast`.
        downloads: See `Forecast`.
        no_slots: See `Forecast`.
        takes: Number of takes of each step, without those that a check repeats.
    """
    memory = start_memory(parts, sampling.seed, plan) if parts else None
    found = preview(parts, plan, memory, {}) if parts else [None] * len(plan.steps)
    steps: list[StepForecast] = []
    for step, conditioning in zip(plan.steps, found, strict=True):
        seconds = None
        if pattern is not None:
            first_s = pattern.clip_s if steps else pattern.first_clip_s
            seconds = first_s + (takes - 1) * pattern.clip_s
        has_memory = profile.max_references > 0 and (parts is None or parts.stores is not None)
        own = _own_sights(plan.steps, step, conditioning) if has_memory else {}
        seed = step_seed(sampling.seed, step.number)
        steps.append(StepForecast(step, seed, conditioning, own, seconds))
    clip_bytes = _most_bytes(profile, sampling) if pattern is None else pattern.clip_bytes
    return Forecast(
        steps=tuple(steps),
        seconds=None if pattern is None else sum(step.seconds or 0.0 for step in steps),
        peak_mib=None if pattern is None else pattern.peak_mib,
        # The video contains the bytes of the clips again.
        disk_bytes=(takes + 1) * clip_bytes * len(steps),
        disk_is_bound=pattern is None,
        service=service,
        downloads=downloads,
        basis=_basis(pattern),
        no_slots=no_slots,
    )


def _own_sights(
    steps: Sequence[StepPlan], step: StepPlan, conditioning: Conditioning | None
) -> dict[str, int]:
    """Return the earlier step whose clip may show each object that the memory lacks.

    A lasting object comes from its first appearance, food from its latest one in that state.
    """
    own: dict[str, int] = {}
    lacking = {item.name for item in step.objects}
    if conditioning is not None:
        lacking -= {r.object_name for r in conditioning.retrievals if r.hit is not None}
    for item in step.objects:
        if item.name not in lacking:
            continue
        seen = [
            earlier.number
            for earlier in steps[: step.number - 1]
            for shown in earlier.objects
            if shown.name == item.name and _serves(shown, item)
        ]
        if seen:
            own[item.name] = seen[-1] if item.role == "food" else seen[0]
    return own


def _serves(shown: PlannedObject, wanted: PlannedObject) -> bool:
    return wanted.role != "food" or shown.state_after == wanted.state_before


def _most_bytes(profile: Profile, sampling: Sampling) -> float:
    """Return the bytes of uncompressed frames (12 bits a pixel), four references and crops."""
    pixels = sampling.width * sampling.height
    return pixels * (1.5 * profile.display_scale**2 * sampling.num_frames + 2 * 4 * 3)


def _basis(pattern: Pattern | None) -> str:
    if pattern is None:
        return "no clip of this size and length has been made on this machine"
    clips = "1 clip" if pattern.num_samples == 1 else f"{pattern.num_samples} clips"
    basis = f"measured on {clips} made on this machine"
    if pattern.scaled_from is not None:
        basis += f" with {pattern.scaled_from} denoising steps, in proportion"
    return basis
