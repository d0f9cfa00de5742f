"""From a planned step and what the memory found to all that the generator gets.

The memory searches and the slot planner chooses; here the two become one `Conditioning`: the
prompt learns what the references look like, and the user is told what had to be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from procvid.errors import InputError
from procvid.protocols import Embedder
from procvid.settings import MAX_REFERENCES
from procvid.types import Conditioning, Image, PlannedObject, Retrieval, Slot, StepPlan

TellLooks = Callable[[str, Sequence[tuple[str, str]]], str]
"""Appends `(name, description)` pairs to a prompt; `procvid.plan.prompt.with_looks`."""


@dataclass(frozen=True, eq=False)
class Overrides:
    """What a person changed for one step; None and () leave it as planned.

    Attributes:
        seed: The step's own seed, instead of the one derived from the run's.
        prompt: Given to the generator word for word, instead of the enhanced prompt.
        uploads: Reference images, uint8 (H, W, 3) RGB, before all that the memory has.
        attempt: How often the step was made again with a seed of procvid's own choice.
        banned: Ids of crops that are not to guide the step.
        chosen: Ids of crops by the name of the object that they are to stand for.
    """

    seed: int | None = None
    prompt: str | None = None
    uploads: tuple[Image, ...] = ()
    attempt: int = 0
    banned: tuple[str, ...] = ()
    chosen: Mapping[str, str] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether the person changed anything."""
        told = (self.uploads, self.banned, self.chosen)
        return self.seed is not None or self.prompt is not None or any(map(bool, told))

    def to_json(self) -> dict[str, Any]:
        """For the record of the step; the uploads themselves lie among its references."""
        told = {
            "seed": self.seed,
            "prompt": self.prompt,
            "attempt": self.attempt or None,
            "banned": list(self.banned) or None,
            "chosen": dict(self.chosen) or None,
        }
        return {key: value for key, value in told.items() if value is not None}


def condition(
    step: StepPlan,
    retrievals: Sequence[Retrieval],
    slots: Sequence[Slot],
    *,
    looks: Mapping[str, str],
    tell_looks: TellLooks,
    undrawable: Sequence[str] = (),
    prompt: str | None = None,
) -> Conditioning:
    """Put together what the generator gets for one step.

    Args:
        step: As planned.
        retrievals: What the memory answered for each object, hits and abstentions.
        slots: The chosen references, numbered from 1.
        looks: What the references look like, from `looks_of`.
        tell_looks: Adds the look of the references to the prompt.
        undrawable: Objects of this step that the generator was never taught.
        prompt: The user's own words; they are used as they are.
    """
    return Conditioning(
        step=step.number,
        prompt=prompt or tell_looks(step.prompt, list(looks.items())),
        slots=tuple(slots),
        retrievals=tuple(retrievals),
        warnings=_warnings(step, retrievals, undrawable),
    )


def looks_of(slots: Sequence[Slot], retrievals: Sequence[Retrieval]) -> dict[str, str]:
    """The description of each reference by the name of its object, in the order of the slots."""
    found = {r.hit.crop.id: r.hit.crop.description for r in retrievals if r.hit is not None}
    return {s.object_name: found[s.crop_id] for s in slots if found.get(s.crop_id)}


def _warnings(
    step: StepPlan, retrievals: Sequence[Retrieval], undrawable: Sequence[str]
) -> tuple[str, ...]:
    """Of the abstentions only those that can be seen: a vessel or tool that was there before."""
    told = []
    if undrawable:
        told.append(f"drawn as something else: {', '.join(undrawable)}")
    objects = {item.name: item for item in step.objects}
    for retrieval in retrievals:
        item = objects.get(retrieval.object_name)
        if retrieval.hit is None and item is not None and _must_stay_the_same(item, step.number):
            told.append(f"the {item.name} may look different than before: {retrieval.reason}")
    return tuple(told)


def _must_stay_the_same(item: PlannedObject, step: int) -> bool:
    return item.likelihood == "highly_likely" and item.since_step < step


def upload_slots(
    uploads: Sequence[Image], objects: Sequence[PlannedObject], embedder: Embedder
) -> tuple[Slot, ...]:
    """Say which object each uploaded image shows: the one whose name lies nearest in CLIP space.

    Each object is taken once; an image too many stands for no object of the step.

    Args:
        uploads: uint8 (H, W, 3) RGB.
        objects: The objects of the step.
        embedder: CLIP, for images and names alike.

    Raises:
        InputError: More images than Phantom takes.
    """
    if len(uploads) > MAX_REFERENCES:
        raise InputError(
            f"There are {len(uploads)} reference images, a step takes {MAX_REFERENCES}.",
            "Leave some out.",
        )
    if not uploads:
        return ()
    free = list(range(len(objects)))
    slots = []
    names = [item.name for item in objects]
    similarity = embedder.embed_images(uploads) @ embedder.embed_texts(names or [""]).T
    for number, image in enumerate(uploads, start=1):
        best = max(free, key=lambda i: float(similarity[number - 1, i]), default=None)
        if best is not None:
            free.remove(best)
        height, width = image.shape[:2]
        slots.append(
            Slot(
                number=number,
                object_name=f"upload {number}" if best is None else objects[best].name,
                words="" if best is None else objects[best].name,
                image=image,
                crop_id=f"upload-{number}",
                source_id="upload",
                state="" if best is None else objects[best].state_before,
                box_xyxy=(0.0, 0.0, float(width), float(height)),
                score=1.0,
                origin="upload",
            )
        )
    return tuple(slots)
