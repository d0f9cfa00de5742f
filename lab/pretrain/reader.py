"""Train the reader of toy pictures, which judges states and looks for metrics and rewards.

Rendered frames come first, then more than half of the frames are of clips that went through the
autoencoder. A third of the pictures are crops. The oracle is not used.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLWan
from safetensors import safe_open
from torch import nn

from lab.pretrain.toy_crops import cut, noisy, role_of
from lab.pretrain.toy_latents import sample_of
from procvid.models.scene_readers.tiny import COLOURED, SIZE, ToyReader
from procvid.phantom.autoencoding import decode_video
from procvid.phantom.references import letter_box
from procvid.storage.atomic import write_bytes
from procvid.toykitchen.dataset import random_scene
from procvid.toykitchen.drawing import Box
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import SIDE_OBJECTS, ToyKitchen, training_kitchen
from procvid.toykitchen.reading import ABSENT, FOOD_STATES, LOOKS, LOOKS_OF
from procvid.toykitchen.render import COUNTER_BOX, NUM_FRAMES, render
from procvid.toykitchen.scene import TOOL_OF, Scene
from procvid.train.loop import Batch, Schedule, train
from procvid.train.optim import fast_products
from procvid.types import Image

IGNORED = -100
CLIPS = 3072
"""Training clips that are decoded."""
PICTURES = 66
RENDERED_SHARE = 0.5
"""Share of the steps, at the beginning, that see rendered frames only."""
DECODED_SHARE = 0.55
ENDS = (0, NUM_FRAMES - 1)


@dataclass(eq=False)
class PictureTruth:
    """Right answers for a picture; a missing one is not asked."""

    states: dict[str, str]
    looks: dict[str, str]
    colours: dict[str, tuple[int, int, int]]


def truth_of(scene: Scene, kitchen: ToyKitchen, boxes: dict[str, Box], k: int) -> PictureTruth:
    """Return the right answers for frame `k` (0 to 16) of a scene, in which `boxes` are visible."""
    states = {name: ABSENT for name in FOODS if name not in boxes}
    states |= {each.name: each.state for each in scene.others if each.name in boxes}
    if scene.food is not None and scene.food.name in boxes:
        before, after = scene.state_before, scene.state_after
        if before == after or k in ENDS:
            states[scene.food.name] = before if k == 0 else after
    look = kitchen.vessels[scene.vessel]
    looks = {
        "vessel_shape": f"{look.shape} {scene.vessel}",
        "vessel_colour": look.colour,
        "vessel_pattern": look.pattern,
        "counter_colour": kitchen.counter.colour,
        "counter_pattern": kitchen.counter.pattern,
        "side": kitchen.side.kind if kitchen.side else ABSENT,
        "tool": ABSENT,
    }
    colours = {"vessel": look.rgb, "counter": kitchen.counter.rgb}
    if kitchen.side is not None:
        looks["side_colour"], colours["side"] = kitchen.side.colour, kitchen.side.rgb
    tool = TOOL_OF.get(scene.action, "")
    if tool in boxes:
        looks |= {
            "tool": tool,
            "tool_colour": kitchen.tools[tool].colour,
            "tool_pattern": kitchen.tools[tool].pattern,
        }
        colours["tool"] = kitchen.tools[tool].rgb
    return PictureTruth({k: v for k, v in states.items() if k in FOODS}, looks, colours)


def thing_of(name: str) -> str:
    """Return which of `LOOKS_OF` an object is; "" for a food."""
    if name == "counter" or name in SIDE_OBJECTS:
        return "counter"
    return {"vessel": "vessel", "tool": "tool"}.get(role_of(name), "")


def of_crop(truth: PictureTruth, name: str) -> PictureTruth:
    """Return the answers that a crop of an object shows."""
    thing = thing_of(name)
    things = ("counter", "side") if thing == "counter" else (thing,) if thing else ()
    asked = {question for each in things for question in LOOKS_OF[each]}
    return PictureTruth(
        {name: truth.states[name]} if not thing and name in truth.states else {},
        {question: answer for question, answer in truth.looks.items() if question in asked},
        {each: rgb for each, rgb in truth.colours.items() if each in things},
    )


def crop_of(
    rng: np.random.Generator, frame: Image, boxes: dict[str, Box], truth: PictureTruth
) -> tuple[Image, PictureTruth] | None:
    """Return a crop of a random object, letter-boxed as references are, with its answers."""
    names = [n for n in (*boxes, "counter") if n in FOODS or thing_of(n)]
    name = str(rng.choice(names))
    crop = cut(frame, noisy(rng, boxes.get(name, COUNTER_BOX)), role_of(name))
    if min(crop.shape[:2]) < 4:
        return None
    return np.asarray(letter_box(crop, SIZE, SIZE)), of_crop(truth, name)


def middle_of(row: int) -> int:
    """Return which middle frame of a training clip is kept, 4 to 12."""
    return int(np.random.default_rng([0, row]).integers(4, 13))


@torch.no_grad()
def decode_frames(vae: AutoencoderKLWan, latents: Path, file: Path, clips: int = CLIPS) -> None:
    """Decode the first training clips and keep three frames of each, uint8 (N, 3, 96, 96, 3)."""
    with safe_open(latents, "pt") as opened:
        video = opened.get_slice("video")[:clips]
    rows = []
    for row, latent in enumerate(video.float()):
        frames = decode_video(vae, latent[None], torch.device("cpu"))[0].permute(1, 2, 3, 0)
        pixels = ((frames + 1) * 127.5).round().clamp(0, 255).byte().numpy()
        rows.append(pixels[[0, middle_of(row), NUM_FRAMES - 1]])
    stack = io.BytesIO()
    np.save(stack, np.stack(rows))
    write_bytes(file, stack.getvalue())


class Decoded:
    """Frames of the first training clips after the autoencoder: first, a middle one, last.

    Args:
        file: From `decode_frames`.
        seed: Seed of the latents.
    """

    def __init__(self, file: Path, seed: int) -> None:
        self._frames, self._seed = np.load(file, mmap_mode="r"), seed

    def draw(self, rng: np.random.Generator) -> tuple[Image, dict[str, Box], PictureTruth]:
        """Return a frame with its visible boxes and answers."""
        # One draw for the file, as when there were several.
        _, row = rng.integers(1), int(rng.integers(len(self._frames)))
        which = int(rng.choice([0, 1, 2, 2]))
        _, kitchen, scene = sample_of(self._seed, row)
        k = (0, middle_of(row), NUM_FRAMES - 1)[which]
        boxes = render(scene, kitchen, only=k).boxes[0]
        return np.array(self._frames[row, which]), boxes, truth_of(scene, kitchen, boxes, k)


def rendered(rng: np.random.Generator) -> tuple[Image, dict[str, Box], PictureTruth]:
    """Return a rendered frame, mostly the last or first, with its boxes and answers."""
    kitchen, scene = training_kitchen(rng), random_scene(rng)
    k = int(rng.choice([0, NUM_FRAMES - 1, int(rng.integers(NUM_FRAMES))], p=[0.25, 0.5, 0.25]))
    clip = render(scene, kitchen, only=k)
    return clip.frames[0], clip.boxes[0], truth_of(scene, kitchen, clip.boxes[0], k)


def batch_of(pictures: list[Image], truths: list[PictureTruth]) -> Batch:
    """Return pictures and answers as tensors; `IGNORED` marks what is not asked."""
    states = torch.full((len(truths), len(FOODS)), IGNORED)
    colours = torch.zeros(len(truths), len(COLOURED), 3)
    known = torch.zeros(len(truths), len(COLOURED), dtype=torch.bool)
    looks = {name: torch.full((len(truths),), IGNORED) for name in LOOKS}
    for row, truth in enumerate(truths):
        for name, state in truth.states.items():
            states[row, FOODS.index(name)] = FOOD_STATES.index(state)
        for question, answer in truth.looks.items():
            if answer in LOOKS[question]:
                looks[question][row] = LOOKS[question].index(answer)
        for name, rgb in truth.colours.items():
            place = COLOURED.index(name)
            colours[row, place], known[row, place] = torch.tensor(rgb) / 127.5 - 1, True
    frames = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return {"frames": frames, "states": states, "colours": colours, "known": known, **looks}


def softened(rng_seed: int, pixels: torch.Tensor) -> torch.Tensor:
    """Return pictures with random blur, noise and shift of colour."""
    rng = np.random.default_rng(rng_seed)
    rows = []
    for picture in pixels:
        if rng.random() < 0.5:
            small = F.interpolate(
                picture[None],
                scale_factor=float(rng.uniform(0.45, 0.9)),
                mode="bilinear",
                antialias=True,
            )
            picture = F.interpolate(small, size=(SIZE, SIZE), mode="bilinear")[0]
        rows.append(picture)
    stack = torch.stack(rows)
    noise = 0.04 * torch.rand(len(stack), 1, 1, 1) * torch.randn_like(stack)
    return stack + noise + 0.02 * torch.randn(len(stack), 3, 1, 1)


def losses_of(model: ToyReader, batch: Batch) -> Batch:
    """Return cross-entropies of states and looks, and the L1 distance of colours."""
    with fast_products(batch["frames"].device):
        states, looks, rgb = model(batch["frames"])
    states, rgb = states.float(), rgb.float()
    looks = {name: logits.float() for name, logits in looks.items()}
    weight = torch.ones(len(FOOD_STATES))
    weight[FOOD_STATES.index(ABSENT)] = 0.15
    found = {
        "states": 2 * F.cross_entropy(states.flatten(0, 1), batch["states"].flatten(), weight),
        "colours": 2 * (rgb - batch["colours"])[batch["known"]].abs().mean(),
    }
    for name, logits in looks.items():
        if bool((batch[name] != IGNORED).any()):
            found[name] = 0.5 * F.cross_entropy(logits, batch[name])
    return found


def train_reader(folder: Path, decoded: Decoded, steps: int, seed: int = 0) -> nn.Module:
    """Train with cross-entropy on every answer that a picture shows."""
    torch.manual_seed(seed)
    model = ToyReader()

    def draw(rng: np.random.Generator, step: int) -> Batch:
        pictures: list[Image] = []
        truths: list[PictureTruth] = []
        share = 0.0 if step < RENDERED_SHARE * steps else DECODED_SHARE
        while len(pictures) < PICTURES:
            frame, boxes, truth = decoded.draw(rng) if rng.random() < share else rendered(rng)
            pictures.append(frame)
            truths.append(truth)
            made = crop_of(rng, frame, boxes, truth) if rng.random() < 0.5 else None
            if made is not None:
                pictures.append(made[0])
                truths.append(made[1])
        batch = batch_of(pictures[:PICTURES], truths[:PICTURES])
        pixels = batch["frames"].float() / 127.5 - 1
        return {**batch, "frames": softened(int(rng.integers(2**31)), pixels)}

    schedule = Schedule(
        steps, muon_lr=0.01, adamw_lr=1e-3, ema=0.99, seed=seed, decay=0.5, save_every=100
    )
    return train(model, draw, lambda batch: losses_of(model, batch), schedule, folder, "reader")
