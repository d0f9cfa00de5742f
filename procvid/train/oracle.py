"""The oracle: a small network, trained on the renderer's truth, that names what a toy clip shows.

It judges the generator: action, food, state after, and the vessel's colour, shape and pattern, and
the counter. It sees nothing but the clip's frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from procvid.toykitchen.dataset import UNKNOWN_FOOD, random_clip
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import COUNTERS, PATTERNS, SHAPES, VESSEL_COLOURS, Kitchen
from procvid.toykitchen.render import ACTIONS, NUM_FRAMES, STATES, Rendered, Scene
from procvid.train.loop import Schedule, train
from procvid.types import Frames

CLASSES: dict[str, tuple[str, ...]] = {
    "action": ACTIONS,
    "food": (*FOODS, UNKNOWN_FOOD, "nothing"),
    "state": (*STATES, "none"),
    "vessel_colour": tuple(VESSEL_COLOURS),
    "vessel_shape": tuple(f"{shape} {name}" for name, shapes in SHAPES.items() for shape in shapes),
    "vessel_pattern": PATTERNS,
    "counter": tuple(COUNTERS),
}

DrawClip = Callable[[np.random.Generator], tuple[Kitchen, Scene, Rendered]]


def truth_of(scene: Scene, kitchen: Kitchen) -> dict[str, str]:
    """The right answer for each of `CLASSES`."""
    look = kitchen.vessels[scene.vessel]
    return {
        "action": scene.action,
        "food": scene.food or "nothing",
        "state": scene.state_after if scene.food else "none",
        "vessel_colour": look.colour,
        "vessel_shape": f"{look.shape} {scene.vessel}",
        "vessel_pattern": look.pattern,
        "counter": kitchen.counter,
    }


class Oracle(nn.Module):
    """All nine frames stacked as channels, five convolutions, one linear head a question."""

    def __init__(
        self, width: int = 48, classes: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        super().__init__()
        self.classes = dict(classes or CLASSES)
        layers: list[nn.Module] = []
        channels = [3 * NUM_FRAMES, width, width * 2, width * 3, width * 4]
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]
        self.body = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(channels[-1] * 16, 256), nn.SiLU()
        )
        self.heads = nn.ModuleDict(
            {name: nn.Linear(256, len(words)) for name, words in self.classes.items()}
        )

    def forward(self, clips: torch.Tensor) -> dict[str, torch.Tensor]:
        """float (B, 3, 9, 64, 64) in -1..1 to logits by question."""
        hidden = self.body(clips.flatten(1, 2))
        return {name: head(hidden) for name, head in self.heads.items()}

    @torch.no_grad()
    def name(self, clips: list[Frames]) -> list[dict[str, str]]:
        """Answers for uint8 (9, 64, 64, 3) clips."""
        video = torch.from_numpy(np.stack(clips)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1
        best = {name: logits.argmax(1).tolist() for name, logits in self(video).items()}
        return [
            {name: words[best[name][k]] for name, words in self.classes.items()}
            for k in range(len(clips))
        ]


def soften(rng: np.random.Generator, video: torch.Tensor) -> torch.Tensor:
    """Blur, noise and a small shift of colour, so that a VAE's softness is no surprise."""
    flat = video.transpose(1, 2).flatten(0, 1)
    if rng.random() < 0.7:
        small = F.interpolate(
            flat, scale_factor=float(rng.uniform(0.45, 0.9)), mode="bilinear", antialias=True
        )
        flat = F.interpolate(small, size=(64, 64), mode="bilinear")
    flat = flat + 0.05 * torch.randn_like(flat) + 0.03 * torch.randn(1, 3, 1, 1)
    return flat.unflatten(0, (len(video), -1)).transpose(1, 2)


def train_oracle(folder: Path, steps: int, seed: int = 0) -> Oracle:
    """Cross-entropy on every question."""
    torch.manual_seed(seed)
    model = Oracle()

    def losses(rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
        drawn = [random_clip(rng) for _ in range(32)]
        video = (
            torch.from_numpy(np.stack([d[2].frames for d in drawn])).permute(0, 4, 1, 2, 3).float()
            / 127.5
            - 1
        )
        truths = [truth_of(scene, kitchen) for kitchen, scene, _ in drawn]
        out = model(soften(rng, video))
        return {
            name: F.cross_entropy(out[name], torch.tensor([words.index(t[name]) for t in truths]))
            for name, words in CLASSES.items()
        }

    schedule = Schedule(steps, muon_lr=0.01, adamw_lr=1e-3, ema=0.99, seed=seed, decay=0.5)
    return train(model, losses, schedule, folder, "oracle")


def accuracy(
    model: Oracle, seed: int = 7, clips: int = 300, draw_clip: DrawClip = random_clip
) -> dict[str, float]:
    """Share of right answers on held-out renders."""
    rng = np.random.default_rng(seed)
    drawn = [draw_clip(rng) for _ in range(clips)]
    answers = model.name([d[2].frames for d in drawn])
    truths = [truth_of(scene, kitchen) for kitchen, scene, _ in drawn]
    return {
        name: float(np.mean([a[name] == t[name] for a, t in zip(answers, truths, strict=True)]))
        for name in model.classes
    }
