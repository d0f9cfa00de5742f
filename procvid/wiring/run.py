"""The composition root: settings become models. It and its siblings for metrics and
benchmarks (`wiring_evaluation`, `wiring_measuring`) are the only importers of `procvid.models`.

One `match` per seam. Heavy libraries are imported where a model that needs them is built, so a
command that only plans loads none.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procvid import __version__
from procvid.errors import InputError, ServiceError, UnavailableError
from procvid.hub.resolve import named_lora, named_store, parse_lora
from procvid.memory.crops import CropStore, load_store
from procvid.memory.rules import DEFAULT_RULES, Calibration, RetrievalRules, read_calibration
from procvid.plan.rules import plan_recipe
from procvid.protocols import (
    ClipGenerator,
    Detector,
    Embedder,
    Planner,
    SceneReader,
)
from procvid.run.parts import Parts
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
from procvid.types import ModelInfo, Recipe, StepPlan
from procvid.wiring.zerogpu import begin, is_lent, lent

if TYPE_CHECKING:
    from procvid.models.hub_files import HubModel
    from procvid.models.openai_client import OpenAIClient

__all__ = [
    "Parts",
    "asset_folder",
    "build",
    "build_detector",
    "build_embedder",
    "build_generator",
    "build_planner",
    "build_rules",
    "build_scene_reader",
    "calibration_file",
    "check_downloads",
    "check_key",
    "converted_profiles",
    "default_memory",
    "device_name",
    "find_calibration",
    "gpu_facts",
    "hub_cache",
    "is_lora_on_hub",
    "known_step_caches",
    "load_default_memory",
    "missing_downloads",
    "no_gpu",
    "openai_client",
    "select_profile",
    "try_openai",
]

PIXEL_LIBRARIES = ("torch", "diffusers", "transformers", "open_clip_torch", "numpy", "av", "Pillow")

DRIVER_TRACES = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""One of these is there wherever torch can find a GPU on Linux, WSL included."""


def build(
    profile: str = "auto",
    memory: str = "default",
    planner: str = "auto",
    lora: Sequence[str] = (),
    profile_reason: str | None = None,
    precise: bool = False,
    previews: bool = False,
) -> Parts:
    """Build the parts of a run.

    Args:
        profile: "auto" or a profile's name.
        memory: "default" for the profile's own crop store and the run's own clips (these alone
            where the profile has no store), "none" for no memory at all, or the folder of a store.
        planner: "auto", "rules" or "openai".
        lora: LoRA files, folders or Hub repositories, each with "=WEIGHT" or without.
        profile_reason: Why this profile, where it has been chosen before.
        precise: Upstream's float32 residual stream; for the profiles in half precision.
        previews: Let the progress carry previews; the clips stay the same to the last byte.

    Raises:
        InputError: A name is unknown, or a LoRA does not fit.
        StoreError: The store is missing, damaged or of another embedder.
        UnavailableError: Something cannot be had on this machine or in this version.
    """
    chosen, reason = select_profile(profile)
    # The cheap parts first: a wrong name is told before the models are loaded.
    chosen_planner = build_planner(planner, chosen)
    generator = build_generator(chosen, lora, precise, previews)
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
    host = read_environment().host
    if is_lent():
        # Before diffusers is imported: it asks for the GPU then.
        begin()
    if wanted != "auto":
        return choose_profile(wanted, gpu=None, host=host)
    gpu, memory_gib = gpu_facts()
    return choose_profile(
        wanted, gpu=gpu, weights=converted_profiles(), gpu_memory_gib=memory_gib, host=host
    )


def converted_profiles() -> tuple[str, ...]:
    """The profiles whose weights `procvid convert` has put on this machine."""
    folder = read_environment().models_folder
    return tuple(name for name in CONVERTIBLE if (folder / name / "model_index.json").is_file())


def gpu_facts() -> tuple[str | None, float]:
    """Name and memory in GiB of the first CUDA device; (None, 0.0) without one."""
    if not (is_lent() or any(Path(trace).exists() for trace in DRIVER_TRACES)):
        # Seen without torch, whose import alone takes seconds.
        return None, 0.0
    from procvid.models.device import cuda_memory_gib, cuda_name

    return cuda_name(), cuda_memory_gib()


def device_name() -> str:
    """The GPU's name, or the CPU's kind and cores: what measured times belong to."""
    gpu = gpu_facts()[0]
    return gpu or f"{platform.machine()} CPU, {os.cpu_count()} cores"


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
    """Where published models are kept; it may not be there yet."""
    from procvid.models.hub_files import cache_folder

    return cache_folder()


def known_step_caches() -> tuple[str, ...]:
    """The step caches that the installed diffusers has, for `--fast`."""
    from procvid.phantom.step_cache import known_caches

    return known_caches()


def _published() -> tuple[HubModel, ...]:
    from procvid.models.detectors.grounding_dino import SWIN_T
    from procvid.models.embedders.open_clip import VIT_B_32

    return VIT_B_32, SWIN_T


def build_planner(wanted: str, profile: Profile = TINY, key: str | None = None) -> Planner:
    """The planner; loads no model.

    Args:
        wanted: "auto", "rules" or "openai". "auto" asks a model where there is one to ask and the
            profile can follow its words; the tiny one was taught the rules planner's.
        profile: Which set of models will make the clips.
        key: A visitor's own, in the place of the environment's; it is kept nowhere.

    Raises:
        InputError: No planner has that name.
        ServiceError: There is no key.
    """
    environment = read_environment()
    if key is not None:
        environment = replace(environment, openai_api_key=key)
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
    check_key(environment, "planner", "Use --planner rules, which needs none.")
    from procvid.models.planners.openai_responses import OpenAIPlanner

    client = openai_client(environment)
    return OpenAIPlanner(client, plan_recipe, environment.openai_budget, strict=strict)


