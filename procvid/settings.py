"""Profiles, limits and the environment: every number and variable that a person may want to know.

A profile is a set of models with the sizes they can make. Nothing here loads a model or looks for
a GPU; `procvid.wiring.run` does both and hands the facts to `choose_profile`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from procvid.errors import InputError
from procvid.types import EXACT, Sampling, Shortcuts, StepCache

MAX_STEPS = 200
"""Most denoising steps a clip may have."""

MAX_REFERENCES = 4
"""Most reference images that Phantom-Wan was trained with."""

MAX_SEED = 2**63 - 1

TOY_CLIPS = "the tiny profile draws 96x96 toy-kitchen clips, not cooking footage"
NO_GPU = f"no GPU here: {TOY_CLIPS}"
NO_WEIGHTS = "but no Phantom weights (`procvid convert phantom-1.3b` gets them)"
NO_WEIGHTS_IN_SPACE = "but PROCVID_MODELS names no folder with converted Phantom weights"

MEMORY_OF_14B_GIB = 75.0
"""A card sold with 80 GB shows this much or more; `auto` takes the 14B model on no smaller one."""

LENT_STEPS = 20
"""Denoising steps where a GPU is lent: all 50, exactly made, take longer than it is lent for."""


@dataclass(frozen=True)
class Profile:
    """A set of models and what they can make.

    Attributes:
        name: As given to `--profile`.
        purpose: What it is for, in a few words for the user.
        sampling: The defaults; the seed in it has no meaning.
        sizes: The (width, height) pairs in pixels that work; empty for any multiple of
            `size_multiple`.
        frame_counts: The frame counts that work; empty for any 4n+1 up to `max_frames`.
        size_multiple: Width and height must be divisible by it, in pixels.
        max_frames: Longest clip, in frames.
        display_scale: Clips are written this many times larger than they are generated.
        models: Folder below `assets`, or Hub ids with their pinned revision, by what they are.
        needs_gpu: Whether it is out of reach of a CPU.
        shortcuts: Of `--fast`.
        fast_steps: Denoising steps with `--fast`; None for as many as without.
    """

    name: str
    purpose: str
    sampling: Sampling
    sizes: tuple[tuple[int, int], ...] = ()
    frame_counts: tuple[int, ...] = ()
    size_multiple: int = 16
    max_frames: int = 121
    display_scale: int = 1
    models: Mapping[str, str] = field(default_factory=dict)
    needs_gpu: bool = True
    shortcuts: Shortcuts = EXACT
    fast_steps: int | None = None

    @property
    def fast_sampling(self) -> Sampling:
        """The defaults of `--fast`."""
        steps = self.fast_steps or self.sampling.num_inference_steps
        return replace(self.sampling, num_inference_steps=steps, shortcuts=self.shortcuts)


DINO_HUB = "facebook/dino-vits16@a7a4d161f5c0bd70478c05ca5777ec7cd8848021"
"""The revision that holds safetensors."""

PHANTOM_HUB = "bytedance-research/Phantom@926cb19b8273d3841edcf905ca4ddb57f8e43207"
WAN_HUB = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers@0fad780a534b6463e45facd96134c9f345acfa5b"

TINY = Profile(
    name="tiny",
    purpose="toy-kitchen clips of 96x96 px on any CPU, nothing to download",
    sampling=Sampling(
        width=96,
        height=96,
        num_frames=17,
        fps=8,
        num_inference_steps=8,
        guidance_scale_text=2.0,
        guidance_scale_image=2.0,
        seed=0,
    ),
    sizes=((96, 96),),
    frame_counts=(17,),
    max_frames=17,
    display_scale=4,
    models={
        "generator": "tiny_phantom",
        "embedder": "tiny_clip",
        "detector": "tiny_detector",
        "frame encoder": "tiny_clip",
        "scorer": "tiny_step_clip",
        "memory": "default_memory",
    },
    needs_gpu=False,
    # The fastest of the measured front that keeps identity and text (docs/fast.md).
    shortcuts=Shortcuts(batched=True),
    fast_steps=4,
)

PHANTOM_1_3B = Profile(
    name="phantom-1.3b",
    purpose="cooking footage of 832x480 px on one GPU",
    sampling=Sampling(
        width=832,
        height=480,
        num_frames=81,
        fps=16,
        num_inference_steps=50,
        guidance_scale_text=7.5,
        guidance_scale_image=5.0,
        seed=0,
    ),
    models={"generator": PHANTOM_HUB, "base": WAN_HUB, "frame encoder": DINO_HUB},
    # Chosen on the tiny model at these steps and scales, not measured on these weights
    # (docs/fast.md). A batch of branches gains nothing where one call fills the GPU.
    shortcuts=Shortcuts(guided_every=2, cache=StepCache("taylor", strength=3, full_steps=5)),
)

PHANTOM_14B = replace(
    PHANTOM_1_3B,
    name="phantom-14b",
    purpose="cooking footage of up to 1280x720 px on a GPU with 80 GB",
    sampling=replace(PHANTOM_1_3B.sampling, num_frames=121, fps=24),
)

PROFILES: Mapping[str, Profile] = {p.name: p for p in (TINY, PHANTOM_1_3B, PHANTOM_14B)}

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-5.4-mini"
"""Asked unless `PROCVID_OPENAI_MODEL` names another; it must read images and keep to a schema."""


@dataclass(frozen=True)
class Budget:
    """The most that one run may ask of a model behind an API; a run is a plan, a store's
    build or an evaluation.

    Attributes:
        max_calls: Requests, the repairing ones included.
        max_tokens: In and out together.
        max_images: Pictures sent.
    """

    max_calls: int = 60
    max_tokens: int = 300_000
    max_images: int = 600


SPACE_KEEPS_DAYS, SPACE_KEEPS_GB = 7.0, 20.0
"""On a Space, whose disk is small and everybody's, runs are cleared; elsewhere they stay."""


