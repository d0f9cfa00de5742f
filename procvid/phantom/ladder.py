"""The ladder: ways to fit a clip into the memory of the GPU and of the machine, from the fastest.

    full                everything on the GPU
    model_offload       one model at a time on the GPU
    group_offload       two blocks of the transformer at a time; the next is copied while one runs
    tiled               the same, and the autoencoder decodes in tiles
    fp8_group_offload   the same, with the transformer stored in 8 bits
    fewer_frames        the same, with a shorter clip

From group_offload on, each rung exists twice: with a page-locked copy of the weights in the machine's
memory, and without, which is slower. The first three names give the same clip. The next ones reduce
quality, the last one the length. A GGUF is never stored in 8 bits, because it is already quantised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from procvid.errors import UnavailableError
from procvid.phantom.compiling import compile_placed
from procvid.phantom.device_errors import MEMORY_ERRORS, ran_out
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.placing import (
    BLOCKS_AT_A_TIME,
    FEWER_FRAMES,
    FP8_GROUP_OFFLOAD,
    FULL,
    GROUP_OFFLOAD,
    IN_8_BITS,
    IN_TILES,
    MODEL_OFFLOAD,
    TILED,
    pinned_size,
    place,
    take_off,
)
from procvid.phantom.vram import ALLOWANCE, ClipBytes, ClipShape, PartBytes

SUMMARIES = {
    FULL: "everything stays on the GPU",
    MODEL_OFFLOAD: "one model at a time on the GPU",
    GROUP_OFFLOAD: "the transformer goes through the GPU block by block",
    TILED: "block by block, decoded in tiles",
    FP8_GROUP_OFFLOAD: "block by block, decoded in tiles, stored in 8 bits",
    FEWER_FRAMES: "block by block, decoded in tiles, with fewer frames",
}


@dataclass(frozen=True)
class Rung:
    """A way to run a clip, and the memory it needs.

    Attributes:
        name: One of the names above.
        num_frames: Frames of the clip.
        device_bytes: Peak of VRAM, including the allowance.
        host_bytes: Memory of the machine (RAM) for copies of the weights, page-locked ones included.
        step_bytes: Peak of VRAM in a denoising step, including the allowance.
        in_8_bits: True if the transformer is stored in 8 bits.
        pinned: True if the offloaded weights have a page-locked copy.
        peak_bytes: Peak of VRAM, without the allowance.
    """

    name: str
    num_frames: int
    device_bytes: int
    host_bytes: int
    step_bytes: int = 0
    in_8_bits: bool = False
    pinned: bool = False
    peak_bytes: int = 0

    @property
    def in_groups(self) -> bool:
        """True if the weights go through the GPU in groups."""
        return self.name not in (FULL, MODEL_OFFLOAD)

    @property
    def summary(self) -> str:
        """Description for the user."""
        text = SUMMARIES[self.name]
        if self.name == FEWER_FRAMES:
            stored = "stored in 8 bits, " if self.in_8_bits else ""
            text = (
                f"block by block, decoded in tiles, {stored}with fewer frames ({self.num_frames})"
            )
        slow = self.in_groups and not self.pinned
        return f"{text}, read from the files because RAM is short" if slow else text

    def needs_less_vram(self, other: Rung) -> bool:
        """Return True if this rung needs less VRAM than another, in the whole clip or in a step."""
        mine = self.device_bytes, self.step_bytes
        return mine < (other.device_bytes, other.step_bytes)

    def fits(self, device_bytes: int, host_bytes: int) -> bool:
        """Return True if the rung fits into so much free VRAM and RAM."""
        return self.device_bytes <= device_bytes and self.host_bytes <= host_bytes


def rungs(
    clip: ClipShape, bytes_of: Callable[[ClipShape], ClipBytes], unmapped: int = 0
) -> list[Rung]:
    """Return all rungs for a clip, from the top.

    Each name needs less VRAM than the one before, either at the peak of the whole clip or, at the same
    peak, in a denoising step.

    Args:
        clip: The clip.
        bytes_of: Computes the bytes of this and of shorter clips; see `procvid.phantom.vram`.
        unmapped: Bytes of loaded weights that are not mapped from files and always take RAM.
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
        if not kept or rung.needs_less_vram(kept[-1]):
            kept.append(rung)
    return [
        replace(variant, host_bytes=variant.host_bytes + unmapped)
        for rung in kept
        for variant in _variants(rung, bytes_of(replace(clip, num_frames=rung.num_frames)))
    ]


