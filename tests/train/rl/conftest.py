"""A quick base model, shots with one reference, and a training on brightness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from procvid.machine.spread import Spread
from procvid.settings import TINY
from procvid.train.lora.training import Base
from procvid.train.rl.rewards.reward import RewardCard, Shown
from procvid.train.rl.rollouts import make_maker
from procvid.train.rl.settings import RlSettings
from procvid.train.rl.shots import Shot
from procvid.train.rl.training import Reinforcement
from procvid.types import ModelInfo, PlannedObject, StepPlan
from tests.quick_models import make_quick_assets

SAMPLING = replace(TINY.sampling, num_inference_steps=2)
MEAN, STRENGTH = 0.49527, 5000.0
"""Clips of the quick model are faint: their brightness differs by .00001."""


def amplified(value: float) -> float:
    """Return a reward, 0 to 1, from a brightness, 0 to 1."""
    return float(np.clip(0.5 + (value - MEAN) * STRENGTH, 0, 1))


CARD = RewardCard("text", "Brightness", "White is 1.", "Never.", "None.")


@dataclass(eq=False)
class Bright:
    """What `answer` makes of the mean brightness of a clip, 0 to 1."""

    answer: Callable[[float], float | None] = amplified
    models: tuple[ModelInfo, ...] = ()
    card: ClassVar[RewardCard] = CARD

    def __call__(self, clip: Shown) -> float | None:
        return self.answer(float(clip.frames.mean()) / 255)


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Base:
    assets = make_quick_assets(tmp_path_factory.mktemp("assets"))
    return Base(assets / "tiny_phantom", "tiny", SAMPLING)


@pytest.fixture(scope="session")
def shots() -> list[Shot]:
    pan = PlannedObject("frying pan", "vessel", "", "clean", "in use", "highly_likely", 0.9)
    image = np.full((20, 30, 3), 90, np.uint8)
    return [
        Shot(f"shot-{k}", StepPlan(1, text, "fry", (pan,), text), text, (("frying pan", image),))
        for k, text in enumerate(("Fry the onion.", "Slice the carrot.", "Stir the egg."))
    ]


@pytest.fixture(scope="session")
def reinforcement(base, shots) -> Callable[..., Reinforcement]:
    """Return a function that makes a training: 2 shots, groups of 3, 2 denoising steps."""

    def make(
        out: Path,
        reward=None,
        *,
        judges=(),
        workers: int = 1,
        make_reader=None,
        kind: str = "text",
        **changes,
    ) -> Reinforcement:
        defaults = {
            "iterations": 2, "shots": 2, "group": 3, "levels": 2, "rank": 2, "validation": 1,
            "validate_every": 100, "learning_rate": 1e-2, "kl": 0.01, "sde_steps": 1,
        }  # fmt: skip
        settings = RlSettings(rewards={kind: 1.0}, **{**defaults, **changes})
        return Reinforcement(
            out=out,
            base=base,
            settings=settings,
            shots=shots[:2],
            held_out=shots[2:],
            rewards={kind: reward or Bright()},
            judges=judges,
            spread=Spread(partial(make_maker, base.folder, SAMPLING, settings), workers),
            make_reader=make_reader,
            waits_s=(0.01, 0.01),
        )

    return make
