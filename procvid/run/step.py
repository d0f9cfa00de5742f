"""Make one step: search the memory, generate the clip, store its crops for later steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import get_args

from procvid.errors import InputError, StoreError
from procvid.events import Conditioned, Event, Warned
from procvid.media.image import load_image
from procvid.memory.anchors import Anchor
from procvid.memory.clip_crops import MIN_SIDE_PX, SETTLED, crops_of_clip, cut
from procvid.memory.gate import Evidence, Refusal, pass_gate, views_of
from procvid.memory.memory import Memory, reference_states
from procvid.memory.own_crops import without
from procvid.memory.photo import crop_of_upload, foods_in
from procvid.memory.reasons import LEFT_OUT
from procvid.memory.slots import choose_slots
from procvid.memory.store import CropStore, add_crops, empty_store
from procvid.memory.store_folder import load_store, save_store
from procvid.memory.words import canonical, crop_text
from procvid.plan.writing.prompt import is_written_by_rules, with_looks
from procvid.plan.writing.toy_prompt import toy_prompt, with_toy_looks
from procvid.protocols import SceneReader
from procvid.run.assemble import (
    crop_hashes,
    missing_objects,
    pixels_sha256,
    references_of,
    without_files,
    write_step,
)
from procvid.run.changes import changes_to_json
from procvid.run.condition import condition, looks_of, upload_slots
from procvid.run.folder import CROPS, RunFolder
from procvid.run.generate import Pace, generate, step_seed
from procvid.run.parts import Parts, undrawable_names
from procvid.run.records import (
    AnchorRecord,
    ReferenceRecord,
    StepRecord,
    generation_of,
    new_anchors,
    source_id,
)
from procvid.run.stand_ins import StandIns
from procvid.stopping import stop_if_asked
from procvid.storage.files import whole_folder
from procvid.types import (
    Clip,
    Conditioning,
    Crop,
    Frames,
    Image,
    Likelihood,
    ModelInfo,
    Plan,
    Retrieval,
    SceneObject,
    Slot,
    StepChanges,
    StepPlan,
)

VIEWS = 4
"""Frames of a clip with which the gate compares a crop."""

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
    limit = parts.profile.max_references
    slots = choose_slots(step.objects, retrievals, limit=limit, pinned=pinned)
    away = _left_out(step, changes, pinned)
    left_out = [slot for slot in slots if slot.object_name in away]
    if away:
        slots = choose_slots(step.objects, retrievals, limit=limit, pinned=pinned, left_out=away)
        retrievals = [
            Retrieval(r.object_name, r.wanted_state, None, LEFT_OUT) if r.object_name in away else r
            for r in retrievals
        ]
    toy = parts.profile.fixed_vocabulary
    return condition(
        in_known_words(step, parts.stand_ins) if toy else step,
        retrievals,
        slots,
        looks=looks_of(slots, retrievals),
        add_looks=with_toy_looks if toy else with_looks,
        undrawable=undrawable_names(parts, step.objects),
        prompt=changes.prompt,
        left_out=left_out,
    )


def _left_out(step: StepPlan, changes: StepChanges, pinned: Sequence[Slot]) -> frozenset[str]:
    """Return the objects that a person left out and chose no image for.

    Raises:
        InputError: The step shows no such object.
    """
    check_shown(changes.left_out, step)
    return frozenset(changes.left_out) - {slot.object_name for slot in pinned}


def check_shown(names: Iterable[str], step: StepPlan) -> None:
    """Raise InputError if the step does not show all of these objects."""
    shown = [item.name for item in step.objects]
    for name in names:
        if name not in shown:
            raise InputError(
                f"The step shows no {name[:60]!r}.", f"It shows {', '.join(shown) or 'nothing'}."
            )


def in_known_words(step: StepPlan, things: StandIns) -> StepPlan:
    """Return the step with its prompt in the tiny model's words; a person's own prompt stays."""
    if not is_written_by_rules(step):
        return step
    drawn = things.in_step(step)
    return dataclasses.replace(step, prompt=toy_prompt(drawn.text, drawn.action, drawn.objects))


def _chosen_slots(
    memory: Memory, step: StepPlan, changes: StepChanges, before: int
) -> tuple[Slot, ...]:
    """Return the crops that a person chose.

    Raises:
        InputError: There is no such object or crop.
    """
    check_shown(changes.chosen, step)
    items = {item.name: item for item in step.objects}
    slots = []
    for number, (name, crop_id) in enumerate(changes.chosen.items(), start=before + 1):
        slots.append(memory.slot_of(crop_id, items[name], number))
    return tuple(slots)


def make_step(
    run: RunFolder,
    parts: Parts,
    step: StepPlan,
    memory: Memory | None,
    changes: StepChanges,
    pace: Pace,
    place: Path | None = None,
) -> Generator[Event, None, StepRecord]:
    """Make one step and write it to disk atomically. The memory stays unchanged.

    Args:
        run: The run.
        parts: The models.
        step: The plan of the step.
        memory: The memory after the earlier steps; None without one.
        changes: The changes that a person made to the step.
        pace: The clock of the clips.
        place: The folder to write; the step's own by default.

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
    crops = empty_store(f"step {step.number}", parts.embedder)
    refused: list[Refusal] = []
    dropped: list[Refusal] = []
    if memory is not None:
        found = _crops_of(clip, step, PlannedScene(step, looks), run, parts)
        states = memory.food_states()
        evidence = _evidence(clip, step, found, conditioning.slots, parts, states)
        kept, refused = pass_gate(found, evidence, parts.embedder, parts.rules)
        crops = add_crops(crops, kept, parts.embedder)
        given = (*conditioning.slots, *conditioning.left_out)
        surplus = memory.surplus_with(crops, {slot.crop_id for slot in given})
        new = {crop.id for crop in kept}
        refused += [one for one in surplus if one.crop_id in new]
        dropped = [one for one in surplus if one.crop_id not in new]
        crops = without(crops, {one.crop_id for one in surplus})
    record = StepRecord(
        step=step.number,
        text=step.text,
        prompt=conditioning.prompt,
        sampling=sampling,
        references=references_of(step, conditioning.slots),
        missing=missing_objects(conditioning),
        warnings=conditioning.warnings,
        crops=crop_hashes(crops.crops),
        overrides=changes_to_json(changes),
        models=run.record.models,
        lora=request.lora,
        memory=clip.memory,
        refused=tuple({"object": one.name, "reason": one.reason} for one in refused),
        dropped=tuple(
            {"object": one.name, "crop": one.crop_id, "reason": one.reason} for one in dropped
        ),
        anchors=anchors_at(memory, step, conditioning) if memory else (),
        left_out=without_files(references_of(step, conditioning.left_out)),
    )
    place = run.step_folder(step.number) if place is None else place
    return _write(place, parts, clip, conditioning.slots, record, crops)


