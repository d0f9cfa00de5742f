"""Every metric on three small cases, computed independently from its definition: equal to 1e-5."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from procvid.evaluate.evidence import INCEPTION, LPIPS, VIDEO, Observation, SetEvidence, Texts
from procvid.evaluate.metrics.clip_score import ClipScore
from procvid.evaluate.metrics.copy_paste import CopyPaste
from procvid.evaluate.metrics.dino_l2 import DinoL2
from procvid.evaluate.metrics.fid import Fid
from procvid.evaluate.metrics.fvd import Fvd
from procvid.evaluate.metrics.gap_decay import GapDecay
from procvid.evaluate.metrics.goal_consistency import GoalConsistency
from procvid.evaluate.metrics.goal_retrieval import GoalRetrieval
from procvid.evaluate.metrics.joint_ratio import CEILING, JointRatio
from procvid.evaluate.metrics.lpips import Lpips
from procvid.evaluate.metrics.object_fidelity import ObjectFidelity
from procvid.evaluate.metrics.object_state import ObjectState
from procvid.evaluate.metrics.object_state_strict import ObjectStateStrict
from procvid.evaluate.metrics.shot_boundary import ShotBoundary
from procvid.evaluate.metrics.step_consistency import StepConsistency
from procvid.evaluate.metrics.step_retrieval import StepRetrieval

SEEDS = (1, 2, 3)
CLOSE = {"abs": 1e-5, "rel": 0}


def rows(rng: np.random.Generator, count: int, dim: int = 6) -> np.ndarray:
    """Random unit vectors, float32."""
    made = rng.normal(size=(count, dim))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("seed", SEEDS)
def test_dino_l2(seed, clip, run):
    rng = np.random.default_rng(seed)
    vectors = [rows(rng, 3) for _ in range(4)]
    result = DinoL2().update(run(*[clip(i + 1, frame_vectors=v) for i, v in enumerate(vectors)]))
    wanted = [
        math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a[-1], b[0], strict=True)))
        for a, b in pairwise(vectors)
    ]
    assert result.compute().value == pytest.approx(sum(wanted) / 3, **CLOSE)
    assert [item.key for item in result.compute().items] == ["joint 1-2", "joint 2-3", "joint 3-4"]


def path(rng: np.random.Generator, count: int) -> np.ndarray:
    """Unit vectors along a line, like the frames of a clip in order."""
    begin, end = rows(rng, 2)
    where = np.linspace(0, 1, count)[:, None] + rng.uniform(-0.02, 0.02, (count, 1))
    vectors = begin + where * (end - begin)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_joint_ratio(seed, clip, run):
    rng = np.random.default_rng(seed)
    a, b = path(rng, 4), path(rng, 3)
    result = JointRatio().update(run(clip(1, frame_vectors=a), clip(2, frame_vectors=b))).compute()
    inner = [np.linalg.norm(v[i + 1] - v[i]) for v in (a, b) for i in range(len(v) - 1)]
    jump = np.linalg.norm(a[-1] - b[0])
    assert result.value == pytest.approx(float(jump / sorted(inner)[len(inner) // 2]), **CLOSE)
    motion = (np.mean(inner[:3]) + np.mean(inner[3:])) / 2
    assert result.parts["motion"] == pytest.approx(float(motion), **CLOSE)


def test_a_frozen_clip_has_the_worst_joints(clip, run):
    still = np.repeat(rows(np.random.default_rng(0), 1), 3, axis=0)
    moving = rows(np.random.default_rng(1), 3)
    clips = [
        clip(1, frame_vectors=moving),
        clip(2, frame_vectors=still, pixel_motion=0.0),
        clip(3, frame_vectors=still, pixel_motion=0.0),
    ]
    frozen = JointRatio().update(run(*clips)).compute()
    assert [item.value for item in frozen.items] == [CEILING, CEILING]
    assert frozen.parts["frozen_share"] == pytest.approx(2 / 3)
    assert DinoL2().update(run(*clips)).compute().items[1].value == 0.0, "the published form wins"


@pytest.mark.parametrize("seed", SEEDS)
def test_shot_boundary(seed, clip, run):
    rng = np.random.default_rng(seed)
    lengths = [5, 4, 6]
    thumbnails = [np.zeros((n, 27, 48, 3), np.uint8) for n in lengths]
    chances = rng.random(sum(lengths)).astype(np.float32)
    clips = [clip(i + 1, shot_thumbnails=t) for i, t in enumerate(thumbnails)]
    result = ShotBoundary().update(run(*clips, shot_probabilities=chances)).compute()
    wanted = (max(chances[3:8]) + max(chances[7:12])) / 2
    assert result.value == pytest.approx(float(wanted), **CLOSE)


def six(rng: np.random.Generator) -> Texts:
    return Texts(tuple("abcdef"), rows(rng, 6))


@pytest.mark.parametrize("seed", SEEDS)
def test_step_consistency_and_retrieval(seed, clip, run):
    rng = np.random.default_rng(seed)
    frames, texts = [rows(rng, 8), rows(rng, 8)], {1: six(rng), 2: six(rng)}
    steps = Texts(("a", "b"), rows(rng, 2))
    evidence = run(
        *[clip(i + 1, clip_vectors=v) for i, v in enumerate(frames)],
        candidates=texts,
        steps=steps,
        logit_scale=20.0,
    )
    plain, scaled, right, ranks, own = [], [], [], [], []
    for number, vectors in enumerate(frames, start=1):
        video = sum(np.float64(v) for v in vectors) / 8
        video = video / math.sqrt(sum(x * x for x in video))
        cosines = [float(np.dot(np.float64(t), video)) for t in texts[number].vectors]
        plain.append(math.exp(cosines[0]) / sum(math.exp(c) for c in cosines))
        scaled.append(math.exp(20 * cosines[0]) / sum(math.exp(20 * c) for c in cosines))
        ranks.append(1 + sum(c >= cosines[0] for c in cosines[1:]))
        right.append(float(ranks[-1] == 1))
        among = [float(np.dot(np.float64(t), video)) for t in steps.vectors]
        own.append(float(among[number - 1] > among[2 - number]))
    consistency = StepConsistency().update(evidence).compute()
    assert consistency.value == pytest.approx(sum(plain) / 2, **CLOSE)
    assert consistency.chance == pytest.approx(1 / 6)
    retrieval = StepRetrieval().update(evidence).compute()
    assert retrieval.value == pytest.approx(sum(right) / 2, **CLOSE)
    assert retrieval.parts["share"] == pytest.approx(sum(scaled) / 2, **CLOSE)
    assert retrieval.parts["mrr"] == pytest.approx(sum(1 / r for r in ranks) / 2, **CLOSE)
    assert retrieval.parts["recipe_top1"] == pytest.approx(sum(own) / 2, **CLOSE)
    assert retrieval.chance == pytest.approx(1 / 6)


def test_without_a_logit_scale_six_cosines_are_near_chance(clip, run):
    right = Texts(tuple("abcdef"), np.eye(6, dtype=np.float32))
    clips = clip(1, clip_vectors=np.repeat(np.eye(6, dtype=np.float32)[:1], 8, axis=0))
    evidence = run(clips, candidates={1: right}, logit_scale=100.0)
    assert StepConsistency().update(evidence).compute().value < 0.36, "at the very best"
    assert StepRetrieval().update(evidence).compute().parts["share"] > 0.999


def test_a_still_shows_no_step(clip, run):
    right = Texts(tuple("abcdef"), np.eye(6, dtype=np.float32))
    vectors = np.repeat(np.eye(6, dtype=np.float32)[:1], 8, axis=0)
    evidence = run(clip(1, clip_vectors=vectors, pixel_motion=0.0), candidates={1: right})
    result = StepRetrieval().update(evidence).compute()
    assert (result.value, result.parts["mrr"], result.parts["share"]) == (0.0, 0.0, 0.0)
    assert "frozen" in result.items[0].note


@pytest.mark.parametrize("seed", SEEDS)
def test_goal_consistency_and_retrieval(seed, clip, run):
    rng = np.random.default_rng(seed)
    goal, last = Texts(tuple("abcdefghij"), rows(rng, 10)), rows(rng, 1)[0]
    evidence = run(clip(1), clip(2, last_clip_vector=last), goal=goal, logit_scale=10.0)
    cosines = [sum(float(a) * float(b) for a, b in zip(t, last, strict=True)) for t in goal.vectors]
    assert GoalConsistency().update(evidence).compute().value == pytest.approx(cosines[0], **CLOSE)
    result = GoalRetrieval().update(evidence).compute()
    rank = 1 + sum(c >= cosines[0] for c in cosines[1:])
    assert result.value == pytest.approx(1 / rank, **CLOSE)
    assert result.parts["rank"] == rank
    share = math.exp(10 * cosines[0]) / sum(math.exp(10 * c) for c in cosines)
    assert result.parts["share"] == pytest.approx(share, **CLOSE)
    assert result.parts["top1_chance"] == pytest.approx(0.1)


def seen(name: str, *, first: bool = False, good: bool = True) -> Observation:
    return Observation(name, "whole", first, good, "because")


CASES = [
    # observations in each clip, vanished objects, share, strict share
    ([[seen("egg", first=True)], [seen("egg", good=False)]], [(), ()], 1 / 2, 0.0),
    ([[seen("egg", first=True)], [seen("egg"), seen("pan", first=True)]], [(), ("pot",)], 1.0, 0.5),
    ([[seen("a", first=True)], [seen("a"), seen("b", first=True)], [seen("a"), seen("b", good=False)]],
     [(), (), ("c",)], 4 / 5, 2 / 4),
]  # fmt: skip


@pytest.mark.parametrize(("scenes", "vanished", "share", "strict"), CASES)
def test_object_state(scenes, vanished, share, strict, clip, run):
    clips = [
        clip(i + 1, seen=tuple(s), vanished=v, planned=4)
        for i, (s, v) in enumerate(zip(scenes, vanished, strict=True))
    ]
    assert ObjectState().update(run(*clips)).compute().value == pytest.approx(share, **CLOSE)
    result = ObjectStateStrict().update(run(*clips)).compute()
    assert result.value == pytest.approx(strict, **CLOSE)
    gone = sum(len(v) for v in vanished)
    assert result.parts["coverage"] == pytest.approx(1 - gone / (4 * len(clips)))


def test_new_objects_raise_the_published_form_and_not_the_strict_one(clip, run):
    honest = [clip(1, seen=(seen("a", first=True),)), clip(2, seen=(seen("a", good=False),))]
    novel = [clip(1, seen=(seen("a", first=True),)),
             clip(2, seen=(seen("a", good=False), *(seen(n, first=True) for n in "bcdefgh")))]  # fmt: skip
    assert ObjectState().update(run(*novel)).compute().value > 0.8
    assert ObjectState().update(run(*honest)).compute().value == 0.5
    assert ObjectStateStrict().update(run(*novel)).compute().value == 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_object_fidelity_and_gap_decay(seed, clip, run, sight):
    rng = np.random.default_rng(seed)
    own, reference = rows(rng, 4), rows(rng, 1)[0]
    pans = [
        sight(vector=own[0]),
        sight(vector=own[1], reference_vector=reference, reference="store/1"),
        sight(vector=own[2]),
        sight(vector=own[3]),
    ]
    # The pan is out of sight in step 3, so its last sight has a gap of 2.
    clips = [clip(n, sightings=(p,)) for n, p in zip((1, 2, 4, 5), pans, strict=True)]
    result = ObjectFidelity().update(run(*clips)).compute()
    values = [own[1] @ reference, own[2] @ own[0], own[3] @ own[0]]
    assert result.value == pytest.approx(float(np.mean(values)), **CLOSE)
    assert result.parts["worst"] == pytest.approx(float(np.mean(values)), **CLOSE)
    assert result.parts["coverage"] == 1.0
    gaps = np.array([1, 2, 1], float)
    slope = np.sum((gaps - gaps.mean()) * (values - np.mean(values)))
    slope /= np.sum((gaps - gaps.mean()) ** 2)
    decay = GapDecay().update(run(*clips)).compute()
    assert decay.value == pytest.approx(float(slope), **CLOSE)
    assert [(i.facts["gap"], i.facts["n"]) for i in decay.items] == [(1, 2), (2, 1)]


def test_an_object_that_is_not_found_counts_as_missed_and_never_as_zero(clip, run, sight):
    vector = rows(np.random.default_rng(0), 1)[0]
    clips = [
        clip(1, sightings=(sight(vector=vector),)),
        clip(2, sightings=(sight(score=0.49, vector=None),)),
        clip(3, sightings=(sight(vector=vector),)),
    ]
    result = ObjectFidelity().update(run(*clips)).compute()
    assert result.value == pytest.approx(1.0, **CLOSE)
    assert result.parts["coverage"] == 0.5
    assert result.items[0].value is None and "score 0.49" in result.items[0].note


@pytest.mark.parametrize(
    ("matches", "wanted"), [([0.5, 0.85], 0.25), ([1.0], 1.0), ([0.7, 0.94, 0.2], 0.8 / 3)]
)
def test_copy_paste(matches, wanted, clip, run, sight):
    clips = [
        clip(n, sightings=(sight(pixel_match=m, reference="store/1"),))
        for n, m in enumerate(matches, start=1)
    ]
    assert CopyPaste().update(run(*clips)).compute().value == pytest.approx(wanted, **CLOSE)


def test_a_food_that_changes_counts_as_seen(clip, run, sight):
    vector = rows(np.random.default_rng(0), 1)[0]
    carrot = {"name": "carrot", "role": "food", "state": "sliced", "vector": vector}
    clips = [
        clip(1, sightings=(sight(**carrot),)),
        clip(2, sightings=(sight(**carrot, changes=True),)),
        clip(3, sightings=(sight(**carrot),)),
    ]
    assert ObjectFidelity().update(run(*clips)).compute().items[0].facts == {"gap": 1}


def test_an_unreadable_reference_is_reported(clip, run, sight):
    vector = rows(np.random.default_rng(0), 1)[0]
    lost = sight(vector=vector, reference_lost="the reference of the pan (1.png) cannot be read")
    clips = [clip(1, sightings=(sight(vector=vector),)), clip(2, sightings=(lost,))]
    for metric in (ObjectFidelity, CopyPaste):
        result = metric().update(run(*clips)).compute()
        assert result.value is None and "cannot be read" in result.items[-1].note


@pytest.mark.parametrize("metric", [GoalConsistency, GoalRetrieval])
def test_the_reason_for_no_dish(metric, clip, run):
    steps = Texts(("a", "b"), rows(np.random.default_rng(0), 2))
    assert "no recipe" in metric().update(run(clip(1))).compute().state
    assert "last clip" in metric().update(run(clip(1), steps=steps)).compute().state


@pytest.mark.parametrize("seed", SEEDS)
def test_clip_score(seed, clip, run):
    rng = np.random.default_rng(seed)
    frames, steps = [rows(rng, 8), rows(rng, 8)], rows(rng, 2)
    clips = [clip(i + 1, clip_vectors=v) for i, v in enumerate(frames)]
    result = ClipScore().update(run(*clips, steps=Texts(("a", "b"), steps))).compute()
    wanted = [
        2.5 * sum(max(0.0, float(np.dot(frame, step))) for frame in each) / 8
        for each, step in zip(frames, steps, strict=True)
    ]
    assert result.value == pytest.approx(sum(wanted) / 2, **CLOSE)


def test_lpips(clip, run):
    made = run(clip(1), clip(2), clip(3), joint_distances={2: 0.3, 3: 0.1})
    result = Lpips().update(run(clip(1), joint_distances={})).compute()
    assert result.state.startswith("not applicable: there are no")
    assert Lpips().update(made).compute().value == pytest.approx(0.2, **CLOSE)
    gone = run(clip(1), clip(2), missing={LPIPS: "no weights"})
    assert Lpips().update(gone).compute().state == "unavailable: no weights"


def gap(real: np.ndarray, made: np.ndarray) -> float:
    """Replaces the Fréchet distance: the difference of the means."""
    return float(np.abs(real.mean() - made.mean()))


@pytest.mark.parametrize(("metric", "kind"), [(Fid, INCEPTION), (Fvd, VIDEO)])
def test_sets_are_compared_as_a_whole_and_not_averaged(metric, kind, clip, run):
    real = np.zeros((4, 2), np.float32)
    few, many = np.full((2, 2), 6, np.float32), np.zeros((10, 2), np.float32)
    both = metric()
    for made in (few, many):
        both.update(run(clip(1), sets={kind: SetEvidence(real, made, gap)}))
    assert both.compute().value == pytest.approx(1.0, **CLOSE) and both.compute().n == 12
    one = metric().update(run(clip(1), sets={kind: SetEvidence(real, few, gap)})).compute()
    assert one.value == pytest.approx(6.0, **CLOSE)
    alone = metric().update(run(clip(1), sets={kind: SetEvidence(real, few[:1], gap)})).compute()
    assert alone.state.startswith("not applicable: there are fewer")
    assert "no real clips" in metric().update(run(clip(1))).compute().state
