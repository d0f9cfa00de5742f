"""Generate the recipes with the tiny model and play tricks on the clips.

Generated video is imperfect, so a trick could raise a metric. Tricks are stills and moving stills,
shuffled frames, and references pasted over objects; texts, plan and references stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image as Pillow

from lab.metrics_proof.faults import grown, pasted
from procvid.evaluate.fidelity import GATE
from procvid.evaluate.inputs import ClipInput, Reference, RunInput, run_input
from procvid.evaluate.sampling import frames_of
from procvid.protocols import Detector
from procvid.run.parts import Parts
from procvid.run.story import make_video
from procvid.settings import choose_sampling
from procvid.toykitchen.recipes import random_recipe
from procvid.toykitchen.render import FPS
from procvid.types import BoxXYXY, Frames, GenerateRequest, Recipe

ZOOM = 0.02
"""Enlargement of a still per frame."""

SIZES = (0.8, 1.2)
JITTER = 2
"""Scales of pasted references, and their maximum shift in pixels."""


@dataclass(frozen=True, eq=False)
class GeneratedRun:
    """A generated run: frames, and boxes of its references' objects per clip and frame."""

    run: RunInput
    frames: tuple[Frames, ...]
    boxes: tuple[tuple[dict[str, BoxXYXY], ...], ...]
    seed: int

    def hit(self, dose: float) -> list[int]:
        """Return the clips (from 0) that a dose hits, among those with a detected reference."""
        rng = np.random.default_rng([self.seed, 21])
        among = [i for i, each in enumerate(self.boxes) if any(each)]
        return [among[i] for i in rng.permutation(len(among))][: round(dose * len(among))]

    def with_frames(self, frames: Sequence[Frames]) -> RunInput:
        """Return the run with other frames."""
        clips = tuple(
            ClipInput(clip.number, frames=each, fps=FPS, references=clip.references)
            for clip, each in zip(self.run.clips, frames, strict=True)
        )
        return replace(self.run, clips=clips)


def make_runs(parts: Parts, detector: Detector, seeds: Sequence[int]) -> Iterator[GeneratedRun]:
    """Generate the toy recipe of each seed and detect its objects.

    Raises:
        ProcvidError: See `make_video`.
    """
    with TemporaryDirectory(prefix="procvid-proof-") as temporary:
        for index, seed in enumerate(seeds):
            toy = random_recipe(seed)
            recipe = Recipe(toy.title, tuple(step.text for step in toy.steps))
            request = GenerateRequest(
                recipe=recipe,
                sampling=choose_sampling(parts.profile),
                profile=parts.profile.name,
                planner=parts.planner.info.id,
                seed=0,
            )
            folder = Path(temporary) / str(index)
            for _ in make_video(request, parts, folder):
                pass
            run = run_input(folder, f"recipe {index}")
            frames = tuple(np.stack(list(frames_of(clip))) for clip in run.clips)
            boxes = tuple(
                _boxes(detector, each, clip.references)
                for each, clip in zip(frames, run.clips, strict=True)
            )
            generated = GeneratedRun(run, frames, boxes, seed)
            # The temporary files are deleted after this.
            yield replace(generated, run=generated.with_frames(frames))


def _boxes(
    detector: Detector, frames: Frames, references: Sequence[Reference]
) -> tuple[dict[str, BoxXYXY], ...]:
    names = [r.object_name for r in references if r.object_name != "counter"]
    if not names:
        return ({},) * len(frames)
    found = detector.detect(list(frames), names)
    return tuple({d.label: d.box_xyxy for d in each if d.score >= GATE} for each in found)


Trick = Callable[[GeneratedRun, int], Frames]
"""Maps a run and a clip (from 0) to new frames."""


def held(run: GeneratedRun, clip: int, place: float) -> Frames:
    """Hold one frame: 0 is the first, 1 the last."""
    frames = run.frames[clip]
    return np.repeat(frames[round(place * (len(frames) - 1))][None], len(frames), axis=0)


def zoomed(run: GeneratedRun, clip: int) -> Frames:
    """Zoom slowly into the middle frame."""
    frames = run.frames[clip]
    height, width = frames.shape[1:3]
    still = Pillow.fromarray(frames[len(frames) // 2])
    pictures = []
    for number in range(len(frames)):
        cut = (1 - 1 / (1 + ZOOM * number)) / 2
        box = (cut * width, cut * height, (1 - cut) * width, (1 - cut) * height)
        pictures.append(still.resize((width, height), Pillow.Resampling.BICUBIC, box=box))
    return np.stack([np.array(picture) for picture in pictures])


def in_turns(run: GeneratedRun, clip: int) -> Frames:
    """Alternate the middle and the last frame."""
    frames = run.frames[clip]
    both = (len(frames) // 2, len(frames) - 1)
    return frames[[both[number % 2] for number in range(len(frames))]]


def out_of_order(run: GeneratedRun, clip: int) -> Frames:
    """Shuffle the frames of a clip."""
    frames = run.frames[clip]
    return frames[np.random.default_rng([run.seed, clip, 22]).permutation(len(frames))]


def with_references(
    run: GeneratedRun,
    clip: int,
    *,
    sizes: Sequence[float] = (1.0,),
    jitter: int = 0,
    plain: bool = False,
) -> Frames:
    """Paste every reference over its object in every frame, or on a moving pattern if `plain`."""
    rng = np.random.default_rng([run.seed, clip, 23])
    size = sizes[clip % len(sizes)]
    frames = _pattern(run.frames[clip]) if plain else run.frames[clip].copy()
    for frame, boxes in zip(frames, run.boxes[clip], strict=True):
        for reference in run.run.clips[clip].references:
            box = boxes.get(reference.object_name)
            if box is not None and reference.image is not None:
                by = rng.integers(-jitter, jitter + 1, 2)
                frame[:] = pasted(frame, reference.image, grown(box, size, by))
    return frames


def _pattern(frames: Frames) -> Frames:
    """Return stripes of the frames' median colour that move one pixel per frame."""
    _, height, width = frames.shape[:3]
    across = np.add.outer(np.arange(height), np.arange(width))
    colour = np.median(frames.reshape(-1, 3), axis=0)
    moving = [(across + number) % 8 < 4 for number in range(len(frames))]
    stripes = np.clip(colour + 24.0 * np.stack(moving)[..., None] - 12.0, 0, 255)
    return np.asarray(stripes, np.uint8)


TRICKS: dict[str, Trick] = {
    "generated, middle frame held": partial(held, place=0.5),
    "generated, first frame held": partial(held, place=0.0),
    "generated, slow zoom on one frame": zoomed,
    "generated, two frames in turns": in_turns,
    "generated, frames out of order": out_of_order,
    "generated, reference pasted": with_references,
    "generated, pasted resized, jittered": partial(with_references, sizes=SIZES, jitter=JITTER),
    "generated, pasted on a moving pattern": partial(with_references, jitter=1, plain=True),
}


BLIND = {("generated, frames out of order", "joint_ratio")}
"""Tricks known to raise a metric, as its card states: shuffled frames have more motion."""


def played(trick: Trick, run: GeneratedRun, dose: float) -> RunInput:
    """Return a run with a trick played on a share of its clips."""
    hit = run.hit(dose)
    return run.with_frames(
        [trick(run, clip) if clip in hit else run.frames[clip] for clip in range(len(run.frames))]
    )
