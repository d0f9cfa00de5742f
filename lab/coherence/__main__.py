"""Measure what clips gain when they see their neighbour: `python -m lab.coherence --out FOLDER`.

The clips of held-out toy recipes are made one after the other from the same three true references and
with the same noise: alone, with the end of the clip before as context, with its keys and values in
self-attention, and with both. Objects of the clip before are painted white in the context and closed in
the mask, each at the places where the detector finds them. The frozen oracle says what a clip shows;
differences to the clips that are made alone are paired. A repeated command goes on where it was
interrupted.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow

from lab.coherence.pairs import Neighbours, seeing
from lab.command import ASSETS, count, new_parser
from lab.pretrain.oracle import Oracle, truth_of
from lab.pretrain.toy_texts import objects_of
from lab.quality.clips import IDENTITY, reference_crops
from lab.weights import load_oracle, load_pipeline
from procvid.cli import run
from procvid.cli.arguments import Parser
from procvid.evaluate.compare import paired_difference
from procvid.models.generators.phantom_wan import noised
from procvid.phantom.autoencoding import encode_last_frames
from procvid.phantom.guidance import Guidance
from procvid.phantom.pipeline_phantom_wan import PhantomWanPipeline
from procvid.phantom.schedule import set_upstream_timesteps
from procvid.plan.writing.toy_prompt import toy_prompt
from procvid.protocols import Detector, FrameEncoder
from procvid.run.coherence import TEMPORAL, without_objects
from procvid.settings import TINY
from procvid.storage.atomic import output_errors, write_bytes
from procvid.toykitchen.recipes import HELD_OUT, random_recipe
from procvid.types import Frames
from procvid.types.sampling import CONTEXT_FRAMES, CONTEXT_NOISE
from procvid.wiring.evaluation import build_frame_encoder
from procvid.wiring.stores import build_detector, build_embedder

REFERENCES = 3
FIRST = 300
"""First recipe after `HELD_OUT`, far from those of the ablation."""

WEIGHT = 0.3
"""Weight of the neighbour's keys."""

ALONE = "alone"
WAYS = (ALONE, "rolling", "pair", "pair and rolling")
FIGURES = ("food", "state", "action", "vessel", "counter", "side object", "joint", "joint, pixels")
CPU = torch.device("cpu")


@dataclass(frozen=True, eq=False)
class ShotInput:
    """Text `[1, L, D]`, reference latents and noise `[1, C, F, h, w]` of a clip, and its objects."""

    text: torch.Tensor
    references: torch.Tensor
    noise: torch.Tensor
    objects: tuple[str, ...]


