"""Train the tiny Phantom: WanTransformer3DModel and UMT5 encoder together, by flow matching.

As in Phantom's training, clean reference latents are appended in time, share the video's timestep,
and the loss covers the video frames only. Text and references are dropped independently, which
gives the three branches of the guidance.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from diffusers import WanTransformer3DModel
from torch import nn
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from lab.pretrain.toy_latents import ToyLatents
from lab.pretrain.toy_texts import MAX_TOKENS, prompt_of
from procvid.phantom.text import DEFAULT_NEGATIVE_PROMPT
from procvid.toykitchen.recipes import DISHES
from procvid.train.loop import Batch, Schedule, device, train
from procvid.train.optim import fast_dtype, fast_products

TRANSFORMER = {
    "patch_size": [1, 2, 2],
    "num_attention_heads": 4,
    "attention_head_dim": 48,
    "in_channels": 16,
    "out_channels": 16,
    "text_dim": 96,
    "freq_dim": 256,
    "ffn_dim": 640,
    "num_layers": 7,
    "cross_attn_norm": True,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 32,
}
TEXT = {
    "d_model": 96,
    "d_kv": 24,
    "d_ff": 256,
    "num_layers": 2,
    "num_heads": 4,
    "dropout_rate": 0.0,
}

# Combinations of reference kinds (indices into toy_latents.KINDS) and their shares.
PATTERNS: dict[tuple[int, ...], float] = {
    (): 0.08,
    (0,): 0.1,
    (2,): 0.04,
    (1,): 0.02,
    (0, 2): 0.12,
    (0, 1): 0.06,
    (0, 3): 0.06,
    (0, 1, 2): 0.18,
    (0, 2, 3): 0.12,
    (0, 1, 2, 3): 0.34,
}
SHUFFLED = 0.2
DROP_TEXT = 0.12
DROP_REFERENCES = 0.12
TRAINING_SHIFT = 1.5
FOOD_WEIGHT = 1.0
STILLS_SHARE = 0.4
"""Share of the steps, at the start, that use single frames: looks are cheaper to learn there."""
WARM_RATE = 0.015
"""Learning rate of Muon when training starts from trained weights; AdamW's is a tenth of it."""


def _weights(extra: float) -> torch.Tensor:
    """Return weights of the 12x12 latent cells with mean 1; the places of food and tool count more.

    The food fills a tenth of the frame but is the subject of the text. Vessels have a fixed place,
    so the mask is fixed.
    """
    inside = torch.zeros(12, 12)
    inside[:11, 2:11] = 1
    weights = 1 + extra * inside
    return weights / weights.mean()


class TinyPhantom(nn.Module):
    """Text encoder and transformer as one trainable module."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.text_encoder = UMT5EncoderModel(UMT5Config(vocab_size=vocabulary, **TEXT))
        self.transformer = WanTransformer3DModel(**TRANSFORMER)

    def encode(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return embeddings (B, L, 96) with zeros for padding, as in the pipeline."""
        states = self.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
        return states * mask[..., None]


def take_over(model: TinyPhantom, folder: Path) -> None:
    """Copy the weights of a trained pipeline of the same architecture."""
    for name, part in (("transformer", model.transformer), ("text_encoder", model.text_encoder)):
        part.load_state_dict(type(part).from_pretrained(folder / name).state_dict())


def _plain_attention(query, key, value, attn_mask=None, scale=None, **_):
    """Compute `scaled_dot_product_attention` with plain matrix products."""
    scores = query @ key.transpose(-1, -2) * (scale or query.shape[-1] ** -0.5)
    if attn_mask is not None:
        scores = scores + attn_mask
    return scores.softmax(-1).to(value.dtype) @ value


def attention_of(on: torch.device) -> AbstractContextManager:
    """Return a context that uses plain matrix products for attention on a CPU.

    torch's CPU kernel has a slow backward pass in bfloat16. With plain products and bfloat16 a step
    takes two thirds of its float32 time; with bfloat16 alone, .8.
    """
    if on.type != "cpu":
        return nullcontext()
    return patch("torch.nn.functional.scaled_dot_product_attention", _plain_attention)


def draw_sigmas(rng: np.random.Generator, count: int) -> torch.Tensor:
    """Return noise levels 0 to 1: logit-normal 85 %, uniform 15 %, shifted towards noise."""
    normal = 1 / (1 + np.exp(-rng.normal(0, 1, count)))
    u = np.where(rng.random(count) < 0.85, normal, rng.random(count))
    shifted = TRAINING_SHIFT * u / (1 + (TRAINING_SHIFT - 1) * u)
    return torch.from_numpy(shifted).float().view(-1, 1, 1, 1, 1)


def odds_of(actions: Sequence[str]) -> np.ndarray:
    """Return the odds of clips (N,): half of the draws follow the actions' shares in recipes.

    Random scenes have each action equally often, but more than a quarter of a recipe's steps add a food.
    """
    there = Counter(actions)
    wanted = Counter(action for moves in DISHES.values() for action, _, _ in moves)
    odds = np.array([wanted[action] / there[action] for action in actions])
    return 0.5 / len(actions) + 0.5 * odds / odds.sum()