CONVERTIBLE = (PHANTOM_1_3B.name, PHANTOM_14B.name)
PROFILE_CHOICES = ("auto", *PROFILES)
PLANNER_CHOICES = ("auto", "rules", "openai")
JUDGE_CHOICES = ("auto", "rules", "openai")
SCENE_READER_CHOICES = ("rules", "openai")
STEP_FINDER_CHOICES = ("rules", "openai")
CAPTIONER_CHOICES = ("none", "openai")
COLLECTION_FORMATS = ("auto", "folder", "howto100m", "youcook2", "ht-step")


Host = Literal["machine", "space", "zerogpu"]
"""Where procvid runs: a machine of one's own, a Hugging Face Space with hardware of its own, or one
that is lent a GPU for a call at a time."""


def choose_profile(
    wanted: str,
    *,
    gpu: str | None,
    weights: Collection[str] = (),
    gpu_memory_gib: float = 0.0,
    host: Host = "machine",
) -> tuple[Profile, str]:
    """The profile to run and a sentence that says why.

    Args:
        wanted: A profile's name, or "auto" for the best that runs here.
        gpu: Name of the CUDA device, or None without one.
        weights: The profiles whose converted weights are on this machine.
        gpu_memory_gib: Of the device.
        host: Where this is. On a GPU that is lent the profile is fast by default, with fewer
            denoising steps, and `auto` never takes the 14B model.

    Raises:
        InputError: No profile has that name.
    """
    if wanted != "auto" and wanted not in PROFILES:
        raise InputError(
            f"There is no profile {wanted!r}.", f"Choose one of {', '.join(PROFILE_CHOICES)}."
        )
    if wanted == "auto":
        profile = _best_profile(gpu, weights, gpu_memory_gib, host)
        why = _hardware_words(gpu, gpu_memory_gib, host)
        if profile is TINY and gpu is not None:
            why += ", " + (NO_WEIGHTS if host == "machine" else NO_WEIGHTS_IN_SPACE)
    else:
        profile, why = PROFILES[wanted], "asked for"
    if profile is TINY:
        by_cpu = ", on the CPU, which costs nobody GPU time" if host == "zerogpu" else ""
        it = TOY_CLIPS if wanted == "auto" else TOY_CLIPS.replace("the tiny profile", "it")
        return TINY, f"{why}: {it}{by_cpu}"
    return _lent(profile) if host == "zerogpu" else profile, f"{why}: {profile.purpose}"


def _best_profile(
    gpu: str | None, weights: Collection[str], gpu_memory_gib: float, host: Host
) -> Profile:
    if gpu is not None and PHANTOM_1_3B.name in weights:
        return PHANTOM_1_3B
    large = host != "zerogpu" and gpu_memory_gib >= MEMORY_OF_14B_GIB
    if gpu is not None and large and PHANTOM_14B.name in weights:
        return PHANTOM_14B
    return TINY


def _hardware_words(gpu: str | None, gpu_memory_gib: float, host: Host) -> str:
    size = f", {gpu_memory_gib:.0f} GiB" if gpu_memory_gib else ""
    match host:
        case "zerogpu":
            return f"this Space is lent a GPU for one clip at a time (ZeroGPU, {gpu}{size})"
        case "space" if gpu is None:
            return "this Space has no GPU"
        case "space":
            return f"this Space has a GPU of its own ({gpu}{size})"
        case _:
            return "no GPU here" if gpu is None else f"there is a GPU ({gpu}{size})"


def _lent(profile: Profile) -> Profile:
    sampling = replace(profile.fast_sampling, num_inference_steps=LENT_STEPS)
    return replace(profile, sampling=sampling)


