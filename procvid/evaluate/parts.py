"""The models of an evaluation; `procvid.wiring.evaluation.build_evaluation` builds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

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
)
from procvid.evaluate.known_world import KnownWorld
from procvid.protocols import (
    Captioner,
    Detector,
    FrameDistance,
    FrameEncoder,
    Judge,
    SceneReader,
    SetDistance,
    ShotDetector,
    TextEncoder,
    TextImageScorer,
)


@dataclass(frozen=True, eq=False)
class EvaluationParts:
    """Backbones of the metrics. An unavailable one is None, with its reason in `missing`.

    Attributes:
        profile: Profile of the backbones.
        frame_encoder, scorer, shot_detector, detector, scene_reader, judge: See the protocols.
        missing: Reason why a backbone is unavailable, by kind of evidence.
        frame_distance, set_distances: For the standard metrics; the latter by kind of evidence.
        captioner, text_encoder: For the metrics of captions.
        stand_in: Answers where the judge gives no usable answer; None if the judge needs none.
        strict_judge: If True, a judge error that only a person can fix (a wrong key, no quota) ends the
            evaluation; if False, the stand-in answers.
        world: What the models know, or None if they are for any clip.
        notes: Notes for the user.
        restart: Called when an evaluation begins, because a paid model has one budget per evaluation.
    """

    profile: str
    frame_encoder: FrameEncoder | None
    scorer: TextImageScorer | None
    shot_detector: ShotDetector | None
    detector: Detector | None
    scene_reader: SceneReader | None
    judge: Judge | None
    missing: Mapping[str, str] = field(default_factory=dict)
    frame_distance: FrameDistance | None = None
    set_distances: Mapping[str, SetDistance] = field(default_factory=dict)
    captioner: Captioner | None = None
    text_encoder: TextEncoder | None = None
    stand_in: Judge | None = None
    strict_judge: bool = False
    world: KnownWorld | None = None
    notes: tuple[str, ...] = ()
    restart: Callable[[], None] | None = None

    def backbones(self) -> dict[str, str]:
        """Return "id revision" of the available backbones, by kind of evidence."""
        parts = {
            FRAMES: self.frame_encoder,
            CLIP: self.scorer,
            SHOTS: self.shot_detector,
            OBJECTS: self.detector,
            SCENE: self.scene_reader,
            JUDGE: self.judge,
            LPIPS: self.frame_distance,
            CAPTIONS: self.captioner,
            ENCODER: self.text_encoder,
            **self.set_distances,
        }
        return {
            kind: f"{part.info.id} {part.info.revision}".strip()
            for kind, part in parts.items()
            if part is not None
        }
