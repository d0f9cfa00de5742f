"""Build the backbones of the metrics for a profile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

from procvid.errors import InputError, UnavailableError
from procvid.evaluate.evidence import (
    CAPTIONS,
    CLIP,
    ENCODER,
    FRAMES,
    INCEPTION,
    JUDGE,
    LPIPS,
    OBJECTS,
    SCENE,
    SHOTS,
    VIDEO,
)
from procvid.evaluate.known_world import KnownWorld, read_world
from procvid.evaluate.parts import EvaluationParts
from procvid.machine import asset_folder, generator_folder
from procvid.plan.variants import EVERYTHING, Choices
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
from procvid.settings import BACKBONE_CHOICES, JUDGE_CHOICES, PHANTOM_1_3B, TINY, Profile
from procvid.settings.environment import Environment, read_environment
from procvid.types import ModelInfo
from procvid.wiring.run import check_key, openai_client
from procvid.wiring.stores import build_detector, build_embedder

if TYPE_CHECKING:
    from procvid.models.meter import Meter
    from procvid.models.scene_readers.tiny import TinyReader

__all__ = [
    "build_clip_captioner",
    "build_evaluation",
    "build_frame_distance",
    "build_frame_encoder",
    "build_inception",
    "build_judge",
    "build_known_world",
    "build_scorer",
    "build_shot_detector",
    "build_text_encoder",
    "build_tiny_reader",
    "build_video_network",
    "build_watching_reader",
    "world_stem",
]

Part = TypeVar("Part")

WORLD_NAME = "the toy kitchen"
PUBLISHED = "--backbones published fetches CLIP, DINO and Grounding DINO (1.4 GB)"
"""What measures other clips. The pinned files have 605, 87 and 690 MB."""

USE_RULES = "Use --judge rules, which asks no service."


def build_evaluation(
    profile: Profile, judge: str = "auto", *, standard: bool = False, backbones: str = "auto"
) -> EvaluationParts:
    """Build the backbones of the metrics; `missing` names the unavailable ones and why.

    Most weights are loaded with the first clip.

    Args:
        profile: The profile of the clips.
        judge: "auto", "rules" or "openai". "auto" asks a language model if one is configured and
            the CLIP of the backbones understands free text.
        standard: Build the backbones of the standard figures too.
        backbones: "auto" for the profile's, "tiny" for the bundled ones, which know the toy kitchen
            only, or "published" for those of the Hub, which also run without a GPU.

    Raises:
        InputError: No judge or no backbones have that name.
        ServiceError: "openai" without an API key.
    """
    profile, allow_cpu = _profile_of(profile, backbones)
    if judge not in JUDGE_CHOICES:
        raise InputError(
            f"There is no judge {judge[:40]!r}.", f"Choose one of {', '.join(JUDGE_CHOICES)}."
        )
    environment = read_environment()
    if judge == "openai":
        check_key(environment, "judge", "Use --judge rules, which needs no key.")
    meter = _meter(environment)
    missing: dict[str, str] = {}

    def have(kind: str, build_it: Callable[[], Part]) -> Part | None:
        try:
            return build_it()
        except UnavailableError as error:
            missing[kind] = error.message
            return None

    rules = have(JUDGE, lambda: build_judge(profile, "rules"))
    asked = rules
    if rules is not None and _asks_a_model(judge, profile, environment):
        asked = build_judge(profile, "openai", meter)
    distances: dict[str, SetDistance] = {}
    if standard:
        for kind, build_it in SET_DISTANCES.items():
            built = have(kind, build_it)
            distances |= {} if built is None else {kind: built}
    encoder, notes = have(FRAMES, lambda: build_frame_encoder(profile)), list[str]()
    try:
        world = build_known_world(profile, encoder)
    except UnavailableError as error:
        world = None
        notes.append(f"clips of other worlds are not recognised: {error.message}")
    return EvaluationParts(
        profile=profile.name,
        frame_encoder=encoder,
        scorer=have(CLIP, lambda: build_scorer(profile, allow_cpu=allow_cpu)),
        shot_detector=have(SHOTS, build_shot_detector),
        detector=have(OBJECTS, lambda: _detector(profile, allow_cpu)),
        scene_reader=have(SCENE, lambda: build_watching_reader(profile, meter)),
        judge=asked,
        missing=missing,
        frame_distance=have(LPIPS, build_frame_distance) if standard else None,
        set_distances=distances,
        captioner=have(CAPTIONS, lambda: build_clip_captioner(profile, meter))
        if standard
        else None,
        text_encoder=have(ENCODER, lambda: build_text_encoder(profile)) if standard else None,
        stand_in=None if asked is rules else rules,
        strict_judge=judge == "openai",
        world=world,
        notes=tuple(notes),
        restart=None if meter is None else meter.restart,
    )


def _profile_of(profile: Profile, backbones: str) -> tuple[Profile, bool]:
    """Return the profile whose backbones are used, and whether they may run without a GPU."""
    match backbones:
        case "auto":
            return profile, False
        case "tiny":
            return TINY, False
        case "published":
            return PHANTOM_1_3B if profile.bundled else profile, True
        case _:
            raise InputError(
                f"There are no backbones {backbones[:40]!r}.",
                f"Choose one of {', '.join(BACKBONE_CHOICES)}.",
            )


def _detector(profile: Profile, allow_cpu: bool) -> Detector:
    embedder = build_embedder(profile, allow_cpu=allow_cpu)
    return build_detector(profile, embedder, allow_cpu=allow_cpu)


def _meter(environment: Environment) -> Meter | None:
    """Return one budget for all requests of an evaluation; None if there is no model to ask."""
    if not environment.has_openai:
        return None
    from procvid.models.meter import Meter

    return Meter(environment.openai_budget)


def _asks_a_model(judge: str, profile: Profile, environment: Environment) -> bool:
    if judge == "auto":
        return environment.has_openai and not profile.fixed_vocabulary
    return judge == "openai"


def build_frame_encoder(profile: Profile) -> FrameEncoder:
    """Build the frame encoder of the metrics.

    Raises:
        UnavailableError: The profile's files are missing.
    """
    if profile.bundled:
        from procvid.models.frame_encoders.clip_tower import ClipTowerFrameEncoder

        return ClipTowerFrameEncoder(asset_folder(profile, "frame encoder"))
    from procvid.models.frame_encoders.dino import DinoFrameEncoder

    return DinoFrameEncoder()


def build_known_world(profile: Profile, encoder: FrameEncoder | None) -> KnownWorld | None:
    """Build the check that a clip is of the world that a profile's models know.

    Args:
        profile: None is returned for one whose models are for any clip.
        encoder: The profile's frame encoder, which describes the pictures.

    Raises:
        UnavailableError: The encoder is missing, or its calibration.
    """
    if not profile.fixed_vocabulary:
        return None
    from procvid.models.frame_encoders.clip_tower import ClipTowerFrameEncoder

    if not isinstance(encoder, ClipTowerFrameEncoder):
        raise UnavailableError("The frame encoder is missing.")
    folder = read_environment().assets_folder / "calibration"
    fit, limit = read_world(folder, world_stem(encoder.info), encoder.info)
    kinds = frozenset({FRAMES, CLIP, OBJECTS, SCENE, CAPTIONS})
    describe = encoder.describe_textures
    return KnownWorld(encoder.info, describe, fit, limit, kinds, WORLD_NAME, PUBLISHED)


def world_stem(encoder: ModelInfo) -> str:
    """Return how the files of an encoder's calibration begin."""
    return re.sub(r"[^a-zA-Z0-9.-]+", "-", encoder.id)


