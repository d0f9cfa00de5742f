"""From the memory's answers to the generator's input."""

from __future__ import annotations

import numpy as np
import pytest

from procvid.errors import InputError
from procvid.plan.writing.prompt import with_looks
from procvid.run.condition import condition, looks_of, upload_slots
from procvid.types import Crop, Hit, ModelInfo, PlannedObject, Retrieval, Slot, StepPlan

GREY = np.full((8, 8, 3), 128, np.uint8)
BOX = (0.0, 0.0, 8.0, 8.0)
PAN = PlannedObject("frying pan", "vessel", "", "in use", "in use", "highly_likely", 1.0)
EGG = PlannedObject("egg", "food", "", "whole", "fried", "unlikely", 0.8, since_step=1)
STEP = StepPlan(3, "Fry the egg.", "fry", (PAN, EGG), "Close view: frying. Fry the egg.")


def found(item: PlannedObject, description: str) -> tuple[Retrieval, Slot]:
    crop_id = f"crop of {item.name}"
    crop = Crop(
        id=crop_id,
        name=item.name,
        role=item.role,
        description=description,
        state=item.state_before,
        likelihood=item.likelihood,
        source_id="toy/1",
        time_s=0.0,
        box_xyxy=BOX,
        detector_score=0.9,
        quality=0.9,
        image=GREY,
    )
    hit = Hit(crop, 0.9, {}, "", "default")
    slot = Slot(1, item.name, item.name, GREY, crop_id, "toy/1", crop.state, BOX, 0.9, "memory")
    return Retrieval(item.name, item.state_before, hit, ""), slot


def conditioned(retrievals=(), slots=(), **changes):
    looks = looks_of(slots, retrievals)
    return condition(STEP, retrievals, slots, looks=looks, add_looks=with_looks, **changes)


def test_the_prompt_learns_what_the_references_look_like():
    retrieval, slot = found(PAN, "blue square pan")
    made = conditioned([retrieval], [slot])
    assert made.prompt == f"{STEP.prompt} The frying pan is a blue square pan."
    assert made.slots == (slot,) and made.retrievals == (retrieval,) and made.step == 3


def test_a_crop_that_was_found_and_not_chosen_is_not_reported():
    pan, slot = found(PAN, "blue square pan")
    egg, _ = found(EGG, "brown egg")
    assert looks_of([slot], [pan, egg]) == {"frying pan": "blue square pan"}


def test_a_persons_own_prompt_is_used_word_for_word():
    retrieval, slot = found(PAN, "blue square pan")
    assert conditioned([retrieval], [slot], prompt="Just a pan.").prompt == "Just a pan."


def test_a_lasting_thing_that_was_there_before_and_is_not_found_is_reported():
    missing = Retrieval("frying pan", "in use", None, "No crop of a frying pan: none.")
    assert conditioned([missing]).warnings == (
        "The frying pan may look different than before. No crop of a frying pan: none.",
    )


def test_food_that_is_not_found_is_no_reason_to_worry():
    assert conditioned([Retrieval("egg", "whole", None, "No crop of an egg.")]).warnings == ()


def test_what_cannot_be_drawn_is_reported():
    assert conditioned(undrawable=["egg"]).warnings == (
        "The model was not trained on egg and draws something else.",
    )


class ByColour:
    """An embedder for which a red image shows a pan and a green one an egg."""

    info = ModelInfo("by-colour", "1")
    dim = 2

    def embed_images(self, images):
        mean = np.stack([image.reshape(-1, 3).mean(0)[:2] for image in images])
        return (mean / np.linalg.norm(mean, axis=1, keepdims=True)).astype(np.float32)

    def embed_texts(self, texts):
        known = {"frying pan": (1, 0), "egg": (0, 1)}
        return np.array([known.get(text, (0, 0)) for text in texts], np.float32)


RED, GREEN = (np.full((4, 6, 3), colour, np.uint8) for colour in ((200, 20, 0), (20, 200, 0)))


def test_an_uploaded_picture_shows_the_object_that_it_looks_like():
    slots = upload_slots([GREEN, RED], STEP.objects, ByColour())
    assert [slot.object_name for slot in slots] == ["egg", "frying pan"]
    assert [slot.number for slot in slots] == [1, 2]
    assert slots[0].origin == "upload" and slots[0].box_xyxy == (0.0, 0.0, 6.0, 4.0)


def test_each_object_is_taken_once():
    slots = upload_slots([RED, RED, RED], STEP.objects, ByColour())
    assert [slot.object_name for slot in slots] == ["frying pan", "egg", "upload 3"]


def test_a_step_without_objects_takes_pictures_too():
    assert upload_slots([RED], (), ByColour())[0].object_name == "upload 1"


def test_five_pictures_are_too_many():
    with pytest.raises(InputError, match="5 reference images"):
        upload_slots([RED] * 5, STEP.objects, ByColour())


def test_a_picture_like_none_of_the_objects_stands_for_none():
    slots = upload_slots([GREEN], STEP.objects[:1], ByColour(), least=0.5)
    assert (slots[0].object_name, slots[0].words) == ("upload 1", "")
    shown = condition(STEP, (), slots, looks={}, add_looks=lambda prompt, looks: prompt)
    assert "looks like no object" in " ".join(shown.warnings)


def test_who_says_what_a_picture_shows_is_believed():
    slots = upload_slots([GREEN, RED], STEP.objects, ByColour(), shows=["frying pan"], least=0.5)
    assert [slot.object_name for slot in slots] == ["frying pan", "upload 2"]
    with pytest.raises(InputError, match="no 'pot'"):
        upload_slots([RED], STEP.objects, ByColour(), shows=["pot"])
