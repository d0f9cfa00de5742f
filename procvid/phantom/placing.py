"""Where the weights of a pipeline are: on the GPU, in the machine's memory, or in their files.

Weights that are loaded from safetensors in their own dtype are mapped from the files: they take no
memory until they are read, and the system drops them again when it needs room. `take_off` brings weights
back to these files instead of copying them from the GPU. So a machine needs memory only for the copies
that offloading makes.
"""

from __future__ import annotations

import gc
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

import torch
from diffusers import DiffusionPipeline
from diffusers.hooks import HookRegistry, apply_group_offloading
from diffusers.hooks import group_offloading as names

from procvid.phantom.compiling import undo_compiling

FULL = "full"
MODEL_OFFLOAD = "model_offload"
GROUP_OFFLOAD = "group_offload"
TILED = "tiled"
FP8_GROUP_OFFLOAD = "fp8_group_offload"
FEWER_FRAMES = "fewer_frames"

IN_8_BITS = (FP8_GROUP_OFFLOAD, FEWER_FRAMES)
IN_TILES = (TILED, *IN_8_BITS)

BLOCKS_AT_A_TIME = 2
"""With a stream, the next block (or leaf of the text encoder) is copied while one runs."""

_PARTS = ("transformer", "text_encoder", "vae")
_EXACT_PINNING = "pinned_max_round_threshold_mb"
_homes: WeakKeyDictionary[DiffusionPipeline, dict[torch.nn.Parameter, torch.Tensor]] = (
    WeakKeyDictionary()
)


def place(
    pipeline: DiffusionPipeline, name: str, device: torch.device, *, pinned: bool = True
) -> None:
    """Place a pipeline on a device as a rung describes, regardless of its current placement.

    Storing in 8 bits cannot be undone, so only 8-bit rungs may follow such a rung.

    Args:
        pipeline: A loaded pipeline with merged LoRAs; on the CPU when it is placed first.
        name: Name of the rung.
        device: Device of the computation. On the CPU, the rungs differ only in the 8 bits.
        pinned: Keep a page-locked copy of the weights that go through the GPU. False reads them from
            their files and locks one block at a time.

    Raises:
        torch.AcceleratorError: The machine has too little memory for the page-locked copy.
    """
    take_off(pipeline)
    pipeline.tile_decoding = name in IN_TILES
    match name:
        case "full":
            pipeline.to(device)
        case "model_offload":
            if device.type == "cpu":
                return
            pipeline.enable_model_cpu_offload(device=device)
        case _:
            if name in IN_8_BITS:
                _store_in_fp8(pipeline)
            _offload_groups(pipeline, device, pinned)


def take_off(pipeline: DiffusionPipeline) -> None:
    """Undo `place`, except for the 8 bits, and release the memory of GPU and machine."""
    home = _home_of(pipeline)
    pipeline.remove_all_hooks()
    undo_compiling(pipeline.transformer)
    # Otherwise `maybe_free_model_hooks` enables model offloading again after the next clip.
    pipeline._offload_device = None
    for model in _offloaded(pipeline):
        registry = HookRegistry.check_if_exists_or_initialize(model)
        for hook in (
            names._LAZY_PREFETCH_GROUP_OFFLOADING,
            names._LAYER_EXECUTION_TRACKER,
            names._GROUP_OFFLOADING,
        ):
            registry.remove_hook(hook, recurse=True)
    for parameter, data in home.items():
        parameter.data = data
    # Buffers and quantised weights.
    pipeline.to("cpu", silence_dtype_warnings=True)
    release_memory()


def _home_of(pipeline: DiffusionPipeline) -> dict[torch.nn.Parameter, torch.Tensor]:
    """Return the weights as they were loaded, by parameter; quantised ones are left out."""
    if pipeline not in _homes:
        _homes[pipeline] = {
            value: value.data
            for model in _models(pipeline)
            for value in model.parameters()
            if not hasattr(value, "quant_type")
        }
    return _homes[pipeline]


def _models(pipeline: DiffusionPipeline) -> Iterator[torch.nn.Module]:
    parts = (getattr(pipeline, name, None) for name in _PARTS)
    return (part for part in parts if part is not None)


def _offloaded(pipeline: DiffusionPipeline) -> Iterator[torch.nn.Module]:
    """Yield the models that go through the GPU in groups."""
    yield pipeline.transformer
    if pipeline.text_encoder is not None:
        # Without the outer model, whose own vocabulary is that of the encoder and never runs.
        yield pipeline.text_encoder.encoder


