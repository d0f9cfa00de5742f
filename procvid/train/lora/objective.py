"""The flow-matching loss of Phantom's training.

Clean reference latents are appended in time and share the video's timestep. The loss covers the
video frames only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import WanTransformer3DModel

from procvid.phantom.text import DEFAULT_NEGATIVE_PROMPT
from procvid.train.lora.draws import Draw
from procvid.train.lora.folder import Example
from procvid.train.lora.latents import LatentCache
from procvid.train.lora.rough import roughened
from procvid.train.lora.settings import Roughness

CLEAN = Roughness()


@dataclass(frozen=True, eq=False)
class FlowBatch:
    """Examples of one shape on a device.

    `clean` and `noise` are float32 `[B, C, F, h, w]`, `references` `[B, C, R, h, w]`, `text`
    `[B, L, D]`, `sigma` float32 `[B]`, `weight` of the loss float32 `[B, 1, 1, h, w]`,
    `prior` bool `[B]`: True where the target is the base model's velocity.
    """

    clean: torch.Tensor
    noise: torch.Tensor
    references: torch.Tensor
    text: torch.Tensor
    sigma: torch.Tensor
    weight: torch.Tensor
    prior: torch.Tensor


def batch_of(
    draws: Sequence[Draw],
    cache: LatentCache,
    text_length: int,
    device: torch.device,
    focus_weight: float = 0.0,
    prior_weight: float = 1.0,
    roughness: Roughness = CLEAN,
) -> FlowBatch:
    """Load latents and texts of draws and draw their noise; weights are those of LoraSettings."""
    clean = torch.stack([cache.video(draw.example) for draw in draws])
    noise = torch.stack(
        [
            torch.randn(latents.shape, generator=torch.Generator().manual_seed(draw.noise_seed))
            for latents, draw in zip(clean, draws, strict=True)
        ]
    )
    references = torch.stack([_references(draw, cache, clean[0], roughness) for draw in draws])
    texts = [draw.example.text if draw.sees_text else DEFAULT_NEGATIVE_PROMPT for draw in draws]
    text = torch.stack([cache.text(each, text_length) for each in texts])
    sigma = torch.tensor([draw.sigma for draw in draws], dtype=torch.float32)
    cells = (clean.shape[-2], clean.shape[-1])
    weight = torch.stack([loss_weight(draw.example, cells, focus_weight) for draw in draws])
    prior = torch.tensor([draw.example.prior for draw in draws])
    weight[prior] *= prior_weight
    tensors = (clean, noise, references, text, sigma, weight, prior)
    return FlowBatch(*(each.to(device) for each in tensors))


def loss_weight(example: Example, cells: tuple[int, int], more: float) -> torch.Tensor:
    """Return the loss weight of each latent cell: float32 `[1, 1, h, w]` with mean 1.

    A cell inside the example's box counts 1 + `more` times a cell outside; a cell that is partly
    inside counts in proportion.
    """
    height, width = cells
    if example.focus_xyxy is None or not more:
        return torch.ones(1, 1, height, width)
    x0, y0, x1, y1 = example.focus_xyxy
    inside = torch.outer(_covered(y0, y1, height), _covered(x0, x1, width))
    weight = 1 + more * inside
    return (weight / weight.mean())[None, None]


def _covered(low: float, high: float, cells: int) -> torch.Tensor:
    """Return the share (0 to 1) of each cell in a row that lies between two places."""
    left = torch.arange(cells, dtype=torch.float32)
    return ((left + 1).clamp(max=high * cells) - left.clamp(min=low * cells)).clamp(min=0)


def _references(
    draw: Draw, cache: LatentCache, clean_CFhw: torch.Tensor, roughness: Roughness
) -> torch.Tensor:
    if not draw.references:
        return clean_CFhw[:, :0]
    latents = torch.cat([cache.crop(crop) for crop in draw.references], dim=1)
    if not draw.sees_references:
        return torch.zeros_like(latents)
    return roughened(latents, roughness, draw.noise_seed)


def flow_losses(transformer: WanTransformer3DModel, batch: FlowBatch) -> torch.Tensor:
    """Return the loss of each example: float32 `[B]`, weighted mean squared error of the velocity.

    The target velocity is noise minus latents. For prior examples it is the velocity of the model
    without its adapters, which preserves the base model's abilities.
    """
    target = batch.noise - batch.clean
    if batch.prior.any():
        transformer.disable_adapters()
        with torch.no_grad():
            base = _velocity(transformer, batch)
        transformer.enable_adapters()
        target = torch.where(batch.prior.view(-1, 1, 1, 1, 1), base, target)
    error = (_velocity(transformer, batch) - target).square()
    return (batch.weight * error).flatten(1).mean(1)


def _velocity(transformer: WanTransformer3DModel, batch: FlowBatch) -> torch.Tensor:
    """Return the velocity of the video frames: float32 `[B, C, F, h, w]`."""
    sigma = batch.sigma.view(-1, 1, 1, 1, 1)
    noisy = (1 - sigma) * batch.clean + sigma * batch.noise
    frames = torch.cat([noisy, batch.references], dim=2)
    dtype = transformer.patch_embedding.weight.dtype
    velocity = transformer(
        hidden_states=frames.to(dtype),
        timestep=batch.sigma * 1000,
        encoder_hidden_states=batch.text.to(dtype),
        return_dict=False,
    )[0]
    return velocity[:, :, : batch.clean.shape[2]].float()
