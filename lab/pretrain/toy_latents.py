"""Encode toy clips and their references once with the trained VAE.

References come from *another* clip of the same kitchen (Phantom's cross-pair training): the vessel
keyed onto white, the food in its state before the step, a patch of the counter with the side object,
and one more: the tool, another food, or an unused tool. Half of them are first encoded and decoded
by the VAE, like crops of the model's own clips.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.utils.data import Dataset

from lab.pretrain.toy_crops import cut, noisy, role_of
from lab.pretrain.vae import to_video
from procvid.errors import InputError
from procvid.phantom.references import letter_box
from procvid.storage.atomic import replacing
from procvid.toykitchen.dataset import random_scene
from procvid.toykitchen.identity import TOOLS, ToyKitchen, training_kitchen
from procvid.toykitchen.render import COUNTER_BOX, NUM_FRAMES, SIZE, render
from procvid.toykitchen.scene import TOOL_OF, FoodItem, Scene
from procvid.train.loop import ahead, device
from procvid.train.optim import fast_products
from procvid.types import Image

KINDS = ("vessel", "food", "surface", "extra")
TOOL_ACTION = {"knife": "slice", "spoon": "stir", "whisk": "mix", "spatula": "flip"}
FOOD_VESSELS = ("frying pan", "pot", "bowl", "baking tray", "plate")


def sample_of(seed: int, index: int) -> tuple[np.random.Generator, ToyKitchen, Scene]:
    """Return the random generator, kitchen and scene of a training clip."""
    rng = np.random.default_rng([seed, index, 11])
    return rng, training_kitchen(rng), random_scene(rng)


def source_frames(
    rng: np.random.Generator, kitchen: ToyKitchen, scene: Scene
) -> list[tuple[Image, tuple, str]]:
    """Return a frame, box and name per kind of reference (`KINDS`), from other clips of the kitchen."""

    def frame(other: Scene, k: int, name: str) -> tuple[Image, tuple, str]:
        clip = render(other, kitchen, only=k)
        return clip.frames[0], clip.boxes[0].get(name, COUNTER_BOX), name

    def seed() -> int:
        return int(rng.integers(2**31))

    def food(item: FoodItem | None) -> tuple[Image, tuple, str]:
        elsewhere = str(rng.choice(FOOD_VESSELS))
        scene = Scene("add", item, elsewhere, seed())
        return frame(scene, NUM_FRAMES - 1, item.name if item else "counter")

    def tool(name: str) -> tuple[Image, tuple, str]:
        elsewhere = str(rng.choice(FOOD_VESSELS))
        scene = Scene(TOOL_ACTION[name], FoodItem("onion"), elsewhere, seed())
        return frame(scene, int(rng.integers(5, NUM_FRAMES - 5)), name)

    if scene.action in TOOL_OF:
        extra = tool(TOOL_OF[scene.action])
    elif scene.others:
        extra = food(scene.others[0])
    else:
        extra = tool(str(rng.choice(TOOLS)))
    return [
        frame(random_scene(rng, scene.vessel), int(rng.integers(NUM_FRAMES)), scene.vessel),
        food(scene.food),
        frame(random_scene(rng), int(rng.integers(NUM_FRAMES)), "counter"),
        extra,
    ]


@dataclass(frozen=True)
class ToyLatents:
    """float16 `video` (N, C, 9, 12, 12), `still` (N, C, 1, 12, 12), `references` (N, 4, C, 12, 12).

    `vae` identifies the VAE.
    """

    video: torch.Tensor
    still: torch.Tensor
    references: torch.Tensor
    seed: int
    first: int
    vae: str

    def scene(self, index: int) -> tuple[ToyKitchen, Scene]:
        """Return kitchen and scene of a row."""
        _, kitchen, scene = sample_of(self.seed, self.first + index)
        return kitchen, scene


@torch.no_grad()
def _encode(vae: AutoencoderKLWan, frames: torch.Tensor) -> torch.Tensor:
    """Encode uint8 (B, T, H, W, 3) to normalised latents on the CPU."""
    with fast_products(vae.device):
        z = vae.encode(to_video(frames.to(vae.device))).latent_dist.mode().float()
    mean = torch.tensor(vae.config.latents_mean, device=z.device).view(1, -1, 1, 1, 1)
    std = torch.tensor(vae.config.latents_std, device=z.device).view(1, -1, 1, 1, 1)
    return ((z - mean) / std).cpu()


@torch.no_grad()
def _through(vae: AutoencoderKLWan, frames: torch.Tensor) -> np.ndarray:
    """Encode and decode images uint8 (B, H, W, 3)."""
    with fast_products(vae.device):
        z = vae.encode(to_video(frames[:, None].to(vae.device))).latent_dist.mode()
        decoded = vae.decode(z).sample[:, :, 0].permute(0, 2, 3, 1).float()
    return ((decoded + 1) * 127.5).clamp(0, 255).byte().cpu().numpy()


def _draw(seed: int, index: int) -> dict:
    """Return a clip, one of its frames, and frame, box, name and softening of each reference."""
    rng, kitchen, scene = sample_of(seed, index)
    clip = render(scene, kitchen).frames
    still = clip[int(rng.integers(NUM_FRAMES))]
    sources = source_frames(rng, kitchen, scene)
    return {
        "video": torch.from_numpy(clip),
        "still": torch.from_numpy(still),
        "frames": torch.from_numpy(np.stack([image for image, _, _ in sources])),
        "cuts": [(noisy(rng, box), name, rng.random() < 0.5) for _, box, name in sources],
    }


class _Rows(Dataset):
    """Batches of `_draw` for consecutive clips."""

    def __init__(self, seed: int, first: int, count: int, batch: int) -> None:
        self.seed, self.batch, self.indices = seed, batch, range(first, first + count)

    def __len__(self) -> int:
        return -(-len(self.indices) // self.batch)

    def __getitem__(self, k: int) -> dict:
        part = self.indices[k * self.batch : (k + 1) * self.batch]
        rows = [_draw(self.seed, index) for index in part]
        stacked = {key: torch.stack([r[key] for r in rows]) for key in ("video", "still", "frames")}
        return {**stacked, "cuts": [cut for row in rows for cut in row["cuts"]]}


def encode_range(
    vae: AutoencoderKLWan, first: int, count: int, file: Path, seed: int = 0, batch: int = 8
) -> None:
    """Encode clips `first` to `first + count` and write normalised latents to a safetensors file."""
    on = device()
    vae.to(on)
    videos, stills, references = [], [], []
    for rows in ahead(_Rows(seed, first, count, batch), on):
        frames = rows["frames"].flatten(0, 1).numpy()
        soft = [k for k, (_, _, is_soft) in enumerate(rows["cuts"]) if is_soft]
        if soft:
            frames[soft] = _through(vae, torch.from_numpy(frames[soft]))
        crops = [
            letter_box(cut(frames[k], box, role_of(name)), SIZE, SIZE)
            for k, (box, name, _) in enumerate(rows["cuts"])
        ]
        pictures = torch.from_numpy(np.stack([np.asarray(c) for c in crops]))
        videos.append(_encode(vae, rows["video"]))
        stills.append(_encode(vae, rows["still"][:, None]))
        encoded = _encode(vae, pictures[:, None])
        references.append(encoded[:, :, 0].unflatten(0, (-1, len(KINDS))))
    tensors = {
        "video": torch.cat(videos),
        "still": torch.cat(stills),
        "references": torch.cat(references),
    }
    facts = {"vae": mark_of(vae), "seed": str(seed), "first": str(first)}
    with replacing(file) as temporary:
        save_file({k: v.half().contiguous() for k, v in tensors.items()}, temporary, facts)


def mark_of(vae: AutoencoderKLWan) -> str:
    """Return a hash of the weights, so that no latents of another VAE are used."""
    digest = hashlib.sha256()
    for value in vae.state_dict().values():
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def load_latents(files: list[Path], count: int, vae: str, seed: int = 0) -> ToyLatents:
    """Load files of consecutive ranges and join them in order.

    Raises:
        InputError: A file is not of this VAE and seed, or there are too few clips.
    """
    parts: list[dict[str, torch.Tensor]] = []
    for file in files:
        with safe_open(file, "pt") as opened:
            facts = opened.metadata() or {}
        first = sum(len(part["video"]) for part in parts)
        wanted = {"vae": vae, "seed": str(seed), "first": str(first)}
        if facts != wanted:
            raise InputError(
                f"{file.name} holds latents of {facts}, not of {wanted}.",
                "Run the stage `latents` again.",
            )
        parts.append(load_file(file))
    if sum(len(part["video"]) for part in parts) < count:
        raise InputError(f"There are fewer than {count} clips.", "Run the stage `latents` again.")
    joined = {k: torch.cat([p[k] for p in parts])[:count] for k in parts[0]}
    return ToyLatents(joined["video"], joined["still"], joined["references"], seed, 0, vae)
