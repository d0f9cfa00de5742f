"""The composition root: settings become models. The only importer of `procvid.models`.

One `match` per seam. Heavy libraries are imported where a model that needs them is built, so a
command that only plans loads none.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from procvid import __version__
from procvid.errors import InputError, UnavailableError
from procvid.evaluate.evidence import CLIP, FRAMES, JUDGE, OBJECTS, SCENE, SHOTS
from procvid.evaluate.parts import EvaluationParts
from procvid.memory.crops import CropStore, load_store
from procvid.memory.words import state_fit
from procvid.onestep import Parts
from procvid.plan.rules import plan_recipe
from procvid.plan.variants import EVERYTHING, Choices, dish_of, other_dishes, state_made, vary_step
from procvid.protocols import (
    ClipGenerator,
    Detector,
    Embedder,
    FrameEncoder,
    Judge,
    Planner,
    SceneReader,
    ShotDetector,
    TextImageScorer,
)
from procvid.settings import (
    PLANNER_CHOICES,
    TINY,
    Profile,
    choose_profile,
    read_environment,
)
from procvid.types import Recipe, Role, StepPlan

__all__ = [
    "Parts",
    "build",
    "build_detector",
    "build_embedder",
    "build_evaluation",
    "build_frame_encoder",
    "build_generator",
    "build_judge",
    "build_planner",
    "build_scene_reader",
    "build_scorer",
    "build_shot_detector",
    "build_watching_reader",
    "default_memory",
    "gpu_facts",
    "load_default_memory",
    "measure_denoising",
    "refuse_what_is_not_here",
    "select_profile",
]

Part = TypeVar("Part")

PIXEL_LIBRARIES = ("torch", "diffusers", "transformers", "open_clip_torch", "numpy", "av", "Pillow")

DRIVER_TRACES = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""One of these is there wherever torch can find a GPU on Linux, WSL included."""

NOT_YET = (
    "The {name} profile cannot run in this version of procvid: it does not load the published "
    "Phantom weights yet."
)
NO_CUDA = "The {name} profile needs a CUDA GPU, and torch finds none here."


def build(
    profile: str = "auto",
    memory: str = "default",
    planner: str = "auto",
    lora: str | None = None,
    fast: bool = False,
    profile_reason: str | None = None,
) -> Parts:
    """Build the parts of a run.

    Args:
        profile: "auto" or a profile's name.
        memory: "default" for the profile's own crop store, "none" for no memory at all, or the
            folder of a store.
        planner: "auto", "rules" or "openai".
        lora: A LoRA; not in this version.
        fast: Faster sampling; not in this version.
        profile_reason: Why this profile, where it has been chosen before.

    Raises:
        InputError: A name is unknown.
        StoreError: The store is missing, damaged or of another embedder.
        UnavailableError: Something cannot be had on this machine or in this version.
    """
    refuse_what_is_not_here(lora, fast)
    chosen, reason = select_profile(profile)
    # The cheap parts first: a wrong name is told before the models are loaded.
    chosen_planner = build_planner(planner)
    generator = build_generator(chosen)
    embedder = build_embedder(chosen)
    return Parts(
        profile=chosen,
        profile_reason=profile_reason or reason,
        planner=chosen_planner,
        generator=generator,
        embedder=embedder,
        detector=build_detector(chosen, embedder),
        scene_reader=build_scene_reader(),
        stores=_stores(chosen, memory, embedder),
        versions=library_versions(),
    )


def select_profile(wanted: str) -> tuple[Profile, str]:
    """The profile that runs here for "auto" or a name, and why.

    Raises:
        InputError: No profile has that name.
    """
    return choose_profile(wanted, gpu=gpu_facts()[0] if wanted == "auto" else None)


def gpu_facts() -> tuple[str | None, float]:
    """Name and memory in GiB of the first CUDA device; (None, 0.0) without one."""
    if not any(Path(trace).exists() for trace in DRIVER_TRACES):
        # Seen without torch, whose import alone takes seconds.
        return None, 0.0
    from procvid.models.device import cuda_memory_gib, cuda_name

    return cuda_name(), cuda_memory_gib()


