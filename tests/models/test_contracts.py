"""One contract per seam, run over all its adapters: the bundled model and the published class.

The published classes have a tiny size and random weights, in the files of the Hub, and are read by the
loaders of the real ones.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import procvid
from procvid.errors import UnavailableError
from procvid.models.detectors.grounding_dino import GroundingDinoDetector
from procvid.models.detectors.tiny import TinyDetector
from procvid.models.embedders.open_clip import OpenClipEmbedder
from procvid.plan.codec import plan_from_json, plan_to_json
from procvid.protocols import Detector, Embedder, Judge, Planner, SceneReader, StepFinder
from procvid.settings import TINY
from procvid.types import Recipe, StateChange, TimedText
from procvid.wiring import curation as wiring_curation
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring

ASSETS = Path(procvid.__file__).parent / "assets"
SOUP = Recipe("Soup", ("Slice the carrot.", "Boil the carrot in a pot."), ("1 carrot",))


def pictures(*sizes_wh: tuple[int, int]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for width, height in sizes_wh]


@pytest.fixture(params=["tiny", "published"])
def embedder(request) -> Embedder:
    if request.param == "tiny":
        return OpenClipEmbedder(ASSETS / "tiny_clip")
    return OpenClipEmbedder(request.getfixturevalue("published_clip_folder"))


@pytest.fixture(params=["tiny", "grounding dino"])
def detector(request) -> Detector:
    if request.param == "tiny":
        return TinyDetector(ASSETS / "tiny_detector", OpenClipEmbedder(ASSETS / "tiny_clip"))
    folder = request.getfixturevalue("grounding_dino_folder")
    return GroundingDinoDetector(folder, box_threshold=0.0, text_threshold=0.0)


@pytest.fixture(params=["rules", "openai"])
def planner(request) -> Planner:
    if request.param == "openai":
        request.getfixturevalue("server")
    return wiring.build_planner(request.param)


@pytest.fixture(params=["rules", "openai"])
def scene_reader(request) -> SceneReader:
    if request.param == "openai":
        request.getfixturevalue("server")
    return wiring.build_scene_reader(request.param)


@pytest.fixture(params=["rules", "openai"])
def judge(request) -> Judge:
    if request.param == "openai":
        request.getfixturevalue("server")
    return wiring_evaluation.build_judge(TINY, request.param)


@pytest.fixture(params=["rules", "openai"])
def step_finder(request) -> StepFinder:
    if request.param == "openai":
        request.getfixturevalue("server")
    return wiring_curation.build_step_finder(request.param)


def test_an_embedder_gives_unit_vectors_of_images_and_texts_in_one_space(embedder):
    assert isinstance(embedder, Embedder) and embedder.info.id and embedder.info.revision
    images = pictures((64, 64), (90, 40), (1, 1))
    for vectors in (
        embedder.embed_images(images),
        embedder.embed_texts(["a", "b", "carrot " * 99]),
    ):
        assert vectors.shape == (3, embedder.dim) and vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    again = embedder.embed_images(images[1:2])
    assert np.allclose(again, embedder.embed_images(images)[1:2], atol=1e-5)
    assert embedder.embed_images([]).shape == embedder.embed_texts([]).shape == (0, embedder.dim)


def test_a_detector_finds_each_name_at_most_once_with_the_best_first(detector):
    assert isinstance(detector, Detector) and detector.info.id and detector.info.revision
    images, names = pictures((64, 48), (40, 64), (64, 48)), ["Frying Pan", "carrot", "knife"]
    found = detector.detect(images, names)
    assert len(found) == 3 and any(found)
    for image, detections in zip(images, found, strict=True):
        height, width = image.shape[:2]
        labels = [d.label for d in detections]
        assert len(set(labels)) == len(labels) and set(labels) <= set(names)
        scores = [d.score for d in detections]
        assert scores == sorted(scores, reverse=True) and all(0 <= s <= 1 for s in scores)
        for d in detections:
            x0, y0, x1, y1 = d.box_xyxy
            assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
            assert d.mask is None or d.mask.shape == (height, width)
    alone = detector.detect(images[1:2], names)[0]
    assert [d.label for d in alone] == [d.label for d in found[1]]
    assert np.allclose([d.box_xyxy for d in alone], [d.box_xyxy for d in found[1]], atol=1e-3)
    assert detector.detect([], names) == [] and detector.detect(images[:1], []) == [[]]


def test_a_planner_plans_every_step_the_same_way_twice(planner):
    assert isinstance(planner, Planner) and planner.info.id and planner.info.revision
    plan = planner.plan(SOUP)
    assert [step.number for step in plan.steps] == [1, 2]
    assert [step.text for step in plan.steps] == list(SOUP.steps)
    assert all(step.objects and step.prompt and step.action for step in plan.steps)
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan)))) == plan
    assert planner.plan(SOUP) == plan and planner.info.id in plan.planner
    first, second = ({o.name: o for o in step.objects} for step in plan.steps)
    assert first["carrot"].state_after == second["carrot"].state_before == "sliced"


def test_a_scene_reader_names_things_once_each_with_state_and_likelihood(scene_reader):
    assert isinstance(scene_reader, SceneReader) and scene_reader.info.id
    frames = np.stack(pictures((64, 48), (64, 48)))
    objects = scene_reader.read(frames, "Slice the carrot in the frying pan.")
    names = [item.name for item in objects]
    assert {"carrot", "frying pan"} <= set(names) and len(set(names)) == len(names)
    assert all(item.state and item.description for item in objects)
    assert scene_reader.read(frames, "Slice the carrot in the frying pan.") == objects


def test_a_damaged_published_clip_is_an_error(published_clip_folder, tmp_path):
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        (tmp_path / name).write_bytes((published_clip_folder / name).read_bytes()[:-40])
    with pytest.raises(UnavailableError, match="cannot be loaded"):
        OpenClipEmbedder(tmp_path).embed_texts(["a"])


def test_a_judge_varies_steps_and_dishes_and_explains_changes(judge):
    assert isinstance(judge, Judge) and judge.info.revision
    step = SOUP.steps[0]
    near = judge.hard_negatives(step, 5)
    assert len(set(near)) == 5 and step not in near
    assert near == judge.hard_negatives(step, 5)
    goal, others = judge.goal(SOUP), judge.other_goals(SOUP, 9)
    assert len(set(others)) == 9 and goal not in others
    assert judge.explains(StateChange("carrot", "whole", "sliced", step)).explained
    wrong = judge.explains(StateChange("carrot", "sliced", "whole", step))
    assert not wrong.explained and "carrot" in wrong.reason.lower() and "whole" in wrong.reason


def test_a_step_finder_returns_steps_in_order_within_the_times_of_the_cues(step_finder):
    assert isinstance(step_finder, StepFinder) and step_finder.info.id
    said = ("hi everyone welcome back", "now we're gonna slice the carrot on the board",
            "it smells amazing", "so we're gonna fry the onion in the pan")  # fmt: skip
    cues = [TimedText(3.0 * n, 3.0 * n + 2.5, text) for n, text in enumerate(said)]
    steps = step_finder.find("Carrots", cues)
    assert [step.text.lower().rstrip(".") for step in steps] == [
        "slice the carrot on the board",
        "fry the onion in the pan",
    ]
    for step, cue in zip(steps, (cues[1], cues[3]), strict=True):
        assert cue.start_s <= step.start_s < step.end_s <= cue.end_s
    assert step_finder.find("Carrots", cues) == steps and step_finder.find("", []) == ()