def _rung(name: str, clip: ClipShape, parts: ClipBytes) -> Rung:
    """Return a rung without the memory of the machine."""
    text = parts.text_encoder
    in_8_bits = name in IN_8_BITS and parts.transformer_fp8 is not None
    transformer = parts.transformer_fp8 if in_8_bits else parts.transformer
    vae = parts.vae_tiled if name in IN_TILES else parts.vae
    match name:
        case "full":
            weights = text.weights + transformer.weights + vae.weights
            held = weights, weights, weights
        case "model_offload":
            held = text.weights, transformer.weights, vae.weights
        case _:
            blocks = transformer.outside + BLOCKS_AT_A_TIME * transformer.block
            held = vae.weights + text.two_leaves, vae.weights + blocks, vae.weights
    phases = list(zip(held, (text, transformer, vae), strict=True))
    return Rung(
        name,
        clip.num_frames,
        device_bytes=max(needed_bytes(weights, part) for weights, part in phases),
        host_bytes=0,
        step_bytes=needed_bytes(held[1], transformer),
        in_8_bits=in_8_bits,
        peak_bytes=max(weights + part.activations for weights, part in phases),
    )


def needed_bytes(weights: int, part: PartBytes) -> int:
    """Return the VRAM that a part needs: the weights are exact, activations get the allowance."""
    return weights + int(ALLOWANCE * part.activations)


def _variants(rung: Rung, parts: ClipBytes) -> list[Rung]:
    """Return a rung with the machine memory it needs: page-locked, then read from the files."""
    text, transformer = parts.text_encoder, parts.transformer
    if rung.name == FULL:
        return [rung]
    if rung.name == MODEL_OFFLOAD:
        # A model that has run is copied back to the machine.
        return [replace(rung, host_bytes=text.weights + transformer.weights + parts.vae.weights)]
    made = 0
    if rung.in_8_bits:
        transformer = parts.transformer_fp8
        made = transformer.weights
    # What lies outside the blocks is copied to the GPU and back in each forward pass.
    made += transformer.outside
    locked = transformer.pinned + text.pinned
    transient = BLOCKS_AT_A_TIME * pinned_size(transformer.block) + pinned_size(text.two_leaves)
    return [
        replace(rung, host_bytes=made + locked, pinned=True),
        replace(rung, host_bytes=made + transient),
    ]


def choose_rung(all_rungs: list[Rung], device_bytes: int, host_bytes: int) -> int | None:
    """Return the index of the first rung that fits; None if none fits.

    Args:
        all_rungs: All rungs, from the top.
        device_bytes: Free VRAM, before anything is loaded.
        host_bytes: Free RAM.
    """
    fitting = (n for n, rung in enumerate(all_rungs) if rung.fits(device_bytes, host_bytes))
    return next(fitting, None)


def describe_choice(
    profile: str, clip: ClipShape, all_rungs: list[Rung], chosen: int, free: int
) -> str:
    """Return one sentence on the VRAM that a clip needs, the free VRAM, and the chosen rung."""
    top, rung = all_rungs[0], all_rungs[chosen]
    what = f"{profile} at {clip.width}x{clip.height}, {clip.num_frames} frames"
    needed, free_gb = (f"{n / 1e9:.1f}" for n in (top.device_bytes, free))
    needs = f"{what} needs about {needed} GB of GPU memory, {free_gb} GB are free"
    if chosen == 0:
        return f"{needs}: {SUMMARIES[FULL]}"
    return f"{needs}: {rung.summary}, about {rung.device_bytes / 1e9:.1f} GB"


def describe_shortage(
    profile: str, clip: ClipShape, all_rungs: list[Rung], device_bytes: int, host_bytes: int
) -> UnavailableError:
    """Return the error for a clip that fits on no rung: it names the memory that is short."""
    what = f"{profile} at {clip.width}x{clip.height}"
    least = min(rung.device_bytes for rung in all_rungs)
    if least > device_bytes:
        return UnavailableError(
            f"{what} needs at least {least / 1e9:.1f} GB of GPU memory; "
            f"{device_bytes / 1e9:.1f} GB are free.",
            "Choose a smaller --size, close programs that use the GPU, or use --profile tiny.",
        )
    needed = min(rung.host_bytes for rung in all_rungs if rung.device_bytes <= device_bytes)
    return UnavailableError(
        f"{what} fits this GPU, but needs {needed / 1e9:.1f} GB of free RAM for the weights; "
        f"{host_bytes / 1e9:.1f} GB are free.",
        "Close other programs, or use --profile tiny.",
    )


