"""Run a diffusion pipeline as a clip generator: placement, LoRAs, previews, cancelling, retries.

The host knows no particular model. A generator's own file supplies a `PipelineModel`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from procvid.errors import UnavailableError
from procvid.machine import free_bytes
from procvid.models.machine_facts import half_precision
from procvid.models.quiet import quiet_loading
from procvid.phantom.attention import (
    attention_kinds,
    compute_capability,
    installed_kernels,
    set_attention,
)
from procvid.phantom.compiling import COMPILED_RUNGS, WARM_UP, keep_compiled_in
from procvid.phantom.denoising import DenoisingStep
from procvid.phantom.device_errors import MEMORY_ERRORS, lost_card, ran_out
from procvid.phantom.foresight import Foresight
from procvid.phantom.ladder import (
    Ladder,
    Rung,
    choose_rung,
    describe_choice,
    describe_shortage,
    rungs,
)
from procvid.phantom.latent_colours import LatentColours
from procvid.phantom.load_alone import computing, each_computed
from procvid.phantom.lora import LoraFile, merge_loras
from procvid.phantom.model_folder import MANIFEST, check_manifest
from procvid.phantom.placing import FEWER_FRAMES, held_bytes, is_in_8_bits, release_memory
from procvid.phantom.vram import ClipBytes, ClipShape, Denoising
from procvid.settings import Profile, check_sampling
from procvid.stopping import stop_if_asked
from procvid.types import (
    AttentionKind,
    Clip,
    Conditioning,
    Denoised,
    Image,
    ModelInfo,
    Sampling,
)

LORA_NAMES = "teaches"
"""Key of a LoRA's `training.json`: names of the objects that it was trained on."""

PLACING = threading.Lock()
"""Held while memory is asked for and taken, because all devices share that of the machine."""

PREVIEW_EVERY = 3
"""Steps between decoded previews; on two cores each costs about 3 % of the tiny clip's time."""

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Placement:
    """Where and how a pipeline computes.

    Attributes:
        device: "cpu", or the device of a GPU.
        dtype: Of transformer and text encoder.
        precise: Keep upstream's float32 layers in half precision.
        free_bytes: Returns the free bytes of the device and of the machine's memory. None disables
            the ladder, which is right for a small model.
        attention: Attention kernel on a GPU; "auto" chooses by the card.
        compiled_in: Compile the transformer's blocks and keep the code in this folder; None does not.
    """

    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    precise: bool = False
    free_bytes: Callable[[], tuple[int, int]] | None = None
    attention: AttentionKind = "auto"
    compiled_in: Path | None = None


ON_CPU = Placement()


def on_gpu(
    precise: bool = False,
    index: int = 0,
    attention: AttentionKind = "auto",
    compiled_in: Path | None = None,
) -> Placement:
    """Return the placement on a CUDA device, in half precision, fitted to its memory."""
    device = torch.device("cuda", index)
    dtype = getattr(torch, half_precision(torch.cuda.get_device_capability(device)))
    free = partial(free_bytes, index)
    return Placement(device, dtype, precise, free, attention, compiled_in)


class PipelineModel(Protocol):
    """One kind of model as its generator's file describes it.

    Attributes:
        profile: Clips that it can make.
        folder: Its files, in the diffusers folder layout.
        known_objects: Names of the objects that it was trained on; None if unknown.
    """

    profile: Profile
    folder: Path
    known_objects: frozenset[str] | None

    def load(self, dtype: torch.dtype, precise: bool) -> Any:
        """Load the pipeline on the CPU.

        It is a diffusers pipeline of transformer, text encoder and autoencoder with
        `decode_latents(latents, output_type="np")`: float32 (1, T, H, W, 3) in [0, 1]. If it calls
        its attribute `make_room` after a failed allocation, it repeats only the failed step.

        Raises:
            UnavailableError: A file is missing or damaged.
        """
        ...

    def denoise(
        self, pipeline: Any, conditioning: Conditioning, sampling: Sampling, noise: torch.Generator
    ) -> Iterator[DenoisingStep]:
        """Make the latents of a clip; yield after every denoising step."""
        ...

    def read_loras(self, loras: Sequence[tuple[Path, float]]) -> list[LoraFile]:
        """Read names and shapes of LoRA files with their weights; load no tensor.

        Raises:
            InputError: A LoRA does not fit the model.
        """
        ...

    def clip_bytes(self, clip: ClipShape, dtype: torch.dtype, denoising: Denoising) -> ClipBytes:
        """Return the bytes of each part for a clip."""
        ...

    def unmapped_bytes(self, dtype: torch.dtype, has_loras: bool) -> int:
        """Return the bytes of the loaded weights that are not mapped from their files."""
        ...

    def tflop(self, sampling: Sampling, num_references: int) -> float:
        """Return the operations of a clip, in 10^12."""
        ...


