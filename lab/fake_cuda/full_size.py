"""The generator of a published profile at full width on a pretended device, with weights of no bytes."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from lab.fake_cuda.device import FakeDevice
from lab.fake_cuda.modes import fake_cuda, outside
from lab.fake_cuda.real import RealDevice
from procvid.models.generators.phantom_wan import PhantomWan
from procvid.models.pipeline_host import PipelineHost, Placement
from procvid.phantom.layout import CONFIGS
from procvid.phantom.loading import phantom_scheduler
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.placing import loaded_weights
from procvid.phantom.vram import UMT5_XXL
from procvid.settings import PROFILES
from procvid.stopping import Stopped, stoppable
from procvid.types import Clip, Conditioning, Denoised, Shortcuts, Slot

Device = FakeDevice | RealDevice
Machine = Callable[[], AbstractContextManager[Device]]

WORDS = ("<pad>", "</s>", "<unk>", "a", "hand", "stirs", "the", "red", "pan", "slowly")


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer of a few words; only its ids matter."""
    words = {word: number for number, word in enumerate(WORDS)}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )


class FullSizeModel(PhantomWan):
    """Phantom-Wan with made-up weights, as `load_pipeline` leaves it: on the CPU, parts in dtypes."""

    device: Device

    def load(self, dtype: torch.dtype, precise: bool) -> PhantomWanPipeline:
        """Return a pipeline with weights of the device's making."""
        # Making up weights is no work of the path.
        before = Counter(self.device.cpu_work)
        transformer, text_encoder, vae = self.device.models(
            self._configs["transformer"], self._configs["text_encoder"], dtype
        )
        self.device.cpu_work = before
        pipeline = PhantomWanPipeline(
            tokenizer=tokenizer(),
            text_encoder=text_encoder.requires_grad_(False).eval(),
            vae=vae.requires_grad_(False).eval(),
            scheduler=phantom_scheduler(),
            transformer=transformer.requires_grad_(False).eval(),
        )
        pipeline.set_progress_bar_config(disable=True)
        pipeline.precise = precise
        return pipeline

    def clip_bytes(self, *arguments):
        """Compute the estimates outside the pretended device."""
        with outside():
            return super().clip_bytes(*arguments)

    @cached_property
    def _weight_counts(self) -> tuple[int, int]:
        with outside():
            return super()._weight_counts


class ForcedRung(PipelineHost):
    """A host that starts on a given rung, such as "tiled" or "tiled, from files", whatever fits."""

    forced = ""

    def _choose(self, kind):
        all_rungs, start, free = super()._choose(kind)
        if self.forced:
            name, _, variant = self.forced.partition(", ")
            start = next(
                number
                for number, rung in enumerate(all_rungs)
                if rung.name == name
                and (rung.pinned or variant or not rung.in_groups)
                and not (rung.pinned and variant)
            )
        return all_rungs, start, free