def _write(
    place: Path,
    parts: Parts,
    clip: Clip,
    slots: Sequence[Slot],
    record: StepRecord,
    crops: CropStore,
) -> StepRecord:
    with whole_folder(place) as folder:
        record = write_step(folder, clip, slots, record, display_scale=parts.profile.display_scale)
        stop_if_asked()
        if len(crops):
            save_store(crops, folder / CROPS)
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


def _evidence(
    clip: Clip,
    step: StepPlan,
    crops: Sequence[Crop],
    slots: Sequence[Slot],
    parts: Parts,
    states: Sequence[str],
) -> dict[str, Evidence]:
    """Return what the gate compares the crops of a clip with, by canonical name."""
    items = {canonical(item.name): item for item in step.objects}
    guides = {canonical(slot.object_name): slot for slot in slots}
    foods = [item.name for item in step.objects if item.role == "food"]
    views: dict[str, list[Image]] = {name: [] for name in items}
    rows = views_of(len(clip.frames), VIEWS, SETTLED)
    own_rows = {canonical(crop.name): round(crop.time_s * clip.fps) for crop in crops}
    frames = [clip.frames[row] for row in rows]
    names = [crop.name for crop in crops]
    for row, frame, found in zip(rows, frames, parts.detector.detect(frames, names), strict=True):
        for name, sight in {canonical(one.label): one for one in reversed(found)}.items():
            x0, y0, x1, y1 = sight.box_xyxy
            other = name in views and row != own_rows.get(name)
            if other and min(x1 - x0, y1 - y0) >= MIN_SIDE_PX:
                views[name].append(cut(frame, (x0, y0, x1, y1), sight.mask))
    return {
        name: Evidence(
            state_before=item.state_before,
            reference=guides[name].image if name in guides else None,
            generation=generation_of(guides[name]) if name in guides else 0,
            views=views[name],
            rivals=[food for food in foods if food != item.name] if item.role == "food" else (),
            states=states if item.role == "food" else (),
        )
        for name, item in items.items()
    }


