"""Clips without credit: stills and pasted references. Quiet clips and drawn objects keep theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from lab.metrics_proof.faults import grown, pasted
from procvid.evaluate.credit import NEEDED, PASTED, copying
from procvid.evaluate.evidence import Observation, Texts
from procvid.evaluate.metrics import metrics_in
from procvid.evaluate.metrics.copy_paste import CopyPaste
from procvid.evaluate.metrics.gap_decay import FORGOTTEN, GapDecay
from procvid.evaluate.metrics.goal_retrieval import GoalRetrieval
from procvid.evaluate.metrics.joint_ratio import CEILING, JointRatio
from procvid.evaluate.metrics.object_fidelity import ObjectFidelity
from procvid.evaluate.metrics.object_state_strict import ObjectStateStrict
from procvid.evaluate.metrics.step_retrieval import StepRetrieval
from procvid.evaluate.motion import LEAST_PICTURES, num_pictures
from procvid.evaluate.pixels import copied_detail
from procvid.media.image import crop_on_white
from procvid.media.keying import foreground_mask
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import render

SOUP = random_recipe(HELD_OUT + 1)
CLIP = SOUP.render(1).frames[::2]


def zoomed(share: float) -> list[np.ndarray]:
    still, side = Pillow.fromarray(CLIP[4]), CLIP.shape[1]
    cuts = [(1 - 1 / (1 + share * k)) / 2 * side for k in range(9)]
    boxes = [(cut, cut, side - cut, side - cut) for cut in cuts]
    return [np.array(still.resize((side, side), Pillow.Resampling.BICUBIC, box=b)) for b in boxes]


def brighter(k: int) -> np.ndarray:
    return np.clip(CLIP[4].astype(int) + (-1) ** k * 5, 0, 255).astype(np.uint8)


def grainy(k: int) -> np.ndarray:
    grain = np.random.default_rng(k).normal(0, 8, CLIP[4].shape)
    return np.clip(CLIP[4] + grain, 0, 255).astype(np.uint8)


STILLS = {
    "frozen": [CLIP[4]] * 9,
    "slow zoom": zoomed(0.01),
    "pan": [np.roll(np.pad(CLIP[4], ((9, 9), (9, 9), (0, 0)), "edge"), k, 1)[9:-9, 9:-9] for k in range(9)],
    "two in turns": [CLIP[4 + k % 2 * 3] for k in range(9)],
    "flicker": [brighter(k) for k in range(9)],
    "grain": [grainy(k) for k in range(9)],
}  # fmt: skip


@pytest.mark.parametrize("trick", STILLS)
def test_an_edited_still_does_not_move(trick):
    assert num_pictures(STILLS[trick]) < LEAST_PICTURES


def test_a_clip_moves_in_any_order_and_a_little_motion_is_enough():
    assert num_pictures(list(CLIP)) == num_pictures(list(CLIP[[5, 0, 8, 2, 4, 1, 7, 3, 6]])) == 9
    quiet = np.repeat(CLIP[:1], 6, axis=0)
    for k in range(6):
        quiet[k, 30:40, 8 + 7 * k : 16 + 7 * k] = 200
    assert num_pictures(list(quiet)) >= LEAST_PICTURES, "80 of 4096 pixels move"


def carrot_run(clip, run, sight, **fields):
    """Return four perfect clips with a pan that equals its reference, with any field set."""
    vector = np.eye(10, dtype=np.float32)[0]
    texts = Texts(tuple("abcdefghij"), np.eye(10, dtype=np.float32))
    pan = sight(vector=vector, reference_vector=vector, reference="r", pixel_match=0.1)
    moving = np.eye(10, dtype=np.float32)[:3]
    clips = [
        clip(
            number,
            frame_vectors=moving,
            clip_vectors=np.repeat(vector[None], 8, axis=0),
            last_clip_vector=vector,
            sightings=(pan,) if number != 2 else (),
            seen=(Observation("pan", "in use", number == 1, True, "because"),),
            planned=1,
            **fields,
        )
        for number in (1, 2, 3, 4)
    ]
    steps = dict.fromkeys((1, 2, 3, 4), texts)
    return run(*clips, candidates=steps, goal=texts, steps=texts)


METRICS = (
    JointRatio, StepRetrieval, GoalRetrieval, ObjectFidelity, ObjectStateStrict, GapDecay, CopyPaste,
)  # fmt: skip
WORST = [CEILING, 0.0, 0.0, 0.0, 0.0, FORGOTTEN, 1.0]


def test_every_corrected_metric_is_tried_here():
    assert {metric.id for metric in METRICS} == set(metrics_in("corrected"))


@pytest.mark.parametrize("still", [{"pixel_motion": 0.0}, {"num_pictures": 2}])
def test_a_still_gets_the_worst_value_in_corrected_metrics_unless_its_step_waits(
    still, clip, run, sight
):
    moving = carrot_run(clip, run, sight)
    frozen = carrot_run(clip, run, sight, **still)
    assert [m().update(frozen).compute().value for m in METRICS] == WORST
    assert all(
        m().update(moving).compute().value != worst for m, worst in zip(METRICS, WORST, strict=True)
    )
    resting = carrot_run(clip, run, sight, resting=True, **still)
    others = METRICS[1:]
    assert [m().update(resting).compute().value for m in others] == [
        m().update(moving).compute().value for m in others
    ]
    assert "waits" in JointRatio().update(resting).compute().state
    assert ObjectFidelity().update(frozen).compute().parts["coverage"] == 0.0
    assert GapDecay().update(frozen).compute().parts["coverage"] == 0.0


def test_freezing_or_pasting_one_clip_never_helps_the_others(clip, run, sight):
    whole = carrot_run(clip, run, sight)
    for place, fields in ((2, {"pixel_motion": 0.0}), (3, {"num_pictures": 1})):
        clips = [replace(c, **fields) if i == place else c for i, c in enumerate(whole.clips)]
        one = replace(whole, clips=tuple(clips))
        for metric in METRICS:
            a, b = metric().update(whole).compute(), metric().update(one).compute()
            worse = b.value > a.value if a.direction == "lower" else b.value < a.value
            assert worse or a.value == b.value, metric.id
    pasted_pan = replace(whole.clips[3].sightings[0], pixel_match=0.9)
    last = replace(whole.clips[3], sightings=(pasted_pan,))
    one = replace(whole, clips=(*whole.clips[:3], last))
    assert GoalRetrieval().update(one).compute().value == 0.0
    assert "pasted" in JointRatio().update(one).compute().items[-1].note
    assert GapDecay().update(one).compute().value < GapDecay().update(whole).compute().value


def test_hiding_an_object_cannot_raise_the_share(clip, run):
    def share(*clips):
        result = ObjectStateStrict().update(run(*clips)).compute()
        return result.value, result.n

    def seen(first: bool) -> tuple[Observation, ...]:
        return (Observation("carrot", "whole", first, not first, "because"),)

    shown = [clip(1, seen=seen(True), planned=1), clip(2, seen=seen(False), planned=1)]
    never = [clip(n, vanished=("carrot",), planned=1) for n in (1, 2)]
    late = [never[0], clip(2, seen=seen(True), planned=1)]
    assert share(*shown) == (1.0, 1)
    assert share(*never) == (0.0, 2) and share(*late) == (0.0, 1), "n does not shrink"


def reference_of(clip) -> tuple[str, np.ndarray, tuple[float, float, float, float]]:
    name = SOUP.steps[0].scene.vessel
    box = clip.boxes[-1][name]
    return name, crop_on_white(clip.frames[-1], box, foreground_mask(clip.frames[-1])), box


@pytest.mark.parametrize(
    ("size", "by"), [(1.0, (0, 0)), (0.8, (2, -1)), (1.2, (-2, 2)), (0.9, (1, 2))]
)
def test_a_pasted_reference_is_detected_resized_and_moved(size, by):
    _, reference, box = reference_of(SOUP.render(1))
    other = random_recipe(HELD_OUT + 5).render(2).frames[3]
    frame = pasted(other, reference, grown(box, size, np.array(by)))
    assert copying(copied_detail(frame, box, reference)) >= PASTED


def test_an_object_drawn_again_is_not_a_paste():
    name, reference, _ = reference_of(SOUP.render(1))
    for step in SOUP.steps:
        if step.scene.vessel == name:
            again = render(replace(step.scene, seed=step.scene.seed ^ 77), SOUP.kitchen)
            assert copied_detail(again.frames[2], again.boxes[2][name], reference) < NEEDED
    grey = np.full((64, 64, 3), 90, np.uint8)
    assert copied_detail(grey, (10.0, 10.0, 40.0, 40.0), reference) == 0.0
    assert copied_detail(CLIP[0], (10.0, 10.0, 40.0, 40.0), grey) == 0.0, "no detail, no verdict"
