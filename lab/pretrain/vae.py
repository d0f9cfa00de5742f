"""Train the tiny AutoencoderKLWan: 96x96 px, latents two times shorter and eight times smaller.

The narrow, wide and fine stages compress time fourfold, which blurs what moves; the sharp stage
compresses it twofold.

Losses use the decoder's output before diffusers clamps it, because a clamp has no gradient.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from lab.pretrain.widen import widened
from procvid.toykitchen.dataset import random_scene
from procvid.toykitchen.identity import training_kitchen
from procvid.toykitchen.render import NUM_FRAMES, SIZE, render
from procvid.train.loop import Batch, Schedule, train
from procvid.train.optim import fast_products

CONFIG = {
    "base_dim": 16,
    "z_dim": 16,
    "dim_mult": [1, 2, 2],
    "num_res_blocks": 1,
    "attn_scales": [],
    "temperal_downsample": [True, True],
    "is_residual": True,
    "patch_size": 2,
    "in_channels": 12,
    "out_channels": 12,
    "scale_factor_temporal": 4,
    "scale_factor_spatial": 8,
    "latents_mean": [0.0] * 16,
    "latents_std": [1.0] * 16,
}


def to_video(frames: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Map uint8 (B, T, H, W, 3) to float (B, 3, T, H, W) in -1..1 on the same device."""
    return torch.as_tensor(frames).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


def decode_unclamped(vae: AutoencoderKLWan, z: torch.Tensor) -> torch.Tensor:
    """Decode (B, z_dim, F, h, w) to (B, 3, T, H, W) without the final clamp."""
    vae.clear_cache()
    x = vae.post_quant_conv(z)
    parts = []
    for k in range(z.shape[2]):
        vae._conv_idx = [0]
        parts.append(
            vae.decoder(
                x[:, :, k : k + 1],
                feat_cache=vae._feat_map,
                feat_idx=vae._conv_idx,
                first_chunk=k == 0,
            )
        )
    vae.clear_cache()
    return unpatchify(torch.cat(parts, 2), patch_size=vae.config.patch_size)


def reconstruction_losses(
    out: torch.Tensor, video: torch.Tensor, moving: float = 1.0
) -> dict[str, torch.Tensor]:
    """Return L1, MSE, half of the L1 of edges and a quarter of the L1 of temporal differences.

    L1 and MSE weigh moving pixels by `moving`.
    """
    error = out - video
    by_place = moving_weights(video, moving) if moving != 1 and video.shape[2] > 1 else 1.0
    losses = {"l1": (by_place * error.abs()).mean(), "mse": (by_place * error.square()).mean()}
    edges = [(out.diff(dim=d) - video.diff(dim=d)).abs().mean() for d in (3, 4)]
    losses["edge"] = 0.5 * (edges[0] + edges[1])
    if video.shape[2] > 1:
        losses["motion"] = 0.25 * (out.diff(dim=2) - video.diff(dim=2)).abs().mean()
    else:
        losses["motion"] = out.new_zeros(())
    return losses


def colour_loss(out: torch.Tensor, video: torch.Tensor) -> torch.Tensor:
    """Return the L1 of local means at the place of the food, whose colour is lost first.

    In windows of a frame, the loss covers everything.
    """
    inside = (out - video)[..., 15:84, 18:88] if out.shape[-1] == SIZE else out - video
    return torch.nn.functional.avg_pool3d(inside, (1, 3, 3), (1, 2, 2)).abs().mean()


def batch_of(rng: np.random.Generator, frames: int, size: int) -> torch.Tensor:
    """Return parts of random clips, uint8 (size, frames, 96, 96, 3)."""
    clips = []
    for _ in range(size):
        first = int(rng.integers(NUM_FRAMES - frames + 1))
        stretch = range(first, first + frames)
        clips.append(render(random_scene(rng), training_kitchen(rng), only=stretch).frames)
    return torch.from_numpy(np.stack(clips))


def length_of(step: int, steps: int, seed: int) -> int:
    """Return the number of frames of a step's batch: 1, 5, 9, and later also all 17.

    The decoder carries early errors through a clip, so short parts alone leave the last frames
    blurred. Both processes use the same number, or the faster one would wait.
    """
    done = step / steps
    draw = np.random.default_rng([seed, step]).random()
    if draw < (0.4 if done < 0.6 else 0.15):
        return 1
    if done < 0.3:
        return 5
    return NUM_FRAMES if draw > (0.7 if done < 0.7 else 0.4) else 9


