"""The ladder: ways to fit a clip into the free VRAM, from the fastest to the smallest.

    full                everything on the GPU
    model_offload       one model at a time on the GPU
    group_offload       two blocks of the transformer at a time; the next is copied while one runs
    tiled               the same, and the autoencoder decodes in tiles
    fp8_group_offload   the same, with the transformer stored in 8 bits
    fewer_frames        the same, with a shorter clip

The first three rungs give the same clip. The next ones reduce quality, the last one the length. A GGUF
is never stored in 8 bits, because it is already quantised.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from diffusers.hooks import HookRegistry, apply_group_offloading
from diffusers.hooks import group_offloading as diffusers_names

from procvid.phantom.compiling import compile_placed, undo_compiling
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.vram import ALLOWANCE, ClipBytes, ClipShape

FULL = "full"
MODEL_OFFLOAD = "model_offload"
GROUP_OFFLOAD = "group_offload"
TILED = "tiled"
FP8_GROUP_OFFLOAD = "fp8_group_offload"
FEWER_FRAMES = "fewer_frames"

SUMMARIES = {
    FULL: "everything stays on the GPU",
    MODEL_OFFLOAD: "one model at a time on the GPU",
    GROUP_OFFLOAD: "the transformer goes through the GPU block by block",
    TILED: "block by block, decoded in tiles",
    FP8_GROUP_OFFLOAD: "block by block, decoded in tiles, stored in 8 bits",
    FEWER_FRAMES: "block by block, decoded in tiles, with fewer frames",
}

_IN_8_BITS = (FP8_GROUP_OFFLOAD, FEWER_FRAMES)
_IN_TILES = (TILED, *_IN_8_BITS)
_BLOCKS_AT_A_TIME = 2
"""With a stream, the next block (or leaf of the text encoder) is copied while one runs."""


@dataclass(frozen=True)
class Rung:
    """A way to run a clip, and the memory it needs.

    Attributes:
        name: One of the names above.
        num_frames: Frames of the clip.
        device_bytes: Peak of VRAM, including the allowance.
        host_bytes: Memory of the machine (RAM) for offloaded weights.
        step_bytes: Peak of VRAM in a denoising step, including the allowance.
        in_8_bits: True if the transformer is stored in 8 bits.
    """

    name: str
    num_frames: int
    device_bytes: int
    host_bytes: int
    step_bytes: int = 0
    in_8_bits: bool = False

    @property
    def summary(self) -> str:
        """Description for the user."""
        if self.name != FEWER_FRAMES:
            return SUMMARIES[self.name]
        stored = "stored in 8 bits, " if self.in_8_bits else ""
        return f"block by block, decoded in tiles, {stored}with fewer frames ({self.num_frames})"


def rungs(clip: ClipShape, bytes_of: Callable[[ClipShape], ClipBytes]) -> list[Rung]:
    """Return all rungs for a clip, from the top.

    Each rung needs less VRAM than the one before, either at the peak of the whole clip or, at the same
    peak, in a denoising step.

    Args:
        clip: The clip.
        bytes_of: Computes the bytes of this and of shorter clips; see `procvid.phantom.vram`.
    """
    parts = bytes_of(clip)
    possible = [name for name in SUMMARIES if parts.transformer_fp8 or name != FP8_GROUP_OFFLOAD]
    made = [_rung(name, clip, parts) for name in possible[:-1]]
    frames = clip.num_frames
    while frames > 5:
        # Half of the latent frames, and 4n+1 again.
        frames = max(5, (frames - 1) // 8 * 4 + 1)
        shorter = replace(clip, num_frames=frames)
        made.append(_rung(FEWER_FRAMES, shorter, bytes_of(shorter)))
    kept: list[Rung] = []
    for rung in made:
        last = kept[-1:] or [replace(rung, device_bytes=rung.device_bytes + 1)]
        if rung.device_bytes < last[0].device_bytes or (
            rung.device_bytes == last[0].device_bytes and rung.step_bytes < last[0].step_bytes
        ):
            kept.append(rung)
    return kept


def _rung(name: str, clip: ClipShape, parts: ClipBytes) -> Rung:
    text = parts.text_encoder
    in_8_bits = name in _IN_8_BITS and parts.transformer_fp8 is not None
    transformer = parts.transformer_fp8 if in_8_bits else parts.transformer
    vae = parts.vae_tiled if name in _IN_TILES else parts.vae
    weights = text.weights + transformer.weights + vae.weights
    match name:
        case "full":
            working = max(p.activations for p in (text, transformer, vae))
            peak, host = weights + working, 0
            step = weights + transformer.activations
        case "model_offload":
            peak = max(p.weights + p.activations for p in (text, transformer, vae))
            host = weights
            step = transformer.weights + transformer.activations
        case _:
            # The autoencoder stays on the device: it is small, and offloading its layers is slow.
            blocks = transformer.outside + _BLOCKS_AT_A_TIME * transformer.block
            leaves = _BLOCKS_AT_A_TIME * text.largest_leaf
            step = vae.weights + blocks + transformer.activations
            peak = max(step, vae.weights + max(leaves + text.activations, vae.activations))
            # A pinned copy for the stream, besides the loaded weights until each was used once.
            host = 2 * (weights - vae.weights)
    sizes = int(ALLOWANCE * peak), host, int(ALLOWANCE * step)
    return Rung(name, clip.num_frames, *sizes, in_8_bits)


def choose_rung(all_rungs: list[Rung], device_bytes: int, host_bytes: int) -> int | None:
    """Return the index of the first rung that fits; None if none fits.

    Args:
        all_rungs: All rungs, from the top.
        device_bytes: Free VRAM, before anything is loaded.
        host_bytes: Free RAM.
    """
    for index, rung in enumerate(all_rungs):
        if rung.device_bytes <= device_bytes and rung.host_bytes <= host_bytes:
            return index
    return None


def describe_choice(
    profile: str, clip: ClipShape, all_rungs: list[Rung], chosen: int, free: int
) -> str:
    """Return one sentence on the VRAM that a clip needs, the free VRAM, and the chosen rung."""
    top, rung = all_rungs[0], all_rungs[chosen]
    what = f"{profile} at {clip.width}x{clip.height}, {clip.num_frames} frames"
    needs = f"{what} needs about {_gb(top.device_bytes)} GB, {_gb(free)} GB are free"
    if chosen == 0:
        return f"{needs}: {SUMMARIES[FULL]}"
    return f"{needs}: {rung.summary}, about {_gb(rung.device_bytes)} GB"


def describe_step_down(before: Rung, after: Rung) -> str:
    """Return one sentence on the step down after an out-of-memory error."""
    return f"out of memory ({before.summary}): continues with {after.summary}"


def _gb(num_bytes: int) -> str:
    value = num_bytes / 1e9
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def place(pipeline: PhantomWanPipeline, name: str, device: torch.device) -> None:
    """Place a pipeline on a device as a rung describes, regardless of its current placement.

    Storing in 8 bits cannot be undone, so only 8-bit rungs may follow such a rung.

    Args:
        pipeline: A loaded pipeline with merged LoRAs.
        name: Name of the rung.
        device: Device of the computation. On the CPU, the rungs differ only in the 8 bits.
    """
    take_off(pipeline)
    pipeline.tile_decoding = name in _IN_TILES
    match name:
        case "full":
            pipeline.to(device)
        case "model_offload":
            if device.type == "cpu":
                return
            pipeline.enable_model_cpu_offload(device=device)
        case _:
            if name in _IN_8_BITS:
                _store_in_fp8(pipeline)
            _offload_groups(pipeline, device)


def take_off(pipeline: PhantomWanPipeline) -> None:
    """Undo `place`, except for the 8 bits, and release the VRAM."""
    pipeline.remove_all_hooks()
    undo_compiling(pipeline.transformer)
    # Otherwise `maybe_free_model_hooks` enables model offloading again after the next clip.
    pipeline._offload_device = None
    for model in (pipeline.transformer, pipeline.text_encoder):
        if model is None:
            continue
        registry = HookRegistry.check_if_exists_or_initialize(model)
        for hook in (
            diffusers_names._GROUP_OFFLOADING,
            diffusers_names._LAYER_EXECUTION_TRACKER,
            diffusers_names._LAZY_PREFETCH_GROUP_OFFLOADING,
        ):
            registry.remove_hook(hook, recurse=True)
    pipeline.to("cpu", silence_dtype_warnings=True)
    release_vram()


def is_in_8_bits(pipeline: PhantomWanPipeline) -> bool:
    """Return True if the transformer is stored in 8 bits, which only reloading undoes."""
    return any(value.dtype == torch.float8_e4m3fn for value in pipeline.transformer.parameters())


def held_bytes(pipeline: PhantomWanPipeline) -> tuple[int, int]:
    """Return the bytes of the models now, in VRAM and in RAM."""
    on_device = on_host = 0
    for model in (pipeline.transformer, pipeline.text_encoder, pipeline.vae):
        for value in () if model is None else (*model.parameters(), *model.buffers()):
            if value.device.type == "cpu":
                on_host += value.nbytes
            else:
                on_device += value.nbytes
    return on_device, on_host


def release_vram() -> None:
    """Release VRAM that is no longer used."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _store_in_fp8(pipeline: PhantomWanPipeline) -> None:
    transformer = pipeline.transformer
    quantised = any(value.dtype == torch.uint8 for value in transformer.parameters())
    if quantised or is_in_8_bits(pipeline):
        return
    transformer.enable_layerwise_casting(
        storage_dtype=torch.float8_e4m3fn, compute_dtype=transformer.dtype
    )


