"""The composition root: settings become models. The only importer of `procvid.models`.

One `match` per seam. Heavy libraries are imported where a model that needs them is built, so a
command that only plans loads none.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from procvid import __version__
from procvid.errors import InputError, ServiceError, UnavailableError
from procvid.evaluate.evidence import CLIP, FRAMES, JUDGE, OBJECTS, SCENE, SHOTS
from procvid.evaluate.parts import EvaluationParts
from procvid.memory.crops import CropStore, load_store
from procvid.memory.rules import DEFAULT_RULES, Calibration, RetrievalRules, read_calibration
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
    CONVERTIBLE,
    PLANNER_CHOICES,
    SCENE_READER_CHOICES,
    TINY,
    Environment,
    Profile,
    choose_profile,
    read_environment,
)
from procvid.types import ModelInfo, Recipe, Role, Sampling, StepPlan

if TYPE_CHECKING:
    from procvid.models.hub_files import HubModel
    from procvid.models.openai_client import OpenAIClient

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
    "build_rules",
    "build_scene_reader",
    "build_scorer",
    "build_shot_detector",
    "build_watching_reader",
    "calibration_file",
    "check_downloads",
    "converted_profiles",
    "default_memory",
    "device_name",
    "find_calibration",
    "gpu_facts",
    "hub_cache",
    "load_default_memory",
    "measure_denoising",
    "measure_on_gpu",
    "missing_downloads",
    "peak_memory_mib",
    "refuse_what_is_not_here",
    "select_profile",
    "try_openai",
]

Part = TypeVar("Part")

PIXEL_LIBRARIES = ("torch", "diffusers", "transformers", "open_clip_torch", "numpy", "av", "Pillow")

DRIVER_TRACES = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""One of these is there wherever torch can find a GPU on Linux, WSL included."""

NO_CUDA = "The {name} profile needs a CUDA GPU, and torch finds none here."


def build(
    profile: str = "auto",
    memory: str = "default",
    planner: str = "auto",
    lora: Sequence[str] = (),
    fast: bool = False,
    profile_reason: str | None = None,
    precise: bool = False,
) -> Parts:
    """Build the parts of a run.

    Args:
        profile: "auto" or a profile's name.
        memory: "default" for the profile's own crop store, "none" for no memory at all, or the
            folder of a store.
        planner: "auto", "rules" or "openai".
        lora: LoRA files, folders or Hub repositories, each with "=WEIGHT" or without.
        fast: Faster sampling; not in this version.
        profile_reason: Why this profile, where it has been chosen before.
        precise: Upstream's float32 residual stream; for the profiles in half precision.

    Raises:
        InputError: A name is unknown, or a LoRA does not fit.
        StoreError: The store is missing, damaged or of another embedder.
        UnavailableError: Something cannot be had on this machine or in this version.
    """
    refuse_what_is_not_here(fast)
    chosen, reason = select_profile(profile)
    # The cheap parts first: a wrong name is told before the models are loaded.
    chosen_planner = build_planner(planner, chosen)
    generator = build_generator(chosen, lora, precise)
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
        rules=build_rules(embedder.info),
    )


def select_profile(wanted: str) -> tuple[Profile, str]:
    """The profile that runs here for "auto" or a name, and why.

    Raises:
        InputError: No profile has that name.
    """
    if wanted != "auto":
        return choose_profile(wanted, gpu=None)
    return choose_profile(wanted, gpu=gpu_facts()[0], weights=converted_profiles())


def converted_profiles() -> tuple[str, ...]:
    """The profiles whose weights `procvid convert` has put on this machine."""
    folder = read_environment().models_folder
    return tuple(name for name in CONVERTIBLE if (folder / name / "model_index.json").is_file())


def gpu_facts() -> tuple[str | None, float]:
    """Name and memory in GiB of the first CUDA device; (None, 0.0) without one."""
    if not any(Path(trace).exists() for trace in DRIVER_TRACES):
        # Seen without torch, whose import alone takes seconds.
        return None, 0.0
    from procvid.models.device import cuda_memory_gib, cuda_name

    return cuda_name(), cuda_memory_gib()


def device_name() -> str:
    """The GPU's name, or the CPU's kind and cores: what measured times belong to."""
    gpu = gpu_facts()[0]
    return gpu or f"{platform.machine()} CPU, {os.cpu_count()} cores"


