"""Generate clips of held-out toy recipes with 0 to 4 true references and score what they follow.

Prompts are the planner's enhanced ones and never contain the identity. References are cut from
other rendered clips of the same kitchen, as the product cuts them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image as Pillow

from lab.pretrain.oracle import COLOURED, Oracle, colours_of, truth_of
from lab.pretrain.toy_crops import cut, noisy, role_of
from lab.pretrain.toy_latents import source_frames
from lab.pretrain.toy_texts import objects_of
from procvid.models.generators.phantom_wan import noised
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.plan.writing.toy_prompt import toy_prompt
from procvid.protocols import Embedder
from procvid.settings import TINY
from procvid.toykitchen.foods import FOODS
from procvid.toykitchen.identity import ToyKitchen
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, random_recipe
from procvid.toykitchen.render import NUM_FRAMES, SIZE
from procvid.toykitchen.scene import ACTIONS, STATES, TOOL_OF, Scene
from procvid.toykitchen.words import caption
from procvid.types import Frames, Image, Sampling

IDENTITY: dict[str, tuple[str, ...]] = {
    "vessel": ("vessel_colour", "vessel_shape", "vessel_pattern"),
    "counter": ("counter", "counter_pattern"),
    "side object": ("side", "side_colour"),
    "tool": ("tool_colour", "tool_pattern"),
}
"""The oracle's questions that make up the identity of an object."""


@dataclass(frozen=True, eq=False)
class GeneratedClip:
    """A generated clip with its rendered counterpart and its number of references."""

    scene: Scene
    kitchen: ToyKitchen
    text: str
    references: int
    frames: Frames
    true: Frames


def reference_crops(
    rng: np.random.Generator, kitchen: ToyKitchen, scene: Scene, count: int
) -> list[Image]:
    """Return up to `count` references in the product's order: vessel, food, counter, one more."""
    frames = source_frames(rng, kitchen, scene)
    crops = [cut(image, noisy(rng, box), role_of(name)) for image, box, name in frames]
    if scene.food is None:
        crops[1] = crops[2]
    return crops[:count]


def toy_clip(
    pipeline: PhantomWanPipeline,
    prompt: str,
    crops: Sequence[Image],
    seed: int,
    sampling: Sampling = TINY.sampling,
    strengths: Sequence[float] = (),
) -> Frames:
    """Return a clip of the tiny model, uint8 (T, H, W, 3), with the guidance of the product.

    `strengths` are those of the references, 1 where they are missing.
    """
    images = [Pillow.fromarray(crop) for crop in crops]
    latents = pipeline.prepare_reference_latents(images or None, SIZE, SIZE)
    if any(strength < 1 for strength in strengths[: len(images)]):
        latents = noised(latents, [1 - strength for strength in strengths[: len(images)]], seed)
    video = pipeline(
        prompt=prompt,
        reference_latents=latents,
        height=SIZE,
        width=SIZE,
        num_frames=NUM_FRAMES,
        num_inference_steps=sampling.num_inference_steps,
        guidance_scale_text=sampling.guidance_scale_text,
        guidance_scale_image=sampling.guidance_scale_image,
        generator=torch.Generator("cpu").manual_seed(seed),
        output_type="np",
    ).frames[0]
    return (np.clip(video, 0, 1) * 255).astype(np.uint8)


def held_out_clips(
    pipeline: PhantomWanPipeline,
    seeds: Sequence[int],
    count: int,
    sampling: Sampling,
    draw: Callable[[int], ToyRecipe] = random_recipe,
) -> Iterator[GeneratedClip]:
    """Yield a clip for every step of the recipes of these seeds."""
    for seed in seeds:
        recipe = draw(seed)
        for number, step in enumerate(recipe.steps, start=1):
            rng = np.random.default_rng([seed, number, 5])
            scene = step.scene
            objects = objects_of(np.random.default_rng(0), scene, scene.food_name or None)
            crops = reference_crops(rng, recipe.kitchen, scene, count)
            prompt = toy_prompt(step.text, scene.action, objects)
            frames = toy_clip(pipeline, prompt, crops, seed * 100 + number, sampling)
            true = recipe.render(number).frames
            yield GeneratedClip(scene, recipe.kitchen, step.text, count, frames, true)


