"""Train the tiny detector, which finds named objects in a frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torchvision.ops import box_iou, generalized_box_iou_loss

from procvid.models.detectors.tiny import TextGridDetector
from procvid.protocols import Embedder
from procvid.toykitchen.dataset import UNKNOWN_FOOD, random_frame
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import SIDE_OBJECTS, TOOLS, VESSELS
from procvid.toykitchen.render import SIZE
from procvid.train.loop import Batch, Schedule, train
from procvid.train.optim import fast_products

NAMES = (*VESSELS, *FOODS, *TOOLS, *SIDE_OBJECTS, "counter")
QUERIES = 14


def draw(rng: np.random.Generator, count: int) -> tuple[np.ndarray, list[dict[str, tuple]]]:
    """Return frames uint8 (count, 96, 96, 3) and the boxes of their objects by name."""
    frames, truths = [], []
    for _ in range(count):
        _, _, rendered = random_frame(rng)
        frames.append(rendered.frames[0])
        truths.append({n: b for n, b in rendered.boxes[0].items() if n != UNKNOWN_FOOD})
    return np.stack(frames), truths


def to_pixels(rng: np.random.Generator, frames: np.ndarray) -> torch.Tensor:
    """Return float images in -1..1; half of the batches are softened as by a VAE."""
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1
    if rng.random() < 0.5:
        small = F.interpolate(
            pixels, scale_factor=float(rng.uniform(0.5, 0.9)), mode="bilinear", antialias=True
        )
        pixels = F.interpolate(small, size=(SIZE, SIZE), mode="bilinear")
    return pixels


def train_detector(folder: Path, embedder: Embedder, steps: int, seed: int = 0) -> TextGridDetector:
    """Train with binary cross-entropy on presence, and L1 and generalised IoU on boxes."""
    torch.manual_seed(seed)
    model = TextGridDetector(embedder.dim)
    texts = {name: torch.from_numpy(embedder.embed_texts([name])[0]) for name in NAMES}

    def draw_batch(rng: np.random.Generator, step: int) -> Batch:
        frames, truths = draw(rng, 32)
        asked = [
            list(t) + [str(n) for n in rng.permutation([n for n in NAMES if n not in t])]
            for t in truths
        ]
        asked = [a[:QUERIES] for a in asked]
        queries = torch.stack([torch.stack([texts[n] for n in a]) for a in asked])
        there = torch.tensor([[n in t for n in a] for a, t in zip(asked, truths, strict=True)])
        boxes = (
            torch.tensor(
                [[t.get(n, (0, 0, 1, 1)) for n in a] for a, t in zip(asked, truths, strict=True)]
            ).float()
            / SIZE
        )
        pixels = to_pixels(rng, frames)
        return {"pixels": pixels, "queries": queries, "there": there, "boxes": boxes}

    def losses(drawn: Batch) -> Batch:
        pixels, there, boxes = drawn["pixels"], drawn["there"], drawn["boxes"]
        with fast_products(pixels.device):
            logits, found = model(pixels + 0.03 * torch.randn_like(pixels), drawn["queries"])
        logits, found = logits.float(), found.float()
        return {
            "presence": F.binary_cross_entropy_with_logits(logits, there.float()),
            "l1": 2 * (found - boxes)[there].abs().mean(),
            "iou": generalized_box_iou_loss(found[there], boxes[there], reduction="mean"),
        }

    schedule = Schedule(steps, muon_lr=0.02, adamw_lr=2e-3, ema=0.99, seed=seed, decay=0.5)
    return train(model, draw_batch, losses, schedule, folder, "detector")


@torch.no_grad()
def measure(
    model: TextGridDetector, embedder: Embedder, seed: int = 6, frames: int = 400
) -> dict[str, float]:
    """Return on held-out frames the share of objects found (score and IoU over 0.5) and of false alarms."""
    rng = np.random.default_rng(seed)
    pictures, truths = draw(rng, frames)
    queries = torch.from_numpy(embedder.embed_texts(NAMES))[None].expand(frames, -1, -1)
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    logits, boxes = model(pixels, queries)
    hit, false, present, absent = 0, 0, 0, 0
    for k, truth in enumerate(truths):
        for q, name in enumerate(NAMES):
            is_found = float(logits[k, q]) > 0
            if name in truth:
                present += 1
                target = torch.tensor([truth[name]]).float() / SIZE
                hit += is_found and float(box_iou(boxes[k, q][None], target)) > 0.5
            else:
                absent += 1
                false += is_found
    return {"found": hit / present, "false_alarms": false / absent}