class NeighbourClips:
    """Makes the clips of a recipe in one of the ways."""

    def __init__(self, pipeline: PhantomWanPipeline, detector: Detector) -> None:
        self._pipeline, self._detector = pipeline, detector
        self._negative = pipeline.encode_prompt("", None, True)[1]

    @torch.no_grad()
    def recipe(self, seed: int, way: str) -> list[Frames]:
        """Return the clips of a recipe, each uint8 (T, H, W, 3)."""
        shots, made = self._shots(seed), list[Frames]()
        latents: torch.Tensor | None = None
        for number, shot in enumerate(shots):
            before = made[-1] if made and "rolling" in way else None
            beside = shots[number - 1] if made and "pair" in way else None
            context = self._context(before, shots[number - 1].objects, seed * 100 + number)
            latents = self._denoised(shot, context, beside, latents, made)
            unit = np.asarray(self._pipeline.decode_latents(latents, "np"))[0]
            made.append((np.clip(unit, 0, 1) * 255).astype(np.uint8))
        return made

    def _shots(self, seed: int) -> list[ShotInput]:
        pipeline, recipe = self._pipeline, random_recipe(seed)
        sampling, found = TINY.sampling, []
        for number, step in enumerate(recipe.steps, start=1):
            scene = step.scene
            objects = objects_of(np.random.default_rng(0), scene, scene.food_name or None)
            rng = np.random.default_rng([seed, number, 5])
            crops = reference_crops(rng, recipe.kitchen, scene, REFERENCES)
            images = [Pillow.fromarray(crop) for crop in crops]
            text, _ = pipeline.encode_prompt(toy_prompt(step.text, scene.action, objects))
            references = pipeline.prepare_reference_latents(images, sampling.height, sampling.width)
            noise = pipeline.prepare_latents(
                num_channels_latents=pipeline.transformer.config.in_channels,
                height=sampling.height,
                width=sampling.width,
                num_frames=sampling.num_frames,
                device=CPU,
                generator=torch.Generator().manual_seed(seed * 100 + number),
                num_references=REFERENCES,
            )
            names = tuple(item.name for item in objects if item.role != "surface")
            found.append(ShotInput(text, references, noise, names))
        return found

    def _context(
        self, before: Frames | None, objects: Sequence[str], seed: int
    ) -> torch.Tensor | None:
        if before is None:
            return None
        end = before[-(TEMPORAL * CONTEXT_FRAMES + 1) :]
        end = without_objects(end, objects, self._detector)
        latents = encode_last_frames(self._pipeline.vae, end, CONTEXT_FRAMES, CPU)
        return noised(latents, [CONTEXT_NOISE] * latents.shape[2], seed)

    def _denoised(
        self,
        shot: ShotInput,
        context: torch.Tensor | None,
        beside: ShotInput | None,
        finished: torch.Tensor | None,
        made: Sequence[Frames],
    ) -> torch.Tensor:
        """Return clean latents `[1, C, F, h, w]`; `finished` are those of the shot beside."""
        pipeline, sampling = self._pipeline, TINY.sampling
        extra = [] if context is None else [context]
        references = torch.cat([shot.references, *extra], 2)
        guidance = Guidance(
            sampling.guidance_scale_text, sampling.guidance_scale_image, references.shape[2]
        )
        timesteps = set_upstream_timesteps(pipeline.scheduler, sampling.num_inference_steps, CPU)
        levels = pipeline.scheduler.sigmas.tolist()
        x, visible = shot.noise, None
        if beside is not None:
            visible = self._visible(made[-1], beside.objects, x)
        for index, timestep in enumerate(timesteps):
            parts = {}
            for branch in guidance.branches:
                seen = references if branch.sees_references else torch.zeros_like(references)
                frames = torch.cat([x, seen], 2)
                text = shot.text if branch.sees_text else self._negative
                if beside is None:
                    parts[branch.name] = self._velocity(frames, timestep, text)
                    continue
                assert finished is not None
                # Renoised to the level of the step, as in inpainting.
                level = levels[index]
                other = (1 - level) * finished + level * beside.noise
                known = torch.cat([beside.references, *extra], 2)
                known = known if branch.sees_references else torch.zeros_like(known)
                texts = beside.text if branch.sees_text else self._negative
                both = torch.cat([torch.cat([other, known], 2), frames])
                neighbours = Neighbours(WEIGHT, 0, len(visible), visible)
                with seeing(pipeline.transformer, neighbours, tuple(both.shape[1:])):
                    velocity = self._velocity(both, timestep, torch.cat([texts, text]))
                parts[branch.name] = velocity[1:]
            velocity = guidance.combine({name: v[:, :, : x.shape[2]] for name, v in parts.items()})
            x = pipeline.scheduler.step(velocity, timestep, x, return_dict=False)[0]
        return x

    def _velocity(
        self, frames: torch.Tensor, timestep: torch.Tensor, text: torch.Tensor
    ) -> torch.Tensor:
        return self._pipeline.transformer(
            hidden_states=frames,
            timestep=timestep.expand(len(frames)),
            encoder_hidden_states=text,
            return_dict=False,
        )[0].float()

    def _visible(self, clip: Frames, objects: Sequence[str], x: torch.Tensor) -> torch.Tensor:
        """Return bool `[N]`: the video tokens of a clip that lie outside all objects."""
        _, rows, columns = self._pipeline.transformer.config.patch_size
        height, width = x.shape[3] // rows, x.shape[4] // columns
        places = np.linspace(0, len(clip) - 1, x.shape[2]).round().astype(int)
        shown = list(clip[places])
        found = self._detector.detect(shown, list(objects)) if objects else [[]] * len(shown)
        visible = torch.ones(len(shown), height, width, dtype=torch.bool)
        scale = width / clip.shape[2]
        for frame, detections in enumerate(found):
            for one in detections:
                x0, y0, x1, y1 = (value * scale for value in one.box_xyxy)
                visible[frame, int(y0) : math.ceil(y1), int(x0) : math.ceil(x1)] = False
        return visible.flatten()


