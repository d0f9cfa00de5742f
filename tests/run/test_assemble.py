"""Provenance and chapter titles; whole videos are in test_workflow."""

from __future__ import annotations

import numpy as np

from procvid.run.assemble import chapter_title, pixels_sha256, references_of
from procvid.types import PlannedObject, Slot, StepPlan


def test_pictures_are_the_same_by_pixels_and_shape():
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert pixels_sha256(image) == pixels_sha256(image.copy())
    assert pixels_sha256(image) == pixels_sha256(np.asfortranarray(image))
    assert pixels_sha256(image) != pixels_sha256(image.reshape(2, 8, 3))
    assert pixels_sha256(image) != pixels_sha256(image + 1)


def test_a_reference_is_recorded_with_where_it_comes_from():
    image = np.zeros((4, 4, 3), np.uint8)
    box = (1.0, 2.0, 3.0, 4.0)
    slot = Slot(2, "pan", "frying pan", image, "c1", "run/01", "clean", box, 0.1234567, "run")
    pan = PlannedObject("pan", "vessel", "", "clean", "in use", "likely", 0.5)
    (record,) = references_of(StepPlan(3, "", "", (pan,), ""), [slot])
    assert (record.role, record.generation, record.anchor_step) == ("vessel", 1, 0)
    assert record.file == "references/2.png" and record.crop_id == "c1"
    assert record.box_xyxy == box and record.score == 0.123457
    assert record.image_sha256 == pixels_sha256(image)


def test_chapter_titles_are_numbered_short_and_cut_at_a_word():
    assert chapter_title(2, "Slice\n the  carrot.") == "2. Slice the carrot."
    long = chapter_title(3, "Stir " * 40)
    assert len(long) <= 90 and long.endswith("Stir ...")