def build_planner(wanted: str) -> Planner:
    """The planner; loads no model.

    Raises:
        InputError: No planner has that name.
        UnavailableError: It needs a key, or is not in this version.
    """
    match wanted:
        case "auto" | "rules":
            from procvid.models.planners.rules import RulesPlanner

            return RulesPlanner(plan_recipe)
        case "openai" if read_environment().openai_api_key is None:
            raise UnavailableError(
                "The openai planner needs a key, and OPENAI_API_KEY is not set.",
                "Use --planner rules, which needs none.",
            )
        case "openai":
            raise UnavailableError(
                "The openai planner is not in this version of procvid.", "Use --planner rules."
            )
        case _:
            raise InputError(
                f"There is no planner {wanted!r}.", f"Choose one of {', '.join(PLANNER_CHOICES)}."
            )


def build_generator(profile: Profile) -> ClipGenerator:
    """The clip generator; its weights are loaded with the first clip.

    Raises:
        UnavailableError: The profile cannot run here; says what is missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.generators.phantom_wan import PhantomWanGenerator

            return PhantomWanGenerator(profile, _asset(profile, "generator"))
        case _:
            raise _unavailable(profile)


def build_embedder(profile: Profile = TINY) -> Embedder:
    """CLIP of a profile.

    Raises:
        UnavailableError: The profile cannot run here; says what is missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.embedders.open_clip import OpenClipEmbedder

            return OpenClipEmbedder(_asset(profile, "embedder"))
        case _:
            raise _unavailable(profile)


def build_detector(profile: Profile, embedder: Embedder) -> Detector:
    """The detector of a profile.

    Raises:
        UnavailableError: The profile cannot run here; says what is missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.detectors.tiny import TinyDetector

            return TinyDetector(_asset(profile, "detector"), embedder)
        case _:
            raise _unavailable(profile)


def measure_denoising(profile: Profile, *, repeats: int) -> dict[str, float]:
    """What a denoising step of a profile costs; see `procvid.phantom.benchmark`.

    Exact guidance with three model calls a step, so both scales differ from each other and from 1.

    Raises:
        UnavailableError: The profile cannot run here; says what is missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.generators.phantom_wan import PhantomWanGenerator
            from procvid.phantom.benchmark import measure_denoising as measure

            generator = PhantomWanGenerator(profile, _asset(profile, "generator"))
            sampling = profile.sampling
            return measure(
                generator.pipeline,
                height=sampling.height,
                width=sampling.width,
                num_frames=sampling.num_frames,
                num_references=2,
                num_inference_steps=sampling.num_inference_steps,
                guidance_scale_text=3.0,
                guidance_scale_image=2.0,
                repeats=repeats,
            )
        case _:
            raise _unavailable(profile)


def build_scene_reader() -> SceneReader:
    """Reads the scene from its caption."""
    from procvid.models.scene_readers.rules import RulesSceneReader

    return RulesSceneReader(_plan_text)


def build_evaluation(profile: Profile) -> EvaluationParts:
    """The backbones of the metrics. What cannot be had is told in `missing`; the others are there.

    Most weights are loaded with the first clip.
    """
    missing: dict[str, str] = {}

    def have(kind: str, build_it: Callable[[], Part]) -> Part | None:
        try:
            return build_it()
        except UnavailableError as error:
            missing[kind] = error.message
            return None

    detector = have(OBJECTS, lambda: build_detector(profile, build_embedder(profile)))
    return EvaluationParts(
        profile=profile.name,
        frame_encoder=have(FRAMES, lambda: build_frame_encoder(profile)),
        scorer=have(CLIP, lambda: build_scorer(profile)),
        shot_detector=have(SHOTS, build_shot_detector),
        detector=detector,
        scene_reader=have(SCENE, lambda: build_watching_reader(profile)),
        judge=have(JUDGE, lambda: build_judge(profile)),
        missing=missing,
    )


def build_frame_encoder(profile: Profile) -> FrameEncoder:
    """What tells how a frame looks, for the metrics.

    Raises:
        UnavailableError: The profile's files are missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.frame_encoders.clip_tower import ClipTowerFrameEncoder

            return ClipTowerFrameEncoder(_asset(profile, "frame encoder"))
        case _:
            from procvid.models.frame_encoders.dino import DinoFrameEncoder

            return DinoFrameEncoder(profile.models["frame encoder"])


def build_scorer(profile: Profile) -> TextImageScorer:
    """CLIP for the metrics: frames and sentences, with its logit scale.

    Raises:
        UnavailableError: The profile cannot run here; says what is missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.embedders.open_clip import OpenClipEmbedder

            return OpenClipEmbedder(_asset(profile, "scorer"))
        case _:
            embedder = build_embedder(profile)
            if not isinstance(embedder, TextImageScorer):
                raise UnavailableError(f"{embedder.info.id} has no logit scale.")
            return embedder


