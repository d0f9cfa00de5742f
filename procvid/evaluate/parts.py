"""The models of an evaluation, as `procvid.wiring.evaluation.build_evaluation` puts them together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from procvid.evaluate.evidence import CLIP, FRAMES, JUDGE, LPIPS, OBJECTS, SCENE, SHOTS
from procvid.protocols import (
    Detector,
    FrameDistance,
    FrameEncoder,
    Judge,
    SceneReader,
    SetDistance,
    ShotDetector,
    TextImageScorer,
)


@dataclass(frozen=True, eq=False)
class EvaluationParts:
    """Backbones of the metrics; one that cannot be had here is None and its reason in `missing`.

    Attributes:
        profile: Whose backbones these are.
        frame_encoder, scorer, shot_detector, detector, scene_reader, judge: See the protocols.
        missing: Why a part is not there, by the kind of evidence that it would give.
        frame_distance, set_distances: Of the standard figures; the latter by kind of evidence.
        stand_in: Answers where the judge gives nothing of use; None where it needs nobody.
        strict_judge: Whether what only a person can mend at the judge (a wrong key, no quota) ends
            the evaluation; otherwise the stand-in answers there too.
        restart: Called as an evaluation begins: the budget of a paid model is for one of them.
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
    stand_in: Judge | None = None
    strict_judge: bool = False
    restart: Callable[[], None] | None = None

    def backbones(self) -> dict[str, str]:
        """ "id revision" of what is there, by kind of evidence."""
        parts = {
            FRAMES: self.frame_encoder,
            CLIP: self.scorer,
            SHOTS: self.shot_detector,
            OBJECTS: self.detector,
            SCENE: self.scene_reader,
            JUDGE: self.judge,
            LPIPS: self.frame_distance,
            **self.set_distances,
        }
        return {
            kind: f"{part.info.id} {part.info.revision}".strip()
            for kind, part in parts.items()
            if part is not None
        }