@dataclass(frozen=True)
class ClipKind:
    """Key of a ladder: clips of one shape, denoised in one way."""

    shape: ClipShape
    denoising: Denoising


class PipelineHost:
    """The clip generator of a pipeline. Its weights are loaded with the first clip.

    Args:
        model: Loads the pipeline and calls it.
        loras: LoRA files with their weights, merged when the model is loaded.
        placement: Where and how it computes.
        previews: Yield previews: decoded frames without a ladder, where the decoder is small, else
            colours that are linear in the latents.

    Raises:
        InputError: A LoRA does not fit the model.
        UnavailableError: The model is damaged.
    """

    def __init__(
        self,
        model: PipelineModel,
        loras: Sequence[tuple[Path, float]] = (),
        placement: Placement = ON_CPU,
        previews: bool = False,
    ) -> None:
        self._model = model
        self._profile = model.profile
        self._placement = placement
        self._previews = previews
        self._ladder: Ladder | None = None
        self._kind: ClipKind | None = None
        self._reached: dict[ClipKind, int] = {}
        self._announced: tuple[ClipKind, Rung] | None = None
        self._colours: LatentColours | None = None
        capability = compute_capability(placement.device)
        self._attention = attention_kinds(
            capability, installed_kernels(), placement.attention, precise=placement.precise
        )
        self._attention_note = ""
        # Read now, so that a wrong file is reported before any work.
        self._loras = model.read_loras(loras)
        self._known = model.known_objects
        if self._known is not None:
            self._known = self._known.union(*(_names_of_lora(lora.file) for lora in self._loras))
        self.default_sampling = self._profile.sampling
        self.info = self._describe()

    def _describe(self) -> ModelInfo:
        folder, placement = self._model.folder, self._placement
        parts = [f"sha256:{weights_sha256(folder)}", *(lora.label for lora in self._loras)]
        revision = " + ".join(parts)
        details = {"dtype": str(placement.dtype).removeprefix("torch.")}
        details["device"] = placement.device.type
        if placement.device.type != "cpu":
            details["attention"] = self._attention[0]
        if placement.compiled_in is not None:
            details["compiled"] = "blocks"
        if placement.dtype == torch.float16:
            revision += " float16"
        if placement.precise:
            details["precision"] = "precise"
            revision += " precise"
        return ModelInfo(f"procvid/{folder.name}", revision, details)

    def check(self, sampling: Sampling) -> None:
        """Raise InputError if this model cannot make such a clip."""
        check_sampling(self._profile, sampling)

    def tflop(self, sampling: Sampling, num_references: int) -> float:
        """Return the operations of a clip, in 10^12."""
        return self._model.tflop(sampling, num_references)

    def prepare(self) -> None:
        """Load the weights now, and place them for clips of the default sampling."""
        self._ladder_for(self.default_sampling)

    def release(self) -> None:
        """Free the weights; the next clip loads them again."""
        vars(self).pop("pipeline", None)
        self._ladder = self._kind = None
        release_memory()

    def undrawable(self, conditioning_words: Sequence[str]) -> tuple[str, ...]:
        """Return the object names that this model was not trained on."""
        if self._known is None:
            return ()
        return tuple(dict.fromkeys(w for w in conditioning_words if w not in self._known))

    def notes(self, sampling: Sampling) -> tuple[str, ...]:
        """Return how much memory such clips need, how much is free, and how they will be made.

        Raises:
            UnavailableError: They do not fit in any way.
        """
        if self._placement.free_bytes is None:
            return ()
        kind = self._kind_of(sampling)
        if self._ladder is not None and kind == self._kind and self._ladder.is_placed:
            return (f"continues as before: {self._ladder.rung.summary}",)
        with computing():
            all_rungs, start, free = self._choose(kind)
        self._announced = kind, all_rungs[start]
        choice = describe_choice(self._profile.name, kind.shape, all_rungs, start, free)
        compiles = self._placement.compiled_in and all_rungs[start].name in COMPILED_RUNGS
        return (choice, WARM_UP) if compiles else (choice,)

    def _kind_of(self, sampling: Sampling) -> ClipKind:
        # With all references that a step can have, since the next step may have them.
        references = self._profile.max_references + sampling.context_frames
        shape = ClipShape(sampling.width, sampling.height, sampling.num_frames, references)
        scales = (sampling.guidance_scale_text, sampling.guidance_scale_image)
        return ClipKind(shape, Denoising(scales, self._placement.precise, sampling.shortcuts))

    def _free_bytes(self) -> tuple[int, int]:
        """Return the bytes that are free for the model, those that it holds now included."""
        device_bytes, host_bytes = self._placement.free_bytes()
        if "pipeline" in vars(self):
            on_device, on_host = held_bytes(self.pipeline)
            loaded = self._model.unmapped_bytes(self._placement.dtype, has_loras=bool(self._loras))
            return device_bytes + on_device, host_bytes + on_host + loaded
        return device_bytes, host_bytes

    def _choose(self, kind: ClipKind) -> tuple[list[Rung], int, int]:
        """Return the rungs, the index of the first that fits and has not failed, and free bytes."""
        clip, dtype = kind.shape, self._placement.dtype
        all_rungs = rungs(
            clip,
            lambda shape: self._model.clip_bytes(shape, dtype, kind.denoising),
            self._model.unmapped_bytes(dtype, has_loras=bool(self._loras)),
        )
        device_bytes, host_bytes = self._free_bytes()
        reached = self._reached.get(kind, 0)
        start = choose_rung(all_rungs[reached:], device_bytes, host_bytes)
        if start is None:
            name = self._profile.name
            raise describe_shortage(name, clip, all_rungs[reached:], device_bytes, host_bytes)
        return all_rungs, reached + start, device_bytes

    def generate(
        self, conditioning: Conditioning, sampling: Sampling
    ) -> Generator[Denoised, None, Clip]:
        """Yield after every denoising step; return the clip. The same input gives the same clip.

        After an out-of-memory error the failed step, or the decoding, is repeated one rung down.

        Raises:
            LostCardError: The GPU no longer works.
            UnavailableError: The clip does not fit even on the lowest rung.
        """
        self.check(sampling)
        if self._placement.device.index:
            # diffusers creates its streams, and waits for them, on the thread's current device.
            torch.cuda.set_device(self._placement.device)
        ladder = self._ladder_for(sampling)
        pipeline = self.pipeline
        while True:
            if ladder is not None and ladder.rung.name == FEWER_FRAMES:
                frames = min(ladder.rung.num_frames, sampling.num_frames)
                sampling = replace(sampling, num_frames=frames)
            try:
                return (yield from self._make(pipeline, ladder, conditioning, sampling))
            except MEMORY_ERRORS as error:
                lost = lost_card(error, self._placement.device.index or 0)
                if lost is not None:
                    raise lost from error
                if not ran_out(error):
                    raise
                reason = str(error).splitlines()[0][:160]
            # Outside the handler, since its error keeps the tensors alive.
            if ladder is None or not ladder.step_down():
                raise UnavailableError(
                    f"There is not enough memory for a clip of {sampling.width}x{sampling.height} "
                    f"and {sampling.num_frames} frames ({reason}).",
                    "Close other programs, or choose a smaller --size or fewer --frames.",
                )

    def _make(
        self, pipeline: Any, ladder: Ladder | None, conditioning: Conditioning, sampling: Sampling
    ) -> Generator[Denoised, None, Clip]:
        noise = torch.Generator(self._placement.device).manual_seed(sampling.seed)
        step, foresight = None, Foresight()
        preview_of = self._preview_of(pipeline, ladder) if self._previews else None
        steps = self._model.denoise(pipeline, conditioning, sampling, noise)
        for step in each_computed(steps):
            clean = foresight.after(step) if preview_of else None
            is_last = step.number == step.total
            preview = None if clean is None or is_last else preview_of(clean, step.number)
            yield Denoised(step.number, step.total, ladder.take_note() if ladder else "", preview)
        assert step is not None, "a checked sampling has at least one step"
        unit_BTHWC = self._decode(pipeline, ladder, step.latents)
        note = ladder.take_note() if ladder else ""
        if note:
            yield Denoised(step.number, step.total, note)
        return Clip(
            # Truncated, not rounded, as upstream's writer does.
            frames=(unit_BTHWC[0] * 255).astype(np.uint8),
            fps=sampling.fps,
            memory=ladder.rung.name if ladder else "",
        )

    def _preview_of(
        self, pipeline: Any, ladder: Ladder | None
    ) -> Callable[[torch.Tensor, int], Image | None]:
        if ladder is not None:
            if self._colours is None:
                with computing():
                    self._colours = LatentColours.fit(pipeline)
            return lambda clean, _: self._colours.picture(clean)

        def decoded(clean: torch.Tensor, number: int) -> Image | None:
            if number % PREVIEW_EVERY:
                return None
            stop_if_asked()
            unit_BTHWC = np.asarray(pipeline.decode_latents(clean[:, :, :1], output_type="np"))
            return (unit_BTHWC[0, 0] * 255).astype(np.uint8)

        return decoded

    def _decode(self, pipeline: Any, ladder: Ladder | None, latents: torch.Tensor) -> np.ndarray:
        while True:
            try:
                with computing():
                    return pipeline.decode_latents(latents, output_type="np")
            except MEMORY_ERRORS as error:
                if not ran_out(error):
                    raise
                failed = error.with_traceback(None)
            if ladder is None or not ladder.make_room():
                raise failed

    def _ladder_for(self, sampling: Sampling) -> Ladder | None:
        """Return the ladder of such clips, placed. It is kept from clip to clip of the same kind.

        A rung that failed once is not tried again for that kind.
        """
        if self._placement.free_bytes is None:
            if self.pipeline.device != self._placement.device:
                self.pipeline.to(self._placement.device)
            return None
        kind = self._kind_of(sampling)
        if self._ladder is not None and kind == self._kind and self._ladder.is_placed:
            return self._ladder
        if self._ladder is not None and self._ladder.is_placed:
            self._reached[self._kind] = self._ladder.index
        self._ladder = None
        # Refused before anything is loaded, and after: loading takes memory.
        with computing():
            self._choose(kind)
        assert self.pipeline is not None
        # Other devices of this process ask for the same memory of the machine.
        with computing(), PLACING:
            all_rungs, start, free = self._choose(kind)
            if is_in_8_bits(self.pipeline) and not all_rungs[start].in_8_bits:
                # Loaded again: the precision that is lost cannot be restored.
                del self.pipeline
            else:
                return self._place(kind, all_rungs, start, free)
        release_memory()
        return self._ladder_for(sampling)

    def _place(self, kind: ClipKind, all_rungs: list[Rung], start: int, free: int) -> Ladder:
        """Place the pipeline on a rung and return its ladder."""
        note = ""
        if start and self._announced != (kind, all_rungs[start]):
            note = describe_choice(self._profile.name, kind.shape, all_rungs, start, free)
        notes = (note, self._attention_note)
        note, self._attention_note = "; ".join(filter(None, notes)), ""
        cache = kind.denoising.shortcuts.cache
        # Other caches hook every block, and each hooked block would be compiled anew.
        may_compile = cache is None or cache.kind == "taylor"
        self.pipeline.compiles = self._placement.compiled_in is not None and may_compile
        self._ladder = Ladder(
            self.pipeline, self._placement.device, all_rungs, start, note, self._free_bytes
        )
        self._kind = kind
        self.pipeline.make_room = self._ladder.make_room
        return self._ladder

    @cached_property
    def pipeline(self) -> Any:
        """The pipeline, loaded on the CPU at first use, its LoRAs merged.

        Raises:
            UnavailableError: A file of the model is missing or damaged.
        """
        try:
            with quiet_loading():
                pipeline = self._model.load(self._placement.dtype, self._placement.precise)
        except UnavailableError as error:
            if not self._profile.bundled:
                raise
            hint = "Install procvid again; one of its files is damaged."
            raise UnavailableError(error.message, hint) from error
        merge_loras(pipeline.transformer, self._loras)
        self._make_fast(pipeline)
        return pipeline

    def _make_fast(self, pipeline: Any) -> None:
        """Set the attention kernel, and prepare compiling; both change the clips by rounding only."""
        placement = self._placement
        if placement.device.type != "cpu":
            kind, self._attention_note = set_attention(
                pipeline.transformer, placement.device, self._attention, precise=placement.precise
            )
            self.info.details["attention"] = kind
        if placement.compiled_in is not None:
            keep_compiled_in(placement.compiled_in)


def weights_sha256(folder: Path) -> str:
    """Return the sha256 over names and bytes of all files that the clips depend on.

    A converted folder has a manifest with the hashes of its files. Then this is the hash of the
    manifest, and the files must have the sizes that it names.
    """
    digest = hashlib.sha256()
    if (folder / MANIFEST).is_file():
        check_manifest(folder)
        digest.update((folder / MANIFEST).read_bytes())
        return digest.hexdigest()
    for file in sorted(folder.rglob("*")):
        if file.suffix in (".safetensors", ".gguf", ".json") and file.is_file():
            digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _names_of_lora(lora: Path) -> frozenset[str]:
    """Return the object names in a LoRA's `training.json`; none without a readable file."""
    try:
        training = json.loads(lora.with_name("training.json").read_text(encoding="utf-8"))
        return frozenset(str(name) for name in training.get(LORA_NAMES, ()))
    except (OSError, ValueError, AttributeError, TypeError):
        return frozenset()
