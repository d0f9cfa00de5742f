"""VRAM of a clip, computed from the configs by running the real forward passes without data.

The models are built and run on the meta device, where tensors have shapes but no bytes. Every tensor
that would be allocated is counted while it lives, so the numbers follow the code of diffusers.
Workspaces of kernels and fragmentation of the allocator are not counted; `ALLOWANCE` covers them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel, WanVACETransformer3DModel
from torch._subclasses import FakeTensorMode
from transformers import UMT5Config, UMT5EncoderModel

from procvid.phantom.denoising import GuidedModel, LoopPosition
from procvid.phantom.fast import FastModel, shortened
from procvid.phantom.gguf_file import QuantisedTensor, dequantising_bytes
from procvid.phantom.guidance import Guidance
from procvid.phantom.layout import Config, is_vace, stored_dtype, transformer_class
from procvid.phantom.peak import ValuesUnknown, peak_bytes
from procvid.phantom.pipeline_vace import VaceModel, VacePipeline
from procvid.phantom.placing import pinned_size
from procvid.types import EXACT, Shortcuts

ALLOWANCE = 1.1
"""A clip needs the computed bytes of its activations times this factor."""

UMT5_XXL: Config = {
    "vocab_size": 256384,
    "d_model": 4096,
    "d_kv": 64,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
}
"""Arguments of `UMT5Config` for the published text encoder."""

WAN_VAE: Config = {}
"""The published autoencoder has the defaults of `AutoencoderKLWan`."""


@dataclass(frozen=True)
class ClipShape:
    """The sizes of a clip on which its VRAM depends.

    Attributes:
        width: px.
        height: px.
        num_frames: Frames of the video.
        num_references: Number of references; each adds one latent frame.
        text_length: Rows of the text embedding.
    """

    width: int
    height: int
    num_frames: int
    num_references: int
    text_length: int = 512


@dataclass(frozen=True)
class Denoising:
    """The settings of denoising on which VRAM depends.

    Attributes:
        guidance_scales: Text and image scale, which decide the branches to predict.
        precise: True if residual stream, time embedding and output head are float32.
        shortcuts: Those of `--fast`: batched branches, and step caches with a state for each branch.
    """

    guidance_scales: tuple[float, float] = (7.5, 5.0)
    precise: bool = False
    shortcuts: Shortcuts = EXACT


PLAIN = Denoising()


@dataclass(frozen=True)
class PartBytes:
    """Bytes of one model of the pipeline.

    Attributes:
        weights: All weights.
        two_leaves: The largest two layers that follow each other.
        block: The largest of the repeated blocks; 0 without blocks.
        outside: All weights outside the repeated blocks; 0 without blocks.
        activations: Peak of a forward pass, including inputs and result.
        pinned: Page-locked bytes of what is offloaded in groups: the blocks, or all without blocks.
    """

    weights: int
    two_leaves: int
    block: int
    outside: int
    activations: int
    pinned: int = 0


@dataclass(frozen=True)
class ClipBytes:
    """Bytes of all parts of a pipeline for one clip.

    `transformer_fp8` is the transformer stored in 8 bits; None for a GGUF, whose weights are not
    converted. `vae_tiled` is the autoencoder if it decodes in tiles.
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
    """Compute the bytes of every part for one clip, without allocating them.

    Args:
        clip: The clip.
        transformer: Arguments of `transformer_class`.
        text_encoder: Arguments of `UMT5Config`.
        vae: Arguments of `AutoencoderKLWan`.
        dtype: Dtype of transformer and text encoder; the autoencoder is float32.
        denoising: How the transformer is run.
        quantised: The quantised tensors of a GGUF transformer, by diffusers name.
    """
    stored = None if quantised is None else tuple(sorted(quantised.items()))
    autoencoder = _frozen(vae)
    model = _transformer_bytes(
        clip, _frozen(transformer), _latent_shape(autoencoder, clip), dtype, denoising, stored
    )
    # Phantom encodes one frame at a time, so only VACE's autoencoder depends on the references.
    encoded = _frozen(transformer) if is_vace(transformer) else ""
    references = clip.num_references if encoded else 0
    seen = replace(clip, num_references=references, text_length=0)
    whole, tiled = _vae_bytes(autoencoder, seen, encoded)
    return ClipBytes(
        text_encoder=_text_encoder_bytes(_frozen(text_encoder), clip.text_length, dtype),
        transformer=model[0],
        transformer_fp8=model[1],
        vae=whole,
        vae_tiled=tiled,
    )