def choose_sampling(
    profile: Profile,
    *,
    size: tuple[int, int] | None = None,
    num_frames: int | None = None,
    num_inference_steps: int | None = None,
    seed: int = 0,
    fast: bool = False,
) -> Sampling:
    """The profile's sampling with the user's wishes, checked.

    `fast` takes the profile's shortcuts, and its fewer denoising steps where no number is wished.

    Raises:
        InputError: The profile cannot make such a clip.
    """
    default = profile.fast_sampling if fast else profile.sampling
    width, height = size or (default.width, default.height)
    sampling = replace(
        default,
        width=width,
        height=height,
        num_frames=default.num_frames if num_frames is None else num_frames,
        num_inference_steps=(
            default.num_inference_steps if num_inference_steps is None else num_inference_steps
        ),
        seed=seed,
    )
    check_sampling(profile, sampling)
    return sampling


def check_sampling(profile: Profile, sampling: Sampling) -> None:
    """Check that a profile can make a clip of this size, length, number of steps and seed.

    Raises:
        InputError: It cannot; the message names the value and the ones that work.
    """
    _check_size(profile, sampling.width, sampling.height)
    _check_frames(profile, sampling.num_frames)
    if not 1 <= sampling.num_inference_steps <= MAX_STEPS:
        raise InputError(
            f"{sampling.num_inference_steps} denoising steps cannot be made.",
            f"Choose 1 to {MAX_STEPS}.",
        )
    if not 0 <= sampling.seed <= MAX_SEED:
        raise InputError(f"The seed {sampling.seed} is out of range.", f"Choose 0 to {MAX_SEED}.")


def _check_size(profile: Profile, width: int, height: int) -> None:
    multiple = profile.size_multiple
    if width < multiple or height < multiple or width % multiple or height % multiple:
        raise InputError(
            f"The size {width}x{height} is not divisible by {multiple}.",
            _sizes_that_work(profile),
        )
    if profile.sizes and (width, height) not in profile.sizes:
        raise InputError(
            f"The {profile.name} profile cannot make clips of {width}x{height} px.",
            _sizes_that_work(profile),
        )
    largest = 1280 * 720
    if width * height > largest:
        raise InputError(
            f"The size {width}x{height} is larger than {profile.name} was trained for.",
            "Choose 1280x720 px or smaller.",
        )


def _sizes_that_work(profile: Profile) -> str:
    if profile.sizes:
        sizes = " or ".join(f"{w}x{h}" for w, h in profile.sizes)
        return f"Leave --size out: {profile.name} was trained on {sizes} px only."
    default = profile.sampling
    return (
        f"Choose a multiple of {profile.size_multiple} px each way, "
        f"such as {default.width}x{default.height}."
    )


def _check_frames(profile: Profile, num_frames: int) -> None:
    if profile.frame_counts:
        counts = " or ".join(str(n) for n in profile.frame_counts)
        remedy = f"Leave --frames out: {profile.name} was trained on {counts} frames only."
    else:
        remedy = f"Choose a number 4n+1 up to {profile.max_frames}, such as 81."
    if num_frames < 1 or num_frames % 4 != 1:
        raise InputError(f"{num_frames} frames are not 4n+1 frames.", remedy)
    if num_frames > profile.max_frames or (
        profile.frame_counts and num_frames not in profile.frame_counts
    ):
        raise InputError(
            f"The {profile.name} profile cannot make clips of {num_frames} frames.", remedy
        )