def describe_step_down(before: Rung, after: Rung, short: str = "memory") -> str:
    """Return one sentence on the step down after memory ran out."""
    return f"out of {short} ({before.summary}): continues with {after.summary}"


class Ladder:
    """The rungs of one pipeline for one kind of clip; `index` is the current one, from the top.

    `is_placed` is False after placing has failed.

    Args:
        pipeline: A loaded pipeline on the CPU.
        device: Device of the computation.
        all_rungs: All rungs, from the top.
        start: Index of the first rung to try.
        note: Note on the choice, for the first call of `take_note`.
        free_bytes: Returns the free VRAM and RAM, what the pipeline holds included. None: unknown.

    Raises:
        UnavailableError: Memory runs out while the weights are placed, on every rung.
    """

    def __init__(
        self,
        pipeline: PhantomWanPipeline,
        device: torch.device,
        all_rungs: list[Rung],
        start: int,
        note: str = "",
        free_bytes: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._device = device
        self._rungs = all_rungs
        self._free_bytes = free_bytes
        self.index = start
        self.is_placed = False
        self._notes = [note] if note else []
        self._place()

    @property
    def rung(self) -> Rung:
        """The current rung."""
        return self._rungs[self.index]

    def step_down(self, keep_length: bool = False) -> bool:
        """Go down to the next rung that fits into GPU and machine now, and place the pipeline again.

        Args:
            keep_length: Take only rungs with the same number of frames.

        Returns:
            False if there is none; nothing has changed then.
        """
        before = self.rung
        following = self._following(before, keep_length)
        if following is None:
            return False
        self.index = following
        self._notes.append(describe_step_down(before, self.rung))
        self._place(keep_length)
        return True

    def make_room(self) -> bool:
        """Step down during a denoising step; return False if that would change the clip's length."""
        return self.step_down(keep_length=True)

    def take_note(self) -> str:
        """Return the notes since the last call, or ""."""
        note, self._notes = "; ".join(self._notes), []
        return note

    def _following(self, before: Rung, keep_length: bool) -> int | None:
        free = None if self._free_bytes is None else self._free_bytes()
        for index in range(self.index + 1, len(self._rungs)):
            rung = self._rungs[index]
            if not rung.needs_less_vram(before):
                continue
            if keep_length and rung.num_frames != before.num_frames:
                return None
            if free is None or rung.fits(*free):
                return index
        return None

    def _place(self, keep_length: bool = False) -> None:
        """Place the pipeline; while memory runs out, go on to a rung that needs less of it."""
        while True:
            rung = self.rung
            try:
                place(self._pipeline, rung.name, self._device, pinned=rung.pinned)
                self._notes += compile_placed(self._pipeline, rung.name, self._device)
                self.is_placed = True
                return
            except BaseException as error:
                self.is_placed = False
                take_off(self._pipeline)
                if not (isinstance(error, MEMORY_ERRORS) and ran_out(error)):
                    raise
                on_gpu = isinstance(error, torch.OutOfMemoryError)
                reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
            memory = "memory" if on_gpu else "RAM"
            index = self._following(rung, keep_length) if on_gpu else self._with_less_ram(rung)
            if index is None:
                raise UnavailableError(
                    f"There is not enough {'GPU memory' if on_gpu else 'RAM'} to place the weights "
                    f"({reason}).",
                    "Close other programs, or use --profile tiny.",
                )
            self._notes.append(describe_step_down(rung, self._rungs[index], memory))
            self.index = index

    def _with_less_ram(self, rung: Rung) -> int | None:
        """Return the index of the next rung of the same length that needs less RAM."""
        return next(
            (
                index
                for index in range(self.index + 1, len(self._rungs))
                if self._rungs[index].host_bytes < rung.host_bytes
                and self._rungs[index].num_frames == rung.num_frames
            ),
            None,
        )