def peak_memory_mib(profile: Profile) -> float:
    """The most memory that this process has had so far, in MiB; of the GPU where the profile uses it."""
    if profile.needs_gpu:
        from procvid.models.device import cuda_peak_mib

        return cuda_peak_mib()
    # Linux counts ru_maxrss in KiB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def missing_downloads(profile: Profile) -> dict[str, int]:
    """The models of a profile's memory that are not in the Hub's cache yet: bytes by name."""
    if profile.name == TINY.name:
        return {}
    from procvid.models.hub_files import is_kept

    return {model.repo: model.size_bytes for model in _published() if not is_kept(model)}


def check_downloads() -> Iterator[tuple[str, int, UnavailableError | None]]:
    """Each published model of the memory: its name, the bytes to fetch, and why it cannot be had.

    Asks the Hub for those that are not here, and fetches nothing.
    """
    from procvid.models.hub_files import check_access

    for model in _published():
        try:
            yield model.repo, 0 if check_access(model) else model.size_bytes, None
        except UnavailableError as error:
            yield model.repo, model.size_bytes, error


def hub_cache() -> Path:
    """Where published models are kept, or the nearest folder above it that is there."""
    from procvid.models.hub_files import cache_folder

    return cache_folder()


def _published() -> tuple[HubModel, ...]:
    from procvid.models.detectors.grounding_dino import SWIN_T
    from procvid.models.embedders.open_clip import VIT_B_32

    return VIT_B_32, SWIN_T


def build_planner(wanted: str, profile: Profile = TINY) -> Planner:
    """The planner; loads no model.

    Args:
        wanted: "auto", "rules" or "openai". "auto" asks a model where there is one to ask and the
            profile can follow its words; the tiny one was taught the rules planner's.
        profile: Which set of models will make the clips.

    Raises:
        InputError: No planner has that name.
        ServiceError: There is no key.
    """
    environment = read_environment()
    match wanted:
        case "auto" if profile.name != TINY.name and environment.has_openai:
            return _openai_planner(environment, strict=False)
        case "auto" | "rules":
            from procvid.models.planners.rules import RulesPlanner

            return RulesPlanner(plan_recipe)
        case "openai":
            return _openai_planner(environment, strict=True)
        case _:
            raise InputError(
                f"There is no planner {wanted!r}.", f"Choose one of {', '.join(PLANNER_CHOICES)}."
            )


def _openai_planner(environment: Environment, *, strict: bool) -> Planner:
    _check_key(environment, "planner", "Use --planner rules, which needs none.")
    from procvid.models.planners.openai_responses import OpenAIPlanner

    client = _openai_client(environment)
    return OpenAIPlanner(client, plan_recipe, environment.openai_budget, strict=strict)


def _openai_client(environment: Environment, **options: Any) -> OpenAIClient:
    from procvid.models.openai_client import OpenAIClient

    return OpenAIClient(
        environment.openai_api_key,
        environment.openai_url,
        environment.openai_model,
        environment.cache_folder,
        **options,
    )


def _check_key(environment: Environment, part: str, hint: str) -> None:
    if not environment.has_openai:
        raise ServiceError(
            f"The openai {part} needs a key, and OPENAI_API_KEY is not set.", hint, lasting=True
        )


def try_openai() -> str | None:
    """Ask the service for its models, which costs nothing: which model answers there.

    None when there is neither a key nor a server of one's own.

    Raises:
        ServiceError: It cannot be reached, does not know the key, or lacks the model.
    """
    environment = read_environment()
    if not environment.has_openai:
        return None
    client = _openai_client(environment, timeout_s=10.0)
    client.try_out()
    return f"{client.model} at {client.host}"


def build_generator(
    profile: Profile, lora: Sequence[str] = (), precise: bool = False
) -> ClipGenerator:
    """The clip generator; its weights are loaded with the first clip.

    Raises:
        InputError: A LoRA is missing or does not fit.
        UnavailableError: The profile cannot run here; says what is missing.
    """
    if precise and not profile.needs_gpu:
        raise InputError(
            f"--precise is for half precision; the {profile.name} profile computes in float32.",
            "Leave it out.",
        )
    if profile.needs_gpu and gpu_facts()[0] is None:
        raise _unavailable(profile)
    loras = [_lora(text) for text in lora]
    from procvid.models.generators.phantom_wan import PhantomWanGenerator, on_gpu

    match profile.name:
        case "tiny":
            return PhantomWanGenerator(profile, _asset(profile, "generator"), loras)
        case _:
            folder = read_environment().models_folder / profile.name
            return PhantomWanGenerator(profile, folder, loras, on_gpu(precise))


