"""How good the tiny models are: clips of held-out recipes, named by the oracle.

`python -m procvid.train.measure --out FOLDER` writes `quality.json` and `contact_sheet.png` from the
shipped weights. The prompt is the planner's enhanced one and never tells the identity; references
are cut from another clip of the same kitchen, rendered, as the product would cut them.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow
from safetensors.torch import load_file

from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.plan.prompt import enhance
from procvid.toykitchen.recipes import HELD_OUT, ToyRecipe, random_recipe
from procvid.toykitchen.render import FPS, NUM_FRAMES, SIZE, TOOL_OF
from procvid.train.oracle import CLASSES, Oracle, truth_of
from procvid.train.tiny_vae import to_video
from procvid.train.toy_crops import cut, noisy, role_of
from procvid.train.toy_latents import source_frames
from procvid.train.toy_texts import objects_of
from procvid.types import Frames, Image

ASSETS = Path(__file__).resolve().parents[1] / "assets"
QUESTIONS = (
    "action",
    "food",
    "state",
    "vessel_colour",
    "vessel_shape",
    "vessel_pattern",
    "counter",
)


def load_oracle(folder: Path) -> Oracle:
    """The shipped oracle."""
    oracle = Oracle()
    oracle.load_state_dict(
        {k: v.float() for k, v in load_file(folder / "oracle.safetensors").items()}
    )
    return oracle.eval()


def load_pipeline(folder: Path) -> PhantomWanPipeline:
    """The shipped tiny Phantom in float32."""
    pipeline = PhantomWanPipeline.from_pretrained(folder).to(torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def reference_crops(rng: np.random.Generator, kitchen, scene, count: int) -> list[Image]:
    """Up to `count` references in the product's order: vessel, food, counter, tool."""
    frames = source_frames(rng, kitchen, scene)
    crops = [cut(image, noisy(rng, box), role_of(name)) for image, box, name in frames]
    if scene.food is None:
        crops[1] = crops[2]
    return crops[: count if scene.action in TOOL_OF else min(count, 3)]


def held_out_clips(
    pipeline: PhantomWanPipeline,
    recipes: int,
    count: int,
    steps: int,
    scales: tuple[float, float],
    first: int = HELD_OUT,
    draw: Callable[[int], ToyRecipe] = random_recipe,
):
    """Yield (truth, generated frames, rendered frames) for every step of the held-out recipes."""
    for seed in range(first, first + recipes):
        recipe = draw(seed)
        for number, step in enumerate(recipe.steps, start=1):
            rng = np.random.default_rng([seed, number, 5])
            scene = step.scene
            prompt = enhance(
                step.text, scene.action, objects_of(np.random.default_rng(0), scene, scene.food)
            )
            video = pipeline(
                prompt=prompt,
                images=[
                    Pillow.fromarray(c) for c in reference_crops(rng, recipe.kitchen, scene, count)
                ],
                height=SIZE,
                width=SIZE,
                num_frames=NUM_FRAMES,
                num_inference_steps=steps,
                guidance_scale_text=scales[0],
                guidance_scale_image=scales[1],
                generator=torch.Generator("cpu").manual_seed(seed * 100 + number),
                output_type="np",
            ).frames[0]
            frames = (np.clip(video, 0, 1) * 255).astype(np.uint8)
            yield truth_of(scene, recipe.kitchen), frames, recipe.render(number).frames


@torch.no_grad()
def through_vae(pipeline: PhantomWanPipeline, frames: Frames) -> Frames:
    """The frames encoded and decoded: what the VAE alone leaves of them."""
    coded = pipeline.vae.encode(to_video(frames[None])).latent_dist.mode()
    video = pipeline.vae.decode(coded).sample[0].permute(1, 2, 3, 0)
    return ((video + 1) * 127.5).clip(0, 255).to(torch.uint8).numpy()


def sheet(rows: list[tuple[Frames, Frames]], file: Path) -> None:
    """Generated clips beside the renderer's, three frames of each, two times enlarged."""
    lines = [np.concatenate([*made[[0, 4, 8]], *true[[0, 4, 8]]], 1) for made, true in rows]
    half = (len(lines) + 1) // 2
    lines += [np.full_like(lines[0], 255)] * (2 * half - len(lines))
    gap = np.full((lines[0].shape[0], 8, 3), 255, np.uint8)
    page = np.concatenate(
        [np.concatenate([lines[k], gap, lines[k + half]], 1) for k in range(half)]
    )
    Pillow.fromarray(page).resize(
        (page.shape[1] * 2, page.shape[0] * 2), Pillow.Resampling.LANCZOS
    ).save(file)


def main() -> None:
    """Measure the shipped weights."""
    parser = argparse.ArgumentParser(description="Measure the tiny models on held-out recipes.")
    parser.add_argument("--assets", type=Path, default=ASSETS)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--recipes", type=int, default=20)
    parser.add_argument("--references", type=int, default=3)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument(
        "--scales", type=float, nargs=2, default=(2.0, 2.0), metavar=("TEXT", "IMAGE")
    )
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    oracle, pipeline = (
        load_oracle(args.assets / "oracle"),
        load_pipeline(args.assets / "tiny_phantom"),
    )
    right: dict[str, list[bool]] = defaultdict(list)
    coded: dict[str, list[bool]] = defaultdict(list)
    ceiling: dict[str, list[bool]] = defaultdict(list)
    rows = []
    for truth, made, true in held_out_clips(
        pipeline, args.recipes, args.references, args.steps, tuple(args.scales)
    ):
        for clip, table in (
            (made, right),
            (through_vae(pipeline, true), coded),
            (true, ceiling),
        ):
            answer = oracle.name([clip])[0]
            for question in QUESTIONS:
                table[question].append(answer[question] == truth[question])
        rows.append((made, true))
    report = {
        "clips": len(rows),
        "references": args.references,
        "sampling": {"steps": args.steps, "scales": list(args.scales), "fps": FPS},
        "accuracy": {q: round(float(np.mean(right[q])), 4) for q in QUESTIONS},
        "accuracy_through_the_vae": {q: round(float(np.mean(coded[q])), 4) for q in QUESTIONS},
        "accuracy_on_the_renderer": {q: round(float(np.mean(ceiling[q])), 4) for q in QUESTIONS},
        "chance": {q: round(1 / len(CLASSES[q]), 4) for q in QUESTIONS},
    }
    (args.out / "quality.json").write_text(json.dumps(report, indent=1))
    print(json.dumps(report, indent=1))
    sheet(rows[:24], args.out / "contact_sheet.png")


if __name__ == "__main__":
    main()
