"""Grounding DINO: the real class at a tiny size, beside upstream's own reading of its output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from procvid.errors import UnavailableError
from procvid.models.detectors.grounding_dino import (
    GroundingDinoDetector,
    phrase_of,
    prompt_of,
    spans_of,
)

IMAGE = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def detector(grounding_dino_folder: Path) -> GroundingDinoDetector:
    return GroundingDinoDetector(grounding_dino_folder, box_threshold=0.0, text_threshold=0.0)


def test_the_prompt_has_the_form_that_the_model_was_trained_on():
    phrases = [
        phrase_of(name) for name in ("Frying Pan", " carrot. ", "Jack's <b>knife</b>", "???")
    ]
    assert phrases == ["frying pan", "carrot", "jack's b knife b", ""]
    assert prompt_of(phrases[:2]) == "frying pan. carrot."
    assert spans_of([101, 7, 8, 1012, 9, 1012, 102], 1012) == [(1, 3), (4, 5)]


def test_a_box_counts_for_a_name_where_upstream_reads_off_that_very_name(detector):
    """Thresholds amid the scores, so that some boxes pass and some do not."""
    processor, model = detector._loaded
    inputs = processor(images=[IMAGE], text=["frying pan. carrot."], return_tensors="pt")
    with torch.no_grad():
        outputs = model(**inputs)
    tokens = outputs.logits[0].sigmoid()[:, 1:5]
    text_threshold = float(tokens[:, [0, 1, 3]].min(dim=1).values.median())
    upstream = processor.post_process_grounded_object_detection(
        outputs, threshold=text_threshold, text_threshold=text_threshold, target_sizes=[(48, 64)]
    )[0]
    theirs = zip(upstream["text_labels"], upstream["scores"], upstream["boxes"], strict=True)
    upstream_of = {}
    for label, _, box in theirs:
        for name in ("frying pan", "carrot"):
            if name in label:
                upstream_of.setdefault(name, []).append(np.clip(box.numpy(), 0, [64, 48, 64, 48]))
    ours = GroundingDinoDetector(
        detector._source, box_threshold=text_threshold, text_threshold=text_threshold
    )
    found = {d.label: d for d in ours.detect([IMAGE], ["frying pan", "carrot"])[0]}
    assert set(found) == set(upstream_of) and found
    for name, boxes in upstream_of.items():
        assert any(np.allclose(found[name].box_xyxy, box, atol=1e-2) for box in boxes)


def test_the_thresholds_hold(detector, grounding_dino_folder):
    found = detector.detect([IMAGE], ["carrot"])[0]
    assert len(found) == 1
    for box, text in ((found[0].score + 0.01, 0.0), (0.0, found[0].score + 0.01)):
        strict = GroundingDinoDetector(
            grounding_dino_folder, box_threshold=box, text_threshold=text
        )
        assert strict.detect([IMAGE], ["carrot"]) == [[]]


def test_more_names_than_the_text_encoder_reads_are_asked_in_turns(detector):
    """The tiny config reads 16 tokens: 14 for names and their full stops."""
    names = ["carrot", "frying pan", "knife", "pot", "bowl", "carrots", "saucepan", "pan"]
    prompts = list(detector._prompts({name: name for name in names}))
    assert len(prompts) == 2 and [n for prompt in prompts for n in prompt] == names
    labels = {d.label for d in detector.detect([IMAGE], names)[0]}
    assert labels == set(names)


def test_names_of_nothing_are_passed_over(detector):
    assert detector.detect([IMAGE], ["...", "<>"]) == [[]]
    assert [d.label for d in detector.detect([IMAGE], ["Carrot!", ""])[0]] == ["Carrot!"]


def test_a_folder_without_a_model_and_a_damaged_one(grounding_dino_folder, tmp_path):
    with pytest.raises(UnavailableError, match=r"model\.safetensors is missing"):
        GroundingDinoDetector(tmp_path)
    for file in grounding_dino_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        GroundingDinoDetector(tmp_path).detect([IMAGE], ["carrot"])