class ClipBatches:
    """Draws encoded clips with their texts and references.

    All clips of a batch have the same kinds of references. Text and references are dropped
    independently; the place of a dropped text takes the negative prompt or nothing.

    Args:
        data: Encoded clips.
        tokenizer: Of the text encoder.
        batch: Clips per process.
        seed: Seed of the choice that all processes share.
        stills: The first steps, which use single frames.
    """

    def __init__(
        self,
        data: ToyLatents,
        tokenizer: PreTrainedTokenizerFast,
        batch: int,
        seed: int,
        stills: int = 0,
    ) -> None:
        self._data, self._tokenizer, self._batch = data, tokenizer, batch
        self._seed, self._stills = seed, stills
        self._odds = odds_of([data.scene(row)[1].action for row in range(len(data.video))])

    def __call__(self, rng: np.random.Generator, step: int) -> Batch:
        """Return latents, references, noise levels, tokens, and which clips keep both conditions."""
        patterns, odds = list(PATTERNS), np.array(list(PATTERNS.values()))
        shared = np.random.default_rng([self._seed, step, 9])
        pattern = patterns[int(shared.choice(len(patterns), p=odds / odds.sum()))]
        data = self._data
        rows = rng.choice(len(data.video), self._batch, p=self._odds)
        has_text = rng.random(self._batch) >= DROP_TEXT
        ids, mask = self._tokens(rng, rows, has_text)
        chosen = rng.permutation(pattern) if rng.random() < SHUFFLED else np.array(pattern)
        keep = rng.random(self._batch) >= DROP_REFERENCES
        references = data.references[rows][:, chosen.astype(int)].float().transpose(1, 2)
        return {
            "clean": (data.still if step < self._stills else data.video)[rows].float(),
            "references": references * torch.from_numpy(keep).float().view(-1, 1, 1, 1, 1),
            "sigma": draw_sigmas(rng, self._batch),
            "ids": ids,
            "mask": mask,
            "conditioned": torch.from_numpy(has_text & (keep | (len(pattern) == 0))),
        }

    def _tokens(
        self, rng: np.random.Generator, rows: np.ndarray, has_text: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor]:
        texts = []
        for row, is_kept in zip(rows, has_text, strict=True):
            kitchen, scene = self._data.scene(int(row))
            empty = DEFAULT_NEGATIVE_PROMPT if rng.random() < 0.6 else ""
            texts.append(prompt_of(rng, scene, kitchen) if is_kept else empty)
        return tokens_of(self._tokenizer, texts)


def tokens_of(
    tokenizer: PreTrainedTokenizerFast, texts: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask (B, 96) of texts."""
    encoded = tokenizer(
        list(texts),
        padding="max_length",
        truncation=True,
        max_length=MAX_TOKENS,
        return_tensors="pt",
    )
    return encoded["input_ids"], encoded["attention_mask"]


def velocity_of(
    model: TinyPhantom,
    noisy: torch.Tensor,
    references: torch.Tensor,
    sigma: torch.Tensor,
    text: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """Return the velocity (B, C, F, h, w) of noisy latents.

    Args:
        model: Text encoder and transformer.
        noisy: (B, C, F, h, w).
        references: (B, C, R, h, w), appended in time.
        sigma: Noise levels (B, 1, 1, 1, 1).
        text: Ids and mask.
    """
    # As in the paper, where it is faster: weights in float32, products in bfloat16.
    on = noisy.device
    is_fast = fast_dtype(on) == torch.bfloat16
    with fast_products(on), attention_of(on) if is_fast else nullcontext():
        found = model.transformer(
            hidden_states=torch.cat([noisy, references], 2),
            timestep=sigma.flatten() * 1000,
            encoder_hidden_states=model.encode(*text),
            return_dict=False,
        )[0]
    return found[:, :, : noisy.shape[2]].float()


def compile_blocks(model: TinyPhantom) -> None:
    """Compile the blocks on a CPU with a compiler, which shortens a step by a quarter."""
    if device().type == "cpu" and (shutil.which("g++") or shutil.which("clang++")):
        for block in model.transformer.blocks:
            block.compile(dynamic=True)


def train_transformer(
    data: ToyLatents,
    tokenizer: PreTrainedTokenizerFast,
    folder: Path,
    steps: int,
    seed: int = 0,
    batch: int = 16,
    start: Path | None = None,
) -> TinyPhantom:
    """Train on encoded clips; `batch` is per process.

    Args:
        start: Pipeline folder to start from; None for random weights.
    """
    torch.manual_seed(seed)
    model = TinyPhantom(len(tokenizer))
    if start is not None:
        take_over(model, start)
    compile_blocks(model)
    weights = _weights(FOOD_WEIGHT)
    draw = ClipBatches(data, tokenizer, batch, seed, round(STILLS_SHARE * steps))

    def losses(drawn: Batch) -> Batch:
        clean, sigma = drawn["clean"], drawn["sigma"]
        noise = torch.randn_like(clean)
        noisy = (1 - sigma) * clean + sigma * noise
        text = drawn["ids"], drawn["mask"]
        velocity = velocity_of(model, noisy, drawn["references"], sigma, text)
        error = (velocity - (noise - clean)).square()
        return {"flow": (weights.to(error.device) * error).mean()}

    settings = {
        "batch": batch,
        "patterns": str(PATTERNS),
        "latents": data.vae,
        "clips": len(data.video),
        "actions": "half as in recipes",
    }
    rate = 0.02 if start is None else WARM_RATE
    schedule = Schedule(
        steps, rate, rate / 10, ema=0.998, seed=seed, decay=0.5, save_every=100, settings=settings
    )
    return train(model, draw, losses, schedule, folder, "transformer")