def send_back(pipeline: DiffusionPipeline, model: torch.nn.Module) -> None:
    """Move a model off the device if one model at a time is there, before the next one comes."""
    for hook in getattr(pipeline, "_all_hooks", ()):
        if hook.model is model:
            hook.offload()


def is_in_8_bits(pipeline: DiffusionPipeline) -> bool:
    """Return True if the transformer is stored in 8 bits, which only reloading undoes."""
    return any(value.dtype == torch.float8_e4m3fn for value in pipeline.transformer.parameters())


def loaded_weights(pipeline: DiffusionPipeline) -> Collection[torch.Tensor]:
    """Return the weights as they were loaded, or made in 8 bits: where `take_off` returns to."""
    return _home_of(pipeline).values()


def held_bytes(pipeline: DiffusionPipeline) -> tuple[int, int]:
    """Return the bytes of the models on the GPU, and of their copies in the machine's memory.

    Weights as they were loaded do not count as copies; those that were made in 8 bits do.
    """
    home = {value.untyped_storage()._cdata for value in loaded_weights(pipeline)}
    on_device = 0
    on_host = sum(v.nbytes for v in loaded_weights(pipeline) if v.dtype == torch.float8_e4m3fn)
    for model in _models(pipeline):
        for value in (*model.parameters(), *model.buffers()):
            if value.device.type != "cpu":
                on_device += value.nbytes
            elif isinstance(value, torch.nn.Parameter):
                on_host += 0 if value.untyped_storage()._cdata in home else value.nbytes
    return on_device, on_host


def release_memory() -> None:
    """Give unused memory back: of the GPU, and page-locked memory of the machine."""
    gc.collect()
    if torch.cuda.is_initialized():
        # They empty the caches of all devices, and one that is lost refuses.
        with suppress(torch.AcceleratorError):
            torch.cuda.empty_cache()
            if hasattr(torch.accelerator, "empty_host_cache"):
                torch.accelerator.empty_host_cache()


@lru_cache(maxsize=1)
def pin_exactly() -> bool:
    """Let torch lock pages without rounding; return False if the installed torch cannot.

    By default torch rounds each block up to a power of two, which locks 19.1 GB for 14.1 GB of weights.
    Without rounding, torch before 2.14 may reuse a block that is too small.
    """
    if torch.__version__ < (2, 14):
        return False
    try:
        given = torch._C._accelerator_getAllocatorSettings()
        settings = ",".join(filter(None, (given, f"{_EXACT_PINNING}:1")))
        torch._C._accelerator_setAllocatorSettings(settings)
    except (AttributeError, ValueError, RuntimeError):
        return False
    return True


def pinned_size(num_bytes: int) -> int:
    """Return the bytes that torch locks for a block of this size."""
    if num_bytes > 2**20 and pin_exactly():
        return num_bytes
    return 1 << max(0, num_bytes - 1).bit_length()


def _store_in_fp8(pipeline: DiffusionPipeline) -> None:
    transformer = pipeline.transformer
    quantised = any(value.dtype == torch.uint8 for value in transformer.parameters())
    if quantised or is_in_8_bits(pipeline):
        return
    transformer.enable_layerwise_casting(
        storage_dtype=torch.float8_e4m3fn, compute_dtype=transformer.dtype
    )
    _homes[pipeline] |= {value: value.data for value in transformer.parameters()}


def _offload_groups(pipeline: DiffusionPipeline, device: torch.device, pinned: bool) -> None:
    use_stream = device.type == "cuda"
    if use_stream:
        pin_exactly()
    common: dict[str, Any] = {
        "onload_device": device,
        "offload_device": torch.device("cpu"),
        "use_stream": use_stream,
        "non_blocking": use_stream,
        "low_cpu_mem_usage": use_stream and not pinned,
    }
    transformer, *encoders = _offloaded(pipeline)
    transformer.enable_group_offload(offload_type="block_level", num_blocks_per_group=1, **common)
    for encoder in encoders:
        # diffusers does not find its nested blocks; the largest leaf is the vocabulary.
        apply_group_offloading(encoder, offload_type="leaf_level", **common)
    if pipeline.vae is not None:
        # It stays on the device: it is small, and offloading its layers is slow.
        pipeline.vae.to(device)
