"""The pipeline host with a second generator: diffusers' text-to-video pipeline with the tiny weights."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import WanPipeline

from procvid.errors import InputError
from procvid.models.generators.phantom_wan import PhantomWan
from procvid.models.pipeline_host import PipelineHost, Placement
from procvid.models.wan_model import WanModel
from procvid.phantom.denoising import DenoisingStep
from procvid.phantom.model_folder import load_pipeline
from procvid.protocols import ClipGenerator
from procvid.settings import TINY
from procvid.types import Clip, Denoised
from procvid.wiring.run import build_generator
from tests.models.test_generators import PLAIN, SAMPLING, clip_of, folder
from tests.models.test_generators_memory import lora

pytestmark = pytest.mark.usefixtures("quick_models")


class TextPipeline(WanPipeline):
    """diffusers' own pipeline, step by step. It knows no references and never calls `make_room`."""

    @torch.no_grad()
    def denoise(self, prompt, height, width, num_frames, num_steps, scale, noise):
        embeds, negative = self.encode_prompt(prompt, max_sequence_length=64)
        channels = self.transformer.config.in_channels
        latents = self.prepare_latents(
            1, channels, height, width, num_frames, torch.float32, self.device, noise
        )
        self.scheduler.set_timesteps(num_steps)
        for index, timestep in enumerate(self.scheduler.timesteps):
            with_text, without = (
                self.transformer(latents, timestep[None], text, return_dict=False)[0]
                for text in (embeds, negative)
            )
            velocity = without + scale * (with_text - without)
            latents = self.scheduler.step(velocity, timestep, latents, return_dict=False)[0]
            yield DenoisingStep(index + 1, num_steps, float(timestep), latents)

    @torch.no_grad()
    def decode_latents(self, latents, output_type="np"):
        config = self.vae.config
        mean, std = (
            torch.tensor(values).view(1, -1, 1, 1, 1)
            for values in (config.latents_mean, config.latents_std)
        )
        video = self.vae.decode(latents * std + mean, return_dict=False)[0]
        return self.video_processor.postprocess_video(video, output_type)


class TextOnly(WanModel):
    """Everything that a second generator adds. Its weights are Phantom's, so are their sizes and LoRAs."""

    def __init__(self, folder: Path, profile=TINY) -> None:
        super().__init__(profile, folder)
        self.known_objects = None

    def load(self, dtype, precise):
        parts = load_pipeline(self.folder, dtype)
        return TextPipeline(
            parts.tokenizer, parts.text_encoder, parts.vae, parts.scheduler, parts.transformer
        )

    def denoise(self, pipeline, conditioning, sampling, noise):
        return pipeline.denoise(
            conditioning.prompt,
            sampling.height,
            sampling.width,
            sampling.num_frames,
            sampling.num_inference_steps,
            sampling.guidance_scale_text,
            noise,
        )


def careful() -> PipelineHost:
    return PipelineHost(
        TextOnly(folder()), placement=Placement(free_bytes=lambda: (10**12, 10**12))
    )


def events_of(generator, sampling=SAMPLING) -> tuple[list[Denoised], Clip]:
    steps, events = generator.generate(PLAIN, sampling), []
    while True:
        try:
            events.append(next(steps))
        except StopIteration as end:
            return events, end.value


@pytest.fixture(scope="module")
def expected() -> Clip:
    return clip_of(PipelineHost(TextOnly(folder())), PLAIN, SAMPLING)


def test_a_second_generator_needs_nothing_but_its_own_description(expected):
    generator = PipelineHost(TextOnly(folder()))
    assert isinstance(generator, ClipGenerator)
    assert expected.frames.shape == (17, 96, 96, 3) and expected.frames.std() > 1
    assert np.array_equal(clip_of(generator, PLAIN, SAMPLING).frames, expected.frames)
    phantom = clip_of(PipelineHost(PhantomWan(TINY, folder())), PLAIN, SAMPLING)
    assert not np.array_equal(phantom.frames, expected.frames)
    assert generator.undrawable(["salmon"]) == () and generator.tflop(SAMPLING, 0) > 0


@pytest.mark.slow
def test_it_is_placed_and_falls_down_the_ladder(expected):
    generator = careful()
    (note,) = generator.notes(SAMPLING)
    assert "stays on the GPU" in note
    calls = []

    def fail(*_) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    handle = generator.pipeline.transformer.register_forward_pre_hook(fail)
    events, clip = events_of(generator)
    handle.remove()
    # It does not repeat a single step, so the host makes the clip again one rung down.
    assert [event.step for event in events] == [1, 1, 2]
    assert "out of memory" in events[1].note
    assert clip.memory == "model_offload" and np.array_equal(clip.frames, expected.frames)


@pytest.mark.parametrize("placed", [False, True], ids=["decoded", "latent colours"])
def test_it_has_previews_that_do_not_change_the_clip(placed):
    sampling = replace(SAMPLING, num_inference_steps=4)
    plain = clip_of(PipelineHost(TextOnly(folder())), PLAIN, sampling)
    placement = Placement(free_bytes=lambda: (10**12, 10**12)) if placed else Placement()
    events, clip = events_of(
        PipelineHost(TextOnly(folder()), placement=placement, previews=True), sampling
    )
    assert events[2].preview is not None and events[2].preview.shape[2] == 3
    assert np.array_equal(clip.frames, plain.frames)


def test_it_takes_loras_and_can_be_cancelled_and_released(expected, tmp_path):
    generator = PipelineHost(TextOnly(folder()), [(lora(tmp_path), 0.5)])
    assert "style.safetensors x 0.5" in generator.info.revision
    assert not np.array_equal(clip_of(generator, PLAIN, SAMPLING).frames, expected.frames)
    plain = PipelineHost(TextOnly(folder()))
    with closing(plain.generate(PLAIN, SAMPLING)) as steps:
        next(steps)
    plain.release()
    assert np.array_equal(clip_of(plain, PLAIN, SAMPLING).frames, expected.frames)


def test_a_profile_has_room_for_its_own_number_of_references():
    kinds = [
        PipelineHost(PhantomWan(replace(TINY, max_references=most), folder()))._kind_of(SAMPLING)
        for most in (1, 4)
    ]
    assert [kind.shape.num_references for kind in kinds] == [1, 4]


def test_an_unknown_generator_is_an_error_and_not_phantom():
    with pytest.raises(InputError, match="unknown generator 'sora'"):
        build_generator(replace(TINY, generator="sora"))