def first_seeds(recipes: int) -> range:
    """Return the seeds of the first recipes of the test kitchen."""
    return range(HELD_OUT, HELD_OUT + recipes)


def oracle_accuracy(
    oracle: Oracle, generated: Sequence[GeneratedClip], clips: Sequence[Frames]
) -> dict:
    """Return the share of right answers to each of the oracle's questions, 0 to 1.

    Questions about a tool or a side object count only for clips that have one.
    """
    right: dict[str, list[bool]] = defaultdict(list)
    for each, answer in zip(generated, oracle.name(list(clips)), strict=True):
        for question, truth in truth_of(each.scene, each.kitchen).items():
            if truth != "none" or question == "state":
                right[question].append(answer[question] == truth)
    return {question: float(np.mean(hits)) for question, hits in right.items()}


def clip_accuracy(
    scorer: Embedder, generated: Sequence[GeneratedClip], clips: Sequence[Frames]
) -> dict:
    """Return the share of clips whose caption scores best among those with every other action, food
    or state, 0 to 1. Clips without a food do not count."""
    right: dict[str, list[bool]] = defaultdict(list)
    for each, frames in zip(generated, clips, strict=True):
        scene = each.scene
        if scene.food is None:
            continue
        video = scorer.embed_images(list(frames[1::2])).mean(0)
        others = {
            "action": [Scene(a, scene.food, scene.vessel, 0) for a in ACTIONS if a != scene.action],
            "food": [scene.showing(name) for name in FOODS if name != scene.food.name],
            "state": [scene.showing(state=s) for s in STATES if s != scene.state_before],
        }
        for question, scenes in others.items():
            texts = scorer.embed_texts([caption(scene), *map(caption, scenes)])
            right[question].append(int((texts @ video).argmax()) == 0)
    return {question: float(np.mean(hits)) for question, hits in right.items()}


def identity_following(oracle: Oracle, generated: Sequence[GeneratedClip]) -> dict[str, float]:
    """Return how well clips keep the identity of their references.

    For each referenced object (`vessel`, `counter`, `side object`, `tool`): the share with all
    classes right, and the mean RGB distance of its exact colour (`vessel_rgb_error`, ...). `all` is
    the share over all objects. References come in the order vessel, food, counter with side object,
    tool; with one reference only the vessel counts.
    """
    right: dict[str, list[bool]] = defaultdict(list)
    errors: dict[str, list[float]] = defaultdict(list)
    answers = oracle.name([each.frames for each in generated])
    colours = oracle.colour([each.frames for each in generated])
    for each, answer, rgb in zip(generated, answers, colours, strict=True):
        objects = ["vessel"] if each.references >= 1 else []
        if each.references >= 3:
            objects += ["counter"] + (["side object"] if each.kitchen.side else [])
        if each.references >= 4 and each.scene.action in TOOL_OF:
            objects.append("tool")
        truth = truth_of(each.scene, each.kitchen)
        exact = dict(zip(COLOURED, colours_of(each.scene, each.kitchen), strict=True))
        for name in objects:
            right[name].append(all(answer[q] == truth[q] for q in IDENTITY[name]))
            if name in COLOURED:
                colour = rgb[COLOURED.index(name)]
                errors[name].append(float(np.linalg.norm(colour - np.array(exact[name]))))
    every = [hit for hits in right.values() for hit in hits]
    return {
        "all": float(np.mean(every)),
        **{name: float(np.mean(hits)) for name, hits in right.items()},
        **{f"{name}_rgb_error": float(np.mean(e)) for name, e in errors.items()},
    }