BATCH = {1: 10, 5: 4, 9: 3, NUM_FRAMES: 2}
"""Clips per batch of a process, by number of frames."""


@torch.no_grad()
def take_over(vae: AutoencoderKLWan, smaller: AutoencoderKLWan) -> None:
    """Copy the weights of a trained VAE with fewer latent channels; other channels stay unchanged.

    The VAE is convolutional, so the image size does not matter. The encoder stacks mean and
    log-variance, so each half is copied separately.
    """
    few, many = smaller.config["z_dim"], vae.config["z_dim"]
    both = torch.cat([torch.arange(few), many + torch.arange(few)])
    mine, known = vae.state_dict(), smaller.state_dict()
    own = {key: value.clone() for key, value in known.items() if value.shape == mine[key].shape}
    for key in known.keys() - own.keys():
        value = mine[key]
        if key.startswith(("quant_conv", "encoder.conv_out")):
            if key == "quant_conv.weight":
                value[both] = 0
                value[both[:, None], both[None]] = known[key]
            else:
                value[both] = known[key]
        elif key.startswith("post_quant_conv"):
            value[:few] = 0
            value[(slice(few),) * min(value.ndim, 2)] = known[key]
        else:
            value[:, :few] = known[key]
        own[key] = value
    vae.load_state_dict(own)


def train_vae(
    folder: Path, steps: int, seed: int = 0, start: AutoencoderKLWan | None = None
) -> AutoencoderKLWan:
    """Train on single frames and short parts first; start from `start` if given."""
    torch.manual_seed(seed)
    vae = AutoencoderKLWan(**CONFIG)
    with torch.no_grad():
        vae.quant_conv.bias[CONFIG["z_dim"] :] = -5.0
    if start is not None:
        take_over(vae, start)

    def draw(rng: np.random.Generator, step: int) -> Batch:
        frames = length_of(step, steps, seed)
        return {"frames": batch_of(rng, frames, BATCH[frames])}

    def losses(batch: Batch) -> Batch:
        video = to_video(batch["frames"])
        posterior = vae.encode(video).latent_dist
        out = decode_unclamped(vae, posterior.sample())
        kl = 3e-4 * posterior.kl().mean() / posterior.mean[0].numel()
        colour = colour_loss(out, video)
        return {**reconstruction_losses(out, video), "colour": colour, "kl": kl}

    schedule = Schedule(steps, ema=0.998, seed=seed, decay=0.4)
    return train(vae, draw, losses, schedule, folder, "vae")


CROP = 64
"""Side of the window in most batches of the wide model, px; little moves outside of it."""
WINDOWS = {1: 16, 9: 4, NUM_FRAMES: 2}
"""Windows per batch of a process, by number of frames; whole frames are half as many."""


def train_wide(
    narrow: AutoencoderKLWan, base_dim: int, folder: Path, steps: int, seed: int = 0
) -> AutoencoderKLWan:
    """Continue with more channels."""
    schedule = Schedule(steps, ema=0.995, seed=seed + 2, decay=0.85)
    return _in_windows(widened(narrow, base_dim, seed), folder, "vae_wide", schedule, 3.0)


def train_fine(vae: AutoencoderKLWan, folder: Path, steps: int, seed: int = 0) -> AutoencoderKLWan:
    """Continue with a lower learning rate and a higher weight of large errors, as in motion."""
    schedule = Schedule(steps, 0.008, 1e-3, ema=0.995, seed=seed + 3, decay=0.9)
    return _in_windows(vae, folder, "vae_fine", schedule, 10.0)


MOVING_LEVELS = 12
"""A pixel that changes by more levels (of 255) between two frames moves."""
MOVING_WEIGHT = 3.0
"""Weight of the errors of moving pixels; of others 1."""


def twofold(vae: AutoencoderKLWan) -> AutoencoderKLWan:
    """Return the VAE with twofold compression of time; it has fewer weights, all taken over."""
    facts = {key: value for key, value in vae.config.items() if not key.startswith("_")}
    new = AutoencoderKLWan(
        **facts | {"temperal_downsample": [True, False], "scale_factor_temporal": 2}
    )
    weights = vae.state_dict()
    new.load_state_dict({key: weights[key] for key in new.state_dict()})
    return new