def build_scorer(profile: Profile, *, allow_cpu: bool = False) -> TextImageScorer:
    """Build the CLIP model of the metrics, for frames and sentences, with its logit scale.

    Args:
        profile: Whose model.
        allow_cpu: Build a published model on a machine without a GPU too.

    Raises:
        UnavailableError: The profile cannot run here; the message names what is missing.
    """
    if profile.bundled:
        from procvid.models.embedders.open_clip import OpenClipEmbedder

        return OpenClipEmbedder(asset_folder(profile, "scorer"))
    embedder = build_embedder(profile, allow_cpu=allow_cpu)
    # `isinstance` would read the logit scale, and so load the weights.
    if not hasattr(type(embedder), "logit_scale"):
        raise UnavailableError(f"{embedder.info.id} has no logit scale.")
    return cast(TextImageScorer, embedder)


def build_tiny_reader(profile: Profile) -> TinyReader:
    """Build the network that reads pictures of the toy kitchen.

    Raises:
        UnavailableError: The profile has none, or its files are missing.
    """
    if "reader" not in profile.models:
        raise UnavailableError(f"The {profile.name} profile has no embedded reader.")
    from procvid.models.scene_readers.tiny import TinyReader

    return TinyReader(asset_folder(profile, "reader"))


def build_shot_detector() -> ShotDetector:
    """Build TransNetV2, the shot detector of every profile.

    Raises:
        UnavailableError: Its package is not installed or incomplete.
    """
    from procvid.models.shot_detectors.transnet_v2 import TransNetV2Detector

    return TransNetV2Detector()