def figures_of(
    oracle: Oracle, encoder: FrameEncoder, seed: int, clips: Sequence[Frames]
) -> dict[str, list[float]]:
    """Return the figures of a recipe: shares of right clips, and distances at the joints."""
    recipe = random_recipe(seed)
    found: dict[str, list[float]] = {name: [] for name in FIGURES}
    for step, answer in zip(recipe.steps, oracle.name(list(clips)), strict=True):
        truth = truth_of(step.scene, recipe.kitchen)
        right = {question: answer[question] == truth[question] for question in truth}
        for name in ("food", "state") if step.scene.food is not None else ():
            found[name].append(float(right[name]))
        found["action"].append(float(right["action"]))
        for name in ("vessel", "counter", "side object"):
            if name != "side object" or recipe.kitchen.side is not None:
                found[name].append(float(all(right[question] for question in IDENTITY[name])))
    for before, after in pairwise(clips):
        vectors = encoder.embed_frames([before[-1], after[0]])
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        found["joint"].append(float(np.linalg.norm(unit[0] - unit[1])))
        gap = np.abs(before[-1].astype(np.float32) - after[0])
        found["joint, pixels"].append(float(gap.mean()) / 255)
    return found


def table_of(figures: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Return the figures of clips made alone and the paired differences of the other ways."""
    others = [way for way in figures if way != ALONE]
    rows = [f"| figure | n | {ALONE} | {' | '.join(others)} |", "|---" * (3 + len(others)) + "|"]
    for name, base in figures[ALONE].items():
        cells = []
        for way in others:
            change = paired_difference(base, figures[way][name])
            low, high = change.low or 0.0, change.high or 0.0
            cells.append(f"{change.mean or 0.0:+.3f} [{low:+.3f}, {high:+.3f}]")
        rows.append(f"| {name} | {len(base)} | {np.mean(base):.3f} | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def measure(arguments: argparse.Namespace) -> None:
    """Make the missing clips, and write the table."""
    out: Path = arguments.out
    with output_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    pipeline = load_pipeline(ASSETS / "tiny_phantom")
    maker = NeighbourClips(pipeline, build_detector(TINY, build_embedder(TINY)))
    oracle, encoder = load_oracle(ASSETS / "oracle"), build_frame_encoder(TINY)
    figures: dict[str, dict[str, list[float]]] = {}
    for way in WAYS:
        figures[way] = {name: [] for name in FIGURES}
        for number in range(arguments.recipes):
            seed = HELD_OUT + FIRST + number
            file = out / f"{way.replace(' ', '_')}-{number:03d}.npy"
            if not file.is_file():
                with output_errors(file):
                    np.save(file, np.stack(maker.recipe(seed, way)))
            for name, values in figures_of(oracle, encoder, seed, list(np.load(file))).items():
                figures[way][name] += values
        print(f"{way}: {arguments.recipes} recipes", flush=True)
    text = table_of(figures)
    write_bytes(out / "coherence.md", text.encode())
    print(text, end="")


def parser() -> Parser:
    """Return the parser of `python -m lab.coherence`."""
    made = new_parser("coherence", "Measure what clips gain when they see their neighbour.")
    made.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="clips and table")
    made.add_argument("--recipes", metavar="N", type=count, default=50)
    made.set_defaults(run=measure)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return run(parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