def train_sharp(vae: AutoencoderKLWan, folder: Path, steps: int, seed: int = 0) -> AutoencoderKLWan:
    """Continue with twofold compression of time and more weight on what moves."""
    schedule = Schedule(steps, 0.008, 1e-3, ema=0.995, seed=seed + 4, decay=0.9, save_every=100)
    return _in_windows(twofold(vae), folder, "vae_sharp", schedule, 10.0, moving=MOVING_WEIGHT)


def moving_weights(video: torch.Tensor, weight: float) -> torch.Tensor:
    """Return weights (B, 1, T, H, W) with mean 1: `weight` times more near pixels that move."""
    moves = (video.diff(dim=2).abs().amax(1, keepdim=True) * 127.5 > MOVING_LEVELS).float()
    there = torch.nn.functional.pad(moves, (0, 0, 0, 0, 1, 1))
    near = torch.nn.functional.max_pool3d(there, (2, 3, 3), 1, (0, 1, 1))
    weights = 1 + (weight - 1) * near
    return weights / weights.mean()


def _in_windows(
    vae: AutoencoderKLWan,
    folder: Path,
    name: str,
    schedule: Schedule,
    square: float,
    noise: float = 0.0,
    moving: float = 1.0,
) -> AutoencoderKLWan:
    """Train on windows around the vessel, and on whole frames in a quarter of the steps.

    Args:
        vae: The VAE; only parameters that require gradients are trained.
        folder: Folder of the checkpoint and the curve.
        name: Name of the stage.
        schedule: Steps and learning rates.
        square: Weight of squared errors.
        noise: Noise added to latents, in their standard deviations, like errors of a transformer.
        moving: Weight of the errors of pixels that move.
    """

    schedule = replace(schedule, settings={"square": square, "noise": noise, "moving": moving})

    def draw(rng: np.random.Generator, step: int) -> Batch:
        shared = np.random.default_rng([schedule.seed, step, 4])
        frames = int(shared.choice(list(WINDOWS), p=[0.15, 0.45, 0.4]))
        if shared.random() < 0.25:
            return {"frames": batch_of(rng, frames, WINDOWS[frames] // 2)}
        drawn = batch_of(rng, frames, WINDOWS[frames])
        top, left = rng.integers(4, SIZE - CROP - 3, 2)
        return {"frames": drawn[:, :, top : top + CROP, left : left + CROP].contiguous()}

    def losses(batch: Batch) -> Batch:
        video = to_video(batch["frames"])
        with fast_products(video.device):
            encoded = vae.encode(video).latent_dist.parameters
            posterior = DiagonalGaussianDistribution(encoded.float())
            z = posterior.sample()
            out = decode_unclamped(vae, z + noise * torch.randn_like(z) * z.std() if noise else z)
        out = out.float()
        found = reconstruction_losses(out, video, moving)
        kl = 3e-4 * posterior.kl().mean() / posterior.mean[0].numel()
        found["mse"] = square * found["mse"]
        return {**found, "colour": colour_loss(out, video), "kl": kl}

    return train(vae, draw, losses, schedule, folder, name)


@torch.no_grad()
def measure_latents(
    vae: AutoencoderKLWan, seed: int = 1, clips: int = 96
) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each latent channel over new clips."""
    rng = np.random.default_rng(seed)
    drawn = (to_video(batch_of(rng, NUM_FRAMES, 4).to(vae.device)) for _ in range(clips // 4))
    z = torch.cat([vae.encode(video).latent_dist.mode() for video in drawn])
    return z.mean((0, 2, 3, 4)).tolist(), z.std((0, 2, 3, 4)).tolist()


@torch.no_grad()
def psnr_db(vae: AutoencoderKLWan, seed: int = 2, clips: int = 64) -> float:
    """Return the mean PSNR (dB) of held-out clips through the VAE."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(clips // 4):
        video = to_video(batch_of(rng, NUM_FRAMES, 4).to(vae.device))
        out = vae.decode(vae.encode(video).latent_dist.mode()).sample
        values.append(10 * torch.log10(4 / (out - video).square().mean((1, 2, 3, 4))))
    return float(torch.cat(values).mean())


def train_decoder(
    vae: AutoencoderKLWan, folder: Path, steps: int, seed: int = 0
) -> AutoencoderKLWan:
    """Train only the layers after the latents, so that latents and transformer stay valid."""
    for name, param in vae.named_parameters():
        param.requires_grad_(name.startswith(("decoder.", "post_quant_conv.")))
    schedule = Schedule(steps, 0.006, 1e-3, ema=0.995, seed=seed + 1, decay=0.9)
    return _in_windows(vae, folder, "decoder", schedule, 10.0, noise=0.05)