def build_shot_detector() -> ShotDetector:
    """TransNetV2, in every profile.

    Raises:
        UnavailableError: Its package is not installed or incomplete.
    """
    from procvid.models.shot_detectors.transnet_v2 import TransNetV2Detector

    return TransNetV2Detector()


def build_watching_reader(profile: Profile) -> SceneReader:
    """A scene reader that looks at the picture and not at the text.

    Raises:
        UnavailableError: The profile cannot run here; says what is missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.scene_readers.zero_shot import ZeroShotSceneReader

            known = _vocabulary(profile)
            kinds: dict[str, Role] = {"foods": "food", "vessels": "vessel", "tools": "tool"}
            roles = {name: role for kind, role in kinds.items() for name in known.get(kind, [])}
            embedder = build_embedder(profile)
            detector = build_detector(profile, embedder)
            return ZeroShotSceneReader(detector, embedder, roles, known.get("states", []))
        case _:
            raise UnavailableError(
                "Reading scenes of real footage needs a vision model, and this version asks none.",
                "The metrics that need none still run.",
            )


def build_judge(profile: Profile) -> Judge:
    """The judge of the metrics: rules, with the words that the profile's CLIP knows."""
    from procvid.models.judges.rules import JudgeRules, RulesJudge

    choices = EVERYTHING
    if profile is TINY:
        known = _vocabulary(profile)
        choices = Choices(*(tuple(known.get(kind, ())) for kind in ("foods", "actions", "states")))
    return RulesJudge(
        JudgeRules(
            vary=partial(vary_step, choices=choices),
            dish=dish_of,
            other_dishes=partial(other_dishes, choices=choices),
            state_made=state_made,
            same_state=lambda a, b: state_fit("food", a, b) > 0,
        )
    )


def _vocabulary(profile: Profile) -> dict[str, list[str]]:
    """What the tiny models were taught, by kind."""
    file = _asset(profile, "generator") / "vocabulary.json"
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UnavailableError(
            f"The file {file} is missing or damaged.", "Install procvid again."
        ) from error


def default_memory(profile: Profile) -> Path:
    """The folder of a profile's own crop store.

    Raises:
        UnavailableError: It is not there.
    """
    return _asset(profile, "memory")


def load_default_memory(profile: Profile) -> CropStore:
    """A profile's own crop store, its hashes checked.

    Raises:
        StoreError: It is damaged.
        UnavailableError: It is not there.
    """
    return load_store(default_memory(profile))


def library_versions() -> dict[str, str]:
    """Of procvid and of the libraries that make the pixels."""
    versions = {"procvid": __version__}
    for name in PIXEL_LIBRARIES:
        versions[name] = importlib.metadata.version(name)
    return versions


def _plan_text(text: str) -> StepPlan:
    return plan_recipe(Recipe(title="", steps=(text,))).steps[0]


def _stores(profile: Profile, memory: str, embedder: Embedder) -> tuple[CropStore, ...] | None:
    match memory:
        case "none":
            return None
        case "default":
            return (load_store(default_memory(profile), embedder),)
        case folder:
            return (load_store(Path(folder).expanduser(), embedder),)


def _asset(profile: Profile, part: str) -> Path:
    folder = read_environment().assets_folder / profile.models[part]
    if not folder.is_dir():
        raise UnavailableError(
            f"The {part} of the {profile.name} profile is missing: there is no folder {folder}.",
            "Install procvid again, or check PROCVID_ASSETS.",
        )
    return folder


def _unavailable(profile: Profile) -> UnavailableError:
    missing = NO_CUDA if gpu_facts()[0] is None else NOT_YET
    return UnavailableError(
        missing.format(name=profile.name),
        "Use --profile tiny; `procvid doctor` tells what this machine can run.",
    )


def refuse_what_is_not_here(lora: str | None, fast: bool) -> None:
    """Raise UnavailableError for options whose feature is not in this version."""
    if lora is not None:
        raise UnavailableError(
            f"The LoRA {lora!r} cannot be used: this version of procvid loads none.",
            "Leave --lora out.",
        )
    if fast:
        raise UnavailableError(
            "--fast is not in this version of procvid.",
            "Leave it out; --steps with a smaller number is faster too.",
        )
