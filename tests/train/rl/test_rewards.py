"""Each reward tells good from bad, and no planted hack earns more than the honest clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageFilter

import procvid
from lab.metrics_proof.faults import pasted
from lab.pretrain.toy_crops import cut
from procvid.errors import InputError
from procvid.models.detectors.tiny import TinyDetector
from procvid.models.embedders.open_clip import OpenClipEmbedder
from procvid.models.judges.rules import RulesJudge
from procvid.models.scene_readers.tiny import TinyReader
from procvid.plan.variants import Choices
from procvid.toykitchen.dataset import NATURAL_STATES, NATURAL_VESSELS, random_item
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import ToyKitchen, random_kitchen, training_kitchen
from procvid.toykitchen.recipes import HELD_OUT
from procvid.toykitchen.render import Rendered, render
from procvid.toykitchen.scene import ACTIONS, TOOL_OF, Scene
from procvid.toykitchen.words import step_text
from procvid.train.rl.rewards import (
    identity,
    motion,
    not_pasted,
    object_state,
    text,
    unchanged_look,
    weighing,
)
from procvid.train.rl.rewards.clips import role_in, spread_frames
from procvid.train.rl.rewards.reward import Reward, Shown
from procvid.types import Frames, ModelInfo, PlannedObject, StepPlan

ASSETS = Path(procvid.__file__).parent / "assets"
READER = ASSETS / "tiny_reader"
MODULES = (identity, motion, not_pasted, object_state, text, unchanged_look)
SHOWN = {"slice": 2, "fry": 1, "mash": 2, "add": 1, "serve": 0}
"""Actions of the honest clips, with their seeds. With some seeds the renderer draws an object again in
the same place to the pixel, which counts as pasted (3 of 70 objects)."""

CLIPS_EACH = 24
"""Clips that set the band of an action."""


@dataclass(frozen=True, eq=False)
class Honest:
    """A rendered clip with its references and the scene behind it."""

    shown: Shown
    scene: Scene
    kitchen: ToyKitchen
    clip: Rendered

    def with_frames(self, frames: Frames) -> Shown:
        return replace(self.shown, frames=frames)


def scene_of(rng: np.random.Generator, action: str, food: str = "") -> Scene:
    """Return a usual scene of an action with one food."""
    state = str(rng.choice([s for s in NATURAL_STATES[action] if s != "peeled"]))
    item = random_item(rng, state, food or str(rng.choice(FOODS)))
    vessel = str(rng.choice(NATURAL_VESSELS[action]))
    return Scene(action, item, vessel, int(rng.integers(2**31)))


def plan_of(rng: np.random.Generator, scene: Scene, kitchen: ToyKitchen) -> StepPlan:
    """Return the true plan of a scene."""
    tool = TOOL_OF.get(scene.action)
    before, after = scene.state_before, scene.state_after
    planned = [
        PlannedObject(scene.vessel, "vessel", "", "clean", "in use", "highly_likely", 0.9),
        PlannedObject(scene.food_name, "food", "", before, after, "likely", 0.8),
        PlannedObject("counter", "surface", "", "clean", "clean", "highly_likely", 0.3),
        *([PlannedObject(tool, "tool", "", "clean", "in use", "likely", 0.5)] if tool else []),
    ]
    words = step_text(rng, scene, kitchen, scene.food_name)
    return StepPlan(1, words, scene.action, tuple(planned), words)


def honest_clip(action: str, seed: int = 0) -> Honest:
    """Return a held-out clip whose references come from another clip of the same kitchen."""
    rng = np.random.default_rng([HELD_OUT, ACTIONS.index(action), seed])
    kitchen, scene = random_kitchen(rng, "test"), scene_of(rng, action)
    other = scene_of(rng, action)
    seen = render(replace(other, vessel=scene.vessel), kitchen)
    roles = {scene.vessel: "vessel", "counter": "surface", TOOL_OF.get(action, ""): "tool"}
    references = {}
    for name, role in roles.items():
        places = [k for k, boxes in enumerate(seen.boxes) if name in boxes]
        if places:
            k = places[len(places) // 2] if role == "tool" else places[-1]
            references[name] = cut(seen.frames[k], seen.boxes[k][name], role)
    clip = render(scene, kitchen)
    shown = Shown(clip.frames, plan_of(rng, scene, kitchen), references)
    return Honest(shown, scene, kitchen, clip)


# Hacks: what a policy could do to please a reward


def first_held(case: Honest) -> Frames:
    return np.repeat(case.clip.frames[:1], len(case.clip.frames), axis=0)


def last_held(case: Honest) -> Frames:
    return np.repeat(case.clip.frames[-1:], len(case.clip.frames), axis=0)


def with_paste(case: Honest) -> Frames:
    name = case.scene.vessel
    return np.stack(
        [
            pasted(frame, case.shown.references[name], boxes[name])
            for frame, boxes in zip(case.clip.frames, case.clip.boxes, strict=True)
        ]
    )


def oversharpened(case: Honest) -> Frames:
    mask = ImageFilter.UnsharpMask(radius=2, percent=250, threshold=0)
    frames = [Pillow.fromarray(frame).filter(mask) for frame in case.clip.frames]
    return np.stack([np.asarray(frame) for frame in frames])


def hue_shifted(case: Honest) -> Frames:
    return case.clip.frames[..., [1, 2, 0]]


def oversaturated(case: Honest) -> Frames:
    colours = case.clip.frames.astype(np.float64)
    luma = (colours @ unchanged_look.LUMA)[..., None]
    return np.clip(luma + 1.6 * (colours - luma), 0, 255).astype(np.uint8)


def overexposed(case: Honest) -> Frames:
    return np.clip(1.35 * case.clip.frames, 0, 255).astype(np.uint8)


def with_wrong_food(case: Honest) -> Frames:
    others = [food for food in FOODS if food != case.scene.food_name]
    name = str(np.random.default_rng(case.scene.seed).choice(others))
    assert case.scene.food is not None
    wrong = replace(case.scene, food=replace(case.scene.food, name=name))
    return render(wrong, case.kitchen).frames


HACKS: dict[str, Callable[[Honest], Frames]] = {
    "first frame held": first_held,
    "last frame held": last_held,
    "reference pasted": with_paste,
    "oversharpened": oversharpened,
    "hue shifted": hue_shifted,
    "oversaturated": oversaturated,
    "overexposed": overexposed,
    "wrong food": with_wrong_food,
}


@pytest.fixture(scope="module")
def true_clips() -> list[tuple[str, Frames]]:
    """Clips of training kitchens, which stand for true clips and for the base model's clips."""
    clips = []
    for action in SHOWN:
        for seed in range(CLIPS_EACH):
            rng = np.random.default_rng([ACTIONS.index(action), seed])
            scene = scene_of(rng, action)
            clips.append((action, render(scene, training_kitchen(rng)).frames))
    return clips


