"""What a way of sampling costs and what it keeps: seconds, latent error, identity, text and joints.

Quality is measured on clips of held-out toy recipes, each against the exact clip of the same seed.
Time is taken in turns in one process, because machines and their load drift.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from lab.pretrain.oracle import Oracle, truth_of
from lab.pretrain.toy_texts import objects_of
from lab.quality.clips import reference_crops
from procvid.models.frame_encoders.clip_tower import ClipTowerFrameEncoder
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.plan.prompt import enhance
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.toykitchen.render import NUM_FRAMES, SIZE
from procvid.types import EXACT, Frames, Shortcuts

IDENTITY = ("vessel_colour", "vessel_shape")
TEXT = ("action", "food")


@dataclass(frozen=True)
class Variant:
    """A way of sampling.

    Attributes:
        name: As told in the table.
        steps: Denoising steps.
        shortcuts: Taken.
        scales: Of guidance, text and image.
    """

    name: str
    steps: int
    shortcuts: Shortcuts = EXACT
    scales: tuple[float, float] = (2.0, 2.0)


@dataclass(frozen=True, eq=False)
class ToyClip:
    """A held-out clip to be made: its recipe, the truth, and all that the pipeline is given."""

    recipe: int
    truth: Mapping[str, str]
    prompt: str
    images: Sequence[Pillow.Image]
    seed: int
    encoded: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Quality:
    """Of the clips of one way.

    Attributes:
        clips: How many.
        calls: Predictions of a branch a clip that went through the blocks of the transformer.
        latent_error: Mean norm of the difference to the exact latents over the norm of these.
        identity: Share of right vessel colours and shapes, 0 to 1.
        text: Share of right actions and foods, 0 to 1.
        joint: Mean distance of the frame embeddings where one clip of a recipe ends and the next
            begins, 0 to 2, as metric `dino_l2` has it.
    """

    clips: int
    calls: float
    latent_error: float
    identity: float
    text: float
    joint: float


def toy_clips(pipeline: PhantomWanPipeline, recipes: int, references: int = 3) -> list[ToyClip]:
    """All clips of held-out recipes, prompts and references encoded once."""
    clips = []
    for seed in range(HELD_OUT, HELD_OUT + recipes):
        recipe = random_recipe(seed)
        for number, step in enumerate(recipe.steps, start=1):
            rng = np.random.default_rng([seed, number, 5])
            scene = step.scene
            things = objects_of(np.random.default_rng(0), scene, scene.food_name or None)
            prompt = enhance(step.text, scene.action, things)
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


def latents_of(pipeline: PhantomWanPipeline, clip: ToyClip, way: Variant) -> torch.Tensor:
    """The final latents of a clip, from what is encoded already."""
    return _denoise(pipeline, clip, way, **clip.encoded)


def make_whole(pipeline: PhantomWanPipeline, clip: ToyClip, way: Variant) -> dict[str, float]:
    """A clip from prompt and pictures to frames, as the generator makes it.

    Returns:
        CPU seconds of the whole "clip" and of its "denoising", the encoding of prompt and pictures
        left out of that.
    """
    begin_s = time.process_time()
    text, null = pipeline.encode_prompt(clip.prompt)
    references = pipeline.prepare_reference_latents(clip.images, SIZE, SIZE)
    encoded_s = time.process_time()
    latents = _denoise(
        pipeline,
        clip,
        way,
        prompt_embeds=text,
        negative_prompt_embeds=null,
        reference_latents=references,
    )
    denoised_s = time.process_time()
    pipeline.decode_latents(latents, "np")
    return {"clip": time.process_time() - begin_s, "denoising": denoised_s - encoded_s}


def _denoise(
    pipeline: PhantomWanPipeline, clip: ToyClip, way: Variant, **given: Any
) -> torch.Tensor:
    before, pipeline.shortcuts = pipeline.shortcuts, way.shortcuts
    try:
        *_, last = pipeline.denoise(
            **given,
            height=SIZE,
            width=SIZE,
            num_frames=NUM_FRAMES,
            num_inference_steps=way.steps,
            guidance_scale_text=way.scales[0],
            guidance_scale_image=way.scales[1],
            generator=torch.Generator("cpu").manual_seed(clip.seed),
        )
    finally:
        pipeline.shortcuts = before
    return last.latents


@contextmanager
def counted_calls(pipeline: PhantomWanPipeline) -> Iterator[list[int]]:
    """Count the rows of the batches that reach a block in the middle, which every cache skips."""
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
    pipeline: PhantomWanPipeline, clips: Sequence[ToyClip], way: Variant
) -> tuple[list[torch.Tensor], float]:
    """The latents of clips made in one way, and its `Quality.calls`."""
    with counted_calls(pipeline) as counts:
        latents = [latents_of(pipeline, clip, way) for clip in clips]
    return latents, counts[0] / len(clips)


def quality_of(
    pipeline: PhantomWanPipeline,
    judges: tuple[Oracle, ClipTowerFrameEncoder],
    clips: Sequence[ToyClip],
    latents: Sequence[torch.Tensor],
    exact: Sequence[torch.Tensor],
    calls: float,
) -> Quality:
    """Judge the clips that were made against the truth and the exact latents."""
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
    """CPU seconds of each run, medians over the rounds, all in turns after a warm-up of each.

    CPU seconds of one thread are what a clip takes on an idle core, whatever else runs beside it.

    Args:
        runs: By name; each is given the number of the round and answers the seconds of its parts.
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
            # Who goes first may matter, so that changes.
            start = number * 7 % len(names)
            for name in [*names[start:], *names[:start]]:
                times[name].append(runs[name](number))
    finally:
        torch.set_num_threads(threads)
    return {
        name: {part: statistics.median(row[part] for row in rows) for part in rows[0]}
        for name, rows in times.items()
    }


def mag_ratios(pipeline: PhantomWanPipeline, clips: Sequence[ToyClip], way: Variant) -> list[float]:
    """How the change that the blocks make compares with that of the step before, by step.

    MagCache decides by this table. Mean over tokens, branches and clips; the first is 1.
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
    plain = replace(way, shortcuts=EXACT)
    try:
        for clip in clips:
            changes.clear()
            latents_of(pipeline, clip, plain)
            branches = len(changes) // way.steps
            ratios = [
                (now / (before + 1e-8)).mean().item()
                for before, now in zip(changes, changes[branches:], strict=False)
            ]
            tables.append([1.0, *np.mean(np.reshape(ratios, (-1, branches)), axis=1)])
    finally:
        for handle in handles:
            handle.remove()
    return [float(ratio) for ratio in np.mean(tables, axis=0)]
