"""Make one step: search the memory, generate the clip, store its crops for later steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from typing import get_args

from procvid.errors import InputError, StoreError
from procvid.events import Conditioned, Event, Warned
from procvid.memory.build import crops_of_clip
from procvid.memory.memory import Memory
from procvid.memory.slots import choose_slots
from procvid.memory.store import add_crops, empty_store
from procvid.memory.store_folder import load_store, save_store
from procvid.memory.words import crop_text
from procvid.plan.prompt import with_looks
from procvid.protocols import SceneReader
from procvid.run.assemble import crop_hashes, missing_objects, reference_record, write_step
from procvid.run.changes import changes_to_json
from procvid.run.condition import condition, looks_of, upload_slots
from procvid.run.folder import CROPS, RunFolder
from procvid.run.generate import Pace, generate, step_seed
from procvid.run.parts import Parts, undrawable_names
from procvid.run.records import StepRecord, source_id
from procvid.stopping import stop_if_asked
from procvid.types import (
    Clip,
    Conditioning,
    Crop,
    Frames,
    Likelihood,
    ModelInfo,
    SceneObject,
    Slot,
    StepChanges,
    StepPlan,
)

EVERY_LIKELIHOOD: frozenset[Likelihood] = frozenset(get_args(Likelihood))
"""The run's own clips also give crops of changed objects, because the next step needs them."""


class PlannedScene:
    """Scene reader for our own clips, which show what was planned.

    The detector still has to find each object, or it does not enter the memory.

    Args:
        step: The plan of the clip.
        looks: Description of the reference by object name.
            Objects without one are described by their name.
    """

    info = ModelInfo(id="planned-scene", revision="1")

    def __init__(self, step: StepPlan, looks: Mapping[str, str]) -> None:
        self._step = step
        self._looks = looks

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        """Return the objects of the step, in the state that it leaves them in."""
        return tuple(
            SceneObject(
                name=item.name,
                role=item.role,
                description=self._looks.get(item.name, item.name),
                state=item.state_after,
                likelihood=item.likelihood,
            )
            for item in self._step.objects
        )


def conditioning_of(
    parts: Parts, step: StepPlan, memory: Memory | None, changes: StepChanges
) -> Conditioning:
    """Return the conditioning that a step would get now. The memory stays unchanged."""
    retrievals = memory.retrieve_all(step.objects, step.number, changes.banned) if memory else []
    pinned = upload_slots(
        changes.uploads,
        step.objects,
        parts.embedder,
        shows=changes.shows,
        least=parts.rules.min_shown,
        words_of=lambda item: crop_text(item.name, item.role, item.name, item.state_before),
        limit=parts.profile.max_references,
    )
    if memory is not None:
        pinned += _chosen_slots(memory, step, changes, len(pinned))
    slots = choose_slots(
        step.objects, retrievals, limit=parts.profile.max_references, pinned=pinned
    )
    return condition(
        step,
        retrievals,
        slots,
        looks=looks_of(slots, retrievals),
        add_looks=with_looks,
        undrawable=undrawable_names(parts.generator, step.objects),
        prompt=changes.prompt,
    )


def _chosen_slots(
    memory: Memory, step: StepPlan, changes: StepChanges, before: int
) -> tuple[Slot, ...]:
    """Return the crops that a person chose.

    Raises:
        InputError: There is no such object or crop.
    """
    items = {item.name: item for item in step.objects}
    slots = []
    for number, (name, crop_id) in enumerate(changes.chosen.items(), start=before + 1):
        if name not in items:
            raise InputError(
                f"Step {step.number} shows no {name!r}.", f"It shows {', '.join(items)}."
            )
        slots.append(memory.slot_of(crop_id, items[name], number))
    return tuple(slots)


def make_step(
    run: RunFolder,
    parts: Parts,
    step: StepPlan,
    memory: Memory | None,
    changes: StepChanges,
    pace: Pace,
) -> Generator[Event, None, StepRecord]:
    """Make one step and write it to disk atomically. The memory stays unchanged.

    Yields:
        `Conditioned`, a `Warned` for each warning of the step, and `Progress`.

    Returns:
        What is now in the step's `conditioning.json`.
    """
    pace.clip_begins()
    stop_if_asked()
    conditioning = conditioning_of(parts, step, memory, changes)
    looks = looks_of(conditioning.slots, conditioning.retrievals)
    yield Conditioned(step.number, conditioning)
    yield from (Warned(message, step.number) for message in conditioning.warnings)

    request = run.record.request
    seed = step_seed(request.seed, step.number) if changes.seed is None else changes.seed
    sampling = dataclasses.replace(request.sampling, seed=seed)
    clip = yield from generate(parts.generator, conditioning, sampling, pace)

    stop_if_asked()
    scene = PlannedScene(step, looks)
    crops = _crops_of(clip, step, scene, run, parts) if memory else []
    record = StepRecord(
        step=step.number,
        text=step.text,
        prompt=conditioning.prompt,
        sampling=sampling,
        references=tuple(reference_record(slot) for slot in conditioning.slots),
        missing=missing_objects(conditioning),
        warnings=conditioning.warnings,
        crops=crop_hashes(crops),
        overrides=changes_to_json(changes),
        models=run.record.models,
        lora=request.lora,
        memory=clip.memory,
    )
    return _keep(run, parts, clip, conditioning.slots, record, crops)


def _keep(
    run: RunFolder,
    parts: Parts,
    clip: Clip,
    slots: Sequence[Slot],
    record: StepRecord,
    crops: Sequence[Crop],
) -> StepRecord:
    with run.new_step(record.step) as folder:
        record = write_step(folder, clip, slots, record, display_scale=parts.profile.display_scale)
        stop_if_asked()
        if crops:
            store = empty_store(f"step {record.step}", parts.embedder)
            save_store(add_crops(store, crops, parts.embedder), folder / CROPS)
    return record


def _crops_of(
    clip: Clip, step: StepPlan, scene: SceneReader, run: RunFolder, parts: Parts
) -> list[Crop]:
    return crops_of_clip(
        clip.frames,
        clip.fps,
        step.text,
        source_id(run.record.run_id, step.number),
        scene_reader=scene,
        detector=parts.detector,
        keep=EVERY_LIKELIHOOD,
    )


def remember(run: RunFolder, parts: Parts, memory: Memory | None, number: int) -> None:
    """Add the crops of a finished step to the memory.

    It is read from the disk even when the clip was made a moment ago, so that a resumed run
    remembers exactly what an uninterrupted one does.
    """
    folder = run.step_folder(number) / CROPS
    if memory is not None and folder.exists():
        memory.write_back(load_store(folder, parts.embedder).crops)


def crops_are_whole(run: RunFolder, parts: Parts, record: StepRecord) -> bool:
    """Return True if the step's crops on disk are the recorded ones, or there is no memory."""
    if parts.stores is None:
        return True
    folder = run.step_folder(record.step) / CROPS
    if not record.crops:
        return not folder.exists()
    try:
        store = load_store(folder, parts.embedder)
    except (StoreError, OSError):
        return False
    return crop_hashes(store.crops) == dict(record.crops)