@pytest.fixture(scope="module")
def rewards(true_clips: list[tuple[str, Frames]]) -> dict[str, Reward]:
    """All rewards with the models of the tiny profile."""
    reader = TinyReader(READER)
    judge = RulesJudge(Choices(FOODS, ACTIONS))
    made: list[Reward] = [
        object_state.ObjectStateReward(reader),
        identity.Identity(reader),
        text.Text(
            OpenClipEmbedder(ASSETS / "tiny_step_clip"), lambda step: judge.hard_negatives(step, 5)
        ),
        motion.Motion(motion.bands_of(true_clips)),
        not_pasted.NotPasted(
            TinyDetector(ASSETS / "tiny_detector", OpenClipEmbedder(ASSETS / "tiny_clip"))
        ),
        unchanged_look.UnchangedLook(unchanged_look.looks_of(f for _, f in true_clips)),
    ]
    return {reward.card.id: reward for reward in made}


@pytest.fixture(scope="module")
def cases() -> list[Honest]:
    return [honest_clip(action, seed) for action, seed in SHOWN.items()]


def scored(rewards: dict[str, Reward], clip: Shown) -> dict[str, float | None]:
    return {name: reward(clip) for name, reward in rewards.items()}


@pytest.fixture(scope="module")
def honest_values(rewards: dict[str, Reward], cases: list[Honest]) -> list[dict[str, float | None]]:
    return [scored(rewards, case.shown) for case in cases]


