"""Build the parts of a run: planner, generator, scene reader, memory."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procvid.errors import InputError, ServiceError
from procvid.hub.resolve import named_lora, named_store, parse_lora
from procvid.machine import (
    asset_folder,
    check_gpu,
    choose_profile,
    converted_profiles,
    first_gpu,
    generator_folder,
    gpu_facts,
    is_lent,
    library_versions,
    on_card,
)
from procvid.memory.store import CropStore
from procvid.memory.store_folder import load_store
from procvid.models.machine_facts import check_libraries
from procvid.plan.writing.toy_prompt import toy_caption
from procvid.protocols import ClipGenerator, Embedder, Planner, SceneReader, StatePredictor
from procvid.run.parts import Parts
from procvid.run.stand_ins import (
    NO_STAND_INS,
    StandInDetector,
    StandInEmbedder,
    stand_ins,
)
from procvid.settings import PLANNER_CHOICES, SCENE_READER_CHOICES, TINY, Profile
from procvid.settings.environment import Environment, read_environment, user_path
from procvid.types import GenerateRequest
from procvid.wiring.stores import build_detector, build_embedder, build_rules, default_memory
from procvid.wiring.zerogpu import begin, lend

if TYPE_CHECKING:
    from procvid.models.openai_client import OpenAIClient

__all__ = [
    "Parts",
    "build",
    "build_generator",
    "build_planner",
    "build_scene_reader",
    "check_key",
    "is_lora_on_hub",
    "openai_client",
    "select_profile",
    "try_openai",
]


def build(
    profile: str = "auto",
    memory: str = "default",
    planner: str = "auto",
    lora: Sequence[str] = (),
    profile_reason: str | None = None,
    precise: bool | None = None,
    previews: bool = False,
    card: int | None = None,
    director: str = "",
) -> Parts:
    """Build the parts of a run.

    Args:
        profile: "auto" or a profile's name.
        memory: "default" for the profile's own crop store (only the run's own clips if the profile
            has no store), "none" for no memory, or the folder of a store.
        planner: "auto", "rules" or "openai".
        lora: LoRA files, folders or Hub repositories, each with an optional "=WEIGHT".
        profile_reason: Why this profile, if it was chosen before.
        precise: Keep upstream's float32 layers in half precision; None is the profile's default.
        previews: Add previews to the progress. The clips do not change.
        card: The CUDA device of the models; by default the first that `PROCVID_GPUS` names. The
            clips do not depend on it.
        director: Folder of a trained model of visual states, instead of the profile's own.

    Raises:
        InputError: A name is unknown, or a LoRA does not fit.
        StoreError: The store is missing, damaged or made with another embedder.
        UnavailableError: This machine or version lacks something.
    """
    chosen, reason = select_profile(profile)
    # The light parts first: a wrong name is reported before models are loaded.
    chosen_planner = build_planner(planner, chosen)
    generator = build_generator(chosen, lora, precise, previews, card)
    with on_card(first_gpu() if card is None else card):
        embedder = build_embedder(chosen)
    detector = build_detector(chosen, embedder)
    predictor = build_predictor(chosen, embedder, director)
    things = NO_STAND_INS
    if chosen.fixed_vocabulary:
        things = stand_ins(generator.undrawable)
        embedder, detector = StandInEmbedder(embedder, things), StandInDetector(detector, things)
    return Parts(
        profile=chosen,
        profile_reason=profile_reason or reason,
        planner=chosen_planner,
        generator=generator,
        embedder=embedder,
        detector=detector,
        scene_reader=build_scene_reader(),
        stores=_stores(chosen, memory, embedder),
        versions=library_versions(),
        rules=build_rules(embedder.info),
        stand_ins=things,
        predictor=predictor,
    )


def build_predictor(
    profile: Profile, embedder: Embedder | None = None, trained: str = ""
) -> StatePredictor | None:
    """Build the model that predicts the look of clips, or None if there is none.

    Args:
        profile: The profile; only some come with a model.
        embedder: Its CLIP model, for a trained one.
        trained: Folder of `procvid train director` (its `model`), or "".

    Raises:
        UnavailableError: Files are missing or damaged, or it was trained with another CLIP model.
    """
    if "director" not in profile.models and not trained:
        return None
    from procvid.models.embedders.open_clip import OpenClipEmbedder
    from procvid.models.state_predictors.causal import ClipStatePredictor

    if profile.bundled or embedder is None:
        embedder = OpenClipEmbedder(asset_folder(profile, "scorer"))
    caption = toy_caption if profile.fixed_vocabulary else attrgetter("prompt")
    folder = user_path(trained) if trained else asset_folder(profile, "director")
    predictor = ClipStatePredictor(folder, embedder, caption)
    if trained:
        predictor.check()
    return predictor


def select_profile(wanted: str) -> tuple[Profile, str]:
    """Return the profile for "auto" or a name, and the reason.

    Raises:
        InputError: No profile has that name.
    """
    host = read_environment().host
    if is_lent():
        # Before diffusers is imported, which asks for the GPU.
        begin()
    if wanted != "auto":
        return choose_profile(wanted, gpu=None, host=host)
    gpu, vram_gib = gpu_facts()
    return choose_profile(
        wanted, gpu=gpu, weights=converted_profiles(), vram_gib=vram_gib, host=host
    )


def build_again(request: GenerateRequest) -> Parts:
    """Build the parts of a run whose plan is on disk, so no planner is asked and no key is needed.

    Raises the same errors as `build`.
    """
    return build(
        profile=request.profile,
        memory=request.memory,
        planner="rules",
        lora=request.lora,
        precise=request.precise,
    )


def build_planner(wanted: str, profile: Profile = TINY, key: str | None = None) -> Planner:
    """Build the planner; loads no model.

    Args:
        wanted: "auto", "rules" or "openai". "auto" asks a language model if one is configured and
            the profile understands free text.
        profile: The models that will make the clips.
        key: A visitor's API key instead of the environment's; it is not stored.

    Raises:
        InputError: No planner has that name.
        ServiceError: There is no API key.
    """
    environment = read_environment()
    if key is not None:
        environment = replace(environment, openai_api_key=key)
    match wanted:
        case "auto" if environment.has_openai and not profile.fixed_vocabulary:
            return _openai_planner(environment, strict=False)
        case "auto" | "rules":
            from procvid.models.planners.rules import RulesPlanner

            return RulesPlanner()
        case "openai":
            return _openai_planner(environment, strict=True)
        case _:
            raise InputError(
                f"There is no planner {wanted!r}.", f"Choose one of {', '.join(PLANNER_CHOICES)}."
            )


def _openai_planner(environment: Environment, *, strict: bool) -> Planner:
    check_key(environment, "planner", "Use --planner rules, which needs no key.")
    from procvid.models.planners.openai_responses import OpenAIPlanner

    client = openai_client(environment)
    return OpenAIPlanner(client, environment.openai_budget, strict=strict)


def openai_client(environment: Environment, **options: Any) -> OpenAIClient:
    """Build a client for the environment's model; it sends nothing yet. Raises ServiceError."""
    from procvid.models.openai_client import OpenAIClient

    return OpenAIClient(
        environment.openai_api_key,
        environment.openai_url,
        environment.openai_model,
        environment.cache_folder,
        **options,
    )


