"""The tiny AutoencoderKLWan: 64x64 px, four times shorter and eight times smaller latents.

Losses are taken on the decoder's output before diffusers clamps it: a clamp has no gradient.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import unpatchify

from procvid.toykitchen.dataset import random_clip, random_frame
from procvid.train.loop import Schedule, train

CONFIG = {
    "base_dim": 16,
    "z_dim": 8,
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
    "latents_mean": [0.0] * 8,
    "latents_std": [1.0] * 8,
}


def to_video(frames: np.ndarray) -> torch.Tensor:
    """uint8 (B, T, H, W, 3) to float (B, 3, T, H, W) in -1..1."""
    return torch.from_numpy(frames).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


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


def reconstruction_losses(out: torch.Tensor, video: torch.Tensor) -> dict[str, torch.Tensor]:
    """L1, MSE, half the edges' L1 and a quarter of the temporal differences' L1."""
    losses = {"l1": (out - video).abs().mean(), "mse": (out - video).square().mean()}
    edges = [(out.diff(dim=d) - video.diff(dim=d)).abs().mean() for d in (3, 4)]
    losses["edge"] = 0.5 * (edges[0] + edges[1])
    if video.shape[2] > 1:
        losses["motion"] = 0.25 * (out.diff(dim=2) - video.diff(dim=2)).abs().mean()
    else:
        losses["motion"] = out.new_zeros(())
    return losses


def colour_loss(out: torch.Tensor, video: torch.Tensor) -> torch.Tensor:
    """L1 of local means where the food lies: the colour of small pieces tells it, and goes first."""
    inside = (out - video)[..., 16:56, 8:56]
    return torch.nn.functional.avg_pool3d(inside, (1, 3, 3), (1, 2, 2)).abs().mean()


def batch_of(rng: np.random.Generator, videos: bool, size: int) -> torch.Tensor:
    """A batch of clips (size, 3, 9, 64, 64) or of single frames (size, 3, 1, 64, 64)."""
    draw = random_clip if videos else random_frame
    return to_video(np.stack([draw(rng)[2].frames for _ in range(size)]))


def train_vae(folder: Path, steps: tuple[int, int], seed: int = 0) -> AutoencoderKLWan:
    """Train from nothing in two rounds, each with its own decay of the rates.

    Single images cost a third of a clip and make 40 % of the first round, 15 % of the second.
    """
    torch.manual_seed(seed)
    vae = AutoencoderKLWan(**CONFIG)
    with torch.no_grad():
        vae.quant_conv.bias[CONFIG["z_dim"] :] = -5.0
    _train_round(vae, folder, "vae", steps[0], seed, stills=0.4)
    return _train_round(vae, folder, "vae_round2", steps[1], seed + 100, stills=0.15)


def _train_round(
    vae: AutoencoderKLWan, folder: Path, name: str, steps: int, seed: int, stills: float
) -> AutoencoderKLWan:

    def losses(rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
        # both processes must agree on the kind of batch, or the faster one waits
        videos = np.random.default_rng([seed, step]).random() >= stills
        video = batch_of(rng, videos, 4 if videos else 12)
        posterior = vae.encode(video).latent_dist
        out = decode_unclamped(vae, posterior.sample())
        kl = 3e-4 * posterior.kl().mean() / posterior.mean[0].numel()
        return {**reconstruction_losses(out, video), "colour": colour_loss(out, video), "kl": kl}

    decay = 0.3 if name == "vae" else 0.5
    return train(vae, losses, Schedule(steps, ema=0.998, seed=seed, decay=decay), folder, name)


@torch.no_grad()
def measure_latents(
    vae: AutoencoderKLWan, seed: int = 1, clips: int = 96
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each latent channel over fresh clips."""
    rng = np.random.default_rng(seed)
    z = torch.cat(
        [vae.encode(batch_of(rng, True, 8)).latent_dist.mode() for _ in range(clips // 8)]
    )
    return z.mean((0, 2, 3, 4)).tolist(), z.std((0, 2, 3, 4)).tolist()


@torch.no_grad()
def psnr_db(vae: AutoencoderKLWan, seed: int = 2, clips: int = 64) -> float:
    """Mean PSNR in dB of held-out clips through the VAE."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(clips // 8):
        video = batch_of(rng, True, 8)
        out = vae.decode(vae.encode(video).latent_dist.mode()).sample
        values.append(10 * torch.log10(4 / (out - video).square().mean((1, 2, 3, 4))))
    return float(torch.cat(values).mean())


def train_decoder(
    vae: AutoencoderKLWan, folder: Path, steps: int, seed: int = 0
) -> AutoencoderKLWan:
    """Train only what comes after the latents, on the posterior means, without KL."""
    for name, param in vae.named_parameters():
        param.requires_grad_(name.startswith(("decoder.", "post_quant_conv.")))

    def losses(rng: np.random.Generator, step: int) -> dict[str, torch.Tensor]:
        video = batch_of(rng, True, 4)
        with torch.no_grad():
            z = vae.encode(video).latent_dist.mode()
            z = z + 0.05 * torch.randn_like(z) * z.std()
        out = decode_unclamped(vae, z)
        return {**reconstruction_losses(out, video), "colour": 1.5 * colour_loss(out, video)}

    schedule = Schedule(steps, muon_lr=0.02, adamw_lr=2e-3, ema=0.98, seed=seed + 1, decay=0.7)
    return train(vae, losses, schedule, folder, "decoder")
