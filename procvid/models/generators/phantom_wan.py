"""Makes clips with `PhantomWanPipeline`: the tiny one of the package, or the published ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from procvid.errors import InputError, UnavailableError
from procvid.models.device import free_memory
from procvid.phantom.clip import ClipArguments
from procvid.phantom.flops import clip_tflop
from procvid.phantom.foresight import Foresight
from procvid.phantom.gguf_file import QuantisedTensor, find_gguf, quantised_tensors
from procvid.phantom.ladder import (
    FEWER_FRAMES,
    Ladder,
    Rung,
    choose_rung,
    describe_choice,
    held_bytes,
    is_in_8_bits,
    release_vram,
    rungs,
)
from procvid.phantom.latent_colours import LatentColours
from procvid.phantom.layout import parameter_shapes
from procvid.phantom.loading import read_config
from procvid.phantom.lora import LoraFile, find_lora, merge_loras, read_lora
from procvid.phantom.model_folder import MANIFEST, check_manifest, load_pipeline
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.vram import ClipShape, Denoising, estimate
from procvid.settings import MAX_REFERENCES, Profile, check_sampling
from procvid.stopping import stop_if_asked
from procvid.types import Clip, Conditioning, Denoised, Image, ModelInfo, Sampling

VOCABULARY = "vocabulary.json"
"""What the model was taught, by kind: {"foods": [...], "vessels": [...], "tools": [...], ...}."""

TEACHES = "teaches"
"""Key of a LoRA's `training.json`: the names of what it was shown."""

OBJECT_KINDS = ("foods", "vessels", "tools", "surfaces")

PREVIEW_EVERY = 3
"""Steps from one decoded preview to the next; on two cores each costs about 3 % of the tiny clip's time."""

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Placement:
    """Where and how the arithmetic is done.

    Attributes:
        device: "cpu", or the device of a GPU.
        dtype: Of transformer and text encoder.
        precise: The float32 residual stream of upstream, for half precision.
        free_bytes: Says how much memory is free, on the device and in the machine; None takes no
            care of memory, which is right where the model is small.
    """

    device: torch.device = CPU
    dtype: torch.dtype = torch.float32
    precise: bool = False
    free_bytes: Callable[[], tuple[int, int]] | None = None


@dataclass(frozen=True)
class ClipKind:
    """What a ladder is chosen for: clips of one shape, denoised in one way."""

    shape: ClipShape
    denoising: Denoising


ON_CPU = Placement()


def on_gpu(precise: bool = False) -> Placement:
    """The first CUDA device, in bfloat16, with care for its memory."""
    return Placement(torch.device("cuda", 0), torch.bfloat16, precise, free_memory)


