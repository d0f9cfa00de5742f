"""Train the tiny CLIP (open_clip) on crops of toy objects and their names.

A batch holds every object in several wordings. Pairs of the same meaning are positives of each
other (soft targets), so a crop is not pushed away from another wording of its own name.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from lab.pretrain.toy_crops import ToyCrop, crops_of
from procvid.media.image import fit_on_white
from procvid.toykitchen.dataset import random_clip
from procvid.toykitchen.render import NUM_FRAMES
from procvid.train.loop import Batch, Schedule, train
from procvid.train.optim import fast_products

IMAGE_SIZE = 48
MODEL_CFG = {
    "embed_dim": 96,
    "vision_cfg": {
        "image_size": IMAGE_SIZE,
        "layers": 4,
        "width": 128,
        "head_width": 32,
        "patch_size": 6,
    },
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 3},
}
PREPROCESS_CFG = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "squash",
}
SCALE = 20.0


def config() -> dict:
    """Return the content of the shipped open_clip_config.json."""
    return {"model_cfg": MODEL_CFG, "preprocess_cfg": PREPROCESS_CFG}


def make_model(folder: Path) -> nn.Module:
    """Create a new open_clip model from a folder that holds only its config."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(config(), indent=1))
    return open_clip.create_model(f"local-dir:{folder}", load_weights=False)


def wording(rng: np.random.Generator, crop: ToyCrop) -> tuple[str, str]:
    """Return a text for the crop and its meaning; equal meanings are positives."""
    if crop.role == "food":
        with_state = crop.state != "whole" or rng.random() < 0.2
        text = f"{crop.state} {crop.name}" if with_state else crop.name
        return text, f"{crop.name}/{crop.state}"
    if crop.look and rng.random() < 0.5:
        short = f"{crop.look.split()[0]} {crop.name}" if crop.role == "vessel" else crop.look
        text = crop.look if rng.random() < 0.6 else short
        return (f"{crop.name}, {text}" if rng.random() < 0.6 else text), f"{crop.name}/{crop.look}"
    return crop.name, crop.name


def to_images(crops: list[ToyCrop]) -> torch.Tensor:
    """Return crops as float (N, 3, 48, 48) in -1..1, letter-boxed on white."""
    stack = np.stack([fit_on_white(c.image, IMAGE_SIZE, IMAGE_SIZE) for c in crops])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 127.5 - 1


def batch(rng: np.random.Generator, clips: int) -> list[ToyCrop]:
    """Return crops from the first or last two frames of random clips, where states are certain."""
    crops: list[ToyCrop] = []
    for _ in range(clips):
        k = int(rng.choice([0, NUM_FRAMES - 1, NUM_FRAMES - 2]))
        kitchen, scene, shown = random_clip(rng, only=k)
        crops += crops_of(rng, shown.frames[0], shown.boxes[0], scene, kitchen, k > 0)
    order = rng.permutation(len(crops))[: 2 * clips + clips // 2]
    return [crops[i] for i in order]


def train_clip(folder: Path, steps: int, seed: int = 0) -> nn.Module:
    """Train with symmetric cross-entropy over scaled cosines and soft targets for synonyms.

    If `folder/clip_start` exists, training starts from its weights at a lower rate.
    """
    torch.manual_seed(seed)
    model = make_model(folder / "tiny_clip")
    start = folder / "clip_start" / "open_clip_model.safetensors"
    if start.is_file():
        model.load_state_dict({k: v.float() for k, v in load_file(start).items()})
    model.logit_scale.requires_grad_(False)
    with torch.no_grad():
        model.logit_scale.fill_(float(np.log(SCALE)))
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder / 'tiny_clip'}")

    def draw(rng: np.random.Generator, step: int) -> Batch:
        crops = batch(rng, 40)
        texts, meanings = zip(*(wording(rng, c) for c in crops), strict=True)
        keys = [{c.name, f"{c.name}/{c.state}", f"{c.name}/{c.look}"} for c in crops]
        # An image fits every text with one of the crop's meanings.
        fits = torch.tensor([[float(m in k) for m in meanings] for k in keys])
        return {"fits": fits, "images": to_images(crops), "tokens": tokenizer(list(texts))}

    def losses(drawn: Batch) -> Batch:
        fits = drawn["fits"]
        with fast_products(drawn["images"].device):
            images, texts = model.encode_image(drawn["images"]), model.encode_text(drawn["tokens"])
        image, text = F.normalize(images.float(), dim=-1), F.normalize(texts.float(), dim=-1)
        logits = SCALE * image @ text.T
        rows = -(fits / fits.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
        columns = -(fits / fits.sum(0, keepdim=True) * logits.log_softmax(0)).sum(0).mean()
        return {"image_to_text": rows / 2, "text_to_image": columns / 2}

    rate = 0.6 if start.is_file() else 1.0
    schedule = Schedule(
        steps, muon_lr=0.01 * rate, adamw_lr=1e-3 * rate, ema=0.99, seed=seed + 10, decay=0.6
    )
    return train(model, draw, losses, schedule, folder, "clip")


@torch.no_grad()
def recall_at_1(
    model: nn.Module, folder: Path, seed: int = 5, clips: int = 300
) -> dict[str, float]:
    """Return the share of held-out crops whose nearest name (with state for food) is right."""
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder / 'tiny_clip'}")
    crops = batch(np.random.default_rng(seed), clips)
    own = [f"{c.state} {c.name}" if c.role == "food" else c.name for c in crops]
    names = sorted(set(own))
    text = F.normalize(model.encode_text(tokenizer(names)), dim=-1)
    image = F.normalize(model.encode_image(to_images(crops)), dim=-1)
    best = (image @ text.T).argmax(1).tolist()
    hit = [names[b] == o for b, o in zip(best, own, strict=True)]
    roles = [c.role for c in crops]
    return {
        role: float(np.mean([h for h, r in zip(hit, roles, strict=True) if r == role]))
        for role in ("vessel", "food", "tool", "surface")
    }
