"""The composition root: settings become models. The only importer of `procvid.models`.

One `match` per seam. Heavy libraries are imported where a model that needs them is built, so a
command that only plans loads none.
"""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Sequence
from pathlib import Path

from procvid import __version__
from procvid.errors import InputError, UnavailableError
from procvid.memory.crops import CropStore, load_store
from procvid.onestep import Parts
from procvid.plan.rules import plan_recipe
from procvid.protocols import ClipGenerator, Detector, Embedder, Planner, SceneReader
from procvid.settings import (
    CONVERTIBLE,
    PLANNER_CHOICES,
    TINY,
    Profile,
    choose_profile,
    read_environment,
)
from procvid.types import Recipe, Sampling, StepPlan

__all__ = [
    "Parts",
    "build",
    "build_detector",
    "build_embedder",
    "build_generator",
    "build_planner",
    "build_scene_reader",
    "converted_profiles",
    "default_memory",
    "gpu_facts",
    "load_default_memory",
    "measure_denoising",
    "measure_on_gpu",
    "refuse_what_is_not_here",
    "select_profile",
]

PIXEL_LIBRARIES = ("torch", "diffusers", "transformers", "open_clip_torch", "numpy", "av", "Pillow")

DRIVER_TRACES = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg", "/dev/kfd")
"""One of these is there wherever torch can find a GPU on Linux, WSL included."""

NOT_YET = (
    "The {name} profile cannot run in this version of procvid: it has no CLIP and no detector for "
    "cooking footage yet."
)
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
    chosen_planner = build_planner(planner)
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


def build_scene_reader() -> SceneReader:
    """Reads the scene from its caption."""
    from procvid.models.scene_readers.rules import RulesSceneReader

    return RulesSceneReader(_plan_text)


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


def refuse_what_is_not_here(fast: bool) -> None:
    """Raise UnavailableError for options whose feature is not in this version."""
    if fast:
        raise UnavailableError(
            "--fast is not in this version of procvid.",
            "Leave it out; --steps with a smaller number is faster too.",
        )
