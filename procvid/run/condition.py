"""Combine a planned step and the memory's answers into the conditioning of a clip.

The looks of the references are added to the prompt. Warnings list what is missing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

from procvid.errors import InputError
from procvid.memory.reasons import LEFT_OUT
from procvid.protocols import Embedder
from procvid.settings import MAX_REFERENCES
from procvid.types import Conditioning, Image, PlannedObject, Retrieval, Slot, StepPlan

PLAIN_NAME: Callable[[PlannedObject], str] = operator.attrgetter("name")
NO_OBJECT = "Reference {} looks like no object of this step, so the prompt does not name it."

AddLooks = Callable[[str, Sequence[tuple[str, str]]], str]
"""Appends `(name, description)` pairs to a prompt; see `procvid.plan.writing.prompt.with_looks`."""


def condition(
    step: StepPlan,
    retrievals: Sequence[Retrieval],
    slots: Sequence[Slot],
    *,
    looks: Mapping[str, str],
    add_looks: AddLooks,
    undrawable: Sequence[str] = (),
    prompt: str | None = None,
    left_out: Sequence[Slot] = (),
) -> Conditioning:
    """Return the conditioning of one step.

    Args:
        step: The planned step.
        retrievals: The memory's answer for each object, hits and abstentions.
        slots: The chosen references, numbered from 1.
        looks: Descriptions of the references, from `looks_of`.
        add_looks: Adds the look of the references to the prompt.
        undrawable: Objects of this step that the generator was never taught.
        prompt: The user's own prompt, used unchanged.
        left_out: The slots that a person left out.
    """
    return Conditioning(
        step=step.number,
        prompt=prompt or add_looks(step.prompt, list(looks.items())),
        slots=tuple(slots),
        retrievals=tuple(retrievals),
        warnings=_warnings(step, retrievals, slots, undrawable),
        left_out=tuple(left_out),
    )


def looks_of(slots: Sequence[Slot], retrievals: Sequence[Retrieval]) -> dict[str, str]:
    """Return the description of each reference by object name, in the order of the slots."""
    found = {r.hit.crop.id: r.hit.crop.description for r in retrievals if r.hit is not None}
    return {s.object_name: found[s.crop_id] for s in slots if found.get(s.crop_id)}


def _warnings(
    step: StepPlan,
    retrievals: Sequence[Retrieval],
    slots: Sequence[Slot],
    undrawable: Sequence[str],
) -> tuple[str, ...]:
    """Warn only of visible gaps: a vessel or tool that an earlier step showed."""
    warnings = []
    if undrawable:
        warnings.append(
            f"The model was not trained on {', '.join(undrawable)} and draws something else."
        )
    warnings += [NO_OBJECT.format(slot.number) for slot in slots if not slot.words]
    objects = {item.name: item for item in step.objects}
    for retrieval in retrievals:
        item = objects.get(retrieval.object_name)
        if retrieval.hit is not None or retrieval.reason == LEFT_OUT:
            continue
        if item is not None and _must_stay_the_same(item, step.number):
            warnings.append(f"The {item.name} may look different than before. {retrieval.reason}")
    return tuple(warnings)


def _must_stay_the_same(item: PlannedObject, step: int) -> bool:
    return item.likelihood == "highly_likely" and item.since_step < step


def upload_slots(
    uploads: Sequence[Image],
    objects: Sequence[PlannedObject],
    embedder: Embedder,
    *,
    shows: Sequence[str] = (),
    least: float = -1.0,
    words_of: Callable[[PlannedObject], str] = PLAIN_NAME,
    limit: int = MAX_REFERENCES,
) -> tuple[Slot, ...]:
    """Assign an object to each uploaded image: the named one, else the nearest in CLIP space.

    Each object gets at most one image. An image that resembles no remaining object gets none.

    Args:
        uploads: uint8 (H, W, 3) RGB.
        objects: The objects of the step.
        embedder: CLIP, for images and words alike.
        shows: The object that each image shows, "" if unknown.
        least: Minimum cosine of an image and an object's words.
        words_of: Returns the text of an object for CLIP.
        limit: Maximum number of reference images of a step.

    Raises:
        InputError: There are too many images, or the step does not show a named object.
    """
    if len(uploads) > limit:
        raise InputError(
            f"There are {len(uploads)} reference images, but a step takes {limit}.",
            f"Choose at most {limit}.",
        )
    if not uploads:
        return ()
    shown = _objects_shown(uploads, objects, embedder, shows, least, words_of)
    return tuple(
        Slot(
            number=number,
            object_name=f"upload {number}" if item is None else item.name,
            words="" if item is None else item.name,
            image=image,
            crop_id=f"upload-{number}",
            source_id="upload",
            state="" if item is None else item.state_before,
            box_xyxy=(0.0, 0.0, float(image.shape[1]), float(image.shape[0])),
            score=1.0,
            origin="upload",
        )
        for number, (image, item) in enumerate(zip(uploads, shown, strict=True), start=1)
    )


def _objects_shown(
    uploads: Sequence[Image],
    objects: Sequence[PlannedObject],
    embedder: Embedder,
    shows: Sequence[str],
    least: float,
    words_of: Callable[[PlannedObject], str],
) -> list[PlannedObject | None]:
    free = {item.name: item for item in objects}
    named = [shows[i] if i < len(shows) else "" for i in range(len(uploads))]
    for name in filter(None, named):
        if name not in free:
            raise InputError(
                f"The step shows no {name[:60]!r}, or two images show it.",
                f"Choose one of: {', '.join(free) or 'none left'}.",
            )
        del free[name]
    known = {item.name: item for item in objects}
    looks = embedder.embed_images(uploads)
    shown: list[PlannedObject | None] = []
    for name, look in zip(named, looks, strict=True):
        if name:
            shown.append(known[name])
            continue
        items = list(free.values())
        fits = embedder.embed_texts([words_of(item) for item in items]) @ look if items else []
        best = max(range(len(items)), key=lambda i: float(fits[i]), default=None)
        item = None if best is None or float(fits[best]) < least else items[best]
        shown.append(item)
        if item is not None:
            del free[item.name]
    return shown