@contextmanager
def model_folder(config: dict, text: dict) -> Iterator[Path]:
    """Write the configs of a converted model into a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "model"
        for part, values in {
            "text_encoder": text,
            "vae": {},
            "transformer": {"_class_name": "WanTransformer3DModel", **config},
        }.items():
            (folder / part).mkdir(parents=True)
            (folder / part / "config.json").write_text(json.dumps(dict(values)))
        index = {"_class_name": "PhantomWanPipeline"}
        (folder / "model_index.json").write_text(json.dumps(index))
        yield folder


def conditioning(num_references: int) -> Conditioning:
    """Return the input of a step with some references of one grey."""
    picture = np.full((300, 200, 3), 128, np.uint8)
    slots = tuple(
        Slot(n, "pan", "red pan", picture, f"c{n}", "x/1", "", (0, 0, 1, 1), 1.0, "memory")
        for n in range(num_references)
    )
    return Conditioning(1, "a hand stirs the red pan slowly", slots, ())


@dataclass(frozen=True)
class Case:
    """One clip to make.

    Attributes:
        profile: "phantom-1.3b" or "phantom-14b".
        rung: Rung to start on, as of `ForcedRung`; "" for the first that fits.
        free_gb: Free memory of the device, 10^9 bytes.
        host_gb: Free memory of the machine, 10^9 bytes.
        lockable_gb: Memory of the machine that can be page-locked, 10^9 bytes.
        hard_limit: Raise an out-of-memory error above `free_gb`.
        precise: As `--precise`.
        shortcuts: None for none.
        previews: Yield previews.
        references: Number of reference images.
        layers, text_layers: Blocks of transformer and text encoder; None for all.
        steps: Denoising steps.
        size: (width, height); None for the profile's.
        frames: None for the profile's.
        loras: LoRA files with their weights.
        dtype: Of transformer and text encoder.
        answers: Makes the device's answer for unknown numbers.
        prepare: Called before the clip, after the weights are loaded.
        clips: Number of clips, one after another.
    """

    profile: str = "phantom-1.3b"
    rung: str = ""
    free_gb: float = 140
    host_gb: float = 500
    lockable_gb: float = 500
    hard_limit: bool = False
    precise: bool = False
    shortcuts: Shortcuts | None = None
    previews: bool = False
    references: int = 4
    layers: int | None = 2
    text_layers: int | None = 2
    steps: int = 3
    size: tuple[int, int] | None = None
    frames: int | None = None
    loras: tuple[tuple[Path, float], ...] = ()
    dtype: torch.dtype = torch.bfloat16
    answers: Callable[[Device], Callable[[], float]] | None = None
    prepare: Callable[[PipelineHost, Device], None] | None = None
    clips: int = 1


@dataclass(frozen=True)
class Outcome:
    """What happened while a clip was made.

    Attributes:
        device: The device with its counters.
        rung: The last rung.
        estimated: Estimated peak of that rung, without the allowance.
        peak: Peak of the device, bytes.
        host_bytes: Memory of the machine for copies of the weights: page-locked, made in 8 bits, and
            those of one model at a time.
        host_estimated: The same, estimated.
        left: Bytes on the device after the clip, beyond those of the placement.
        left_released: Bytes on the device after the generator released everything.
        notes: Notes of the run.
        frames: Frames of the clip; 0 if it was stopped.
        seconds: Wall time.
    """

    device: Device
    rung: str
    estimated: float
    peak: int
    host_bytes: int
    host_estimated: float
    left: int
    left_released: int
    notes: list[str]
    frames: int
    seconds: float


def make_clip(
    case: Case, stop_at: tuple[str, int] | None = None, machine: Machine = fake_cuda
) -> Outcome:
    """Make one clip, from the prompt and the pictures to frames, as `PipelineHost` makes it.

    Args:
        case: The clip.
        stop_at: Kernel and its number at which a stop is asked; None for never.
        machine: Gives the device; the pretended one by default.
    """

    def is_stopped(device: Device) -> bool:
        return stop_at is not None and device.ops[stop_at[0]] >= stop_at[1]

    start_s = time.perf_counter()
    profile = PROFILES[case.profile]
    sampling = profile.sampling
    width, height = case.size or (sampling.width, sampling.height)
    sampling = replace(
        sampling,
        num_inference_steps=case.steps,
        width=width,
        height=height,
        num_frames=case.frames or sampling.num_frames,
        shortcuts=case.shortcuts or sampling.shortcuts,
    )
    config, text = dict(CONFIGS[case.profile]), dict(UMT5_XXL)
    if case.layers:
        config["num_layers"] = case.layers
    if case.text_layers:
        text["num_layers"] = case.text_layers
    with model_folder(config, text) as folder, machine() as device:
        device.locked_capacity = case.lockable_gb * 1e9
        if case.hard_limit:
            device.limit(case.free_gb * 1e9)
        if case.answers:
            device.answer = case.answers(device)

        def free_bytes() -> tuple[int, int]:
            taken = _copied_bytes(host.pipeline, device) if "pipeline" in vars(host) else 0
            free_host = int(case.host_gb * 1e9) - device.locked - taken
            return int(case.free_gb * 1e9) - device.live, free_host

        model = FullSizeModel(profile, folder)
        model.device = device
        placement = Placement(device.torch_device, case.dtype, case.precise, free_bytes)
        host = ForcedRung(model, case.loras, placement, case.previews)
        host.forced = case.rung
        assert host.pipeline is not None
        device.forget_counts()
        if case.prepare:
            case.prepare(host, device)
        notes = list(host.notes(sampling))
        frames = 0
        for _ in range(case.clips):
            made = host.generate(conditioning(case.references), sampling)
            frames = _follow(made, notes, lambda: is_stopped(device))
        del made
        rung, held = host._ladder.rung, weights_on_device(host.pipeline)
        host_bytes = device.locked_peak + _copied_bytes(host.pipeline, device)
        gc.collect()
        left = device.live - held
        host.release()
        gc.collect()
        return Outcome(
            device,
            rung.name,
            rung.peak_bytes,
            device.peak,
            host_bytes,
            rung.host_bytes,
            left,
            device.live,
            notes,
            frames,
            time.perf_counter() - start_s,
        )


def weights_on_device(pipeline: PhantomWanPipeline) -> int:
    """Return the bytes of the models that are on the device now."""
    parts = (pipeline.transformer, pipeline.text_encoder, pipeline.vae)
    values = (v for part in parts for v in (*part.parameters(), *part.buffers()))
    return sum(v.nbytes for v in values if v.device.type == "cuda")


def _copied_bytes(pipeline: PhantomWanPipeline, device: Device) -> int:
    """Return the bytes of weights in the machine's memory that are neither page-locked nor mapped."""
    home = {value.untyped_storage()._cdata for value in loaded_weights(pipeline)}
    return sum(
        value.nbytes
        for part in (pipeline.transformer, pipeline.text_encoder, pipeline.vae)
        for value in part.parameters()
        if value.device.type == "cpu" and not device.is_pinned(value)
        if value.untyped_storage()._cdata not in home
    ) + sum(
        value.nbytes for value in loaded_weights(pipeline) if value.dtype == torch.float8_e4m3fn
    )


def _follow(
    made: Generator[Denoised, None, Clip], notes: list[str], is_stopped: Callable[[], bool]
) -> int:
    """Follow a clip to its end or to the stop, keep its notes, and return the number of frames."""
    try:
        with stoppable(is_stopped):
            while True:
                note = next(made).note
                notes.extend([note] if note else [])
    except StopIteration as end:
        return len(end.value.frames)
    except Stopped:
        return 0
