"""Write clips with their provenance, and join them into a video with chapters and captions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from procvid.media.captions import write_vtt
from procvid.media.image import save_png
from procvid.media.video import join_clips, write_clip
from procvid.run.folder import CLIP, CONDITIONING, REFERENCES
from procvid.run.records import AI_GENERATED, ReferenceRecord, StepRecord, generation_of
from procvid.storage.files import sha256_of, write_json
from procvid.types import Clip, Conditioning, Crop, Image, Plan, Role, Slot, StepPlan


def pixels_sha256(image: Image) -> str:
    """Return the sha256 of an image's shape and pixels."""
    height, width = image.shape[:2]
    return hashlib.sha256(f"{width}x{height}:".encode() + image.tobytes()).hexdigest()


def references_of(step: StepPlan, slots: Sequence[Slot]) -> tuple[ReferenceRecord, ...]:
    """Return the provenance of the references of a step."""
    roles = {item.name: item.role for item in step.objects}
    return tuple(_reference_record(slot, roles.get(slot.object_name, "")) for slot in slots)


def _reference_record(slot: Slot, role: Role | Literal[""]) -> ReferenceRecord:
    return ReferenceRecord(
        number=slot.number,
        object_name=slot.object_name,
        words=slot.words,
        file=f"{REFERENCES}/{slot.number}.png",
        crop_id=slot.crop_id,
        source_id=slot.source_id,
        state=slot.state,
        box_xyxy=slot.box_xyxy,
        score=round(float(slot.score), 6),
        origin=slot.origin,
        image_sha256=pixels_sha256(slot.image),
        licence=slot.licence,
        url=slot.url,
        role=role,
        anchor_step=slot.anchor_step,
        generation=generation_of(slot),
        strength=slot.strength,
    )


def without_files(references: Sequence[ReferenceRecord]) -> tuple[ReferenceRecord, ...]:
    """Return the provenance of references that a person left out, which have no file."""
    return tuple(dataclasses.replace(one, number=0, file="") for one in references)


def missing_objects(conditioning: Conditioning) -> tuple[Mapping[str, str], ...]:
    """Return the objects without a reference, and why."""
    return tuple(
        {"object": r.object_name, "state": r.wanted_state, "reason": r.reason}
        for r in conditioning.retrievals
        if r.hit is None
    )


def crop_hashes(crops: Sequence[Crop]) -> dict[str, str]:
    """Return the sha256 of the pixels by crop id. Skip crops without pixels."""
    return {crop.id: pixels_sha256(crop.image) for crop in crops if crop.image is not None}


def write_step(
    folder: Path, clip: Clip, slots: Sequence[Slot], record: StepRecord, *, display_scale: int
) -> StepRecord:
    """Write the clip, its references and `conditioning.json` into a step's folder.

    Args:
        folder: Temporary folder that becomes the folder of the step.
        clip: The generated clip.
        slots: The references, in order.
        record: Record of the step without the hash of the clip.
        display_scale: Factor by which the written clip is enlarged.

    Returns:
        The record with the hash of the clip.

    Raises:
        OutputError: The disk is full or the folder read-only.
    """
    for slot, reference in zip(slots, record.references, strict=True):
        (folder / REFERENCES).mkdir(exist_ok=True)
        text = json.dumps(reference.to_json(), sort_keys=True)
        save_png(folder / reference.file, slot.image, {"procvid": text})
    metadata = {
        "title": record.text[:200],
        "comment": AI_GENERATED,
        "procvid": record.for_metadata(),
    }
    write_clip(folder / CLIP, clip.frames, clip.fps, metadata, scale=display_scale)
    record = dataclasses.replace(record, clip_sha256=sha256_of(folder / CLIP))
    write_json(folder / CONDITIONING, record.to_json())
    return record


def chapter_title(number: int, text: str, limit: int = 80) -> str:
    """Return "2. Slice the carrots.", cut at a word."""
    text = " ".join(text.split())
    if len(text) > limit:
        text = text[:limit].rsplit(" ", 1)[0] + " ..."
    return f"{number}. {text}"


def assemble(
    plan: Plan,
    texts: Sequence[str],
    clips: Sequence[Path],
    video: Path,
    captions: Path,
    provenance: Mapping[str, str],
) -> float:
    """Join the clips into one video, with a chapter and a caption per step of the recipe.

    Args:
        plan: Plan of the recipe.
        texts: The steps of the recipe, whole.
        clips: One file per step of the plan, in order.
        video: Path of the video; it is replaced atomically.
        captions: Path of the WebVTT file; it is replaced atomically.
        provenance: Provenance of the run, for the metadata of the video.

    Returns:
        The length of the video in seconds.

    Raises:
        OutputError: The disk is full or the folder read-only.
    """
    groups = plan.groups
    whole = [whole_text(group, texts) for group in groups]
    titles: list[str | None] = []
    for number, (group, text) in enumerate(zip(groups, whole, strict=True), start=1):
        titles += [chapter_title(number, text), *[None] * (len(group) - 1)]
    metadata = {
        "title": plan.title,
        "comment": AI_GENERATED,
        "procvid": json.dumps(dict(provenance), sort_keys=True),
    }
    spans_s = join_clips(clips, video, titles, metadata)
    cues = [
        (spans_s[group[0].number - 1][0], spans_s[group[-1].number - 1][1], text)
        for group, text in zip(groups, whole, strict=True)
    ]
    write_vtt(captions, cues)
    return spans_s[-1][1]


def whole_text(shots: Sequence[StepPlan], texts: Sequence[str]) -> str:
    """Return the whole step of some shots; a step that is one shot has its own text."""
    first = shots[0]
    return first.text if len(shots) == 1 else texts[first.recipe_step - 1]
