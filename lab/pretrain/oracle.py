"""Train the oracle, a small network that classifies what a toy clip shows.

It judges the generator and sees only frames. It names the action, food, final state, and the looks
of vessel, counter, tool and side object, and estimates the exact colours of vessel, counter and
tool. It is trained on the renderer's ground truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from lab.pretrain.vae import to_video
from procvid.toykitchen.dataset import UNKNOWN_FOOD, random_clip
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import (
    COLOURS,
    COUNTER_PATTERNS,
    COUNTERS,
    HANDLES,
    PATTERNS,
    RGB,
    SHAPES,
    SIDE_OBJECTS,
    ToyKitchen,
)
from procvid.toykitchen.render import NUM_FRAMES, SIZE, Rendered
from procvid.toykitchen.scene import ACTIONS, STATES, TOOL_OF, Scene
from procvid.train.loop import Batch, Schedule, train
from procvid.types import Frames

CLASSES: dict[str, tuple[str, ...]] = {
    "action": ACTIONS,
    "food": (*FOODS, UNKNOWN_FOOD, "nothing"),
    "state": (*STATES, "none"),
    "other": (*FOODS, "none"),
    "vessel_colour": tuple(COLOURS),
    "vessel_shape": tuple(f"{shape} {name}" for name, shapes in SHAPES.items() for shape in shapes),
    "vessel_pattern": PATTERNS,
    "counter": tuple(COUNTERS),
    "counter_pattern": COUNTER_PATTERNS,
    "tool_colour": (*COLOURS, "none"),
    "tool_pattern": (*HANDLES, "none"),
    "side": (*SIDE_OBJECTS, "none"),
    "side_colour": (*COLOURS, "none"),
}

DrawClip = Callable[[np.random.Generator], tuple[ToyKitchen, Scene, Rendered]]


def truth_of(scene: Scene, kitchen: ToyKitchen) -> dict[str, str]:
    """Return the right answer to each question of `CLASSES`."""
    look = kitchen.vessels[scene.vessel]
    tool = kitchen.tools[TOOL_OF[scene.action]] if scene.action in TOOL_OF else None
    return {
        "action": scene.action,
        "food": scene.food.name if scene.food else "nothing",
        "state": scene.state_after or "none",
        "other": scene.others[0].name if scene.others else "none",
        "vessel_colour": look.colour,
        "vessel_shape": f"{look.shape} {scene.vessel}",
        "vessel_pattern": look.pattern,
        "counter": kitchen.counter.colour,
        "counter_pattern": kitchen.counter.pattern,
        "tool_colour": tool.colour if tool else "none",
        "tool_pattern": tool.pattern if tool else "none",
        "side": kitchen.side.kind if kitchen.side else "none",
        "side_colour": kitchen.side.colour if kitchen.side else "none",
    }


COLOURED = ("vessel", "counter", "tool")


def colours_of(scene: Scene, kitchen: ToyKitchen) -> list[RGB | None]:
    """Return the exact RGB of each of `COLOURED`; None for a missing tool."""
    tool = kitchen.tools[TOOL_OF[scene.action]].rgb if scene.action in TOOL_OF else None
    return [kitchen.vessels[scene.vessel].rgb, kitchen.counter.rgb, tool]


INPUT_FRAMES = range(0, NUM_FRAMES, 2)


class Oracle(nn.Module):
    """Stacks every second frame as channels; four convolutions and a linear head per question."""

    def __init__(
        self, width: int = 48, classes: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        super().__init__()
        self.classes = dict(classes or CLASSES)
        layers: list[nn.Module] = []
        channels = [3 * len(INPUT_FRAMES), width, width * 2, width * 3, width * 4]
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]
        self.body = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(channels[-1] * (SIZE // 16) ** 2, 256), nn.SiLU()
        )
        self.heads = nn.ModuleDict(
            {name: nn.Linear(256, len(words)) for name, words in self.classes.items()}
        )
        self.colours = nn.Linear(256, 3 * len(COLOURED))

    def hidden(self, clips: torch.Tensor) -> torch.Tensor:
        """Map float (B, 3, 17, 96, 96) in -1..1, or its `INPUT_FRAMES`, to features (B, 256)."""
        frames = clips[:, :, list(INPUT_FRAMES)] if clips.shape[2] == NUM_FRAMES else clips
        return self.body(frames.flatten(1, 2))

    def forward(self, clips: torch.Tensor) -> dict[str, torch.Tensor]:
        """Map float (B, 3, 17, 96, 96) in -1..1 to logits by question."""
        hidden = self.hidden(clips)
        return {name: head(hidden) for name, head in self.heads.items()}

    def rgb(self, hidden: torch.Tensor) -> torch.Tensor:
        """Map features (B, 256) to RGB (0 to 255) of each of `COLOURED`, float (B, 3, 3)."""
        return 127.5 * (self.colours(hidden).unflatten(1, (len(COLOURED), 3)) + 1)

    @torch.no_grad()
    def colour(self, clips: list[Frames]) -> np.ndarray:
        """Return RGB of vessel, counter and tool in uint8 (17, 96, 96, 3) clips, float (B, 3, 3)."""
        return self.rgb(self.hidden(to_video(np.stack(clips)))).numpy()

    @torch.no_grad()
    def name(self, clips: list[Frames]) -> list[dict[str, str]]:
        """Return answers for uint8 (17, 96, 96, 3) clips."""
        video = to_video(np.stack(clips))
        best = {name: logits.argmax(1).tolist() for name, logits in self(video).items()}
        return [
            {name: words[best[name][k]] for name, words in self.classes.items()}
            for k in range(len(clips))
        ]


def soften(scale: float, video: torch.Tensor) -> torch.Tensor:
    """Blur by resizing to `scale` and back, and add noise and a small colour shift.

    This prepares the oracle for the softness of a VAE. A scale of 1 does not blur.
    """
    flat = video.transpose(1, 2).flatten(0, 1)
    if scale < 1:
        small = F.interpolate(flat, scale_factor=scale, mode="bilinear", antialias=True)
        flat = F.interpolate(small, size=(SIZE, SIZE), mode="bilinear")
    flat = flat + 0.05 * torch.randn_like(flat) + 0.03 * torch.randn(1, 3, 1, 1, device=flat.device)
    return flat.unflatten(0, (len(video), -1)).transpose(1, 2)


def train_oracle(folder: Path, steps: int, seed: int = 0) -> Oracle:
    """Train with cross-entropy on every question and L1 on colours."""
    torch.manual_seed(seed)
    model = Oracle()

    def draw(rng: np.random.Generator, step: int) -> Batch:
        drawn = [random_clip(rng, "any", only=INPUT_FRAMES) for _ in range(24)]
        truths = [truth_of(scene, kitchen) for kitchen, scene, _ in drawn]
        right = [colours_of(scene, kitchen) for kitchen, scene, _ in drawn]
        return {
            "frames": torch.from_numpy(np.stack([d[2].frames for d in drawn])),
            "has_colour": torch.tensor([[c is not None for c in row] for row in right]),
            "rgb": torch.tensor([[c or (0, 0, 0) for c in row] for row in right]).float(),
            "softness": torch.tensor(rng.uniform(0.45, 0.9) if rng.random() < 0.7 else 1.0),
            **{n: torch.tensor([w.index(t[n]) for t in truths]) for n, w in CLASSES.items()},
        }

    def losses(batch: Batch) -> Batch:
        hidden = model.hidden(soften(float(batch["softness"]), to_video(batch["frames"])))
        found = {
            name: F.cross_entropy(head(hidden), batch[name]) for name, head in model.heads.items()
        }
        error = (model.rgb(hidden) - batch["rgb"])[batch["has_colour"]]
        return {**found, "colours": error.abs().mean() / 32}

    schedule = Schedule(steps, muon_lr=0.01, adamw_lr=1e-3, ema=0.99, seed=seed, decay=0.5)
    return train(model, draw, losses, schedule, folder, "oracle")


def held_out_clip(rng: np.random.Generator) -> tuple[ToyKitchen, Scene, Rendered]:
    """Return a random clip with looks of the test kitchen."""
    return random_clip(rng, "test")


def accuracy(
    model: Oracle, seed: int = 7, clips: int = 300, draw_clip: DrawClip = held_out_clip
) -> dict[str, float]:
    """Return shares of right answers on held-out clips, and mean RGB distances of colours."""
    rng = np.random.default_rng(seed)
    drawn = [draw_clip(rng) for _ in range(clips)]
    answers = model.name([d[2].frames for d in drawn])
    truths = [truth_of(scene, kitchen) for kitchen, scene, _ in drawn]
    shares = {
        name: float(np.mean([a[name] == t[name] for a, t in zip(answers, truths, strict=True)]))
        for name in model.classes
    }
    colours = model.colour([d[2].frames for d in drawn])
    for k, name in enumerate(COLOURED):
        pairs = [
            (row[k], true[k])
            for row, true in zip(colours, (colours_of(s, w) for w, s, _ in drawn), strict=True)
            if true[k] is not None
        ]
        shares[f"{name}_rgb_error"] = float(
            np.mean([np.linalg.norm(a - np.array(b)) for a, b in pairs])
        )
    return shares
