"""Crops of a clip: the best sight of each object, and none of missing objects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from procvid.memory.clip_crops import crops_of_clip, quality, sharpness
from procvid.protocols import Detector, SceneReader
from procvid.types import Crop, Detection, Frames, Image, Likelihood, ModelInfo

Scene = Callable[..., Image]
ALL: frozenset[Likelihood] = frozenset({"likely", "highly_likely", "unlikely"})


@pytest.fixture
def gather(reader: SceneReader, detector: Detector) -> Callable[..., list[Crop]]:
    def run(frames: Frames, text: str, **options: object) -> list[Crop]:
        chosen = {"scene_reader": reader, "detector": detector, **options}
        return crops_of_clip(frames, 6, text, "run/03", **chosen)  # type: ignore[arg-type]

    return run


def test_a_crop_with_its_provenance(scene: Scene, gather: Callable[..., list[Crop]]) -> None:
    frames = np.stack([scene(("pot", 10, 20, 40, 50))] * 4)
    (crop,) = gather(frames, "a pot", licence="CC0-1.0")
    assert (crop.name, crop.role, crop.state, crop.source_id) == (
        "pot",
        "vessel",
        "clean",
        "run/03",
    )
    assert crop.box_xyxy == (10, 20, 40, 50) and crop.detector_score == 1.0
    assert crop.licence == "CC0-1.0" and crop.likelihood == "highly_likely" and crop.time_s == 0.0
    assert crop.image is not None and crop.image.shape == (30, 30, 3)
    assert 0 < crop.quality <= 1


def test_what_is_not_the_object_is_white(scene: Scene, gather: Callable[..., list[Crop]]) -> None:
    bent = scene(("pot", 10, 20, 40, 30), ("pot", 10, 20, 20, 50), ("tomato", 25, 35, 39, 49))
    (crop,) = gather(np.stack([bent] * 2), "pot")
    assert crop.image is not None
    assert (crop.image[12:, 12:] == 255).all() and (crop.image[:10, :10] < 200).all()


def test_a_vessel_is_cut_out_without_its_food(
    scene: Scene, gather: Callable[..., list[Crop]]
) -> None:
    full = scene(("pot", 10, 10, 50, 50), ("carrot", 20, 20, 30, 30), ("knife", 34, 20, 40, 30))
    pot, carrot, knife = gather(np.stack([full] * 4), "pot carrot knife", keep=ALL)
    assert (pot.name, carrot.name, knife.name) == ("pot", "carrot", "knife")
    assert pot.image is not None and (pot.image[10:20, 10:20] == 255).all()
    assert pot.shows == ("knife: clean",), "the food is masked, so the crop does not show it"


def test_the_same_clip_gives_the_same_crops(
    scene: Scene, gather: Callable[..., list[Crop]]
) -> None:
    frames = np.stack([scene(("pot", 10 + t, 20, 40 + t, 50)) for t in range(5)])
    one, two = gather(frames, "a pot"), gather(frames, "a pot")
    assert [crop.id for crop in one] == [crop.id for crop in two]


def test_unlikely_things_are_left_out_unless_asked_for(
    scene: Scene, gather: Callable[..., list[Crop]]
) -> None:
    frames = np.stack([scene(("pot", 2, 20, 40, 50), ("carrot", 44, 4, 60, 20))] * 3)
    assert [crop.name for crop in gather(frames, "sliced carrot, pot")] == ["pot"]
    both = gather(frames, "sliced carrot, pot", keep=ALL)
    assert [(crop.name, crop.state) for crop in both] == [("pot", "clean"), ("carrot", "sliced")]


def test_what_changes_is_cut_out_at_the_end(
    scene: Scene, gather: Callable[..., list[Crop]]
) -> None:
    early, late = scene(("carrot", 4, 4, 44, 44)), scene(("carrot", 30, 30, 40, 40))
    (crop,) = gather(np.stack([early] * 6 + [late] * 3), "sliced carrot", keep=ALL)
    assert crop.time_s >= 1.0 and crop.box_xyxy == (30, 30, 40, 40)
    assert gather(np.stack([early] * 6 + [scene()] * 3), "sliced carrot", keep=ALL) == []


def test_whole_beats_cut_off(scene: Scene, gather: Callable[..., list[Crop]]) -> None:
    cut, whole = scene(("pot", 0, 20, 30, 50)), scene(("pot", 8, 20, 38, 50))
    (crop,) = gather(np.stack([cut, cut, whole, cut]), "pot")
    assert crop.box_xyxy == (8, 20, 38, 50) and crop.time_s == pytest.approx(2 / 6, abs=1e-3)


def test_nothing_found_and_nothing_named(scene: Scene, gather: Callable[..., list[Crop]]) -> None:
    frames = np.stack([scene()] * 3)
    assert gather(frames, "pot") == []
    assert gather(frames, "nothing we know") == []
    speck = np.stack([scene(("pot", 10, 10, 12, 12))] * 3)
    assert gather(speck, "pot") == [], "a speck is no crop"


def test_long_clips_are_sampled_and_go_in_batches(
    scene: Scene, gather: Callable[..., list[Crop]], detector: Detector
) -> None:
    frames = np.stack([scene(("pot", 10, 20, 40, 50))] * 100)
    gather(frames, "pot", batch_size=10)
    sizes = detector.batch_sizes  # type: ignore[attr-defined]
    assert max(sizes) <= 10 and sum(sizes) == 32


class OffLabels:
    """Test fixture. Returns an unknown label and a score below the threshold."""

    info = ModelInfo("test-off-labels", "1")

    def detect(self, images: list[Image], names: list[str]) -> list[list[Detection]]:
        box = (4.0, 4.0, 30.0, 30.0)
        return [[Detection(box, "spaceship", 1.0), Detection(box, names[0], 0.1)] for _ in images]


def test_other_labels_and_low_scores_do_not_count(
    scene: Scene, gather: Callable[..., list[Crop]]
) -> None:
    assert gather(np.stack([scene()] * 2), "pot", detector=OffLabels()) == []


def test_sharpness_and_quality(scene: Scene) -> None:
    flat = np.full((32, 32, 3), 128, np.uint8)
    checks = (np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)
    assert sharpness(flat) == 0 and sharpness(flat[:2]) == 0
    assert sharpness(np.repeat(checks[:, :, None], 3, axis=2)) > 0.9
    frame = scene(("pot", 8, 8, 40, 40))
    inside, cut = (8, 8, 40, 40), (0, 8, 40, 40)
    assert quality(frame, inside, 0.9, "vessel") > quality(frame, cut, 0.9, "vessel")
    assert quality(frame, cut, 0.9, "surface") > quality(frame, cut, 0.9, "vessel")
    assert quality(frame, inside, 0.9, "vessel") > quality(frame, inside, 0.4, "vessel")
    assert quality(frame, inside, 0.9, "vessel") > quality(frame, (8, 8, 12, 12), 0.9, "vessel")