# All rewards together


def test_each_reward_has_a_card_named_like_its_file(rewards: dict[str, Reward]) -> None:
    assert set(rewards) == {module.__name__.rpartition(".")[2] for module in MODULES}
    assert set(rewards) == set(weighing.WEIGHINGS[weighing.DEFAULT_WEIGHING])
    for reward in rewards.values():
        assert all(vars(reward.card).values())
        assert all(model.id for model in reward.models)
    assert not rewards["motion"].models and rewards["identity"].models


def test_values_lie_in_their_range_and_repeat(
    rewards: dict[str, Reward], cases: list[Honest], honest_values: list[dict[str, float | None]]
) -> None:
    assert scored(rewards, cases[0].shown) == honest_values[0]
    for values in honest_values:
        assert all(value is not None and 0 <= value <= 1 for value in values.values())


def test_an_honest_clip_is_no_paste_and_moves_and_looks_as_usual(
    honest_values: list[dict[str, float | None]],
) -> None:
    for name in ("motion", "not_pasted", "unchanged_look"):
        assert min(values[name] or 0.0 for values in honest_values) >= 0.7, name
    for name in ("object_state", "identity"):
        assert np.mean([values[name] or 0.0 for values in honest_values]) >= 0.6, name


@pytest.mark.parametrize("hack", HACKS)
def test_a_planted_hack_earns_less(
    hack: str,
    rewards: dict[str, Reward],
    cases: list[Honest],
    honest_values: list[dict[str, float | None]],
) -> None:
    for case, honest in zip(cases, honest_values, strict=True):
        hacked = scored(rewards, case.with_frames(HACKS[hack](case)))
        for name, weights in weighing.WEIGHINGS.items():
            earned = weighing.combined(hacked, weights)
            deserved = weighing.combined(honest, weights)
            assert earned is not None and deserved is not None
            assert earned < deserved, f"{case.scene.action}, {name}: {hacked} against {honest}"


@pytest.mark.parametrize(
    ("hack", "reward", "most"),
    [
        ("first frame held", "motion", 0.0),
        ("last frame held", "motion", 0.0),
        ("reference pasted", "not_pasted", 0.5),
        ("oversharpened", "unchanged_look", 0.5),
        ("oversaturated", "unchanged_look", 0.5),
        ("overexposed", "unchanged_look", 0.5),
        ("hue shifted", "identity", 0.3),
        ("wrong food", "object_state", 0.5),
    ],
)
def test_the_reward_for_a_hack_sees_it(
    hack: str, reward: str, most: float, rewards: dict[str, Reward], cases: list[Honest]
) -> None:
    values = [rewards[reward](case.with_frames(HACKS[hack](case))) for case in cases]
    known = [value for value in values if value is not None]
    assert len(known) >= 4
    assert max(known) <= most


def test_time_counts_for_states(rewards: dict[str, Reward], cases: list[Honest]) -> None:
    """A clip that runs backwards ends in the state from before the step."""
    changing = [case for case in cases if case.scene.state_before != case.scene.state_after]
    assert changing
    for case in changing:
        forwards = rewards["object_state"](case.shown)
        backwards = rewards["object_state"](case.with_frames(case.clip.frames[::-1]))
        assert forwards is not None and backwards is not None
        assert backwards < forwards


# Single rewards, with small stand-ins for the models

INFO = ModelInfo("stand-in", "1")
GREY = np.full((4, 8, 8, 3), 128, np.uint8)


@dataclass
class ToyFits:
    """Answers for frames by the grey value of their first pixel; knows onions and pans."""

    fits: dict[tuple[int, str], float]
    info: ModelInfo = INFO

    def state_fit(self, images: list[np.ndarray], name: str, state: str) -> list[float] | None:
        if name != "onion" or not any(known == state for _, known in self.fits):
            return None
        return [self.fits.get((int(image[0, 0, 0]), state), 0.0) for image in images]

    def look_fit(
        self, images: list[np.ndarray], name: str, reference: np.ndarray
    ) -> list[float] | None:
        if name not in ("pan", "spoon", "onion"):
            return None
        return [self.fits.get((int(image[0, 0, 0]), name), 0.0) for image in images]


