"""Validate a training on held-out examples: loss at fixed noise levels, and sample clips."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from procvid.media.video import write_clip
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.text import DEFAULT_NEGATIVE_PROMPT
from procvid.storage.atomic import output_errors, write_text
from procvid.train.lora.draws import Draw
from procvid.train.lora.folder import Example
from procvid.train.lora.latents import LatentCache
from procvid.train.lora.objective import batch_of, flow_losses
from procvid.train.lora.settings import LoraSettings
from procvid.types import Frames, Sampling

FOLDER, CURVE = "validation", "validation.csv"
SIGMAS = (0.25, 0.5, 0.75, 0.95)
MAX_CLIPS = 4
SCALE_BELOW = 256
"""Clips narrower than this are enlarged when written, px."""


@dataclass(frozen=True, eq=False)
class ValidationClip:
    """A clip generated for a held-out example."""

    file: Path
    prompt: str
    frames: Frames


@dataclass(frozen=True, eq=False)
class Validated:
    """Mean loss of the held-out examples after an epoch, with clips of the first few."""

    epoch: int
    loss: float
    clips: tuple[ValidationClip, ...]


class Validation:
    """Validates a model on held-out examples.

    Args:
        pipeline: Pipeline with the transformer in training.
        cache: Latents and texts of the examples.
        examples: Held-out examples; an empty list disables validation.
        settings: Settings of the training.
        sampling: Sampling of the clips.
        out: The training folder.
        epochs_done: Epochs done before resuming; lines of later epochs are dropped.
    """

    def __init__(
        self,
        pipeline: PhantomWanPipeline,
        cache: LatentCache,
        examples: Sequence[Example],
        settings: LoraSettings,
        sampling: Sampling,
        out: Path,
        epochs_done: int,
    ) -> None:
        self._pipeline, self._cache = pipeline, cache
        # Compare with their own latents, not with the base model.
        self._examples = tuple(replace(example, prior=False) for example in examples)
        self._settings, self._sampling, self._out = settings, sampling, out
        self.last_clips: tuple[ValidationClip, ...] = ()
        lines = (out / CURVE).read_text().splitlines()[1:] if (out / CURVE).is_file() else []
        kept = [line for line in lines if int(line.partition(",")[0]) <= epochs_done]
        write_text(out / CURVE, "\n".join(["epoch,loss,examples", *kept]) + "\n")

    @torch.no_grad()
    def loss(self) -> float:
        """Return the mean loss over examples and four noise levels, without references."""
        transformer, losses = self._pipeline.transformer, []
        length = self._pipeline.config.max_sequence_length
        for number, example in enumerate(self._examples):
            for k, sigma in enumerate(SIGMAS):
                draw = Draw(example, sigma, number * len(SIGMAS) + k, True, (), True)
                batch = batch_of([draw], self._cache, length, transformer.device)
                losses.append(float(flow_losses(transformer, batch)))
        return float(np.mean(losses))

    def run(self, epoch: int) -> Iterator[Validated]:
        """Yield one validation, or nothing without held-out examples.

        Raises:
            OutputError: The clips cannot be written.
        """
        if not self._examples:
            return
        random_state = torch.get_rng_state()
        loss = self.loss()
        folder = self._out / FOLDER / f"epoch-{epoch:03d}"
        clips = []
        for number, example in enumerate(self._examples[:MAX_CLIPS], start=1):
            frames = self._clip(example, number)
            file = folder / f"{number:02d}.mp4"
            scale = max(1, SCALE_BELOW // frames.shape[2])
            write_clip(file, frames, self._settings.fps, {"prompt": example.text}, scale=scale)
            clips.append(ValidationClip(file, example.text, frames))
        with output_errors(self._out), (self._out / CURVE).open("a") as lines:
            lines.write(f"{epoch},{loss:.9g},{len(self._examples)}\n")
        torch.set_rng_state(random_state)
        self.last_clips = tuple(clips)
        yield Validated(epoch, loss, self.last_clips)

    def _clip(self, example: Example, seed: int) -> Frames:
        pipeline, sampling = self._pipeline, self._sampling
        length = pipeline.config.max_sequence_length
        device, dtype = pipeline.transformer.device, pipeline.transformer.dtype
        texts = [
            self._cache.text(text, length)[None].to(device, dtype)
            for text in (example.text, DEFAULT_NEGATIVE_PROMPT)
        ]
        video = pipeline(
            prompt_embeds=texts[0],
            negative_prompt_embeds=texts[1],
            height=self._settings.height,
            width=self._settings.width,
            num_frames=self._settings.num_frames,
            num_inference_steps=sampling.num_inference_steps,
            guidance_scale_text=sampling.guidance_scale_text,
            guidance_scale_image=sampling.guidance_scale_image,
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
        ).frames[0]
        return (np.clip(video, 0, 1) * 255).astype(np.uint8)
