"""Clips that the tiny models do not know: no figure, a reason, and which clips."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.events import EvaluationFinished, EvaluationWarned
from procvid.evaluate.evidence import CLIP, FRAMES, OBJECTS, SCENE
from procvid.evaluate.gather import CLIP_FRAMES
from procvid.evaluate.inputs import ClipInput, RunInput
from procvid.evaluate.known_world import clips_in_words, fit_world, read_world, write_world
from procvid.evaluate.metrics import DEFAULT, METRICS
from procvid.evaluate.metrics.object_fidelity import ObjectFidelity
from procvid.evaluate.metrics.step_retrieval import StepRetrieval
from procvid.evaluate.motion import LEAST_PICTURES, num_pictures
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.report import report_html
from procvid.evaluate.sampling import sample
from procvid.evaluate.suite import evaluate
from procvid.settings import PHANTOM_1_3B, TINY
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.types import ModelInfo, Recipe
from procvid.wiring import evaluation as wiring_evaluation
from procvid.wiring import run as wiring

WHY = (
    "this model knows the toy kitchen only; "
    "--backbones published fetches CLIP, DINO and Grounding DINO (1.4 GB)"
)
LIMITED = {FRAMES, CLIP, OBJECTS, SCENE}
NEEDY = [name for name in DEFAULT if LIMITED & set(METRICS[name].needs)]


def gradio_clip(name: str) -> Path:
    found = importlib.util.find_spec("gradio")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "media_assets" / "videos" / name


@pytest.fixture(scope="module")
def parts() -> EvaluationParts:
    return wiring_evaluation.build_evaluation(TINY)


@pytest.fixture(scope="module")
def globe() -> np.ndarray:
    """Every ninth frame of a globe that turns slowly, uint8 (T, H, W, 3)."""
    sampled = sample(ClipInput(1, gradio_clip("b.mp4")), None)
    return np.stack([sampled.images[place] for place in sampled.spread(17)])


def toy_run(name: str, *others: tuple[int, np.ndarray]) -> RunInput:
    """Return three steps of a held-out recipe, some with other frames."""
    toy = random_recipe(HELD_OUT + 1)
    frames = {number: toy.render(number).frames for number in (1, 2, 3)} | dict(others)
    recipe = Recipe(toy.title, tuple(step.text for step in toy.steps[:3]))
    clips = tuple(ClipInput(number, frames=each, fps=6) for number, each in frames.items())
    return RunInput(name, clips, recipe, wiring.build_planner("rules").plan(recipe))


@pytest.fixture(scope="module")
def scores(parts, globe) -> dict[str, dict]:
    """Scores of a known, a foreign, and two mixed runs, by name."""
    runs = [
        toy_run("known"),
        toy_run("foreign", *((number, globe) for number in (1, 2, 3))),
        toy_run("middle", (2, globe)),
        toy_run("end", (3, globe)),
    ]
    *events, last = evaluate(runs, parts)
    assert isinstance(last, EvaluationFinished)
    warned = [f"{e.run}: {e.message}" for e in events if isinstance(e, EvaluationWarned)]
    return {"notes": warned, "all": last.scores} | {r["name"]: r for r in last.scores["runs"]}


def test_the_calibration_is_of_the_shipped_weights(parts):
    assert parts.world is not None and parts.notes == ()
    assert parts.world.why == WHY


@pytest.mark.slow
def test_toy_clips_are_known_and_other_clips_are_not(parts):
    for seed in (HELD_OUT + 40, 40):
        frames = random_recipe(seed).render(2).frames
        assert parts.world.knows([frames[k] for k in np.linspace(0, 16, CLIP_FRAMES).astype(int)])
    for name in ("a.mp4", "b.mp4", "world.mp4"):
        sampled = sample(ClipInput(1, gradio_clip(name)), None)
        assert not parts.world.knows([sampled.images[k] for k in sampled.spread(CLIP_FRAMES)])


def test_a_turning_globe_moves_and_a_still_of_it_does_not(globe, scores):
    assert num_pictures(list(globe)) >= LEAST_PICTURES
    assert num_pictures([globe[4]] * 17) == 1
    assert num_pictures([globe[4 + 9 * (k % 2)] for k in range(17)]) < LEAST_PICTURES
    large = np.pad(globe[4], ((0, 0), (40, 40), (0, 0)))
    assert num_pictures([large[:, 2 * k : 2 * k + 480] for k in range(17)]) < LEAST_PICTURES
    assert [clip["frozen"] for clip in scores["foreign"]["clips"]] == [False] * 3


def test_a_known_run_has_values(scores):
    assert [clip["known"] for clip in scores["known"]["clips"]] == [True] * 3
    assert not any("unavailable" in m["state"] for m in scores["known"]["metrics"].values())


def test_a_foreign_run_has_no_figure_of_a_model_that_does_not_know_it(scores):
    metrics = scores["foreign"]["metrics"]
    for name in NEEDY:
        assert metrics[name]["value"] is None and metrics[name]["items"] == [], name
        assert metrics[name]["state"] == f"unavailable: {WHY}", name
    assert metrics["shot_boundary"]["state"] == "ok"
    assert [clip["known"] for clip in scores["foreign"]["clips"]] == [False] * 3


def test_a_mixed_run_names_the_clips_and_has_no_mean_of_the_others(scores):
    metrics = scores["middle"]["metrics"]
    for name in set(NEEDY) - {"goal_consistency", "goal_retrieval"}:
        assert metrics[name]["value"] is None, name
        assert metrics[name]["state"] == f"unavailable: clip 2: {WHY}", name
    assert metrics["goal_retrieval"]["state"] == "ok", "the dish is in the last clip"
    items = {item["key"]: item for item in metrics["step_retrieval"]["items"]}
    assert items["step 1"]["value"] is not None and items["step 2"]["note"] == WHY
    assert metrics["object_state"]["items"] == [], "its items depend on the clip that is missing"
    assert scores["end"]["metrics"]["goal_retrieval"]["state"] == f"unavailable: clip 3: {WHY}"
    joints = {item["key"] for item in scores["end"]["metrics"]["dino_l2"]["items"]}
    assert joints == {"joint 1-2", "step 3"}
    assert "middle: clip 2 shows something other than the toy kitchen" in scores["notes"]


def test_the_summary_and_the_report_say_why(scores):
    summary = scores["all"]["summary"]["step_retrieval"]
    assert summary["n"] == 3 and summary["parts"]["run_coverage"] == 0.25
    html = report_html(scores["all"] | {"runs": [scores["foreign"]]})
    assert html.count("unavailable: this model knows the toy kitchen only") >= len(NEEDY)


def test_a_metric_reads_only_the_known_clips(clip, run):
    vectors = np.eye(10, dtype=np.float32)[:8]
    clips = [clip(1, clip_vectors=vectors, known=True), clip(2, known=False)]
    limits = {"limited": frozenset({CLIP}), "why_limited": "no"}
    result = StepRetrieval().update(run(*clips, **limits)).compute()
    assert result.state == "unavailable: clip 2: no" and result.value is None
    # Without a limited model the metric reads all clips.
    assert "unavailable" not in ObjectFidelity().update(run(*clips, **limits)).compute().state


def test_clips_in_words():
    assert clips_in_words([2]) == "clip 2"
    assert clips_in_words([4, 2]) == "clips 2 and 4"
    assert clips_in_words(range(1, 9)) == "8 clips (1, 2, 3, 4, 5...)"


def test_a_distance_grows_away_from_what_is_known():
    rng = np.random.default_rng(0)
    known = (rng.normal(size=(500, 6)) * [1, 2, 3, 4, 5, 0]).astype(np.float32)
    fit = fit_world(known)
    assert fit.distance(known) == pytest.approx(np.sqrt(5 / 6), abs=0.05)
    assert fit.distance(known + 30) > 5 * fit.distance(known)


def test_a_calibration_of_other_weights_or_a_damaged_one_is_refused(tmp_path):
    info = ModelInfo("procvid/x", "abc")
    fit = fit_world(np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    facts = {"encoder_id": info.id, "encoder_revision": info.revision, "limit": 2.0}
    write_world(tmp_path, "x", fit, facts)
    again, limit = read_world(tmp_path, "x", info)
    assert limit == 2.0 and np.array_equal(again.whitening, fit.whitening)
    with pytest.raises(UnavailableError, match="other weights"):
        read_world(tmp_path, "x", ModelInfo("procvid/x", "def"))
    (tmp_path / "x-world.json").write_text(json.dumps({**facts, "limit": "far"}))
    with pytest.raises(UnavailableError, match="no readable calibration"):
        read_world(tmp_path, "x", info)


def test_backbones_are_chosen_apart_from_the_profile():
    published = wiring_evaluation.build_evaluation(TINY, backbones="published")
    assert published.world is None and published.profile == PHANTOM_1_3B.name
    names = published.backbones()
    assert "dino" in names[FRAMES] and "CLIP" in names[CLIP] and "grounding" in names[OBJECTS]
    assert wiring_evaluation.build_evaluation(PHANTOM_1_3B, backbones="tiny").profile == "tiny"
    with pytest.raises(InputError, match="auto, tiny, published"):
        wiring_evaluation.build_evaluation(TINY, backbones="large")


def test_the_size_of_the_published_backbones():
    from procvid.storage.pins import CLIP_VIT_B_32, DINO_VIT_S_16, GROUNDING_DINO_TINY

    total = CLIP_VIT_B_32.size_bytes + GROUNDING_DINO_TINY.size_bytes + DINO_VIT_S_16.size_bytes
    assert f"({total / 1e9:.1f} GB)" in WHY
