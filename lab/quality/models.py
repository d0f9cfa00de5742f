"""Measure single models on held-out toy-kitchen clips: VAE, tiny CLIP and detector."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from numpy.typing import NDArray
from torchvision.ops import box_iou

from lab.pretrain.toy_crops import ToyCrop, crops_of
from lab.pretrain.vae import to_video
from procvid.models.torch_checkpoints import installed_version
from procvid.protocols import Detector, Embedder
from procvid.toykitchen.dataset import UNKNOWN_FOOD, random_clip, random_frame
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import SIDE_OBJECTS, TOOLS, VESSELS
from procvid.toykitchen.recipes import HELD_OUT
from procvid.toykitchen.render import NUM_FRAMES
from procvid.types import Frames

BATCH = 4
METRICS_EXTRA = "Run `pip install 'procvid[metrics]'`."
OVERLAP = 0.5
"""Minimum intersection over union of a right box."""


@torch.no_grad()
def through_vae(vae: AutoencoderKLWan, clips: Sequence[Frames]) -> list[Frames]:
    """Return the clips encoded and decoded by the VAE."""
    decoded: list[Frames] = []
    for start in range(0, len(clips), BATCH):
        video = to_video(np.stack(clips[start : start + BATCH]))
        out = vae.decode(vae.encode(video).latent_dist.mode()).sample
        levels = ((out + 1) * 127.5).round().clamp(0, 255).byte()
        decoded += list(levels.permute(0, 2, 3, 4, 1).numpy())
    return decoded


MOVING_LEVELS = 12
"""A pixel that changes by more levels (of 255) within a clip counts as moving."""


def sharpness(true: Sequence[Frames], made: Sequence[Frames]) -> dict[str, float]:
    """Compare clips with the renderer's, 8-bit pixels.

    Returns `still_db` and `moving_db` (PSNR of the pixels that never change and of the others),
    `moving_share` (0 to 1), `flicker` (mean change of still pixels from frame to frame, 0 to 1) and
    `gradient_energy` (mean absolute gradient, as a ratio to the renderer's).
    """
    still_errors, moving_errors, flicker, ratio = [], [], [], []
    for before, after in zip(true, made, strict=True):
        a, b = before.astype(np.float64), after.astype(np.float64)
        moves = np.ptp(a, axis=0).max(-1) > MOVING_LEVELS
        errors = np.square(a - b).mean(-1)
        still_errors.append(errors[:, ~moves].ravel())
        moving_errors.append(errors[:, moves].ravel())
        flicker.append(np.abs(np.diff(b, axis=0)).mean(-1)[:, ~moves].mean() / 255)
        ratio.append(_gradient(b) / _gradient(a))
    still, moving = np.concatenate(still_errors), np.concatenate(moving_errors)
    return {
        "still_db": float(10 * np.log10(255**2 / still.mean())),
        "moving_db": float(10 * np.log10(255**2 / moving.mean())),
        "moving_share": len(moving) / (len(moving) + len(still)),
        "flicker": float(np.mean(flicker)),
        "gradient_energy": float(np.mean(ratio)),
    }


def _gradient(frames: NDArray[np.float64]) -> float:
    grey = frames.mean(-1)
    return float(np.abs(np.diff(grey, axis=1)).mean() + np.abs(np.diff(grey, axis=2)).mean())


def vae_quality(vae: AutoencoderKLWan, clips: int = 64) -> dict[str, float]:
    """Return mean PSNR (dB), SSIM (-1 to 1) and `sharpness` of held-out clips through the VAE.

    Raises:
        UnavailableError: torchmetrics is not installed.
    """
    installed_version("torchmetrics", METRICS_EXTRA)
    from torchmetrics.functional.image import structural_similarity_index_measure

    rng = np.random.default_rng([HELD_OUT, 1])
    true = [random_clip(rng, "test")[2].frames for _ in range(clips)]
    made = through_vae(vae, true)
    psnr, ssim = [], []
    for before, after in zip(true, made, strict=True):
        error = np.mean((before.astype(np.float64) - after) ** 2)
        psnr.append(10 * np.log10(255**2 / error))
        a, b = (torch.from_numpy(f).permute(0, 3, 1, 2).double() for f in (after, before))
        ssim.append(float(structural_similarity_index_measure(a, b, data_range=255.0)))
    means = {"psnr_db": float(np.mean(psnr)), "ssim": float(np.mean(ssim))}
    return {**means, **sharpness(true, made)}


def words_of(crop: ToyCrop) -> str:
    """Return object, state and identity, such as "sliced carrot" or "red square frying pan"."""
    if crop.role == "food":
        return crop.name if crop.state == "whole" else f"{crop.state} {crop.name}"
    return crop.look or crop.name


def clip_recall(embedder: Embedder, clips: int = 250) -> dict[str, float]:
    """Return recall@1 (0 to 1) by role and over all, for phrases that query held-out crops.

    The gallery holds every crop of the clips. A phrase is right if the best crop has the same
    object, state and identity.
    """
    rng = np.random.default_rng([HELD_OUT, 2])
    crops: list[ToyCrop] = []
    for _ in range(clips):
        kitchen, scene, clip = random_clip(rng, "test")
        k = int(rng.choice([0, NUM_FRAMES - 1]))
        crops += crops_of(rng, clip.frames[k], clip.boxes[k], scene, kitchen, k > 0)
    phrases = sorted({(c.role, words_of(c)) for c in crops})
    similar = embedder.embed_texts([p for _, p in phrases]) @ (
        embedder.embed_images([c.image for c in crops]).T
    )
    right: dict[str, list[bool]] = defaultdict(list)
    for (role, phrase), row in zip(phrases, similar, strict=True):
        found = crops[int(row.argmax())]
        right[role].append((found.role, words_of(found)) == (role, phrase))
    shares = {role: float(np.mean(hits)) for role, hits in sorted(right.items())}
    return {"all": float(np.mean([hit for hits in right.values() for hit in hits])), **shares}


def average_precision(scores: Sequence[float], hits: Sequence[bool], present: int) -> float:
    """Return the area under the monotone precision-recall curve (as PASCAL VOC since 2010).

    Args:
        scores: Score of every detection.
        hits: True for each right detection.
        present: Number of objects to find, more than 0.
    """
    order = np.argsort(-np.asarray(scores), kind="stable")
    right = np.cumsum(np.asarray(hits, float)[order])
    precision: NDArray[np.float64] = right / np.arange(1, len(right) + 1)
    best_from_here = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(right, prepend=0.0) / present
    return float((best_from_here * steps).sum())


def detector_ap50(detector: Detector, frames: int = 400) -> dict[str, float]:
    """Return AP at IoU 0.5 by kind of object, and the mean over all names, on held-out frames."""
    kinds = {"vessel": VESSELS, "food": FOODS, "tool": TOOLS, "side object": SIDE_OBJECTS}
    names = [name for group in kinds.values() for name in group]
    rng = np.random.default_rng([HELD_OUT, 3])
    rendered = [random_frame(rng, "test")[2] for _ in range(frames)]
    found = detector.detect([r.frames[0] for r in rendered], names)
    scores: dict[str, list[float]] = defaultdict(list)
    hits: dict[str, list[bool]] = defaultdict(list)
    present: dict[str, int] = defaultdict(int)
    for each, detections in zip(rendered, found, strict=True):
        boxes = {n: b for n, b in each.boxes[0].items() if n != UNKNOWN_FOOD}
        for detection in detections:
            box = boxes.get(detection.label)
            present[detection.label] += box is not None
            scores[detection.label].append(detection.score)
            hits[detection.label].append(
                box is not None
                and float(box_iou(torch.tensor([detection.box_xyxy]), torch.tensor([box])))
                >= OVERLAP
            )
    each_ap = {n: average_precision(scores[n], hits[n], present[n]) for n in names if present[n]}
    by_kind = {
        kind: float(np.mean([each_ap[n] for n in group if n in each_ap]))
        for kind, group in kinds.items()
    }
    return {"all": float(np.mean(list(each_ap.values()))), **by_kind}