def numbered(count: int = 5) -> Frames:
    """Return frames whose pixels are their numbers."""
    return np.stack([np.full((8, 8, 3), number, np.uint8) for number in range(count)])


def step_of(action: str, *objects: tuple[str, str, str, str], text: str = "Slice it.") -> StepPlan:
    planned = tuple(
        PlannedObject(name, role, "", before, after, "likely", 0.5)  # type: ignore[arg-type]
        for name, role, before, after in objects
    )
    return StepPlan(1, text, action, planned, text)


ONION = ("onion", "food", "whole", "sliced")


def test_object_state_is_a_geometric_mean_of_both_ends() -> None:
    fits = {(0, "whole"): 0.81, (3, "sliced"): 0.2, (4, "sliced"): 0.6}
    reward = object_state.ObjectStateReward(ToyFits(fits))
    clip = Shown(numbered(), step_of("slice", ONION), {})
    assert reward(clip) == pytest.approx(np.sqrt(0.81 * 0.4))
    nothing_right = Shown(numbered()[::-1].copy(), clip.step, {})
    assert reward(nothing_right) == pytest.approx(object_state.FLOOR)


def test_object_state_leaves_out_what_the_reader_does_not_know() -> None:
    fits = {(0, "whole"): 1.0, (3, "sliced"): 1.0, (4, "sliced"): 1.0}
    reward = object_state.ObjectStateReward(ToyFits(fits))
    salt, pan = ("salt", "food", "plain", "plain"), ("pan", "vessel", "clean", "in use")
    odd = ("onion", "food", "whole", "levitating")
    assert reward(Shown(numbered(), step_of("slice", ONION, salt, pan), {})) == 1.0
    assert reward(Shown(numbered(), step_of("slice", salt, pan), {})) is None
    assert reward(Shown(numbered(), step_of("slice", odd), {})) is None


def test_a_food_that_comes_in_may_be_missing_at_first() -> None:
    fits = {(0, "absent"): 0.9, (0, "whole"): 0.1, (3, "whole"): 1.0, (4, "whole"): 1.0}
    whole = ("onion", "food", "whole", "whole")
    reward = object_state.ObjectStateReward(ToyFits(fits))
    assert reward(Shown(numbered(), step_of("add", whole), {})) == pytest.approx(1.0)
    assert reward(Shown(numbered(), step_of("stir", whole), {})) == pytest.approx(np.sqrt(0.1))
    never_absent = {key: fit for key, fit in fits.items() if key[1] != "absent"}
    reward = object_state.ObjectStateReward(ToyFits(never_absent))
    assert reward(Shown(numbered(), step_of("add", whole), {})) == pytest.approx(1.0)


def test_identity_takes_the_mean_of_frames_and_the_best_of_a_tool() -> None:
    fits = {(0, "pan"): 0.9, (2, "pan"): 0.6, (4, "pan"): 0.3, (3, "spoon"): 0.8, (0, "onion"): 1.0}
    reward = identity.Identity(ToyFits(fits))
    step = step_of("stir", ("pan", "vessel", "", ""), ("spoon", "tool", "", ""), ONION)
    images = dict.fromkeys(("pan", "spoon", "onion", "cloud"), GREY[0])
    assert reward(Shown(numbered(), step, images)) == pytest.approx((0.6 + 0.8) / 2)
    assert reward(Shown(numbered(), step, {"onion": GREY[0], "cloud": GREY[0]})) is None
    assert reward(Shown(numbered(), step, {})) is None


class ToyScorer:
    """A scorer whose image vectors are (1, 0) and whose first text fits best."""

    info, dim, logit_scale = INFO, 2, 10.0

    def embed_images(self, images: list[np.ndarray]) -> np.ndarray:
        return np.tile(np.array([1.0, 0.0], np.float32), (len(images), 1))

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        return np.array([[1.0, 0.0], *[[0.0, 1.0]] * (len(texts) - 1)], np.float32)