def check_key(environment: Environment, part: str, hint: str) -> None:
    """Raise ServiceError if there is neither an API key nor another server."""
    if not environment.has_openai:
        raise ServiceError(
            f"The openai {part} needs a key, and OPENAI_API_KEY is not set.", hint, lasting=True
        )


def try_openai() -> str | None:
    """Return which model answers at which host, after a free request for the service's models.

    None if there is neither an API key nor another server.

    Raises:
        ServiceError: The service is not reachable, rejects the key, or lacks the model.
    """
    environment = read_environment()
    if not environment.has_openai:
        return None
    client = openai_client(environment, timeout_s=10.0)
    client.try_out()
    return f"{client.model} at {client.host}"


def build_generator(
    profile: Profile,
    lora: Sequence[str] = (),
    precise: bool | None = None,
    previews: bool = False,
    card: int | None = None,
) -> ClipGenerator:
    """Build the clip generator; its weights are loaded with the first clip.

    `card` is its CUDA device, by default the first that `PROCVID_GPUS` names. A profile that needs
    no GPU ignores it.

    Raises:
        InputError: A LoRA is missing or does not fit.
        UnavailableError: The profile cannot run here; the message names what is missing.
    """
    if precise and not profile.half_precision:
        raise InputError(
            f"--precise is for half precision; the {profile.name} profile computes in float32.",
            "Omit it.",
        )
    check_gpu(profile)
    check_libraries()
    loras = [_lora(text) for text in lora]
    from procvid.models.pipeline_host import ON_CPU, PipelineHost, PipelineModel, on_gpu

    model: PipelineModel
    match profile.generator:
        case "phantom-wan":
            from procvid.models.generators.phantom_wan import PhantomWan

            model = PhantomWan(profile, generator_folder(profile))
        case "vace":
            from procvid.models.generators.vace import WanVace

            model = WanVace(profile, generator_folder(profile))
        case unknown:
            raise InputError(
                f"The {profile.name} profile names the unknown generator {unknown!r}.",
                "Add a case for it to procvid.wiring.run.build_generator.",
            )
    environment = read_environment()
    # Compiled code would be lost with the process of each loan.
    compiled_in = None
    if environment.compiles and not is_lent():
        compiled_in = environment.cache_folder / "compiled"
    card = first_gpu() if card is None else card
    placement = ON_CPU
    if profile.needs_gpu:
        placement = on_gpu(profile.is_precise(precise), card, environment.attention, compiled_in)
    generator = PipelineHost(model, loras, placement, previews)
    return lend(generator, profile) if is_lent() else generator