class PhantomWanGenerator:
    """The clip generator of a profile. Its weights are loaded with the first clip.

    Args:
        profile: Says which clips it can make.
        folder: A model in the diffusers folder layout, with its `vocabulary.json`.
        loras: LoRA files with their weights, merged when the model is loaded.
        placement: Where and how the arithmetic is done.
        previews: Show what comes while it is made: decoded where nobody has to care for the memory,
            for there the decoder is small, and elsewhere as colours that are linear in the latents.

    Raises:
        InputError: A LoRA does not fit the model.
        UnavailableError: There is no model in the folder, or it is damaged.
    """

    def __init__(
        self,
        profile: Profile,
        folder: Path,
        loras: Sequence[tuple[Path, float]] = (),
        placement: Placement = ON_CPU,
        previews: bool = False,
    ) -> None:
        if not (folder / "model_index.json").is_file():
            raise UnavailableError(
                f"The {profile.name} model is missing: there is no {folder / 'model_index.json'}.",
                "Install procvid again, or train it with `python -m lab.pretrain`."
                if not profile.needs_gpu
                else f"Make it with `procvid convert {profile.name}`, or use --profile tiny.",
            )
        self._profile = profile
        self._folder = folder
        self._placement = placement
        self._ladder: Ladder | None = None
        self._kind: ClipKind | None = None
        self._reached: dict[ClipKind, int] = {}
        self._told: tuple[ClipKind, Rung] | None = None
        self._previews = previews
        self._colours: LatentColours | None = None
        self._known = _known_objects(folder)
        self._loras = self._read_loras(loras)
        if self._known is not None:
            self._known = self._known.union(*(_taught_by(lora.file) for lora in self._loras))
        self.default_sampling = profile.sampling
        revision = " + ".join([f"sha256:{weights_sha256(folder)}", *(x.label for x in self._loras)])
        details = {"dtype": str(placement.dtype).removeprefix("torch.")}
        details["device"] = placement.device.type
        if placement.precise:
            details["precision"] = "precise"
            revision += " precise"
        self.info = ModelInfo(f"procvid/{folder.name}", revision, details)

    def _read_loras(self, loras: Sequence[tuple[Path, float]]) -> list[LoraFile]:
        """Read names and shapes now, so that a wrong file is told before anything is made."""
        if not loras:
            return []
        gguf = find_gguf(self._folder / "transformer")
        if gguf is not None:
            raise InputError(
                f"A LoRA cannot be merged into quantised weights, and the {self._profile.name} "
                f"model here is {gguf.name}.",
                f"Leave --lora out, or make the model again with `procvid convert "
                f"{self._profile.name}` from its .safetensors or .pth files.",
            )
        config = self._configs["transformer"]
        shapes = parameter_shapes(config)
        layers = config["num_layers"]
        return [read_lora(find_lora(file), shapes, layers, weight) for file, weight in loras]

    @cached_property
    def _configs(self) -> dict[str, Mapping[str, object]]:
        """The configs of the parts, as arguments of their classes."""
        configs = {
            part: _read_json(self._folder / part / "config.json")
            for part in ("text_encoder", "vae")
        }
        transformer = read_config(self._folder / "transformer" / "config.json")
        return {**{k: _without_private(v) for k, v in configs.items()}, "transformer": transformer}

    def check(self, sampling: Sampling) -> None:
        """Raise InputError when this model cannot make such a clip."""
        check_sampling(self._profile, sampling)

    def tflop(self, sampling: Sampling, num_references: int) -> float:
        """Operations of such a clip, in 10^12; see `procvid.phantom.flops`."""
        return clip_tflop(self._configs["transformer"], sampling, num_references)

    def prepare(self) -> None:
        """Load the weights now, and place them for clips of the profile's own kind."""
        self._ladder_for(self.default_sampling)

    def release(self) -> None:
        """Let go of the weights; the next clip loads them again."""
        vars(self).pop("pipeline", None)
        self._ladder = self._kind = None
        release_vram()

    def undrawable(self, conditioning_words: Sequence[str]) -> tuple[str, ...]:
        """Those of the given object names that this model was never taught."""
        if self._known is None:
            return ()
        return tuple(dict.fromkeys(w for w in conditioning_words if w not in self._known))

    def notes(self, sampling: Sampling) -> tuple[str, ...]:
        """What such clips need of the memory, what there is, and how they will be made.

        Raises:
            UnavailableError: No way to make them fits.
        """
        if self._placement.free_bytes is None:
            return ()
        kind = self._kind_of(sampling)
        if self._ladder is not None and kind == self._kind:
            return (f"goes on as before: {self._ladder.rung.summary}",)
        all_rungs, start, free = self._choose(kind)
        self._told = kind, all_rungs[start]
        return (describe_choice(self._profile.name, kind.shape, all_rungs, start, free),)

    def _kind_of(self, sampling: Sampling) -> ClipKind:
        # With as many references as a step can have: the next one may.
        shape = ClipShape(sampling.width, sampling.height, sampling.num_frames, MAX_REFERENCES)
        scales = (sampling.guidance_scale_text, sampling.guidance_scale_image)
        return ClipKind(shape, Denoising(scales, self._placement.precise, sampling.shortcuts))

    @cached_property
    def _quantised(self) -> Mapping[str, QuantisedTensor] | None:
        """The quantised tensors of a GGUF, None for a model of other files."""
        gguf = find_gguf(self._folder / "transformer")
        return None if gguf is None else quantised_tensors(gguf)

    def _free_bytes(self) -> tuple[int, int]:
        """As if the model were not loaded: what it holds is there for it."""
        device_bytes, host_bytes = self._placement.free_bytes()
        if "pipeline" in vars(self):
            on_device, on_host = held_bytes(self.pipeline)
            return device_bytes + on_device, host_bytes + on_host
        return device_bytes, host_bytes

    def _choose(self, kind: ClipKind) -> tuple[list[Rung], int, int]:
        """The rungs for a kind of clip, the first that fits and has not failed, the free bytes."""
        clip, parts = kind.shape, self._configs
        all_rungs = rungs(
            clip,
            lambda shape: estimate(
                shape,
                parts["transformer"],
                parts["text_encoder"],
                parts["vae"],
                self._placement.dtype,
                kind.denoising,
                self._quantised,
            ),
        )
        device_bytes, host_bytes = self._free_bytes()
        start = choose_rung(all_rungs, device_bytes, host_bytes)
        if start is None:
            last = all_rungs[-1]
            raise UnavailableError(
                f"{self._profile.name} at {clip.width}x{clip.height} needs at least "
                f"{last.device_bytes / 1e9:.1f} GB of GPU memory and {last.host_bytes / 1e9:.1f} GB "
                f"of machine memory; {device_bytes / 1e9:.1f} GB and {host_bytes / 1e9:.1f} GB are "
                "free.",
                "Choose a smaller --size, close other programs, or use --profile tiny.",
            )
        return all_rungs, max(start, self._reached.get(kind, 0)), device_bytes

    def generate(
        self, conditioning: Conditioning, sampling: Sampling
    ) -> Generator[Denoised, None, Clip]:
        """Yield after every denoising step; return the clip. The same input gives the same clip.

        Out of memory, the step under way is made again one rung down; so is the decoding.

        Raises:
            UnavailableError: There is no memory even at the bottom of the ladder.
        """
        self.check(sampling)
        ladder = self._ladder_for(sampling)
        pipeline = self.pipeline
        while True:
            if ladder is not None and ladder.rung.name == FEWER_FRAMES:
                frames = min(ladder.rung.num_frames, sampling.num_frames)
                sampling = replace(sampling, num_frames=frames)
            try:
                return (yield from self._make(pipeline, ladder, conditioning, sampling))
            except torch.OutOfMemoryError as error:
                said = str(error).splitlines()[0][:160]
            # Outside the handler, whose error holds on to what has to go.
            if ladder is None or not ladder.step_down():
                raise UnavailableError(
                    f"There is not enough memory for a clip of {sampling.width}x{sampling.height} "
                    f"and {sampling.num_frames} frames ({said}).",
                    "Choose a smaller --size or fewer --frames.",
                )

    def _make(
        self,
        pipeline: PhantomWanPipeline,
        ladder: Ladder | None,
        conditioning: Conditioning,
        sampling: Sampling,
    ) -> Generator[Denoised, None, Clip]:
        arguments = ClipArguments(
            prompt=conditioning.prompt,
            images=[slot.image for slot in conditioning.slots],
            height=sampling.height,
            width=sampling.width,
            num_frames=sampling.num_frames,
            num_inference_steps=sampling.num_inference_steps,
            guidance_scale_text=sampling.guidance_scale_text,
            guidance_scale_image=sampling.guidance_scale_image,
            generator=torch.Generator(self._placement.device).manual_seed(sampling.seed),
        )
        pipeline.shortcuts = sampling.shortcuts
        step, foresight = None, Foresight()
        look = self._preview_of(pipeline, ladder) if self._previews else None
        for step in pipeline.denoise(**vars(arguments)):
            clean = foresight.after(step) if look else None
            is_last = step.number == step.total
            preview = None if clean is None or is_last else look(clean, step.number)
            yield Denoised(step.number, step.total, ladder.take_note() if ladder else "", preview)
        assert step is not None, "a checked sampling has at least one step"
        unit_BTHWC = self._decode(pipeline, ladder, step.latents)
        note = ladder.take_note() if ladder else ""
        if note:
            yield Denoised(step.number, step.total, note)
        return Clip(
            # Truncated and not rounded, as upstream's writer does.
            frames=(unit_BTHWC[0] * 255).astype(np.uint8),
            fps=sampling.fps,
            memory=ladder.rung.name if ladder else "",
        )

    def _preview_of(
        self, pipeline: PhantomWanPipeline, ladder: Ladder | None
    ) -> Callable[[torch.Tensor, int], Image | None]:
        if ladder is not None:
            if self._colours is None:
                self._colours = LatentColours.fit(pipeline)
            return lambda clean, _: self._colours.picture(clean)

        def decoded(clean: torch.Tensor, number: int) -> Image | None:
            if number % PREVIEW_EVERY:
                return None
            stop_if_asked()
            unit_BTHWC = np.asarray(pipeline.decode_latents(clean[:, :, :1], output_type="np"))
            return (unit_BTHWC[0, 0] * 255).astype(np.uint8)

        return decoded

    def _decode(
        self, pipeline: PhantomWanPipeline, ladder: Ladder | None, latents: torch.Tensor
    ) -> np.ndarray:
        while True:
            try:
                return pipeline.decode_latents(latents, output_type="np")
            except torch.OutOfMemoryError as error:
                failed = error.with_traceback(None)
            if ladder is None or not ladder.make_room():
                raise failed

    def _ladder_for(self, sampling: Sampling) -> Ladder | None:
        """The ladder for such clips: from clip to clip it stays where it is, for others it is new.

        What did not fit once is not tried again for clips of that kind.
        """
        if self._placement.free_bytes is None:
            if self.pipeline.device != self._placement.device:
                self.pipeline.to(self._placement.device)
            return None
        kind = self._kind_of(sampling)
        if self._ladder is not None and kind == self._kind:
            return self._ladder
        if self._ladder is not None:
            self._reached[self._kind] = self._ladder.index
        all_rungs, start, free = self._choose(kind)
        rung, note = all_rungs[start], ""
        if start and self._told != (kind, rung):
            note = describe_choice(self._profile.name, kind.shape, all_rungs, start, free)
        self._ladder = None
        if is_in_8_bits(self.pipeline) and not rung.in_8_bits:
            # These clips need no such loss.
            del self.pipeline
            release_vram()
        self._ladder = Ladder(self.pipeline, self._placement.device, all_rungs, start, note)
        self._kind = kind
        self.pipeline.make_room = self._ladder.make_room
        return self._ladder

    @cached_property
    def pipeline(self) -> PhantomWanPipeline:
        """The loaded pipeline on the CPU, its LoRAs merged.

        Raises:
            UnavailableError: A file of the model is missing or damaged.
        """
        try:
            with quiet_loading():
                pipeline = load_pipeline(self._folder, self._placement.dtype)
        except UnavailableError as error:
            if self._profile.needs_gpu:
                raise
            hint = "Install procvid again; a file of it is damaged."
            raise UnavailableError(error.message, hint) from error
        merge_loras(pipeline.transformer, self._loras)
        pipeline.precise = self._placement.precise
        return pipeline


