"""Train the tiny step CLIP (open_clip) on frames of toy clips and their sentences.

The CLIP of the memory knows crops and names. This one knows frames and steps, so that metrics do not
use the model that chose the references. Hard negatives of each frame are texts that differ from its
own in action, food or state.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from torch import nn

from lab.pretrain.clip import PREPROCESS_CFG
from procvid.media.image import resize
from procvid.toykitchen.dataset import UNKNOWN_FOOD, random_scene
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import training_kitchen
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import NUM_FRAMES, render
from procvid.toykitchen.scene import ACTIONS, STATES, Scene
from procvid.toykitchen.words import caption, step_text
from procvid.train.loop import Batch, Schedule, train
from procvid.types import Image

IMAGE_SIZE = 32
FOLDER = "tiny_step_clip"
MODEL_CFG = {
    "embed_dim": 64,
    "vision_cfg": {
        "image_size": IMAGE_SIZE,
        "layers": 3,
        "width": 128,
        "head_width": 32,
        "patch_size": 8,
    },
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
FRAMES, DISHES, ALTERED = 56, 20, 2
FIRST_SCALE = 14.0

Meaning = tuple[str, ...]
"""Meaning of a text: ("step", action, food, state before, vessel) or ("dish", food, state, vessel)."""


def config() -> dict:
    """Return the content of the shipped open_clip_config.json."""
    return {"model_cfg": MODEL_CFG, "preprocess_cfg": PREPROCESS_CFG}


def step_meaning(scene: Scene) -> Meaning:
    """Return the meaning of the step of a scene."""
    return ("step", scene.action, scene.food_name, scene.state_before, scene.vessel)


def dish_meaning(scene: Scene) -> Meaning:
    """Return the meaning of the last frame of a scene."""
    return ("dish", scene.food_name, scene.state_after, scene.vessel)


def dish_text(scene: Scene) -> str:
    """Return a text such as "Sliced carrot on the plate."."""
    place = "on" if scene.vessel in ("cutting board", "plate") else "in"
    state = "" if scene.state_after == "whole" else f"{scene.state_after} "
    return f"{state}{scene.food_name or 'mixture'} {place} the {scene.vessel}.".capitalize()


def altered(rng: np.random.Generator, scene: Scene) -> Scene:
    """Return the scene with another action, food or state."""
    what = rng.choice(["action", "action", "food", "food", "state"])
    if what == "action" or scene.food is None:
        return replace(scene, action=str(rng.choice([a for a in ACTIONS if a != scene.action])))
    if what == "food":
        return scene.showing(str(rng.choice([f for f in FOODS if f != scene.food_name])))
    others = [s for s in STATES if s != scene.state_before]
    return scene.showing(state=str(rng.choice(others)))


def worded(rng: np.random.Generator, scene: Scene) -> str:
    """Return a wording of a step; in a third of the cases the caption with the state."""
    if rng.random() < 0.35:
        return caption(scene)
    return step_text(rng, scene, training_kitchen(rng), scene.food_name)


def draw(rng: np.random.Generator) -> tuple[list[Image], torch.Tensor, list[str]]:
    """Return frames, the fit of each text as float (frames, texts), and texts."""
    frames: list[Image] = []
    meanings_of_frames: list[set[Meaning]] = []
    texts: list[str] = []
    meanings: list[Meaning] = []
    while len(frames) < FRAMES:
        scene = random_scene(rng)
        if scene.food_name == UNKNOWN_FOOD:
            continue
        last = len(frames) < DISHES
        k = NUM_FRAMES - 1 if last else int(rng.integers(1, NUM_FRAMES))
        frames.append(render(scene, training_kitchen(rng), only=k).frames[0])
        meanings_of_frames.append(
            {step_meaning(scene)} | ({dish_meaning(scene)} if last else set())
        )
        for each in (scene, *(altered(rng, scene) for _ in range(ALTERED))):
            texts.append(worded(rng, each))
            meanings.append(step_meaning(each))
        if last:
            texts.append(dish_text(scene))
            meanings.append(dish_meaning(scene))
    fits = torch.tensor([[float(m in own) for m in meanings] for own in meanings_of_frames])
    return frames, fits, texts


def to_pixels(frames: list[Image]) -> torch.Tensor:
    """Return frames as float (N, 3, 32, 32) in -1..1."""
    stack = np.stack([resize(frame, IMAGE_SIZE, IMAGE_SIZE) for frame in frames])
    return torch.from_numpy(stack).permute(0, 3, 1, 2).float() / 127.5 - 1


def train_step_clip(folder: Path, steps: int, seed: int = 0) -> nn.Module:
    """Train with symmetric cross-entropy and a learned scale; texts without a frame are negatives."""
    torch.manual_seed(seed)
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    (folder / FOLDER / "open_clip_config.json").write_text(json.dumps(config(), indent=1))
    model = open_clip.create_model(f"local-dir:{folder / FOLDER}", load_weights=False)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder / FOLDER}")
    with torch.no_grad():
        model.logit_scale.fill_(float(np.log(FIRST_SCALE)))

    def draw_batch(rng: np.random.Generator, step: int) -> Batch:
        frames, fits, texts = draw(rng)
        return {"fits": fits, "images": to_pixels(frames), "tokens": tokenizer(texts)}

    def losses(drawn: Batch) -> Batch:
        fits = drawn["fits"]
        image = F.normalize(model.encode_image(drawn["images"]), dim=-1)
        text = F.normalize(model.encode_text(drawn["tokens"]), dim=-1)
        logits = model.logit_scale.exp() * image @ text.T
        rows = -(fits / fits.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
        own = fits.sum(0) > 0
        columns = fits[:, own] / fits[:, own].sum(0, keepdim=True)
        back = -(columns * logits[:, own].log_softmax(0)).sum(0).mean()
        return {"image_to_text": rows / 2, "text_to_image": back / 2}

    schedule = Schedule(
        steps, muon_lr=0.01, adamw_lr=1e-3, ema=0.98, seed=seed, decay=0.5, save_every=50
    )
    return train(model, draw_batch, losses, schedule, folder, "step_clip")


@torch.no_grad()
def accuracy(model: nn.Module, folder: Path, recipes: int = 20) -> dict[str, float]:
    """Return top-1 accuracy on held-out recipes: among 5 altered steps, and among the recipe's steps."""
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder / FOLDER}")
    six, own = [], []
    for seed in range(HELD_OUT, HELD_OUT + recipes):
        recipe, rng = random_recipe(seed), np.random.default_rng(seed)
        steps = F.normalize(model.encode_text(tokenizer([s.text for s in recipe.steps])), dim=-1)
        for number, step in enumerate(recipe.steps):
            frames = list(recipe.render(number + 1).frames)
            video = F.normalize(model.encode_image(to_pixels(frames)), dim=-1).mean(0)
            texts = [caption(step.scene)]
            texts += [caption(altered(rng, step.scene)) for _ in range(5)]
            among = F.normalize(model.encode_text(tokenizer(texts)), dim=-1)
            six.append(int((among @ video).argmax()) == 0)
            own.append(int((steps @ video).argmax()) == number)
    return {"six": float(np.mean(six)), "recipe": float(np.mean(own))}
