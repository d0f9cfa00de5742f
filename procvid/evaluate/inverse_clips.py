"""Make and measure the clips of an inverse generation: what each of its workers does.

A caption gives two clips with the same seed: one from the caption alone, and one that also gets the
key frame, the first frame of the original. Phantom takes images of subjects, so the key frame is
cut into crops of the objects that the caption names ("objects"), or given as it is ("frame").
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.known_world import KnownWorld
from procvid.evaluate.sampling import motion_of
from procvid.media.image import resize
from procvid.media.video import DEFAULT_LIMITS, probe, stream_frames, write_clip
from procvid.memory.clip_crops import crops_of_clip
from procvid.plan.writing.toy_prompt import toy_prompt
from procvid.protocols import ClipGenerator, Detector, Planner, SetDistance, TextImageScorer
from procvid.run.generate import step_seed
from procvid.run.stand_ins import NO_STAND_INS, StandIns
from procvid.settings import Profile
from procvid.toykitchen.recipes import random_recipe
from procvid.types import (
    Clip,
    Conditioning,
    Frames,
    Image,
    Likelihood,
    ModelInfo,
    Recipe,
    Sampling,
    SceneObject,
    Slot,
    StepPlan,
)

KeyFrame = Literal["objects", "frame"]
Branch = Literal["original", "without", "with"]
BRANCHES: tuple[Branch, ...] = ("original", "without", "with")
CLIP_T_FRAMES = 8
EVERY_LIKELIHOOD: frozenset[Likelihood] = frozenset({"unlikely", "likely", "highly_likely"})
LEAST_TEXT_CHANGE = 1e-6


@dataclass(frozen=True)
class CaptionedClip:
    """A clip of a dataset with its caption.

    Attributes:
        id: Name of its folder, unique in the dataset.
        group: Its video. Clips of one video are not independent.
        caption: What it shows.
        file: The video, or None for a rendered toy clip.
        start_s, end_s: The part of the video, in seconds; None is the end of the file.
        toy: Seed of the toy recipe, and the number of the step from 1.
    """

    id: str
    group: str
    caption: str
    file: Path | None = None
    start_s: float = 0.0
    end_s: float | None = None
    toy: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class InverseTools:
    """The models of a worker.

    Attributes:
        profile: Their profile.
        planner: Names the objects of a caption.
        generator: Makes the clips.
        detector: Finds the objects in the key frame.
        scorer: CLIP of CLIP-T.
        distances: Networks of the Fréchet distances, by metric.
        stand_ins: What a small model draws for things that it does not know.
        world: What the models know, or None if they are for any clip.
    """

    profile: Profile
    planner: Planner
    generator: ClipGenerator
    detector: Detector
    scorer: TextImageScorer
    distances: Mapping[str, SetDistance]
    stand_ins: StandIns = NO_STAND_INS
    world: KnownWorld | None = None

    def backbones(self, kinds: Sequence[str]) -> dict[str, str]:
        """Return "id revision" of the models by metric, `clip_t` first."""
        infos = {"clip_t": self.scorer.info} | {k: self.distances[k].info for k in kinds}
        return {kind: f"{info.id} {info.revision}".strip() for kind, info in infos.items()}


@dataclass(frozen=True)
class InverseJob:
    """One clip to make and measure.

    Attributes:
        folder: The absolute folder of the whole work.
        number: Number of the clip in the dataset, from 1; its seed depends on it.
        clip: The original.
        sampling: Sampling with the seed of the whole work.
        key_frame: How the key frame is given.
        kinds: The Fréchet distances to take features for.
    """

    folder: Path
    number: int
    clip: CaptionedClip
    sampling: Sampling
    key_frame: KeyFrame
    kinds: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class InverseItem:
    """The measures of a clip, or why it is left out.

    Attributes:
        arrays: float32 arrays by "branch.measure": "clip_t" and "motion" of one value, and the
            features (n, D) of each Fréchet distance.
        facts: Prompt, names of the references, backbones and what a reader should know.
        fault: Why the clip is left out, or "".
    """

    arrays: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""


def clip_place(folder: Path, clip: CaptionedClip) -> Path:
    """Return the folder of a clip."""
    return folder / "clips" / clip.id


def make_and_measure(tools: InverseTools, job: InverseJob) -> Iterator[InverseItem]:
    """Read the original, make both clips, write the three as mp4, and yield the measures.

    An original that cannot be read gives an item with a fault.

    Raises:
        OutputError: The folder cannot be written.
        UnavailableError: A model is not available, or this machine does not see the folder.
    """
    if not job.folder.is_dir():
        raise UnavailableError(
            f"The worker on {platform.node()} does not see the folder {str(job.folder)!r}.",
            "Choose a folder that all machines share at the same path.",
        )
    try:
        frames = original_frames(job.clip, job.sampling)
    except InputError as error:
        yield InverseItem(fault=error.message)
        return
    step = tools.planner.plan(Recipe("Clip", (job.clip.caption,))).steps[0]
    prompt = job.clip.caption
    if tools.profile.fixed_vocabulary:
        drawn = tools.stand_ins.in_step(step)
        prompt = toy_prompt(drawn.text, drawn.action, drawn.objects)
    slots = key_frame_slots(tools, frames[0], step, job.key_frame)
    seeded = step_seed(job.sampling.seed, job.number)
    sampling = replace(job.sampling, seed=seeded)
    clips: dict[Branch, Frames] = {"original": frames}
    for branch, given in (("without", ()), ("with", slots)):
        conditioning = Conditioning(job.number, prompt, tuple(given), ())
        clips[branch] = _made(tools.generator, conditioning, sampling).frames  # type: ignore[index]
    place, scale = clip_place(job.folder, job.clip), tools.profile.display_scale
    for branch, each in clips.items():
        made = branch != "original"
        write_clip(place / f"{branch}.mp4", each, sampling.fps, scale=scale, ai_generated=made)
    caption = tools.scorer.embed_texts([job.clip.caption, job.clip.caption.rstrip()[:-1]])
    arrays: dict[str, NDArray[np.float32]] = {}
    for branch, each in clips.items():
        looks = tools.scorer.embed_images(list(spread(each, CLIP_T_FRAMES)))
        arrays[f"{branch}.clip_t"] = np.array([100 * (looks @ caption[0]).mean()], np.float32)
        arrays[f"{branch}.motion"] = np.array([motion_of(tuple(each)) or 0.0], np.float32)
        for kind in job.kinds:
            distance = tools.distances[kind]
            arrays[f"{branch}.{kind}"] = distance.features(spread(each, distance.num_frames))
    known = tools.world is None or tools.world.knows(list(spread(frames, CLIP_T_FRAMES)))
    yield InverseItem(
        arrays,
        {
            "caption": job.clip.caption,
            "prompt": prompt,
            "references": [slot.object_name for slot in slots],
            "caption_is_cut": bool(np.allclose(caption[0], caption[1], atol=LEAST_TEXT_CHANGE)),
            "known": known,
            "backbones": tools.backbones(job.kinds),
        },
    )


def spread(frames: Frames, count: int) -> Frames:
    """Return `count` frames spread evenly over a clip, ends included; short clips repeat some."""
    return np.take(frames, np.linspace(0, len(frames) - 1, count).round().astype(int), axis=0)


def original_frames(clip: CaptionedClip, sampling: Sampling) -> Frames:
    """Return about as many frames as a made clip has, spread over the original, the first included.

    They are cut at the centre to the shape of a made clip and resized to it.

    Returns:
        uint8 (T, H, W, 3) RGB.

    Raises:
        InputError: The video is missing or damaged, or has no frame in this span.
    """
    if clip.toy is not None:
        seed, number = clip.toy
        found = list(random_recipe(seed).render(number).frames)
    else:
        assert clip.file is not None, "a clip needs a file or a toy recipe"
        end_s = probe(clip.file, DEFAULT_LIMITS).duration_s if clip.end_s is None else clip.end_s
        if end_s <= clip.start_s:
            raise InputError(f"The video {clip.file.name} ends before {clip.start_s:g} s.")
        rate = (sampling.num_frames - 0.5) / (end_s - clip.start_s)
        stream = stream_frames(clip.file, clip.start_s, end_s, rate)
        found = [_shaped(frame, sampling.width, sampling.height) for _, frame in stream]
        if not found:
            raise InputError(f"The video {clip.file.name} has no frames at {clip.start_s:g} s.")
    return np.stack([_shaped(frame, sampling.width, sampling.height) for frame in found])


def _shaped(image: Image, width: int, height: int) -> Image:
    """Return the centre of an image in the shape of width and height, resized to them."""
    high, wide = image.shape[:2]
    if (wide, high) == (width, height):
        return image
    kept_wide = min(wide, max(1, round(high * width / height)))
    kept_high = min(high, max(1, round(wide * height / width)))
    left, top = (wide - kept_wide) // 2, (high - kept_high) // 2
    return resize(image[top : top + kept_high, left : left + kept_wide], width, height)


def key_frame_slots(
    tools: InverseTools, image: Image, step: StepPlan, how: KeyFrame
) -> tuple[Slot, ...]:
    """Return the key frame as references.

    Args:
        tools: The models.
        image: uint8 (H, W, 3) RGB, the first frame of the original.
        step: The plan of the caption.
        how: "objects" cuts out what the caption names, the most important object first. The whole
            frame stands in if nothing is found. "frame" gives the whole frame.
    """
    whole = (0.0, 0.0, float(image.shape[1]), float(image.shape[0]))
    crops = []
    if how == "objects":
        crops = crops_of_clip(
            image[None],
            1.0,
            step.text,
            "key frame",
            scene_reader=_Planned(step),
            detector=tools.detector,
            keep=EVERY_LIKELIHOOD,
        )
    parts = [(c.name, c.image, c.state, c.box_xyxy, c.detector_score) for c in crops]
    parts = parts[: tools.profile.max_references] or [("key frame", image, "", whole, 1.0)]
    return tuple(
        Slot(
            number,
            name,
            name,
            shown,
            f"key-frame-{number}",
            "key frame",
            state,
            box,
            score,
            "upload",
        )
        for number, (name, shown, state, box, score) in enumerate(parts, start=1)
        if shown is not None
    )


class _Planned:
    """A scene reader that returns the objects of a plan, in the states in which a clip begins."""

    info = ModelInfo("plan", "")

    def __init__(self, step: StepPlan) -> None:
        self._step = step

    def read(self, frames: Frames, text: str) -> tuple[SceneObject, ...]:
        """Return the planned objects, the most important first."""
        ranked = sorted(self._step.objects, key=lambda item: -item.importance)
        return tuple(
            SceneObject(o.name, o.role, o.description, o.state_before, o.likelihood) for o in ranked
        )


def _made(generator: ClipGenerator, conditioning: Conditioning, sampling: Sampling) -> Clip:
    steps = generator.generate(conditioning, sampling)
    with closing(steps):
        while True:
            try:
                next(steps)
            except StopIteration as end:
                clip: Clip = end.value
                return clip