def _without_private(config: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in config.items() if not key.startswith("_")}


def _read_json(file: Path) -> dict[str, object]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UnavailableError(
            f"The file {file} is missing or damaged ({error}).", "Make the model again."
        ) from error


@contextmanager
def quiet_loading() -> Iterator[None]:
    """Keep the libraries' bars and advice off a screen that shows progress of its own.

    The advice is about parts that suffer from being cast down; fp16 files cast up lose nothing.
    """
    libraries = (diffusers_logging, transformers_logging)
    before = [(lib, lib.get_verbosity(), lib.is_progress_bar_enabled()) for lib in libraries]
    for library in libraries:
        library.set_verbosity_error()
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, verbosity, had_bar in before:
            library.set_verbosity(verbosity)
            if had_bar:
                library.enable_progress_bar()


def weights_sha256(folder: Path) -> str:
    """sha256 over the names and bytes of all files that the clips depend on.

    A converted folder has a manifest with the hashes of its files; then it is that of the manifest,
    and the files must have the sizes that it names.
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


def _taught_by(lora: Path) -> frozenset[str]:
    """The names that a LoRA says it was taught; none where it says nothing that can be read."""
    try:
        training = json.loads(lora.with_name("training.json").read_text(encoding="utf-8"))
        return frozenset(str(name) for name in training.get(TEACHES, ()))
    except (OSError, ValueError, AttributeError, TypeError):
        return frozenset()


def _known_objects(folder: Path) -> frozenset[str] | None:
    file = folder / VOCABULARY
    if not file.is_file():
        return None
    try:
        vocabulary = json.loads(file.read_text(encoding="utf-8"))
        return frozenset(name for kind in OBJECT_KINDS for name in vocabulary.get(kind, ()))
    except (ValueError, AttributeError, TypeError) as error:
        raise UnavailableError(
            f"The file {file} is damaged ({error}).", "Install procvid again."
        ) from error