def build_frame_distance() -> FrameDistance:
    """Build LPIPS, the frame distance of every profile.

    Raises:
        UnavailableError: Its package is not installed.
    """
    from procvid.models.frame_distances.lpips import LpipsDistance

    return LpipsDistance()


def build_inception() -> SetDistance:
    """Build the network of FID. Raises UnavailableError."""
    from procvid.models.set_distances.inception import InceptionDistance

    return InceptionDistance()


def build_video_network() -> SetDistance:
    """Build the network of FVD. Raises UnavailableError."""
    from procvid.models.set_distances.i3d import I3dDistance

    return I3dDistance()


SET_DISTANCES: Mapping[str, Callable[[], SetDistance]] = {
    INCEPTION: build_inception,
    VIDEO: build_video_network,
}


def build_watching_reader(profile: Profile, meter: Meter | None = None) -> SceneReader:
    """Build a scene reader that looks at the frames; pass it no text.

    Args:
        profile: With a fixed vocabulary its own reader does, else a vision model.
        meter: Counts the requests; by default a new one with the environment's budget.

    Raises:
        UnavailableError: There is none; the message names what is missing.
    """
    if profile.fixed_vocabulary:
        return build_tiny_reader(profile)
    environment = read_environment()
    meter = meter or _meter(environment)
    if meter is None:
        raise UnavailableError(
            "Reading scenes of real footage needs a vision model, and neither OPENAI_API_KEY "
            "nor OPENAI_BASE_URL is set.",
            "Set one of them; the other metrics still run.",
        )
    from procvid.models.scene_readers.openai_vision import OpenAISceneReader

    hint = "The metrics that need no scene reader still run."
    return OpenAISceneReader(openai_client(environment, hint=hint), meter)


def build_clip_captioner(profile: Profile, meter: Meter | None = None) -> Captioner:
    """Build what describes a clip without knowing its step.

    Args:
        profile: With a fixed vocabulary its own reader describes, else a vision model.
        meter: Counts the requests; by default a new one with the environment's budget.

    Raises:
        UnavailableError: There is none; the message names what is missing.
    """
    if profile.fixed_vocabulary:
        from procvid.models.captioners.tiny import TinyCaptioner

        reader = build_tiny_reader(profile)
        return TinyCaptioner(reader.scene, reader.info)
    environment = read_environment()
    meter = meter or _meter(environment)
    if meter is None:
        raise UnavailableError(
            "Describing clips of real footage needs a vision model, and neither OPENAI_API_KEY "
            "nor OPENAI_BASE_URL is set.",
            "Set one of them; the other metrics still run.",
        )
    from procvid.models.captioners.openai_vision import OpenAICaptioner

    hint = "The metrics that need no captions still run."
    return OpenAICaptioner(openai_client(environment, hint=hint), meter)


def build_text_encoder(profile: Profile) -> TextEncoder:
    """Build what compares captions and texts; a published encoder is downloaded at first use.

    Raises:
        UnavailableError: The profile's files are missing.
    """
    if profile.bundled:
        return build_scorer(profile)
    from procvid.models.text_encoders.mpnet import MpnetTextEncoder

    return MpnetTextEncoder()


def build_judge(profile: Profile, wanted: str = "rules", meter: Meter | None = None) -> Judge:
    """Build the judge, which answers the questions of the metrics in words.

    Args:
        profile: "rules" uses the words that its CLIP knows.
        wanted: "rules" or "openai".
        meter: Counts the requests; by default a new one with the environment's budget.

    Raises:
        InputError: No judge has that name.
        ServiceError: There is no API key.
        UnavailableError: The profile's vocabulary is missing.
    """
    match wanted:
        case "rules":
            return _rules_judge(profile)
        case "openai":
            environment = read_environment()
            check_key(environment, "judge", "Use --judge rules, which needs no key.")
            from procvid.models.judges.openai_judge import OpenAIJudge
            from procvid.models.meter import Meter

            client = openai_client(environment, hint=USE_RULES)
            return OpenAIJudge(client, meter or Meter(environment.openai_budget))
        case _:
            raise InputError(f"There is no judge {wanted[:40]!r}.", "Choose rules or openai.")


def _rules_judge(profile: Profile) -> Judge:
    from procvid.models.judges.rules import RulesJudge

    choices = EVERYTHING
    if profile.fixed_vocabulary:
        known = _vocabulary(profile)
        choices = Choices(*(tuple(known.get(kind, ())) for kind in ("foods", "actions", "states")))
    return RulesJudge(choices)


def _vocabulary(profile: Profile) -> dict[str, list[str]]:
    """Return the words that a profile's models were trained on, by kind."""
    file = generator_folder(profile) / "vocabulary.json"
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UnavailableError(
            f"The file {file} is missing or damaged.", "Install procvid again."
        ) from error
