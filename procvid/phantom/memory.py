"""How much memory a clip takes, computed from the configs by walking the real forward passes.

The models are built on the meta device, where tensors have shapes and no bytes, and run there. Every
tensor that would have been allocated is counted while it lives; so the numbers follow the code of
diffusers and not a formula beside it. What no walk can see are the workspaces of single kernels and
the fragmentation of the allocator: `ALLOWANCE` is kept for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from torch._subclasses import FakeTensorMode
from transformers import UMT5Config, UMT5EncoderModel

from procvid.phantom.denoising import GuidedModel, LoopPosition
from procvid.phantom.fast import FastModel
from procvid.phantom.gguf_file import QuantisedTensor, dequantising_bytes
from procvid.phantom.guidance import Guidance
from procvid.phantom.layout import Config, stored_dtype
from procvid.phantom.peak import ValuesUnknown, peak_bytes
from procvid.phantom.step_cache import step_cache
from procvid.types import EXACT, Shortcuts

ALLOWANCE = 1.1
"""The computed bytes times this are asked of a device."""

UMT5_XXL: Config = {
    "vocab_size": 256384,
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
}
"""The published text encoder, as arguments of `UMT5Config`."""

WAN_VAE: Config = {}
"""The published autoencoder has the defaults of `AutoencoderKLWan`."""


@dataclass(frozen=True)
class ClipShape:
    """What the memory of a clip depends on.

    Attributes:
        width: px.
        height: px.
        num_frames: Frames of the video.
        num_references: References, each one latent frame more.
        text_length: Rows of the text embedding.
    """

    width: int
    height: int
    num_frames: int
    num_references: int
    text_length: int = 512


@dataclass(frozen=True)
class Denoising:
    """What a denoising step asks of the transformer, as far as memory depends on it.

    Attributes:
        guidance_scales: Of text and image; they say which branches are predicted.
        precise: Whether residual stream and output head are float32.
        shortcuts: Those of `--fast`: batched branches, and what step caches keep for each branch.
    """

    guidance_scales: tuple[float, float] = (7.5, 5.0)
    precise: bool = False
    shortcuts: Shortcuts = EXACT


PLAIN = Denoising()


@dataclass(frozen=True)
class PartBytes:
    """One model of the pipeline, in bytes.

    Attributes:
        weights: All of it.
        largest_leaf: Its largest single layer.
        block: One of its repeated blocks; 0 when it has none.
        outside: All but the repeated blocks.
        activations: Most that its forward holds at a time, inputs and result included.
    """

    weights: int
    largest_leaf: int
    block: int
    outside: int
    activations: int


@dataclass(frozen=True)
class ClipBytes:
    """All parts of a pipeline for one clip.

    `transformer_fp8` is the transformer stored in 8 bits, None for a GGUF, whose weights stay as they
    are; `vae_tiled` is the autoencoder that decodes in tiles.
    """

    text_encoder: PartBytes
    transformer: PartBytes
    transformer_fp8: PartBytes | None
    vae: PartBytes
    vae_tiled: PartBytes


def estimate(
    clip: ClipShape,
    transformer: Config,
    text_encoder: Config = UMT5_XXL,
    vae: Config = WAN_VAE,
    dtype: torch.dtype = torch.bfloat16,
    denoising: Denoising = PLAIN,
    quantised: Mapping[str, QuantisedTensor] | None = None,
) -> ClipBytes:
    """Compute the bytes of every part for one clip; allocates nothing of that size.

    Args:
        clip: The clip.
        transformer: Arguments of `WanTransformer3DModel`.
        text_encoder: Arguments of `UMT5Config`.
        vae: Arguments of `AutoencoderKLWan`.
        dtype: Of transformer and text encoder; the autoencoder is float32.
        denoising: What the steps ask of the transformer.
        quantised: The quantised tensors of a transformer that is a GGUF, by diffusers name.
    """
    stored = None if quantised is None else tuple(sorted(quantised.items()))
    configs = _frozen(transformer), _frozen(text_encoder), _frozen(vae)
    return _estimate(clip, *configs, dtype, denoising, stored)


@lru_cache(maxsize=64)
def _estimate(
    clip: ClipShape,
    transformer: str,
    text_encoder: str,
    vae: str,
    dtype: torch.dtype,
    denoising: Denoising,
    quantised: tuple[tuple[str, QuantisedTensor], ...] | None,
) -> ClipBytes:
    parts: dict[str, PartBytes | None] = {}
    with torch.device("meta"), torch.no_grad():
        autoencoder = AutoencoderKLWan(**_thawed(vae)).eval()
        # Config and not attributes: those of the residual autoencoder differ in meaning.
        spatial = autoencoder.config.scale_factor_spatial
        temporal = autoencoder.config.scale_factor_temporal
        size_hw = (clip.height // spatial, clip.width // spatial)
        num_latent_frames = (clip.num_frames - 1) // temporal + 1
        channels = autoencoder.config.z_dim
        video = (1, channels, num_latent_frames, *size_hw)
        encoder = UMT5EncoderModel(UMT5Config.from_dict(_thawed(text_encoder))).eval().to(dtype)
        encoded = peak_bytes(lambda: _encode(encoder, clip.text_length))
        parts["text_encoder"] = _part(encoder, "encoder.block", encoded)
        encoding = peak_bytes(lambda: _encode_reference(autoencoder, clip))
        decoding = _decoding(autoencoder, video, clip)
        parts["vae"] = _part(autoencoder, "", max(encoding, decoding))
        tiled = min(decoding, _tiled_decoding(autoencoder, video, clip))
        parts["vae_tiled"] = _part(autoencoder, "", max(encoding, tiled))
        model = _meta_transformer(_thawed(transformer), dtype)
        names = {name for name, _ in model.named_parameters()}
        for name, tensor in quantised or ():
            if name not in names:
                # Of another model, which is told when it is loaded.
                continue
            module, _, own = name.rpartition(".")
            stored = torch.nn.Parameter(torch.empty(tensor.num_bytes, dtype=torch.uint8), False)
            model.get_submodule(module)._parameters[own] = stored
    activations = _denoising_bytes(clip, _thawed(transformer), video, dtype, denoising)
    if quantised is not None:
        activations += max((dequantising_bytes(t, dtype) for _, t in quantised), default=0)
    parts["transformer"] = _part(model, "blocks", activations)
    parts["transformer_fp8"] = None
    if quantised is None:
        model.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)
        # A layer is cast up while it runs.
        leaf = 2 * _largest_leaf(model)
        parts["transformer_fp8"] = _part(model, "blocks", activations + leaf)
    return ClipBytes(**parts)


def _denoising_bytes(
    clip: ClipShape,
    transformer: dict[str, Any],
    video: tuple[int, ...],
    dtype: torch.dtype,
    denoising: Denoising,
) -> int:
    """Most that denoising holds: the steps that make all there is to keep are walked.

    With fake tensors and not on the meta device, which autocast does not know.
    """
    scales, shortcuts = denoising.guidance_scales, denoising.shortcuts
    total, cache = 100, shortcuts.cache
    with FakeTensorMode(), torch.no_grad():
        # What a forward holds does not grow with the number of blocks, but walking them takes time.
        shallow = _meta_transformer({**transformer, "num_layers": 2}, dtype)
        references = torch.zeros((*video[:2], clip.num_references, *video[3:]), dtype=dtype)
        guided = GuidedModel(
            shallow,
            Guidance(*scales, clip.num_references),
            references,
            denoising.precise,
            shortcuts.batched,
        )
        latents, timestep = torch.zeros(video), torch.zeros((), dtype=torch.int64)
        shape = (1, clip.text_length, shallow.config.text_dim)
        text = {sees: torch.zeros(shape, dtype=dtype) for sees in (True, False)}

        def steps() -> None:
            model = FastModel(guided, shortcuts)
            with step_cache(
                shallow,
                None if cache is None else replace(cache, full_steps=total),
                num_steps=total,
                num_video_frames=video[2],
                mag_ratios=[1.0] * total,
            ):
                # A branch is asked again while what it left the first time is still kept.
                for index in range(1 if shortcuts == EXACT else shortcuts.guided_every + 1):
                    model.velocity(latents, timestep, text, LoopPosition(index, total, 0.5))

        with ValuesUnknown():
            peak = peak_bytes(steps)
    # Beside it: the noisy video, the solver's two memories and the result.
    return peak + 4 * torch.Size(video).numel() * 4


def _meta_transformer(config: Mapping[str, Any], dtype: torch.dtype) -> WanTransformer3DModel:
    model = WanTransformer3DModel(**config).eval()
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(stored_dtype(name, dtype))
    return model


def _encode(encoder: UMT5EncoderModel, length: int) -> torch.Tensor:
    ids = torch.zeros((1, length), dtype=torch.int64)
    # Without a mask: one of ones would be asked for its values, which meta tensors have not.
    return encoder(ids).last_hidden_state


def _decoding(autoencoder: AutoencoderKLWan, video: tuple[int, ...], clip: ClipShape) -> int:
    """Decoded one latent frame after another: beyond the third only the result grows."""
    walked = (*video[:2], min(video[2], 3), *video[3:])
    latents = torch.zeros(walked)
    peak = peak_bytes(lambda: autoencoder.decode(latents))
    frame = 3 * clip.width * clip.height * 4
    temporal = autoencoder.config.scale_factor_temporal
    return peak + frame * temporal * (video[2] - walked[2])


def _tiled_decoding(autoencoder: AutoencoderKLWan, video: tuple[int, ...], clip: ClipShape) -> int:
    """One tile after another; the decoded tiles and what they are joined to are kept."""
    spatial = autoencoder.config.scale_factor_spatial
    rows = min(video[3], autoencoder.tile_sample_min_height // spatial)
    columns = min(video[4], autoencoder.tile_sample_min_width // spatial)
    tile = _decoding(
        autoencoder,
        (*video[:3], rows, columns),
        replace(clip, height=rows * spatial, width=columns * spatial),
    )
    overlapping = (
        autoencoder.tile_sample_min_height
        / autoencoder.tile_sample_stride_height
        * autoencoder.tile_sample_min_width
        / autoencoder.tile_sample_stride_width
    )
    result = 3 * clip.num_frames * clip.height * clip.width * 4
    return tile + int((1 + overlapping) * result)


def _encode_reference(autoencoder: AutoencoderKLWan, clip: ClipShape) -> torch.Tensor:
    return autoencoder.encode(torch.zeros(1, 3, 1, clip.height, clip.width)).latent_dist.mean


def _part(model: torch.nn.Module, blocks: str, activations: int) -> PartBytes:
    weights = _bytes(model)
    block = outside = 0
    if blocks:
        repeated = model.get_submodule(blocks)
        block = max(_bytes(one) for one in repeated.children())
        outside = weights - _bytes(repeated)
    return PartBytes(weights, _largest_leaf(model), block, outside, activations)


def _bytes(model: torch.nn.Module) -> int:
    values = {id(value): value for value in (*model.parameters(), *model.buffers())}
    return sum(value.numel() * value.element_size() for value in values.values())


def _largest_leaf(model: torch.nn.Module) -> int:
    return max(_bytes(module) for module in model.modules() if not list(module.children()))


def _frozen(config: Config) -> str:
    return json.dumps(dict(config), sort_keys=True)


def _thawed(frozen: str) -> dict[str, Any]:
    return dict(json.loads(frozen))
