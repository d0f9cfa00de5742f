"""Teach the tiny transformer its own guided velocity, so that a step needs one model call.

After guidance distillation (Meng et al., arXiv 2210.03142) with fixed scales: the student with both
conditions predicts what the teacher predicts with guidance. With a condition dropped it predicts what
the teacher predicts then, so that all branches stay usable.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from lab.pretrain.toy_latents import ToyLatents
from lab.pretrain.transformer import (
    PATTERNS,
    ClipBatches,
    TinyPhantom,
    compile_blocks,
    tokens_of,
    velocity_of,
)
from procvid.phantom.text import DEFAULT_NEGATIVE_PROMPT
from procvid.train.loop import Batch, Schedule, train

SCALE = 2.0
"""Both guidance scales of the teacher; with equal scales two of its branches are enough."""


def train_guided(
    teacher: TinyPhantom,
    data: ToyLatents,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    steps: int,
    seed: int = 0,
    batch: int = 16,
) -> TinyPhantom:
    """Return a copy of the teacher that needs no guidance; `batch` is per process."""
    torch.manual_seed(seed)
    student = copy.deepcopy(teacher).train()
    teacher.eval().requires_grad_(False)
    compile_blocks(student)
    compile_blocks(teacher)
    negative = tokens_of(tokenizer, [DEFAULT_NEGATIVE_PROMPT])

    def losses(drawn: Batch) -> Batch:
        clean, sigma, references = drawn["clean"], drawn["sigma"], drawn["references"]
        noise = torch.randn_like(clean)
        noisy = (1 - sigma) * clean + sigma * noise
        text = drawn["ids"], drawn["mask"]
        teacher.to(clean.device)
        with torch.no_grad():
            target = velocity_of(teacher, noisy, references, sigma, text)
            nothing = tuple(part.to(clean.device).expand(len(clean), -1) for part in negative)
            zeros = torch.zeros_like(references)
            weakest = velocity_of(teacher, noisy, zeros, sigma, (nothing[0], nothing[1]))
            guided = weakest + SCALE * (target - weakest)
            is_full = drawn["conditioned"].view(-1, 1, 1, 1, 1)
            target = torch.where(is_full, guided, target)
        velocity = velocity_of(student, noisy, references, sigma, text)
        return {"guided": (velocity - target).square().mean()}

    settings = {"batch": batch, "patterns": str(PATTERNS), "latents": data.vae, "scale": SCALE}
    schedule = Schedule(
        steps, 0.008, 8e-4, ema=0.99, seed=seed + 5, decay=0.8, save_every=100, settings=settings
    )
    draw = ClipBatches(data, tokenizer, batch, seed + 5)
    return train(student, draw, losses, schedule, folder, "guided")