@lru_cache(maxsize=64)
def _text_encoder_bytes(config: str, text_length: int, dtype: torch.dtype) -> PartBytes:
    with torch.device("meta"), torch.no_grad():
        encoder = UMT5EncoderModel(UMT5Config.from_dict(_thawed(config))).eval().to(dtype)
        if dtype == torch.float16:
            # transformers keeps these layers in float32, because float16 overflows there.
            for name, module in encoder.named_modules():
                if name.rpartition(".")[2] in UMT5EncoderModel._keep_in_fp32_modules:
                    module.float()
        return _part(encoder, peak_bytes(lambda: _encode(encoder, text_length)))


@lru_cache(maxsize=64)
def _vae_bytes(config: str, clip: ClipShape, vace: str) -> tuple[PartBytes, PartBytes]:
    """Return the bytes of the autoencoder, and those if it decodes in tiles.

    `vace` is the config of the transformer if it is one of VACE, else "".
    """
    video = _latent_shape(config, clip)
    with torch.device("meta"), torch.no_grad():
        autoencoder = AutoencoderKLWan(**_thawed(config)).eval()
        if vace:
            encoding = _encoding_conditions(autoencoder, _thawed(vace), clip)
        else:
            encoding = peak_bytes(lambda: _encode_reference(autoencoder, clip))
        decoding = _decoding(autoencoder, video, clip)
        tiled = min(decoding, _tiled_decoding(autoencoder, video, clip))
        return (
            _part(autoencoder, max(encoding, decoding)),
            _part(autoencoder, max(encoding, tiled)),
        )


@lru_cache(maxsize=64)
def _latent_shape(config: str, clip: ClipShape) -> tuple[int, ...]:
    """Return the shape (1, C, F, h, w) of a clip's latents, without references."""
    with torch.device("meta"):
        # The config, not the attributes: they mean something else in the residual autoencoder.
        known = AutoencoderKLWan(**_thawed(config)).config
    spatial, temporal = known.scale_factor_spatial, known.scale_factor_temporal
    num_latent_frames = (clip.num_frames - 1) // temporal + 1
    return (1, known.z_dim, num_latent_frames, clip.height // spatial, clip.width // spatial)


@lru_cache(maxsize=64)
def _transformer_bytes(
    clip: ClipShape,
    config: str,
    video: tuple[int, ...],
    dtype: torch.dtype,
    denoising: Denoising,
    quantised: tuple[tuple[str, QuantisedTensor], ...] | None,
) -> tuple[PartBytes, PartBytes | None]:
    """Return the bytes of the transformer as it is, and stored in 8 bits (None for a GGUF)."""
    with torch.device("meta"), torch.no_grad():
        model = _meta_transformer(_thawed(config), dtype)
        names = {name for name, _ in model.named_parameters()}
        for name, tensor in quantised or ():
            if name not in names:
                # The file is of another model; loading reports it.
                continue
            module, _, own = name.rpartition(".")
            stored = torch.nn.Parameter(torch.empty(tensor.num_bytes, dtype=torch.uint8), False)
            model.get_submodule(module)._parameters[own] = stored
    activations = _denoising_bytes(clip, _thawed(config), video, dtype, denoising)
    if quantised is not None:
        activations += max((dequantising_bytes(t, dtype) for _, t in quantised), default=0)
        return _part(model, activations), None
    plain = _part(model, activations)
    model.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)
    # A layer is cast up while it runs.
    leaf = 2 * max(_leaves(model))
    return plain, _part(model, activations + leaf)


