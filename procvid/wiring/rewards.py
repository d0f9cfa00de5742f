"""Build the rewards, the held-out judges and the toy shots of a reinforcement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice

import numpy as np

from procvid.run.parts import Parts, start_memory
from procvid.run.step import conditioning_of
from procvid.settings import Profile
from procvid.toykitchen.dataset import random_clip
from procvid.toykitchen.recipes import random_recipe
from procvid.toykitchen.scene import STATES
from procvid.train.rl.held_out import CropIdentity, CropState
from procvid.train.rl.readers import CropLookReader, SceneStateReader
from procvid.train.rl.rewards.identity import Identity
from procvid.train.rl.rewards.motion import Motion, bands_of
from procvid.train.rl.rewards.not_pasted import NotPasted
from procvid.train.rl.rewards.object_state import ObjectStateReward
from procvid.train.rl.rewards.reward import LookReader, Reward, StateReader
from procvid.train.rl.rewards.text import Text
from procvid.train.rl.rewards.unchanged_look import UnchangedLook, looks_of
from procvid.train.rl.shots import Shot
from procvid.train.rl.watch import HeldOutJudge
from procvid.types import Frames, Recipe, StepChanges
from procvid.wiring.evaluation import (
    build_frame_encoder,
    build_judge,
    build_scorer,
    build_tiny_reader,
    build_watching_reader,
)
from procvid.wiring.stores import build_detector, build_embedder

NEGATIVES = 5
TRUE_CLIPS = 200
"""Rendered clips that set the bands of motion."""

TRUE_SEED = 240
TOY = "toykitchen"


def build_rewards(
    profile: Profile,
    weights: Mapping[str, float],
    *,
    base_clips: Callable[[], Sequence[Frames]],
    true_clips: Sequence[tuple[str, Frames]] = (),
) -> dict[str, Reward]:
    """Build the rewards that have a weight.

    Args:
        profile: Whose judges.
        weights: Weight by reward.
        base_clips: Makes clips of the base model, whose look the policy must keep.
        true_clips: Actions with clips of the data, which set the bands of motion; by default those of
            the toy kitchen.

    Raises:
        UnavailableError: A judge is missing.
    """
    states, looks = _readers(profile)

    def motion() -> Reward:
        clips = true_clips or list(_rendered_clips())
        return Motion(bands_of(clips))

    def text() -> Reward:
        negatives = partial(build_judge(profile).hard_negatives, count=NEGATIVES)
        return Text(build_scorer(profile), negatives)

    makers: dict[str, Callable[[], Reward]] = {
        "object_state": lambda: ObjectStateReward(states()),
        "identity": lambda: Identity(looks()),
        "text": text,
        "motion": motion,
        "not_pasted": lambda: NotPasted(build_detector(profile, build_embedder(profile))),
        "unchanged_look": lambda: UnchangedLook(looks_of(base_clips())),
    }
    return {name: makers[name]() for name, weight in weights.items() if weight}


def _readers(profile: Profile) -> tuple[Callable[[], StateReader], Callable[[], LookReader]]:
    if profile.fixed_vocabulary:
        tiny = build_tiny_reader(profile)
        return lambda: tiny, lambda: tiny

    def looks() -> LookReader:
        return CropLookReader(
            build_detector(profile, build_embedder(profile)), build_frame_encoder(profile)
        )

    return lambda: SceneStateReader(build_watching_reader(profile)), looks


def build_held_out(profile: Profile) -> list[HeldOutJudge]:
    """Build the judges that no reward uses: for the tiny profile the CLIP of the memory.

    Raises:
        UnavailableError: The embedder is missing.
    """
    embedder = build_embedder(profile)
    detector = build_detector(profile, embedder)
    return [CropIdentity(detector, embedder), CropState(detector, embedder, STATES)]


def toy_shots(parts: Parts, seed: int, count: int, every: int = 1) -> list[Shot]:
    """Return shots of training recipes of the toy kitchen, as the product conditions them.

    Args:
        parts: Planner and memory.
        seed: First seed of the recipes.
        count: Number of shots.
        every: Take every so many shots, so that a few come from many recipes.
    """
    return list(islice(_shots(parts, seed), 0, count * every, every))


def _shots(parts: Parts, seed: int) -> Iterator[Shot]:
    number = seed
    while True:
        recipe = random_recipe(number)
        plan = parts.planner.plan(Recipe(recipe.title, tuple(s.text for s in recipe.steps)))
        memory = start_memory(parts, number, plan)
        for step in plan.steps:
            made = conditioning_of(parts, step, memory, StepChanges())
            if any(item.role == "food" for item in step.objects):
                yield Shot(
                    f"{TOY}-{number}-{step.number}",
                    step,
                    made.prompt,
                    tuple((slot.object_name, slot.image) for slot in made.slots),
                )
        number += 1


def _rendered_clips() -> Iterator[tuple[str, Frames]]:
    rng = np.random.default_rng(TRUE_SEED)
    for _ in range(TRUE_CLIPS):
        _, scene, clip = random_clip(rng)
        yield scene.action, clip.frames
