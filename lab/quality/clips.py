"""Clips of held-out toy recipes, made with 0 to 4 true references, and what they follow.

The prompt is the planner's enhanced one and never tells the identity; references are cut from other
clips of the same kitchen, rendered, as the product would cut them.
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
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.plan.prompt import enhance
from procvid.protocols import Embedder
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
"""The oracle's questions that together are an object's identity."""


@dataclass(frozen=True, eq=False)
class GeneratedClip:
    """A generated clip beside the rendered one, and how many references it had."""

    scene: Scene
    kitchen: ToyKitchen
    text: str
    references: int
    frames: Frames
    true: Frames


def reference_crops(
    rng: np.random.Generator, kitchen: ToyKitchen, scene: Scene, count: int
) -> list[Image]:
    """Up to `count` references in the product's order: vessel, food, counter, and one more."""
    frames = source_frames(rng, kitchen, scene)
    crops = [cut(image, noisy(rng, box), role_of(name)) for image, box, name in frames]
    if scene.food is None:
        crops[1] = crops[2]
    return crops[:count]


def held_out_clips(
    pipeline: PhantomWanPipeline,
    seeds: Sequence[int],
    count: int,
    sampling: Sampling,
    draw: Callable[[int], ToyRecipe] = random_recipe,
) -> Iterator[GeneratedClip]:
    """Every step of the recipes of these seeds; seeds from `HELD_OUT` on are the test kitchen's."""
    for seed in seeds:
        recipe = draw(seed)
        for number, step in enumerate(recipe.steps, start=1):
            rng = np.random.default_rng([seed, number, 5])
            scene = step.scene
            told = objects_of(np.random.default_rng(0), scene, scene.food_name or None)
            crops = reference_crops(rng, recipe.kitchen, scene, count)
            video = pipeline(
                prompt=enhance(step.text, scene.action, told),
                images=[Pillow.fromarray(crop) for crop in crops] or None,
                height=SIZE,
                width=SIZE,
                num_frames=NUM_FRAMES,
                num_inference_steps=sampling.num_inference_steps,
                guidance_scale_text=sampling.guidance_scale_text,
                guidance_scale_image=sampling.guidance_scale_image,
                generator=torch.Generator("cpu").manual_seed(seed * 100 + number),
                output_type="np",
            ).frames[0]
            frames = (np.clip(video, 0, 1) * 255).astype(np.uint8)
            true = recipe.render(number).frames
            yield GeneratedClip(scene, recipe.kitchen, step.text, count, frames, true)


def first_seeds(recipes: int) -> range:
    """The seeds of the first recipes of the test kitchen."""
    return range(HELD_OUT, HELD_OUT + recipes)


def oracle_accuracy(oracle: Oracle, made: Sequence[GeneratedClip], clips: Sequence[Frames]) -> dict:
    """Share of right answers to each of the oracle's questions, 0 to 1.

    Questions about a tool or a side object count only where there is one.
    """
    right: dict[str, list[bool]] = defaultdict(list)
    for each, answer in zip(made, oracle.name(list(clips)), strict=True):
        for question, truth in truth_of(each.scene, each.kitchen).items():
            if truth != "none" or question == "state":
                right[question].append(answer[question] == truth)
    return {question: float(np.mean(hits)) for question, hits in right.items()}


def clip_accuracy(scorer: Embedder, made: Sequence[GeneratedClip], clips: Sequence[Frames]) -> dict:
    """Share of clips whose caption the tiny step CLIP prefers to those of every other action, food or
    state, 0 to 1; clips without a food are left out."""
    right: dict[str, list[bool]] = defaultdict(list)
    for each, frames in zip(made, clips, strict=True):
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


def identity_following(oracle: Oracle, made: Sequence[GeneratedClip]) -> dict[str, float]:
    """How well the clips keep what their references show.

    Per referenced object: the share with all classes right (`vessel`, `counter`, `side object`,
    `tool`; colour, shape and pattern together), `all` over all of them, and the mean distance of the
    exact colour in RGB (`vessel_rgb_error`...). References come in the order vessel, food, counter
    with what stands on it, tool; so with one only the vessel counts.
    """
    right: dict[str, list[bool]] = defaultdict(list)
    errors: dict[str, list[float]] = defaultdict(list)
    answers = oracle.name([each.frames for each in made])
    colours = oracle.colour([each.frames for each in made])
    for each, answer, rgb in zip(made, answers, colours, strict=True):
        shown = ["vessel"] if each.references >= 1 else []
        if each.references >= 3:
            shown += ["counter"] + (["side object"] if each.kitchen.side else [])
        if each.references >= 4 and each.scene.action in TOOL_OF:
            shown.append("tool")
        truth = truth_of(each.scene, each.kitchen)
        exact = dict(zip(COLOURED, colours_of(each.scene, each.kitchen), strict=True))
        for name in shown:
            right[name].append(all(answer[q] == truth[q] for q in IDENTITY[name]))
            if name in COLOURED:
                told = rgb[COLOURED.index(name)]
                errors[name].append(float(np.linalg.norm(told - np.array(exact[name]))))
    every = [hit for hits in right.values() for hit in hits]
    return {
        "all": float(np.mean(every)),
        **{name: float(np.mean(hits)) for name, hits in right.items()},
        **{f"{name}_rgb_error": float(np.mean(e)) for name, e in errors.items()},
    }
