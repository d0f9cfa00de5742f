"""Measure variants of sampling: seconds, latent error, identity, text and joints.

Quality is measured on clips of held-out toy recipes, each against the exact clip of the same seed.
Timed runs alternate in one process, because machine load drifts.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from lab.fast.eight_bits import simulated_8_bits
from lab.pretrain.oracle import Oracle, truth_of
from lab.pretrain.toy_texts import objects_of
from lab.quality.clips import reference_crops
from procvid.models.frame_encoders.clip_tower import ClipTowerFrameEncoder
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.plan.writing.toy_prompt import toy_prompt
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import NUM_FRAMES, SIZE
from procvid.types import EXACT, Frames, Shortcuts

IDENTITY = ("vessel_colour", "vessel_shape")
TEXT = ("action", "food")


@dataclass(frozen=True)
class Variant:
    """A variant of sampling.

    Attributes:
        name: Name in the table.
        steps: Denoising steps.
        shortcuts: Sampling shortcuts.
        scales: Guidance scales of text and image.
        in_8_bits: Simulate 8-bit attention (`lab.fast.eight_bits`); its time means nothing.
    """

    name: str
    steps: int
    shortcuts: Shortcuts = EXACT
    scales: tuple[float, float] = (2.0, 2.0)
    in_8_bits: bool = False


@dataclass(frozen=True, eq=False)
class ToyClip:
    """A held-out clip to generate: its recipe, ground truth and all pipeline inputs."""

    recipe: int
    truth: Mapping[str, str]
    prompt: str
    images: Sequence[Pillow.Image]
    seed: int
    encoded: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Quality:
    """Quality of the clips of one variant.

    Attributes:
        clips: Number of clips.
        calls: Branch predictions per clip that passed through the transformer's blocks.
        latent_error: Mean of |latents - exact| / |exact|.
        identity: Share of right vessel colours and shapes, 0 to 1, higher is better.
        text: Share of right actions and foods, 0 to 1, higher is better.
        joint: Mean distance of frame embeddings between the end of a clip and the start of the
            next, 0 to 2, lower is better, as in metric `dino_l2`.
    """

    clips: int
    calls: float
    latent_error: float
    identity: float
    text: float
    joint: float


def toy_clips(pipeline: PhantomWanPipeline, recipes: int, references: int = 3) -> list[ToyClip]:
    """Return all clips of held-out recipes, with prompts and references encoded."""
    clips = []
    for seed in range(HELD_OUT, HELD_OUT + recipes):
        recipe = random_recipe(seed)
        for number, step in enumerate(recipe.steps, start=1):
            rng = np.random.default_rng([seed, number, 5])
            scene = step.scene
            objects = objects_of(np.random.default_rng(0), scene, scene.food_name or None)
            prompt = toy_prompt(step.text, scene.action, objects)
            crops = reference_crops(rng, recipe.kitchen, scene, references)
            images = [Pillow.fromarray(crop) for crop in crops]
            text, null = pipeline.encode_prompt(prompt)
            encoded = {
                "prompt_embeds": text,
                "negative_prompt_embeds": null,
                "reference_latents": pipeline.prepare_reference_latents(images, SIZE, SIZE),
            }
            truth = truth_of(scene, recipe.kitchen)
            clips.append(ToyClip(seed, truth, prompt, images, seed * 100 + number, encoded))
    return clips


def latents_of(pipeline: PhantomWanPipeline, clip: ToyClip, variant: Variant) -> torch.Tensor:
    """Return the final latents of a clip from its encoded inputs."""
    return _denoise(pipeline, clip, variant, **clip.encoded)


def make_whole(pipeline: PhantomWanPipeline, clip: ToyClip, variant: Variant) -> dict[str, float]:
    """Generate a clip from prompt and images to frames, as the generator does.

    Returns:
        CPU seconds of the whole "clip", and of its "denoising" without encoding and decoding.
    """
    start_s = time.process_time()
    text, null = pipeline.encode_prompt(clip.prompt)
    references = pipeline.prepare_reference_latents(clip.images, SIZE, SIZE)
    encoded_s = time.process_time()
    latents = _denoise(
        pipeline,
        clip,
        variant,
        prompt_embeds=text,
        negative_prompt_embeds=null,
        reference_latents=references,
    )
    denoised_s = time.process_time()
    pipeline.decode_latents(latents, "np")
    return {"clip": time.process_time() - start_s, "denoising": denoised_s - encoded_s}


def _denoise(
    pipeline: PhantomWanPipeline, clip: ToyClip, variant: Variant, **given: Any
) -> torch.Tensor:
    before, pipeline.shortcuts = pipeline.shortcuts, variant.shortcuts
    rounded = simulated_8_bits(pipeline) if variant.in_8_bits else nullcontext()
    try:
        with rounded:
            *_, last = pipeline.denoise(
                **given,
                height=SIZE,
                width=SIZE,
                num_frames=NUM_FRAMES,
                num_inference_steps=variant.steps,
                guidance_scale_text=variant.scales[0],
                guidance_scale_image=variant.scales[1],
                generator=torch.Generator("cpu").manual_seed(clip.seed),
            )
    finally:
        pipeline.shortcuts = before
    return last.latents


@contextmanager
def counted_calls(pipeline: PhantomWanPipeline) -> Iterator[list[int]]:
    """Count the batch rows that reach a middle block, which every cache skips."""
    counts = [0]
    attention = pipeline.transformer.blocks[len(pipeline.transformer.blocks) // 2].attn1

    def count(_module: Any, inputs: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        counts[0] += len(inputs[0] if inputs else kwargs["hidden_states"])

    handle = attention.register_forward_pre_hook(count, with_kwargs=True)
    try:
        yield counts
    finally:
        handle.remove()


def make_all(
    pipeline: PhantomWanPipeline, clips: Sequence[ToyClip], variant: Variant
) -> tuple[list[torch.Tensor], float]:
    """Return the latents of clips made with a variant, and its `Quality.calls`."""
    with counted_calls(pipeline) as counts:
        latents = [latents_of(pipeline, clip, variant) for clip in clips]
    return latents, counts[0] / len(clips)


def quality_of(
    pipeline: PhantomWanPipeline,
    judges: tuple[Oracle, ClipTowerFrameEncoder],
    clips: Sequence[ToyClip],
    latents: Sequence[torch.Tensor],
    exact: Sequence[torch.Tensor],
    calls: float,
) -> Quality:
    """Compare clips with the ground truth and the exact latents."""
    oracle, encoder = judges
    frames = [_frames(pipeline, made) for made in latents]
    answers = [oracle.name([made])[0] for made in frames]
    errors = [
        ((made - true).norm() / true.norm()).item()
        for made, true in zip(latents, exact, strict=True)
    ]
    ends = encoder.embed_frames([frame for made in frames for frame in (made[0], made[-1])])
    joints = [
        float(np.linalg.norm(ends[2 * k + 1] - ends[2 * k + 2]))
        for k, (one, two) in enumerate(pairwise(clips))
        if one.recipe == two.recipe
    ]

    def share(questions: Sequence[str]) -> float:
        return float(
            np.mean(
                [a[q] == c.truth[q] for a, c in zip(answers, clips, strict=True) for q in questions]
            )
        )

    return Quality(
        clips=len(clips),
        calls=calls,
        latent_error=float(np.mean(errors)),
        identity=share(IDENTITY),
        text=share(TEXT),
        joint=float(np.mean(joints)),
    )


def _frames(pipeline: PhantomWanPipeline, latents: torch.Tensor) -> Frames:
    unit = np.asarray(pipeline.decode_latents(latents, "np")[0])
    return (np.clip(unit, 0, 1) * 255).astype(np.uint8)


def measure_times(
    runs: Mapping[str, Callable[[int], Mapping[str, float]]], rounds: int
) -> dict[str, dict[str, float]]:
    """Return CPU seconds of each run: medians over alternating rounds, after a warm-up.

    CPU seconds of one thread do not depend on other load of the machine.

    Args:
        runs: Functions by name: each maps the round number to the seconds of its parts.
        rounds: 1 or more.

    Returns:
        Medians by name and part.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    times: dict[str, list[Mapping[str, float]]] = {name: [] for name in runs}
    try:
        for run in runs.values():
            run(0)
        names = list(runs)
        for number in range(rounds):
            # The order may matter, so each round starts with another run.
            start = number * 7 % len(names)
            for name in [*names[start:], *names[:start]]:
                times[name].append(runs[name](number))
    finally:
        torch.set_num_threads(threads)
    return {
        name: {part: statistics.median(row[part] for row in rows) for part in rows[0]}
        for name, rows in times.items()
    }


def mag_ratios(
    pipeline: PhantomWanPipeline, clips: Sequence[ToyClip], variant: Variant
) -> list[float]:
    """Return, by step, the change made by the blocks relative to that of the previous step.

    MagCache uses this table. Means over tokens, branches and clips; the first value is 1.
    """
    blocks = pipeline.transformer.blocks
    first: list[torch.Tensor] = []
    changes: list[torch.Tensor] = []
    handles = [
        blocks[0].register_forward_pre_hook(lambda _m, inputs: first.append(inputs[0])),
        blocks[-1].register_forward_hook(
            lambda _m, _i, out: changes.append((out - first.pop()).norm(dim=-1))
        ),
    ]
    tables = []
    plain = replace(variant, shortcuts=EXACT)
    try:
        for clip in clips:
            changes.clear()
            latents_of(pipeline, clip, plain)
            branches = len(changes) // variant.steps
            ratios = [
                (now / (before + 1e-8)).mean().item()
                for before, now in zip(changes, changes[branches:], strict=False)
            ]
            tables.append([1.0, *np.mean(np.reshape(ratios, (-1, branches)), axis=1)])
    finally:
        for handle in handles:
            handle.remove()
    return [float(ratio) for ratio in np.mean(tables, axis=0)]