def parse_size(text: str) -> tuple[int, int]:
    """ "832x480" -> (832, 480), width first, in pixels.

    Raises:
        InputError: Not two whole numbers joined by an x.
    """
    width, _, height = text.strip().lower().partition("x")
    if not (width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        raise InputError(f"The size {text!r} is not WIDTHxHEIGHT.", "Write it like 96x96, in px.")
    if len(width) > 5 or len(height) > 5:
        raise InputError(f"The size {text!r} is out of range.", "Choose 1280x720 px or smaller.")
    return int(width), int(height)


@dataclass(frozen=True)
class Environment:
    """What procvid takes from environment variables; nothing else in the package reads them.

    Attributes:
        openai_api_key: `OPENAI_API_KEY`, or None. Never shown, never stored.
        runs_folder: `PROCVID_RUNS`, where the app keeps its runs; default `runs` here.
        assets_folder: `PROCVID_ASSETS`, another folder with tiny models of one's own training;
            default the one in the package.
        openai_url: `OPENAI_BASE_URL`, any server that speaks the protocol, such as vLLM or Ollama.
        openai_model: `PROCVID_OPENAI_MODEL`.
        openai_budget: `PROCVID_OPENAI_MAX_CALLS`, `..._MAX_TOKENS` and `..._MAX_IMAGES`.
        cache_folder: `PROCVID_CACHE`, where answers and measured times are kept; default
            `procvid` in the user's cache folder.
        models_folder: `PROCVID_MODELS`, where `procvid convert` puts models and `generate` finds
            them; default `~/.cache/procvid/models`.
        space_owner: Of the Hugging Face Space that the app runs on, from `SPACE_ID`; "" elsewhere.
        profile: `PROCVID_PROFILE`, which the app runs; default "auto".
        host: "zerogpu" where `SPACES_ZERO_GPU` is set, "space" on any other Space.
        keep_days: `PROCVID_KEEP_DAYS`, after which the app clears a run away; 0 never.
        keep_gb: `PROCVID_KEEP_GB`, the most that the app's runs may take, in 10^9 bytes, before the
            oldest go; 0 for any.
    """

    openai_api_key: str | None = field(repr=False)
    runs_folder: Path
    assets_folder: Path
    openai_url: str = OPENAI_URL
    openai_model: str = OPENAI_MODEL
    openai_budget: Budget = Budget()
    cache_folder: Path = Path("cache")
    models_folder: Path = Path("models")
    space_owner: str = ""
    profile: str = "auto"
    host: Host = "machine"
    keep_days: float = 0.0
    keep_gb: float = 0.0

    @property
    def has_openai(self) -> bool:
        """Whether there is a model to ask: a key, or a server of one's own that may need none."""
        return self.openai_api_key is not None or self.openai_url != OPENAI_URL


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Read the environment variables, of this process unless others are given.

    Raises:
        InputError: One of them is no number or no address.
    """
    variables = os.environ if variables is None else variables
    assets = variables.get("PROCVID_ASSETS") or Path(__file__).parent / "assets"
    caches = variables.get("XDG_CACHE_HOME") or "~/.cache"
    cache = variables.get("PROCVID_CACHE") or Path(caches) / "procvid"
    return Environment(
        openai_api_key=variables.get("OPENAI_API_KEY", "").strip() or None,
        runs_folder=Path(variables.get("PROCVID_RUNS") or "runs").expanduser(),
        assets_folder=Path(assets).expanduser(),
        openai_url=_url("OPENAI_BASE_URL", variables.get("OPENAI_BASE_URL", "")),
        openai_model=variables.get("PROCVID_OPENAI_MODEL", "").strip() or OPENAI_MODEL,
        openai_budget=Budget(
            **{
                limit.name: _limit(f"PROCVID_OPENAI_{limit.name.upper()}", variables, limit.default)
                for limit in fields(Budget)
            }
        ),
        cache_folder=Path(cache).expanduser(),
        models_folder=Path(
            variables.get("PROCVID_MODELS") or "~/.cache/procvid/models"
        ).expanduser(),
        space_owner=_space_owner(variables),
        profile=variables.get("PROCVID_PROFILE", "").strip() or "auto",
        host=_host(variables),
        keep_days=_amount("PROCVID_KEEP_DAYS", variables, SPACE_KEEPS_DAYS),
        keep_gb=_amount("PROCVID_KEEP_GB", variables, SPACE_KEEPS_GB),
    )


def _space_owner(variables: Mapping[str, str]) -> str:
    if not _is_space(variables):
        return ""
    return variables.get("SPACE_ID", "").partition("/")[0].strip()


def _is_space(variables: Mapping[str, str]) -> bool:
    # As Gradio tells a Space: anywhere else it signs every visitor in as the server's own user.
    return variables.get("SYSTEM") == "spaces"


def _host(variables: Mapping[str, str]) -> Host:
    # The very values that the spaces package takes for yes.
    if variables.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true"):
        return "zerogpu"
    return "space" if _is_space(variables) else "machine"


def _url(name: str, text: str) -> str:
    """An http address without the slash at its end, or OpenAI's own."""
    url = text.strip().rstrip("/")
    if not url:
        return OPENAI_URL
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise InputError(
            f"{name} is not an http address.", "Write it like http://localhost:11434/v1."
        )
    return url


def _limit(name: str, variables: Mapping[str, str], default: object) -> int:
    text = variables.get(name, "").strip() or str(default)
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InputError(f"{name} is {text[:40]!r}, not a whole number.", f"Write e.g. {default}.")
    return int(text)


def _amount(name: str, variables: Mapping[str, str], default_on_space: float) -> float:
    """A number from 0; where none is given the default of a Space, and 0 elsewhere."""
    text = variables.get(name, "").strip()
    if not text:
        return 0.0 if _host(variables) == "machine" else default_on_space
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text):
        raise InputError(
            f"{name} is {text[:40]!r}, not a number from 0.", f"Write e.g. {default_on_space:g}."
        )
    return float(text)
