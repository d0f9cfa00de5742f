"""Train the tiny Phantom: WanTransformer3DModel and UMT5 encoder together, by flow matching.

As in Phantom's training, clean reference latents are appended in time, share the video's timestep,
and the loss covers the video frames only. Text and references are dropped independently, which
gives the three branches of the guidance.
"""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from diffusers import WanTransformer3DModel
from torch import nn
from transformers import PreTrainedTokenizerFast, UMT5Config, UMT5EncoderModel

from lab.pretrain.toy_latents import ToyLatents
from lab.pretrain.toy_texts import MAX_TOKENS, prompt_of
from lab.pretrain.vae import SHARP_CHANNELS
from procvid.phantom.text import DEFAULT_NEGATIVE_PROMPT
from procvid.train.loop import Batch, Schedule, device, train
from procvid.train.optim import fast_dtype

TRANSFORMER = {
    "patch_size": [1, 2, 2],
    "num_attention_heads": 4,
    "attention_head_dim": 48,
    "in_channels": SHARP_CHANNELS,
    "out_channels": SHARP_CHANNELS,
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
    (0, 1, 2, 3): 0.22,
}
SHUFFLED = 0.2
DROP_TEXT = 0.12
DROP_REFERENCES = 0.12
TRAINING_SHIFT = 1.5
FOOD_WEIGHT = 1.0
STILLS_SHARE = 0.22
"""Share of the steps, at the start, that use single frames: looks are cheaper to learn there."""


def _weights(extra: float) -> torch.Tensor:
    """Return weights of the 12x12 latent cells with mean 1; the place of the food counts more.

    The food fills a tenth of the frame but is the subject of the text. Vessels have a fixed place,
    so the mask is fixed.
    """
    inside = torch.zeros(12, 12)
    inside[2:11, 2:11] = 1
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


@torch.no_grad()
def take_over(model: TinyPhantom, folder: Path) -> None:
    """Copy the weights of a trained pipeline with the same widths and as many or fewer channels.

    Channels that the trained model lacks start at zero.
    """
    known = WanTransformer3DModel.from_pretrained(folder / "transformer")
    few, many = known.config["in_channels"], model.transformer.config["in_channels"]
    weights = dict(known.state_dict())
    for name, dim in (("patch_embedding.weight", 1), ("proj_out.weight", 0), ("proj_out.bias", 0)):
        # The last layer's rows are (place in the patch, channel).
        parts = weights[name] if dim else weights[name].unflatten(0, (-1, few)).transpose(0, 1)
        parts = parts.transpose(0, dim)
        wide = parts.new_zeros(many, *parts.shape[1:])
        wide[:few] = parts
        wide = wide.transpose(0, dim)
        weights[name] = wide if dim else wide.transpose(0, 1).flatten(0, 1)
    model.transformer.load_state_dict(weights)
    text_encoder = UMT5EncoderModel.from_pretrained(folder / "text_encoder")
    model.text_encoder.load_state_dict(text_encoder.state_dict())


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
    if device().type == "cpu" and (shutil.which("g++") or shutil.which("clang++")):
        for block in model.transformer.blocks:
            block.compile(dynamic=True)
    weights = _weights(FOOD_WEIGHT)
    patterns, odds = list(PATTERNS), np.array(list(PATTERNS.values()))
    count = len(data.video)

    def tokens(rng: np.random.Generator, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        texts = []
        for row in rows:
            kitchen, scene = data.scene(int(row))
            nothing = rng.random() < DROP_TEXT
            empty = DEFAULT_NEGATIVE_PROMPT if rng.random() < 0.6 else ""
            texts.append(empty if nothing else prompt_of(rng, scene, kitchen))
        encoded = tokenizer(
            texts, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        return encoded["input_ids"], encoded["attention_mask"]

    def draw(rng: np.random.Generator, step: int) -> Batch:
        shared = np.random.default_rng([seed, step, 9])
        pattern = patterns[int(shared.choice(len(patterns), p=odds / odds.sum()))]
        stills = step < STILLS_SHARE * steps
        rows = rng.integers(0, count, batch)
        ids, mask = tokens(rng, rows)
        chosen = rng.permutation(pattern) if rng.random() < SHUFFLED else np.array(pattern)
        keep = torch.from_numpy(rng.random(batch) >= DROP_REFERENCES).float().view(-1, 1, 1, 1, 1)
        references = data.references[rows][:, chosen.astype(int)].float().transpose(1, 2)
        return {
            "clean": (data.still if stills else data.video)[rows].float(),
            "references": references * keep,
            "sigma": draw_sigmas(rng, batch),
            "ids": ids,
            "mask": mask,
        }

    def losses(drawn: Batch) -> Batch:
        clean, sigma = drawn["clean"], drawn["sigma"]
        noise = torch.randn_like(clean)
        noisy = torch.cat([(1 - sigma) * clean + sigma * noise, drawn["references"]], 2)
        # As in the paper: weights in float32, products in bfloat16.
        half = fast_dtype(noisy.device) == torch.bfloat16
        with ExitStack() as precision:
            if half:
                precision.enter_context(torch.autocast(noisy.device.type, torch.bfloat16))
                precision.enter_context(attention_of(noisy.device))
            velocity = model.transformer(
                hidden_states=noisy,
                timestep=(sigma.flatten() * 1000),
                encoder_hidden_states=model.encode(drawn["ids"], drawn["mask"]),
                return_dict=False,
            )[0][:, :, : clean.shape[2]]
        error = (velocity.float() - (noise - clean)).square()
        return {"flow": (weights.to(error.device) * error).mean()}

    settings = {"batch": batch, "patterns": str(PATTERNS), "latents": data.vae, "clips": count}
    schedule = Schedule(steps, ema=0.998, seed=seed, decay=0.35, save_every=150, settings=settings)
    return train(model, draw, losses, schedule, folder, "transformer")
