"""Widen an AutoencoderKLWan without changing its function.

After Net2Net (Chen et al., 2016): every channel is copied several times, and its readers take an
equal share from each copy. Noise that cancels over the copies lets them diverge in training. Wan's
shortcuts fold space and time into channels, which determines the copies behind them.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import AvgDown3D
from torch import nn

from procvid.errors import InputError

Copies = torch.Tensor
"""For each channel of the wide model, the index of its original in the narrow model (int64)."""

NOISE = 0.3
"""Cancelling noise, in standard deviations of the weights."""


def widened(narrow: AutoencoderKLWan, base_dim: int, seed: int = 0) -> AutoencoderKLWan:
    """Return a model with `base_dim` channels and the same output as the narrow one.

    Raises:
        InputError: `base_dim` is not a multiple of the narrow one's, or the architecture differs
            from the tiny VAE's (residual, upsampling that keeps its channels).
    """
    config = dict(narrow.config)
    if base_dim % config["base_dim"] or not config["is_residual"]:
        raise InputError(f"A model of base_dim {config['base_dim']} cannot widen to {base_dim}.")
    times = base_dim // config["base_dim"]
    wide = AutoencoderKLWan(**{**config, "base_dim": base_dim, "decoder_base_dim": base_dim})
    _Widening(times, seed).copy(narrow, wide)
    return wide


class _Widening:
    def __init__(self, times: int, seed: int) -> None:
        self.times = times
        self.generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def copy(self, narrow: AutoencoderKLWan, wide: AutoencoderKLWan) -> None:
        z = narrow.config["z_dim"]
        for name in ("quant_conv", "post_quant_conv"):
            getattr(wide, name).load_state_dict(getattr(narrow, name).state_dict())
        old, new = narrow.encoder, wide.encoder
        there = self.fresh(old.conv_in.out_channels)
        self.conv(old.conv_in, new.conv_in, there, _same(old.conv_in.in_channels))
        for before, after in zip(old.down_blocks, new.down_blocks, strict=True):
            out = _through_shortcut(before.avg_shortcut, after.avg_shortcut, there)
            self.resnets(before.resnets, after.resnets, out, there)
            if before.downsampler is not None:
                self.resample(before.downsampler, after.downsampler, out)
            there = out
        self.middle(old.mid_block, new.mid_block, there)
        self.norm(old.norm_out, new.norm_out, there)
        self.conv(old.conv_out, new.conv_out, _same(2 * z), there)

        old, new = narrow.decoder, wide.decoder
        there = self.fresh(old.conv_in.out_channels)
        self.conv(old.conv_in, new.conv_in, there, _same(z))
        self.middle(old.mid_block, new.mid_block, there)
        for before, after in zip(old.up_blocks, new.up_blocks, strict=True):
            shortcut = before.avg_shortcut
            if shortcut is not None and shortcut.repeats != shortcut.factor:
                raise InputError("Upsampling that changes its channels cannot be widened.")
            out = self.fresh(before.resnets[-1].conv2.out_channels)
            self.resnets(before.resnets, after.resnets, out, there)
            if before.upsampler is not None:
                self.resample(before.upsampler, after.upsampler, out)
            there = out
        self.norm(old.norm_out, new.norm_out, there)
        self.conv(old.conv_out, new.conv_out, _same(old.conv_out.out_channels), there)

    def fresh(self, channels: int) -> Copies:
        return torch.arange(channels).repeat(self.times)

    def conv(self, old: nn.Module, new: nn.Module, out: Copies, there: Copies) -> None:
        weight = old.weight[out][:, there]
        copies = len(there) // old.weight.shape[1]
        weight = weight / copies
        if copies > 1:
            noise = torch.randn(weight.shape, generator=self.generator) * NOISE * weight.std()
            summed = torch.zeros(len(out), *old.weight.shape[1:]).index_add_(1, there, noise)
            weight = weight + noise - summed[:, there] / copies
        new.weight.copy_(weight)
        new.bias.copy_(old.bias[out])

    def norm(self, old: nn.Module, new: nn.Module, there: Copies) -> None:
        new.gamma.copy_(old.gamma[there])

    def resnets(self, old: nn.ModuleList, new: nn.ModuleList, out: Copies, there: Copies) -> None:
        for before, after in zip(old, new, strict=True):
            inner = self.fresh(before.conv1.out_channels)
            self.norm(before.norm1, after.norm1, there)
            self.conv(before.conv1, after.conv1, inner, there)
            self.norm(before.norm2, after.norm2, inner)
            self.conv(before.conv2, after.conv2, out, inner)
            if isinstance(before.conv_shortcut, nn.Conv3d):
                self.conv(before.conv_shortcut, after.conv_shortcut, out, there)
            elif not torch.equal(out, there):
                raise InputError(
                    "A residual block adds channels that are not copies of each other."
                )
            there = out

    def resample(self, old: nn.Module, new: nn.Module, there: Copies) -> None:
        self.conv(old.resample[1], new.resample[1], there, there)
        if hasattr(old, "time_conv"):
            # Upsampling in time makes two frames from half of the channels each.
            halves = old.time_conv.out_channels // old.time_conv.in_channels
            out = torch.cat([k * old.time_conv.in_channels + there for k in range(halves)])
            self.conv(old.time_conv, new.time_conv, out, there)

    def middle(self, old: nn.Module, new: nn.Module, there: Copies) -> None:
        self.resnets(old.resnets, new.resnets, there, there)
        for before, after in zip(old.attentions, new.attentions, strict=True):
            channels = before.proj.in_channels
            self.norm(before.norm, after.norm, there)
            qkv = torch.cat([k * channels + there for k in range(3)])
            self.conv(before.to_qkv, after.to_qkv, qkv, there)
            self.conv(before.proj, after.proj, there, there)
            # Products of queries and keys grow with the copies; attention divides by the root only.
            after.to_qkv.weight[: len(there)] /= self.times**0.5
            after.to_qkv.bias[: len(there)] /= self.times**0.5


def _same(channels: int) -> Copies:
    return torch.arange(channels)


def _through_shortcut(old: AvgDown3D, new: AvgDown3D, there: Copies) -> Copies:
    """Return the copies behind an AvgDown3D: outputs are means of groups of (channel, place)."""
    first = torch.arange(new.out_channels) * new.group_size
    channel, place = first // new.factor, first % new.factor
    return (there[channel] * old.factor + place) // old.group_size