def _lora(text: str) -> tuple[Path, float]:
    """A LoRA that is here, or one on the Hub, with its weight."""
    from procvid.phantom.lora import parse_lora

    source, weight = parse_lora(text)
    path = Path(source).expanduser()
    if not path.exists() and re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w.-]+)?", source):
        from procvid.phantom.published import fetch_lora

        path = fetch_lora(source)
    return path, weight


def build_embedder(profile: Profile = TINY) -> Embedder:
    """CLIP of a profile.

    Raises:
        UnavailableError: The profile cannot run here; says what is missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.embedders.open_clip import OpenClipEmbedder

            return OpenClipEmbedder(_asset(profile, "embedder"))
        case _ if gpu_facts()[0] is not None:
            from procvid.models.embedders.open_clip import VIT_B_32, OpenClipEmbedder

            return OpenClipEmbedder(VIT_B_32)
        case _:
            raise _unavailable(profile)


def find_calibration(info: ModelInfo) -> Calibration | None:
    """The thresholds of an embedder: those that were found on this machine, else the package's.

    Raises:
        StoreError: the file is damaged.
    """
    environment = read_environment()
    for file in (calibration_file(info), environment.assets_folder / "calibration" / _plain(info)):
        if file.is_file():
            calibration = read_calibration(file)
            if calibration.fits(info):
                return calibration
    return None


def calibration_file(info: ModelInfo) -> Path:
    """Where this machine keeps the thresholds of an embedder."""
    return read_environment().cache_folder / "calibration" / _plain(info)


def _plain(info: ModelInfo) -> str:
    return re.sub(r"[^a-zA-Z0-9.-]+", "-", info.id) + ".json"


def build_rules(info: ModelInfo) -> RetrievalRules:
    """The memory's thresholds and weights, calibrated where the embedder has been."""
    calibration = find_calibration(info)
    return DEFAULT_RULES if calibration is None else calibration.rules()


def build_detector(profile: Profile, embedder: Embedder) -> Detector:
    """The detector of a profile.

    Raises:
        UnavailableError: The profile cannot run here; says what is missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.detectors.tiny import TinyDetector

            return TinyDetector(_asset(profile, "detector"), embedder)
        case _ if gpu_facts()[0] is not None:
            from procvid.models.detectors.grounding_dino import GroundingDinoDetector

            return GroundingDinoDetector()
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


def measure_on_gpu(
    profile: Profile,
    sampling: Sampling,
    *,
    num_references: int,
    repeats: int,
    with_rungs: bool,
) -> dict[str, object]:
    """What a step of a profile costs on the first GPU, with random weights of its full size.

    See `procvid.phantom.benchmark_gpu` for what is in it.

    Raises:
        UnavailableError: There is no GPU.
    """
    if gpu_facts()[0] is None:
        raise _unavailable(profile)
    from procvid.models.measuring import measure_phantom

    return measure_phantom(
        profile.name,
        sampling,
        num_references=num_references,
        repeats=repeats,
        with_rungs=with_rungs,
    )


def build_scene_reader(wanted: str = "rules") -> SceneReader:
    """The scene reader: "rules" reads the caption, "openai" looks at the frames.

    Raises:
        InputError: No scene reader has that name.
        ServiceError: There is no key.
    """
    match wanted:
        case "rules":
            from procvid.models.scene_readers.rules import RulesSceneReader

            return RulesSceneReader(_plan_text)
        case "openai":
            environment = read_environment()
            _check_key(environment, "scene reader", "Use --scene-reader rules, which needs none.")
            from procvid.models.scene_readers.openai_vision import OpenAISceneReader

            hint = "Use --scene-reader rules, which asks nobody."
            client = _openai_client(environment, hint=hint)
            return OpenAISceneReader(client, environment.openai_budget)
        case _:
            raise InputError(
                f"There is no scene reader {wanted!r}.",
                f"Choose one of {', '.join(SCENE_READER_CHOICES)}.",
            )


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
    return UnavailableError(
        NO_CUDA.format(name=profile.name),
        "Use --profile tiny; `procvid doctor` tells what this machine can run.",
    )


def refuse_what_is_not_here(fast: bool) -> None:
    """Raise UnavailableError for options whose feature is not in this version."""
    if fast:
        raise UnavailableError(
            "--fast is not in this version of procvid.",
            "Leave it out; --steps with a smaller number is faster too.",
        )
