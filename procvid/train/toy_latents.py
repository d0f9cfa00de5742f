"""Latents of toy clips and their references, encoded once with the trained VAE.

References come from *another* clip of the same kitchen (Phantom's cross-pair training): the vessel
keyed onto white, the food in the state it is in before the step, a patch of the counter, the tool.
Half of them have been through the VAE, as crops of the model's own clips are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from safetensors.torch import load_file, save_file

from procvid.phantom.references import letter_box
from procvid.toykitchen.dataset import random_scene
from procvid.toykitchen.identity import VESSELS, Kitchen, random_kitchen
from procvid.toykitchen.render import COUNTER_BOX, NUM_FRAMES, SIZE, TOOL_OF, Scene, render
from procvid.train.tiny_vae import to_video
from procvid.train.toy_crops import cut, noisy, role_of
from procvid.types import Image

KINDS = ("vessel", "food", "surface", "tool")
TOOL_ACTION = {tool: action for action, tool in TOOL_OF.items()}


def sample_of(seed: int, index: int) -> tuple[np.random.Generator, Kitchen, Scene]:
    """The kitchen and scene of a training clip, and the generator to go on with."""
    rng = np.random.default_rng([seed, index, 11])
    return rng, random_kitchen(rng), random_scene(rng)


def source_frames(
    rng: np.random.Generator, kitchen: Kitchen, scene: Scene
) -> list[tuple[Image, tuple, str]]:
    """One frame, box and name for each kind of reference (see `KINDS`), from other clips of the kitchen."""

    def frame(other: Scene, k: int, name: str) -> tuple[Image, tuple, str]:
        clip = render(other, kitchen, only=k)
        return clip.frames[0], clip.boxes[0].get(name, COUNTER_BOX), name

    def seed() -> int:
        return int(rng.integers(2**31))

    elsewhere = str(rng.choice(VESSELS))
    tool = TOOL_OF.get(scene.action, str(rng.choice(list(TOOL_ACTION))))
    food_scene = Scene("add", scene.food, scene.state_before, elsewhere, seed())
    return [
        frame(random_scene(rng, scene.vessel), int(rng.integers(NUM_FRAMES)), scene.vessel),
        frame(food_scene, NUM_FRAMES - 1, scene.food or "counter"),
        frame(random_scene(rng), int(rng.integers(NUM_FRAMES)), "counter"),
        frame(
            Scene(TOOL_ACTION[tool], "onion", "whole", elsewhere, seed()),
            int(rng.integers(1, 8)),
            tool,
        ),
    ]


@dataclass(frozen=True)
class ToyLatents:
    """float16 tensors: `video` (N, C, 3, 8, 8), `still` (N, C, 1, 8, 8), `references` (N, 4, C, 8, 8)."""

    video: torch.Tensor
    still: torch.Tensor
    references: torch.Tensor
    seed: int
    first: int

    def scene(self, index: int) -> tuple[Kitchen, Scene]:
        """Kitchen and scene of a row."""
        _, kitchen, scene = sample_of(self.seed, self.first + index)
        return kitchen, scene


@torch.no_grad()
def _encode(vae: AutoencoderKLWan, frames: np.ndarray) -> torch.Tensor:
    return vae.encode(to_video(frames)).latent_dist.mode()


@torch.no_grad()
def encode_range(
    vae: AutoencoderKLWan, first: int, count: int, file: Path, seed: int = 0, batch: int = 16
) -> None:
    """Encode clips `first` to `first + count` and write them to a safetensors file; normalised latents."""
    mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1)
    std = torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1)
    videos, stills, references = [], [], []
    for start in range(first, first + count, batch):
        clips, singles, frames, cuts = [], [], [], []
        for index in range(start, min(start + batch, first + count)):
            rng, kitchen, scene = sample_of(seed, index)
            clip = render(scene, kitchen).frames
            clips.append(clip)
            singles.append(clip[int(rng.integers(NUM_FRAMES))][None])
            for image, box, name in source_frames(rng, kitchen, scene):
                frames.append(image)
                cuts.append((noisy(rng, box), name, rng.random() < 0.5))
        seen = vae.decode(_encode(vae, np.stack(frames)[:, None])).sample[:, :, 0]
        blurred = ((seen.permute(0, 2, 3, 1) + 1) * 127.5).clamp(0, 255).byte().numpy()
        crops = [
            np.asarray(
                letter_box(cut(blurred[k] if soft else frames[k], box, role_of(name)), SIZE, SIZE)
            )
            for k, (box, name, soft) in enumerate(cuts)
        ]
        videos.append((_encode(vae, np.stack(clips)) - mean) / std)
        stills.append((_encode(vae, np.stack(singles)) - mean) / std)
        encoded = (_encode(vae, np.stack(crops)[:, None]) - mean) / std
        references.append(encoded[:, :, 0].unflatten(0, (-1, len(KINDS))))
    tensors = {
        "video": torch.cat(videos),
        "still": torch.cat(stills),
        "references": torch.cat(references),
    }
    save_file({k: v.half().contiguous() for k, v in tensors.items()}, file)


def load_latents(files: list[Path], count: int, seed: int = 0) -> ToyLatents:
    """Join files of consecutive ranges, in order."""
    parts = [load_file(f) for f in files]
    joined = {k: torch.cat([p[k] for p in parts])[:count] for k in parts[0]}
    return ToyLatents(joined["video"], joined["still"], joined["references"], seed, 0)