def _denoising_bytes(
    clip: ClipShape,
    transformer: dict[str, Any],
    video: tuple[int, ...],
    dtype: torch.dtype,
    denoising: Denoising,
) -> int:
    """Return the peak of denoising over enough steps to fill every cache.

    Uses fake tensors, because autocast does not support the meta device.
    """
    scales, shortcuts = denoising.guidance_scales, denoising.shortcuts
    total = 100
    full_cache = shortcuts.cache and replace(shortcuts.cache, full_steps=total)
    # Without a device there is no kernel in 8 bits; fused attention is counted alike.
    counted = replace(shortcuts, cache=full_cache, attention_in_8_bits=False)
    with FakeTensorMode(), torch.no_grad():
        # The peak of a forward pass does not depend on the number of blocks, and two run faster.
        shallow = _meta_transformer({**transformer, **_two_layers(transformer)}, dtype)
        channels, frames, references = video[1], video[2], clip.num_references
        kind: type[GuidedModel] = GuidedModel
        if is_vace(transformer):
            # The conditions of all frames in place of the references.
            kind, channels = VaceModel, transformer["vace_in_channels"]
            frames = references = frames + references
        given = torch.zeros((1, channels, references, *video[3:]), dtype=dtype)
        guidance = Guidance(*scales, clip.num_references)
        guided = kind(shallow, guidance, given, denoising.precise, shortcuts)
        latents = torch.zeros((*video[:2], frames, *video[3:]))
        timestep = torch.zeros((), dtype=torch.int64)
        shape = (1, clip.text_length, shallow.config.text_dim)
        text = {sees: torch.zeros(shape, dtype=dtype) for sees in (True, False)}

        def steps() -> None:
            model = FastModel(guided, shortcuts)
            with shortened(shallow, counted, denoising.precise, total, video[2], [1.0] * total):
                # A branch runs again while the state of its first call is still cached.
                for index in range(1 if shortcuts == EXACT else shortcuts.guided_every + 1):
                    model.velocity(latents, timestep, text, LoopPosition(index, total, 0.5))

        with ValuesUnknown():
            peak = peak_bytes(steps)
    # In addition: the noisy video, two states of the solver and the result, and VACE's conditions.
    return peak + 4 * latents.numel() * 4 + (given.nbytes if kind is VaceModel else 0)


