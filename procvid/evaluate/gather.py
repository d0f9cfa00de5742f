"""Gathering of evidence: each clip is decoded once, and every backbone that is needed runs on it.

A backbone that fails is marked missing with its reason, and the others go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from procvid.errors import InputError, ServiceError, UnavailableError
from procvid.evaluate.cache import MAX_CLIPS, Recent, VectorCache
from procvid.evaluate.captions import caption_of
from procvid.evaluate.credit import RESTING
from procvid.evaluate.evidence import (
    CAPTIONS,
    CLIP,
    ENCODER,
    FRAMES,
    JUDGE,
    LPIPS,
    OBJECTS,
    SCENE,
    SHOTS,
    CaptionEvidence,
    ClipEvidence,
    RunEvidence,
    Sighting,
    Texts,
)
from procvid.evaluate.fidelity import GATE
from procvid.evaluate.inputs import ClipInput, Reference, RunInput
from procvid.evaluate.judgements import Judgements
from procvid.evaluate.known_world import clips_in_words
from procvid.evaluate.motion import num_pictures
from procvid.evaluate.parts import EvaluationParts
from procvid.evaluate.pixels import copied_detail
from procvid.evaluate.sampling import SampledClip, sample
from procvid.evaluate.standard import RealClips, joint_distances, joint_images, set_features
from procvid.evaluate.states import judge_states
from procvid.evaluate.vectors import unit
from procvid.media.image import crop_on_white, resize
from procvid.storage.files import sha256_of
from procvid.types import Detection, Image, PlannedObject, Recipe, SceneObject

CLIP_FRAMES = 8
"""Frames per clip for CLIP, spread over the clip (paper, section 3.3)."""

MOTION_FRAMES = 17
"""Maximum frames per clip for the frame encoder, spread over the clip, ends included."""

OBJECT_FRAMES = 5
NOT_LOADED = "its backbone was not loaded"
MIN_SIDE_PX = 4
STRIP_PX = 160

Output = TypeVar("Output")


ClipReading = tuple[ClipEvidence, tuple[SceneObject, ...]]
"""The evidence of one clip alone, and the objects in its middle frame."""


class EvidenceCache(VectorCache):
    """Evidence by content, kept between runs: vectors of images, and readings of whole clips."""

    def __init__(self) -> None:
        super().__init__()
        self.clips: Recent[ClipReading] = Recent(MAX_CLIPS)


class Gatherer:
    """Gathers the evidence of one recipe from its clips.

    Args:
        run: The clips with their recipe and plan.
        parts: The backbones.
        needs: Kinds of evidence to compute.
        judgements: The judge with its stored answers, or None.
        cache: Evidence that is shared between recipes.
        real: Real clips to compare with.
    """

    def __init__(
        self,
        run: RunInput,
        parts: EvaluationParts,
        needs: Collection[str],
        judgements: Judgements | None,
        cache: EvidenceCache,
        real: RealClips,
    ) -> None:
        self._run, self._parts, self._cache, self._real = run, parts, cache, real
        self._judgements = judgements
        self._needs = set(needs)
        loaded = parts.backbones()
        reasons = {kind: NOT_LOADED for kind in needs if kind not in loaded}
        reasons |= {**parts.missing, **real.missing}
        self._missing = {kind: why for kind, why in reasons.items() if kind in needs}
        world = parts.world
        self._limited = frozenset() if world is None else world.kinds
        self._clips: list[ClipEvidence] = []
        self._scenes: list[tuple[SceneObject, ...]] = []

    def add(self, clip: ClipInput) -> ClipEvidence:
        """Decode a clip and compute its evidence; a cached clip is not decoded again.

        Raises:
            InputError: The clip cannot be read.
        """
        key = self._key(clip)
        reading = self._cache.clips.get(key)
        if reading is None:
            reading = self._read(clip)
            # Do not cache a reading during which a backbone failed.
            if key == self._key(clip) and not _failed(reading[0]):
                self._cache.clips.put(key, reading)
        evidence = replace(reading[0], number=clip.number)
        self._clips.append(evidence)
        self._scenes.append(reading[1])
        return evidence

    def _read(self, clip: ClipInput) -> ClipReading:
        # Thumbnails are kept even if not needed now, so that a reading serves other metrics too.
        shots = self._parts.shot_detector
        sampled = sample(clip, shots.thumbnails if shots else None)
        places = self._motion_places(sampled)
        known = self._knows(sampled)
        ask = partial(self._try, beyond=frozenset() if known is not False else self._limited)
        evidence = ClipEvidence(
            number=clip.number,
            text=self._run.text(clip.number),
            num_frames=sampled.num_frames,
            fps=sampled.fps,
            width=sampled.width,
            height=sampled.height,
            sampled=tuple(sampled.indices[place] for place in places),
            pixel_motion=sampled.pixel_motion,
            num_pictures=num_pictures([sampled.images[place] for place in places]),
            resting=self._action(clip.number) in RESTING,
            first_image=_small(sampled.images[0]),
            last_image=_small(sampled.images[-1]),
            frame_vectors=ask(FRAMES, lambda: self._encode([sampled.images[p] for p in places])),
            shot_thumbnails=sampled.shot_thumbnails,
            known=known,
        )
        vectors = ask(CLIP, lambda: self._clip_vectors(sampled))
        if vectors is not None:
            evidence = replace(evidence, clip_vectors=vectors[:-1], last_clip_vector=vectors[-1])
        sightings = ask(OBJECTS, lambda: self._sightings(clip, sampled))
        caption = uncaptioned = ""
        if evidence.text and self._encodes(evidence.text):
            caption, uncaptioned = ask(CAPTIONS, lambda: caption_of(sampled, self._parts)) or (
                "",
                "",
            )
        scene, unread = ask(SCENE, lambda: self._scene(sampled)) or ((), "")
        features = {
            kind: self._try(kind, partial(set_features, sampled, self._parts, kind))
            for kind in self._real.kinds
        }
        evidence = replace(
            evidence,
            sightings=sightings or (),
            unread=unread,
            caption=caption,
            uncaptioned=uncaptioned,
            joint_images=joint_images(sampled) if self._wants(LPIPS) else None,
            set_features={kind: each for kind, each in features.items() if each is not None},
        )
        return evidence, scene

    def _key(self, clip: ClipInput) -> str:
        """Return a hash of everything that the reading of a clip depends on."""
        digest = hashlib.sha256()
        settings = (
            self._run.text(clip.number),
            clip.scale,
            clip.fps,
            self._planned(clip.number),
            self._action(clip.number),
            sorted(self._needs - {SHOTS} - set(self._missing)),
            sorted(self._parts.backbones().items()),
            self._real.kinds,
            self._parts.world and (self._parts.world.encoder, self._parts.world.limit),
        )
        digest.update(repr(settings).encode())
        for reference in clip.references:
            digest.update(f"{reference.object_name}\0{reference.source}".encode())
            digest.update(b"" if reference.image is None else reference.image.tobytes())
        if clip.frames is not None:
            digest.update(f"{clip.frames.shape}".encode() + clip.frames.tobytes())
        elif clip.file is not None and clip.file.is_file():
            digest.update(sha256_of(clip.file).encode())
        return digest.hexdigest()

    def finish(self) -> RunEvidence:
        """Return the evidence of the run; call it after all clips are added."""
        clips = self._clips
        if self._wants(SCENE) and self._wants(JUDGE):
            judged = self._try(JUDGE, self._judged)
            clips = clips if judged is None else judged
        probabilities = self._try(SHOTS, self._probabilities)
        candidates = self._try(JUDGE, self._candidates) if self._wants(CLIP) else None
        goal = self._try(JUDGE, self._goal) if self._wants(CLIP) else None
        note = self._judgements.take_note() if self._judgements is not None else ""
        recipe, scorer = self._run.recipe, self._parts.scorer
        steps = self._try(CLIP, lambda: self._texts(recipe.steps)) if recipe else None
        notes = [note, self._limits_note(), self._captions_note()]
        scale = self._try(CLIP, lambda: scorer.logit_scale) if scorer else None
        distances = self._try(LPIPS, lambda: joint_distances(clips, self._parts))
        sets = self._real.sets(clips)
        self._missing |= self._real.missing
        return RunEvidence(
            name=self._run.name,
            clips=tuple(clips),
            candidates=candidates or {},
            steps=steps,
            goal=goal,
            shot_probabilities=probabilities,
            logit_scale=scale or 1.0,
            joint_distances=distances or {},
            captions=self._try(ENCODER, self._captions),
            sets=sets,
            real_alignments=self._real.alignments,
            backbones=self._parts.backbones(),
            missing=dict(self._missing),
            limited=self._limited,
            why_limited="" if self._parts.world is None else self._parts.world.why,
            notes=tuple(filter(None, notes)),
        )

    def _captions_note(self) -> str:
        lost = {clip.number: clip.uncaptioned for clip in self._clips if clip.uncaptioned}
        if not lost:
            return ""
        verb = "has" if len(lost) == 1 else "have"
        return f"{clips_in_words(list(lost))} {verb} no caption: {'; '.join(set(lost.values()))}"

    def _limits_note(self) -> str:
        world = self._parts.world
        unknown = [clip.number for clip in self._clips if clip.known is False]
        if world is None or not unknown:
            return ""
        verb = "shows" if len(unknown) == 1 else "show"
        return f"{clips_in_words(unknown)} {verb} something other than {world.name}"

    def _wants(self, kind: str) -> bool:
        return kind in self._needs and kind not in self._missing

    def _try(
        self, kind: str, compute: Callable[[], Output], beyond: frozenset[str] = frozenset()
    ) -> Output | None:
        """Return the output of a backbone.

        Args:
            kind: Kind of evidence.
            compute: Asks the backbone.
            beyond: Kinds whose models do not know the clip.

        Returns:
            None if the backbone is not needed or fails, which marks it missing, and for a kind in `beyond`.
        """
        if kind in beyond or not self._wants(kind):
            return None
        try:
            return compute()
        except UnavailableError as error:
            strict = kind == JUDGE and self._parts.strict_judge
            if strict and isinstance(error, ServiceError) and error.lasting:
                raise
            self._missing[kind] = error.message
            return None

    def _knows(self, sampled: SampledClip) -> bool | None:
        """Return whether the models know a clip; None if no model that is needed is limited."""
        world = self._parts.world
        if world is None or not any(self._wants(kind) for kind in self._limited):
            return None
        return world.knows([sampled.images[place] for place in sampled.spread(CLIP_FRAMES)])

    def _motion_places(self, sampled: SampledClip) -> list[int]:
        count = min(len(sampled.images), MOTION_FRAMES)
        return sorted(set(sampled.spread(count)))

    def _encode(self, images: Sequence[Image]) -> NDArray[np.float32]:
        encoder = self._parts.frame_encoder
        assert encoder is not None
        return self._cache.vectors(encoder.info, images, encoder.embed_frames)

    def _clip_vectors(self, sampled: SampledClip) -> NDArray[np.float32]:
        """Return float32 (9, D): eight frames spread over the clip, then the last one."""
        scorer = self._parts.scorer
        assert scorer is not None
        places = [*sampled.spread(CLIP_FRAMES), len(sampled.images) - 1]
        images = [sampled.images[place] for place in places]
        return self._cache.vectors(scorer.info, images, scorer.embed_images)

    def _scene(self, sampled: SampledClip) -> tuple[tuple[SceneObject, ...], str]:
        """Return the objects in the middle frame, and why there are none; the reader gets no text."""
        reader = self._parts.scene_reader
        assert reader is not None
        try:
            return reader.read(sampled.images[sampled.middle][None], ""), ""
        except InputError as error:
            return (), error.message

    def _planned(self, number: int) -> tuple[PlannedObject, ...]:
        steps = self._run.plan.steps if self._run.plan else ()
        objects = next((step.objects for step in steps if step.number == number), ())
        return tuple({item.name: item for item in objects}.values())

    def _action(self, number: int) -> str:
        steps = self._run.plan.steps if self._run.plan else ()
        return next((step.action for step in steps if step.number == number), "")

    def _sightings(self, clip: ClipInput, sampled: SampledClip) -> tuple[Sighting, ...]:
        planned, detector = self._planned(clip.number), self._parts.detector
        assert detector is not None
        if not planned:
            return ()
        images = [sampled.images[place] for place in sorted(set(sampled.spread(OBJECT_FRAMES)))]
        found = detector.detect(images, [item.name for item in planned])
        references = {r.object_name: r for r in clip.references}
        sightings = []
        for item in planned:
            seen = [
                (image, detection)
                for image, detections in zip(images, found, strict=True)
                for detection in detections
                if detection.label == item.name and _has_size(detection)
            ]
            sightings.append(self._sighting(item, seen, references.get(item.name)))
        return tuple(sightings)

    def _sighting(
        self,
        item: PlannedObject,
        seen: Sequence[tuple[Image, Detection]],
        reference: Reference | None,
    ) -> Sighting:
        sure = [(image, detection) for image, detection in seen if detection.score >= GATE]
        picture = None if reference is None else reference.image
        vector = reference_vector = None
        if self._wants(FRAMES):
            if sure:
                crops = [crop_on_white(i, d.box_xyxy, d.mask) for i, d in sure]
                vector = self._try(FRAMES, lambda: unit(self._encode(crops).mean(axis=0)))
            if picture is not None:
                reference_vector = self._try(FRAMES, lambda: self._encode([picture])[0])
        match = None
        if picture is not None and sure and item.role != "surface":
            compared = [sure[place] for place in {0, len(sure) // 2, len(sure) - 1}]
            copied = [copied_detail(i, d.box_xyxy, picture) for i, d in compared]
            match = float(np.median(copied))
        return Sighting(
            name=item.name,
            role=item.role,
            state=item.state_before,
            changes=item.role == "food" and item.state_before != item.state_after,
            likelihood=item.likelihood,
            score=max((detection.score for _, detection in seen), default=0.0),
            vector=vector,
            reference_vector=reference_vector,
            reference=reference.source if reference is not None and picture is not None else "",
            reference_lost=reference.source if reference is not None and picture is None else "",
            pixel_match=match,
        )

    def _judged(self) -> list[ClipEvidence]:
        assert self._judgements is not None
        return judge_states(self._clips, self._scenes, self._run.plan, self._judgements)

    def _probabilities(self) -> NDArray[np.float32]:
        """Return the probabilities of the frames near the joints; others may be NaN."""
        detector = self._parts.shot_detector
        assert detector is not None
        parts = [c.shot_thumbnails for c in self._clips if c.shot_thumbnails is not None]
        starts = np.cumsum([len(part) for part in parts])[:-1]
        total = sum(len(part) for part in parts)
        wanted = {min(max(0, int(s) + k), total - 1) for s in starts for k in range(-3, 4)}
        return detector.probabilities(np.concatenate(parts), sorted(wanted))

    def _candidates(self) -> dict[int, Texts]:
        """Return the step and its hard negatives for each clip with a text."""
        assert self._judgements is not None
        found = {}
        for clip in self._clips:
            if clip.text and clip.known is not False:
                texts = (clip.text, *self._judgements.hard_negatives(clip.text))
                found[clip.number] = self._texts(texts)
        return found

    def _goal(self) -> Texts | None:
        recipe = self._run.recipe
        assert self._judgements is not None
        if recipe is None or not self._clips or self._clips[-1].number != len(recipe.steps):
            return None
        if self._clips[-1].known is False:
            return None
        return self._texts(self._judgements.dishes(recipe))

    def _encodes(self, text: str) -> bool:
        """Return True if the text encoder works; it is asked before the captioner does its work."""
        if not self._wants(CAPTIONS):
            return False
        return self._try(ENCODER, lambda: self._long_texts([text])) is not None

    def _captions(self) -> CaptionEvidence | None:
        recipe = self._run.recipe
        captioned = [clip for clip in self._clips if clip.caption]
        if recipe is None or not captioned:
            return None
        vectors = self._long_texts([clip.caption for clip in captioned]).vectors
        dishes = self._try(JUDGE, lambda: self._dishes(recipe))
        return CaptionEvidence(
            {clip.number: vector for clip, vector in zip(captioned, vectors, strict=True)},
            self._long_texts(recipe.steps),
            None if dishes is None else self._long_texts(dishes),
        )

    def _dishes(self, recipe: Recipe) -> tuple[str, ...]:
        assert self._judgements is not None
        return self._judgements.dishes(recipe)

    def _long_texts(self, texts: Sequence[str]) -> Texts:
        encoder = self._parts.text_encoder
        assert encoder is not None
        vectors = self._cache.text_vectors(encoder.info, texts, encoder.embed_texts)
        return Texts(tuple(texts), vectors)

    def _texts(self, texts: Sequence[str]) -> Texts:
        scorer = self._parts.scorer
        assert scorer is not None
        vectors = self._cache.text_vectors(scorer.info, texts, scorer.embed_texts)
        return Texts(tuple(texts), vectors)


def _failed(evidence: ClipEvidence) -> bool:
    """Return True if a model gave no usable answer about a clip and may be asked again."""
    return bool(evidence.unread or evidence.uncaptioned)


def _has_size(detection: Detection) -> bool:
    x0, y0, x1, y1 = detection.box_xyxy
    return min(x1 - x0, y1 - y0) >= MIN_SIDE_PX


def _small(image: Image) -> Image:
    height, width = image.shape[:2]
    share = min(1.0, STRIP_PX / max(width, height))
    return resize(image, max(1, round(width * share)), max(1, round(height * share)))