def _lora(text: str) -> tuple[Path, float]:
    """Return the file of a local LoRA or of one on the Hub, and its weight."""
    source, weight = parse_lora(text)
    return named_lora(source), weight


def is_lora_on_hub(text: str) -> bool:
    """Return True if a LoRA looks like a Hub repository and is not a local file.

    Raises:
        InputError: Its weight is not a number.
    """
    source, _ = parse_lora(text)
    is_repository = re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w.-]+)?", source) is not None
    return is_repository and not user_path(source).exists()


def build_scene_reader(wanted: str = "rules") -> SceneReader:
    """Build the scene reader: "rules" reads the caption, "openai" looks at the frames.

    Raises:
        InputError: No scene reader has that name.
        ServiceError: There is no API key.
    """
    match wanted:
        case "rules":
            from procvid.models.scene_readers.rules import RulesSceneReader

            return RulesSceneReader()
        case "openai":
            environment = read_environment()
            check_key(environment, "scene reader", "Use --scene-reader rules, which needs no key.")
            from procvid.models.meter import Meter
            from procvid.models.scene_readers.openai_vision import OpenAISceneReader

            hint = "Use --scene-reader rules, which asks no service."
            client = openai_client(environment, hint=hint)
            return OpenAISceneReader(client, Meter(environment.openai_budget))
        case _:
            raise InputError(
                f"There is no scene reader {wanted!r}.",
                f"Choose one of {', '.join(SCENE_READER_CHOICES)}.",
            )


def _stores(profile: Profile, memory: str, embedder: Embedder) -> tuple[CropStore, ...] | None:
    match memory:
        case "none":
            return None
        case "default":
            own = "memory" in profile.models
            return (load_store(default_memory(profile), embedder),) if own else ()
        case folder:
            return (load_store(named_store(folder), embedder),)