def test_text_is_the_probability_of_the_right_one() -> None:
    clip = Shown(numbered(), step_of("slice", ONION, text="Slice the onion."), {})
    reward = text.Text(ToyScorer(), lambda step: ("Fry the onion.", step, "Slice the egg."))
    assert reward(clip) == pytest.approx(1 / (1 + 2 * np.exp(-10.0)), rel=1e-4)
    assert text.Text(ToyScorer(), lambda step: ())(clip) is None
    without = replace(clip, step=step_of("slice", ONION, text=""))
    assert reward(without) is None


@pytest.mark.parametrize(
    ("moved", "value"), [(2, 1.0), (3, 1.0), (8, 1.0), (16, 0.0), (1, 0.0), (11.314, 0.5), (0, 0)]
)
def test_motion_falls_with_octaves_outside_the_band(moved: float, value: float) -> None:
    assert motion.within(moved, 2.0, 8.0) == pytest.approx(value, abs=1e-3)


def test_bands_need_enough_true_clips() -> None:
    moving = numbered()
    bands = motion.bands_of([("stir", moving)] * 4 + [("fry", moving)] * 3)
    assert bands == {"stir": (1.0, 1.0)}


def test_motion_without_a_band_tells_only_stills() -> None:
    case = honest_clip("fry")
    reward = motion.Motion({})
    assert reward(case.shown) is None
    assert reward(case.with_frames(first_held(case))) == 0.0
    assert reward(case.with_frames(case.clip.frames[:1])) == 0.0


def test_nothing_has_to_move_while_waiting() -> None:
    still = np.repeat(GREY[:1], 6, axis=0)
    waits = Shown(still, step_of("wait", ONION), {})
    assert motion.Motion({})(waits) is None
    assert motion.Motion({"wait": (1.0, 2.0)})(waits) == 1.0


def test_two_pictures_in_turns_are_a_still(rewards: dict[str, Reward], cases: list[Honest]) -> None:
    for case in cases:
        ends = case.clip.frames[[0, -1]]
        in_turns = ends[[0, 1] * 8]
        assert rewards["motion"](case.with_frames(in_turns)) == 0.0


def test_not_pasted_needs_a_reference_that_is_found(
    rewards: dict[str, Reward], cases: list[Honest]
) -> None:
    shown = cases[0].shown
    only_counter = {"counter": shown.references["counter"]}
    assert rewards["not_pasted"](replace(shown, references=only_counter)) is None
    assert rewards["not_pasted"](replace(shown, references={})) is None
    grey = np.full_like(shown.frames, 128)
    assert rewards["not_pasted"](replace(shown, frames=grey)) is None


def test_the_look_of_like_clips_has_some_room() -> None:
    bands = unchanged_look.looks_of([GREY] * 8)
    assert bands.exposure == pytest.approx((128.0, 128.0))
    assert bands.as_json()["clipped"] == [0.0, 0.0]
    reward = unchanged_look.UnchangedLook(bands)
    step = step_of("slice", ONION)
    assert reward(Shown(GREY, step, {})) == pytest.approx(1.0)
    assert reward(Shown(GREY + np.uint8(2), step, {})) == pytest.approx(0.5)
    assert reward(Shown(GREY + np.uint8(60), step, {})) == 0.0
    with pytest.raises(InputError, match=r"7 clips .* too few"):
        unchanged_look.looks_of([GREY] * 7)


def test_frames_are_spread_over_the_clip() -> None:
    assert [int(frame[0, 0, 0]) for frame in spread_frames(numbered(17), 3)] == [0, 8, 16]
    assert len(spread_frames(numbered(2), 5)) == 2
    assert len(spread_frames(numbered(1), 3)) == 1


def test_roles_come_from_the_plan_then_from_the_lexicon() -> None:
    step = step_of("stir", ("thing", "tool", "", ""))
    names = ("thing", "frying pan", "counter", "unheard of")
    assert [role_in(step, name) for name in names] == ["tool", "vessel", "surface", "food"]