def openai_client(environment: Environment, **options: Any) -> OpenAIClient:
    """A client for the model that the environment names; sends nothing. Raises ServiceError."""
    from procvid.models.openai_client import OpenAIClient

    return OpenAIClient(
        environment.openai_api_key,
        environment.openai_url,
        environment.openai_model,
        environment.cache_folder,
        **options,
    )


def check_key(environment: Environment, part: str, hint: str) -> None:
    """Raise ServiceError when there is neither a key nor a server of one's own."""
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
    client = openai_client(environment, timeout_s=10.0)
    client.try_out()
    return f"{client.model} at {client.host}"


def build_generator(
    profile: Profile, lora: Sequence[str] = (), precise: bool = False, previews: bool = False
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
        raise no_gpu(profile)
    loras = [_lora(text) for text in lora]
    from procvid.models.generators.phantom_wan import PhantomWanGenerator, on_gpu

    match profile.name:
        case "tiny":
            folder = asset_folder(profile, "generator")
            made = PhantomWanGenerator(profile, folder, loras, previews=previews)
        case _:
            folder = read_environment().models_folder / profile.name
            made = PhantomWanGenerator(profile, folder, loras, on_gpu(precise), previews)
    return lent(made, profile) if is_lent() else made


def _lora(text: str) -> tuple[Path, float]:
    """A LoRA that is here, or one on the Hub, with its weight."""
    source, weight = parse_lora(text)
    return named_lora(source), weight


def is_lora_on_hub(text: str) -> bool:
    """Whether a LoRA has the form of a Hub repository and is no file here.

    Raises:
        InputError: Its weight is no number.
    """
    source, _ = parse_lora(text)
    is_repository = re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w.-]+)?", source) is not None
    return is_repository and not Path(source).expanduser().exists()


def build_embedder(profile: Profile = TINY) -> Embedder:
    """CLIP of a profile.

    Raises:
        UnavailableError: The profile cannot run here; says what is missing.
    """
    match profile.name:
        case "tiny":
            from procvid.models.embedders.open_clip import OpenClipEmbedder

            return OpenClipEmbedder(asset_folder(profile, "embedder"))
        case _ if gpu_facts()[0] is not None:
            from procvid.models.embedders.open_clip import VIT_B_32, OpenClipEmbedder

            return OpenClipEmbedder(VIT_B_32)
        case _:
            raise no_gpu(profile)


def find_calibration(info: ModelInfo) -> Calibration | None:
    """The thresholds of an embedder: those that were found on this machine, else the package's.

    Raises:
        StoreError: the file is damaged.
    """
    found_here = calibration_file(info)
    shipped = read_environment().assets_folder / "calibration" / found_here.name
    for file in (found_here, shipped):
        if file.is_file():
            calibration = read_calibration(file)
            if calibration.fits(info):
                return calibration
    return None


def calibration_file(info: ModelInfo) -> Path:
    """Where this machine keeps the thresholds of an embedder."""
    name = re.sub(r"[^a-zA-Z0-9.-]+", "-", info.id) + ".json"
    return read_environment().cache_folder / "calibration" / name


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

            return TinyDetector(asset_folder(profile, "detector"), embedder)
        case _ if gpu_facts()[0] is not None:
            from procvid.models.detectors.grounding_dino import GroundingDinoDetector

            return GroundingDinoDetector()
        case _:
            raise no_gpu(profile)


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
            check_key(environment, "scene reader", "Use --scene-reader rules, which needs none.")
            from procvid.models.meter import Meter
            from procvid.models.scene_readers.openai_vision import OpenAISceneReader

            hint = "Use --scene-reader rules, which asks nobody."
            client = openai_client(environment, hint=hint)
            return OpenAISceneReader(client, Meter(environment.openai_budget))
        case _:
            raise InputError(
                f"There is no scene reader {wanted!r}.",
                f"Choose one of {', '.join(SCENE_READER_CHOICES)}.",
            )


def default_memory(profile: Profile) -> Path:
    """The folder of a profile's own crop store.

    Raises:
        UnavailableError: It is not there, or the profile has none.
    """
    if "memory" not in profile.models:
        raise UnavailableError(
            f"The {profile.name} profile comes without a crop store.",
            f"Build one: `procvid memory build CLIPS --profile {profile.name} --out STORE`.",
        )
    return asset_folder(profile, "memory")


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
            own = "memory" in profile.models
            return (load_store(default_memory(profile), embedder),) if own else ()
        case folder:
            return (load_store(named_store(folder), embedder),)


def asset_folder(profile: Profile, part: str) -> Path:
    """The folder of a part that ships with the package.

    Raises:
        UnavailableError: It is not there.
    """
    folder = read_environment().assets_folder / profile.models[part]
    if not folder.is_dir():
        raise UnavailableError(
            f"The {part} of the {profile.name} profile is missing: there is no folder {folder}.",
            "Install procvid again, or check PROCVID_ASSETS.",
        )
    return folder


def no_gpu(profile: Profile) -> UnavailableError:
    """The error of a profile that needs a GPU where there is none."""
    return UnavailableError(
        f"The {profile.name} profile needs a CUDA GPU, and torch finds none here.",
        "Use --profile tiny; `procvid doctor` tells what this machine can run.",
    )