def anchors_at(
    memory: Memory, step: StepPlan, conditioning: Conditioning
) -> tuple[AnchorRecord, ...]:
    """Return the anchors that a step begins with, of the objects whose image no person decided."""
    by_person = {
        slot.object_name
        for slot in conditioning.slots
        if slot.chosen or (slot.origin == "upload" and not slot.anchor_step)
    }
    by_person |= {r.object_name for r in conditioning.retrievals if r.reason == LEFT_OUT}
    records = []
    for item in step.objects:
        if item.name in by_person:
            continue
        for state in reference_states(item):
            anchor = memory.anchors.of(item.name, item.role, state, step.number)
            sha256 = "" if anchor is None else anchor.image_sha256
            records.append(AnchorRecord(item.name, item.role, state, sha256))
    return tuple(records)


def remember(run: RunFolder, parts: Parts, memory: Memory | None, record: StepRecord) -> None:
    """Add the references and the crops of a finished step to the memory.

    They are read from the disk even when the clip was made a moment ago, so that a resumed run
    remembers exactly what an uninterrupted one does.
    """
    if memory is not None:
        folder = run.step_folder(record.step)
        remember_folder(parts, memory, folder, record, record.new_anchors())


def remember_folder(
    parts: Parts,
    memory: Memory,
    folder: Path,
    record: StepRecord,
    anchors: Sequence[Anchor],
    *,
    foods: bool = True,
) -> None:
    """Add the uploads and crops in the folder of a step to the memory, with these anchors.

    Without `foods`, the crops of vessels, surfaces and tools alone.
    """
    crops: Sequence[Crop] = ()
    if (folder / CROPS).exists():
        crops = load_store(folder / CROPS, parts.embedder).crops
        if not foods:
            crops = [crop for crop in crops if crop.role != "food"]
    images = {
        reference.number: load_image(folder / reference.file)
        for reference in record.own_uploads()
        if foods or reference.role != "food"
    }
    _keep_references(parts, memory, record.references, images)
    memory.keep(anchors, crops)


def preview(
    parts: Parts, plan: Plan, memory: Memory | None, changes: Mapping[int, StepChanges]
) -> list[Conditioning]:
    """Return the conditioning of each step before the first clip, with the anchors of the run.

    Only what a clip of the run has to supply is missing. The memory keeps the anchors.
    """
    found = []
    for step in plan.steps:
        changed = changes.get(step.number, StepChanges())
        conditioning = conditioning_of(parts, step, memory, changed)
        found.append(conditioning)
        if memory is not None:
            references = references_of(step, (*conditioning.slots, *conditioning.left_out))
            images = {s.number: s.image for s in conditioning.slots if s.origin == "upload"}
            _keep_references(parts, memory, references, images)
            memory.keep(new_anchors(step.number, references, changed.chosen))
    return found


def _keep_references(
    parts: Parts,
    memory: Memory,
    references: Sequence[ReferenceRecord],
    images: Mapping[int, Image],
) -> None:
    """Add the images that a person uploaded for a step to the memory, as crops of their objects."""
    rows = [] if memory.states is None else list(memory.states)
    foods = list(dict.fromkeys(row.name for row in rows if row.role == "food"))
    crops = []
    for one in references:
        if one.number not in images or not one.role or one.anchor_step:
            continue
        image = images[one.number]
        shows: tuple[str, ...] = ()
        if one.role == "vessel":
            shows = foods_in(image, foods, parts.detector, parts.embedder, parts.rules.min_shown)
        crops.append(
            crop_of_upload(image, one.image_sha256, one.object_name, one.role, one.state, shows)
        )
    memory.keep((), crops)


def crops_are_whole(folder: Path, parts: Parts, record: StepRecord) -> bool:
    """Return True if the crops and uploads in a step's folder are the recorded ones.

    Without a memory nobody needs them.
    """
    if parts.stores is None:
        return True
    for one in record.own_uploads():
        try:
            image = load_image(folder / one.file)
        except InputError:
            return False
        if pixels_sha256(image) != one.image_sha256:
            return False
    crops = folder / CROPS
    if not record.crops:
        return not crops.exists()
    try:
        store = load_store(crops, parts.embedder)
    except (StoreError, OSError):
        return False
    return crop_hashes(store.crops) == dict(record.crops)