def _offload_groups(pipeline: PhantomWanPipeline, device: torch.device) -> None:
    use_stream = device.type == "cuda"
    common = {
        "onload_device": device,
        "offload_device": torch.device("cpu"),
        "use_stream": use_stream,
        "non_blocking": use_stream,
    }
    pipeline.transformer.enable_group_offload(
        offload_type="block_level", num_blocks_per_group=1, **common
    )
    if pipeline.text_encoder is not None:
        # diffusers does not find its nested blocks; the largest leaf is the vocabulary.
        apply_group_offloading(pipeline.text_encoder, offload_type="leaf_level", **common)
    if pipeline.vae is not None:
        pipeline.vae.to(device)


class Ladder:
    """The rungs of one pipeline for one kind of clip; `index` is the current one, from the top.

    Args:
        pipeline: A loaded pipeline on the CPU.
        device: Device of the computation.
        all_rungs: All rungs, from the top.
        start: Index of the first rung to try.
        note: Note on the choice, for the first call of `take_note`.
    """

    def __init__(
        self,
        pipeline: PhantomWanPipeline,
        device: torch.device,
        all_rungs: list[Rung],
        start: int,
        note: str = "",
    ) -> None:
        self._pipeline = pipeline
        self._device = device
        self._rungs = all_rungs
        self.index = start
        self._notes = [note] if note else []
        place(pipeline, self.rung.name, device)
        self._notes += compile_placed(pipeline, self.rung.name, device)

    @property
    def rung(self) -> Rung:
        """The current rung."""
        return self._rungs[self.index]

    def step_down(self) -> bool:
        """Go one rung down and place the pipeline again; return False at the bottom."""
        if self.index + 1 >= len(self._rungs):
            return False
        before = self.rung
        self.index += 1
        self._notes.append(describe_step_down(before, self.rung))
        place(self._pipeline, self.rung.name, self._device)
        self._notes += compile_placed(self._pipeline, self.rung.name, self._device)
        return True

    def make_room(self) -> bool:
        """Step down during a denoising step; return False if that would change the clip's length."""
        following = self._rungs[self.index + 1 :][:1]
        if not following or following[0].num_frames != self.rung.num_frames:
            return False
        return self.step_down()

    def take_note(self) -> str:
        """Return the notes since the last call, or ""."""
        note, self._notes = "; ".join(self._notes), []
        return note