def _two_layers(transformer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a transformer with two blocks and the same peak.

    All blocks of VACE stay: their results live until the block that takes them.
    """
    if not is_vace(transformer):
        return {"num_layers": 2}
    return {"num_layers": 2, "vace_layers": [0] * len(transformer["vace_layers"])}


def _meta_transformer(
    config: Mapping[str, Any], dtype: torch.dtype
) -> WanTransformer3DModel | WanVACETransformer3DModel:
    model = transformer_class(config)(**config).eval()
    for name, parameter in model.named_parameters():
        parameter.data = parameter.data.to(stored_dtype(name, dtype))
    return model


def _encode(encoder: UMT5EncoderModel, length: int) -> torch.Tensor:
    ids = torch.zeros((1, length), dtype=torch.int64)
    # Without a mask: its values would be read, and meta tensors have none.
    return encoder(ids).last_hidden_state


def _decoding(autoencoder: AutoencoderKLWan, video: tuple[int, ...], clip: ClipShape) -> int:
    """Return the peak of decoding frame by frame; after the third latent frame only the result grows."""
    walked = (*video[:2], min(video[2], 3), *video[3:])
    latents = torch.zeros(walked)
    peak = peak_bytes(lambda: autoencoder.decode(latents))
    frame = 3 * clip.width * clip.height * 4
    temporal = autoencoder.config.scale_factor_temporal
    return peak + frame * temporal * (video[2] - walked[2])


def _tiled_decoding(autoencoder: AutoencoderKLWan, video: tuple[int, ...], clip: ClipShape) -> int:
    """Return the peak of decoding in tiles: the decoded tiles are kept while the next one is decoded.

    The order is that of `AutoencoderKLWan.tiled_decode`.
    """
    spatial = autoencoder.config.scale_factor_spatial
    heights, widths = (
        _tile_sizes(size, least // spatial, stride // spatial)
        for size, least, stride in (
            (
                video[3],
                autoencoder.tile_sample_min_height,
                autoencoder.tile_sample_stride_height,
            ),
            (video[4], autoencoder.tile_sample_min_width, autoencoder.tile_sample_stride_width),
        )
    )
    largest = replace(clip, height=max(heights) * spatial, width=max(widths) * spatial)
    whole = _decoding(autoencoder, (*video[:3], max(heights), max(widths)), largest)
    frames = 3 * clip.num_frames * spatial**2 * 4
    kept = peak = 0
    for height in heights:
        for width in widths:
            share = height * width / (max(heights) * max(widths))
            peak = max(peak, kept + int(share * whole))
            kept += frames * height * width
    # In the end the tiles are joined to rows, and the rows to the result.
    return max(peak, kept + 2 * frames * video[3] * video[4])


def _tile_sizes(size: int, largest: int, stride: int) -> list[int]:
    return [min(largest, size - start) for start in range(0, size, stride)]


def _encoding_conditions(
    autoencoder: AutoencoderKLWan, transformer: dict[str, Any], clip: ClipShape
) -> int:
    """Return the peak of encoding the conditions of VACE: the references and an empty clip.

    From the third latent frame on, only the pixels and the result grow.
    """
    meta = _meta_transformer(transformer, torch.float32)
    pipeline = VacePipeline(None, None, autoencoder, None, meta)
    temporal = autoencoder.config.scale_factor_temporal

    def peak(num_latent_frames: int) -> int:
        size = clip.height, clip.width, (num_latent_frames - 1) * temporal + 1
        return peak_bytes(lambda: pipeline.conditions_of(None, *size))

    # The references wait as pixels while the clip is encoded.
    references = clip.num_references * 3 * clip.height * clip.width * 4
    wanted = (clip.num_frames - 1) // temporal + 1
    if wanted <= 4:
        return references + peak(wanted)
    three, four = peak(3), peak(4)
    return references + four + (wanted - 4) * (four - three)


def _encode_reference(autoencoder: AutoencoderKLWan, clip: ClipShape) -> torch.Tensor:
    return autoencoder.encode(torch.zeros(1, 3, 1, clip.height, clip.width)).latent_dist.mean


def _part(model: torch.nn.Module, activations: int) -> PartBytes:
    weights = _bytes(model)
    block = outside = 0
    repeated = [getattr(model, name) for name in ("blocks", "vace_blocks") if hasattr(model, name)]
    if repeated:
        block = max(_bytes(one) for blocks in repeated for one in blocks)
        outside = weights - sum(map(_bytes, repeated))
    leaves = _leaves(model)
    return PartBytes(
        weights,
        max(a + b for a, b in zip(leaves, [*leaves[1:], 0], strict=True)),
        block,
        outside,
        activations,
        sum(pinned_size(value.nbytes) for each in repeated or [model] for value in _values(each)),
    )


def _bytes(model: torch.nn.Module) -> int:
    return sum(value.nbytes for value in _values(model))


def _values(model: torch.nn.Module) -> Collection[torch.Tensor]:
    """Return parameters and buffers; those that are shared occur once."""
    return {id(value): value for value in (*model.parameters(), *model.buffers())}.values()


def _leaves(model: torch.nn.Module) -> list[int]:
    """Return the bytes of the layers with weights, in order; a shared weight counts once."""
    seen: set[int] = set()
    sizes = []
    for module in model.modules():
        own = [v for v in _values(module) if not list(module.children()) and id(v) not in seen]
        seen.update(map(id, own))
        if own:
            sizes.append(sum(value.nbytes for value in own))
    return sizes


def _frozen(config: Config) -> str:
    return json.dumps(dict(config), sort_keys=True)


def _thawed(frozen: str) -> dict[str, Any]:
    return dict(json.loads(frozen))
