"""Profiles, limits and environment variables of procvid.

A profile is a set of models with the clips that they can make. This module loads no model and looks
for no GPU: `procvid.machine` finds the hardware and chooses the profile.
"""

from __future__ import annotations

import math
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from procvid.errors import InputError
from procvid.types import EXACT, AttentionKind, Sampling, Shortcuts, StepCache

MAX_STEPS = 200
"""Maximum number of denoising steps of a clip."""

MAX_REFERENCES = 4
"""Maximum number of reference images of any model; code with a profile reads the profile's."""

MAX_SEED = 2**63 - 1

GeneratorKind = Literal["phantom-wan", "vace"]
"""The adapters that make clips; `procvid.wiring.run.build_generator` has one case for each."""


@dataclass(frozen=True)
class Profile:
    """A set of models and the clips that they can make.

    Code asks these fields what a profile can do and never compares its name.

    Attributes:
        name: Value of `--profile`.
        purpose: Kind of clips and hardware, in a few words for the user.
        sampling: Default sampling; its seed is not used. An image scale of 1 means that the model has
            no image guidance, so no other value is valid.
        generator: Adapter that makes the clips.
        sizes: (width, height) pairs in pixels that work; empty for any multiple of `size_multiple`.
        frame_counts: Frame counts that work; empty for any 4n+1 up to `max_frames`.
        size_multiple: Width and height are multiples of it, in pixels.
        max_size: The largest clip covers this many pixels, as (width, height).
        max_frames: Longest clip, in frames.
        max_references: Maximum number of reference images of a step.
        display_scale: Clips are enlarged this many times when they are written.
        models: Folder below `assets` by part, for a bundled profile. `procvid.storage.pins` lists the
            published models.
        needs_gpu: True if it does not run on a CPU.
        bundled: True if its models ship with the package. The generator of another profile is made
            by `procvid convert`; its other models come from the Hub.
        demo: True if its clips only show how procvid works.
        fixed_vocabulary: True if its models know only the words of the rules planner, listed in the
            generator's `vocabulary.json`. "auto" then asks no language model.
        half_precision: True if it computes in half precision. It is then precise by default.
        auto_vram_gib: "auto" chooses it on a GPU with this much memory or more; infinity for never.
        fits_lent_gpu: True if a clip can be made while a ZeroGPU loan lasts.
        shortcuts: Shortcuts of `--fast`; a profile without any has no fast mode.
    """

    name: str
    purpose: str
    sampling: Sampling
    generator: GeneratorKind = "phantom-wan"
    sizes: tuple[tuple[int, int], ...] = ()
    frame_counts: tuple[int, ...] = ()
    size_multiple: int = 16
    max_size: tuple[int, int] = (1280, 720)
    max_frames: int = 121
    max_references: int = MAX_REFERENCES
    display_scale: int = 1
    models: Mapping[str, str] = field(default_factory=dict)
    needs_gpu: bool = True
    bundled: bool = False
    demo: bool = False
    fixed_vocabulary: bool = False
    half_precision: bool = True
    auto_vram_gib: float = 0.0
    fits_lent_gpu: bool = True
    shortcuts: Shortcuts = EXACT

    @property
    def fast_sampling(self) -> Sampling:
        """Return the default sampling of `--fast`."""
        return replace(self.sampling, shortcuts=self.shortcuts)

    @property
    def has_fast(self) -> bool:
        """Return True if fast clips differ from others; on a lent GPU all clips are fast."""
        return self.fast_sampling != self.sampling

    def is_precise(self, wanted: bool | None = None) -> bool:
        """Return True if clips keep upstream's float32 layers; `wanted` overrides the default."""
        return self.half_precision if wanted is None else wanted

    def describe(self, reason: str) -> str:
        """Return the profile and the reason why it was chosen, as a sentence for the user."""
        return f"{reason}." if self.demo else f"Profile {self.name}: {reason}."


TINY = Profile(
    name="tiny",
    purpose="cartoons of 96x96 px on any CPU, nothing to download",
    sampling=Sampling(
        width=96,
        height=96,
        num_frames=17,
        fps=8,
        num_inference_steps=4,
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
        "director": "tiny_director",
        "reader": "tiny_reader",
        "memory": "default_memory",
    },
    needs_gpu=False,
    bundled=True,
    demo=True,
    fixed_vocabulary=True,
    half_precision=False,
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
    # Chosen with the tiny model at these steps and scales, not measured on these weights
    # (docs/fast.md). Batching the branches gains nothing where one call fills the GPU.
    shortcuts=Shortcuts(guided_every=2, cache=StepCache("taylor", strength=3, full_steps=5)),
)

PHANTOM_14B = replace(
    PHANTOM_1_3B,
    name="phantom-14b",
    purpose="cooking footage of up to 1280x720 px on a GPU with 80 GB",
    sampling=replace(PHANTOM_1_3B.sampling, num_frames=121, fps=24),
    # A card sold with 80 GB reports at least this much.
    auto_vram_gib=75.0,
    fits_lent_gpu=False,
)

VACE_1_3B = replace(
    PHANTOM_1_3B,
    name="vace-1.3b",
    purpose="Wan VACE footage of up to 832x480 px on one GPU",
    sampling=replace(PHANTOM_1_3B.sampling, guidance_scale_text=5.0, guidance_scale_image=1.0),
    generator="vace",
    max_size=(832, 480),
    max_frames=81,
    # Phantom is the model that procvid is measured with; VACE is for those who ask for it.
    auto_vram_gib=math.inf,
    shortcuts=EXACT,
)

VACE_14B = replace(
    VACE_1_3B,
    name="vace-14b",
    purpose="Wan VACE footage of up to 1280x720 px on a GPU with 80 GB",
    max_size=(1280, 720),
    fits_lent_gpu=False,
)

PROFILES: Mapping[str, Profile] = {
    p.name: p for p in (TINY, PHANTOM_1_3B, PHANTOM_14B, VACE_1_3B, VACE_14B)
}
"""All profiles; "auto" takes the first that runs on this machine, the bundled one last."""
PHANTOM_PROFILES = tuple(p.name for p in PROFILES.values() if p.generator == "phantom-wan")
"""Profiles that can be trained and benchmarked."""
OPENAI_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-5.4-mini"
"""Default of `PROCVID_OPENAI_MODEL`; the model must read images and follow a JSON schema."""
OPENAI_SPEECH = ("gpt-4o-mini-tts", "alloy")


@dataclass(frozen=True)
class Budget:
    """Limits of one run on a model behind an API; a run is a plan, a store's build or an evaluation.

    Attributes:
        max_calls: Requests, repairs included.
        max_tokens: Input and output tokens together.
        max_images: Images sent.
    """

    max_calls: int = 60
    max_tokens: int = 300_000
    max_images: int = 600


SPACE_KEEPS_DAYS, SPACE_KEEPS_GB = 7.0, 20.0
"""A Space has a small, shared disk, so old runs are deleted there; elsewhere they stay."""

CONVERTIBLE = tuple(p.name for p in PROFILES.values() if not p.bundled)
PROFILE_CHOICES = ("auto", *PROFILES)
PLANNER_CHOICES = ("auto", "rules", "openai")
JUDGE_CHOICES = ("auto", "rules", "openai")
BACKBONE_CHOICES = ("auto", "tiny", "published")
READER_CHOICES = ("auto", "tiny", "openai")
SCENE_READER_CHOICES = ("rules", "openai")
STEP_FINDER_CHOICES = ("rules", "openai")
CAPTIONER_CHOICES = ("none", "openai")
PAIR_WRITER_CHOICES, SEEN_CHOICES = ("rules", "openai"), ("none", "tiny", "openai")
COLLECTION_FORMATS = ("auto", "folder", "howto100m", "youcook2", "ht-step")

Host = Literal["machine", "space", "zerogpu"]
"""Where procvid runs: the user's machine, a Space with its own GPU, or one that borrows a GPU."""


def choose_sampling(
    profile: Profile,
    *,
    size: tuple[int, int] | None = None,
    num_frames: int | None = None,
    num_inference_steps: int | None = None,
    seed: int = 0,
    fast: bool = False,
    distilled: bool = False,
) -> Sampling:
    """Return the profile's sampling with the user's choices, checked.

    `fast` takes the profile's shortcuts; `distilled`, the sampling for distilled LoRAs.

    Raises:
        InputError: The profile cannot make such a clip.
    """
    if fast and profile.shortcuts == EXACT:
        raise InputError(f"The {profile.name} profile has no fast mode.", "Omit --fast.")
    default = profile.fast_sampling if fast else profile.sampling
    default = profile.sampling.distilled if distilled else default
    width, height = size or (default.width, default.height)
    given = {"num_frames": num_frames, "num_inference_steps": num_inference_steps}
    wanted: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    sampling = replace(default, width=width, height=height, seed=seed, **wanted)
    check_sampling(profile, sampling)
    return sampling


def check_sampling(profile: Profile, sampling: Sampling) -> None:
    """Check that a profile can make a clip of this size, length, steps, image scale and seed.

    Raises:
        InputError: It cannot; the message names the value and the ones that work.
    """
    _check_size(profile, sampling.width, sampling.height)
    _check_frames(profile, sampling.num_frames)
    for what, value, least, most in (
        ("number of denoising steps", sampling.num_inference_steps, 1, MAX_STEPS),
        ("seed", sampling.seed, 0, MAX_SEED),
    ):
        if not least <= value <= most:
            raise InputError(f"The {what} {value} is out of range.", f"Choose {least} to {most}.")
    scale = sampling.guidance_scale_image
    if profile.sampling.guidance_scale_image == 1 != scale:
        problem = (
            f"The {profile.name} profile has no image guidance, but the image scale is {scale:g}."
        )
        raise InputError(problem, "Set guidance_scale_image to 1.")


def _check_size(profile: Profile, width: int, height: int) -> None:
    multiple, (most_wide, most_high) = profile.size_multiple, profile.max_size
    remedy = _sizes_that_work(profile)
    if min(width, height) < multiple or width % multiple or height % multiple:
        problem = f"The size {width}x{height} is not divisible by {multiple}."
    elif profile.sizes and (width, height) not in profile.sizes:
        problem = f"The {profile.name} profile cannot make clips of {width}x{height} px."
    elif width * height > most_wide * most_high:
        problem = f"The size {width}x{height} is larger than {profile.name} was trained for."
        remedy = f"Choose {most_wide}x{most_high} px or smaller."
    else:
        return
    raise InputError(problem, remedy)


def _sizes_that_work(profile: Profile) -> str:
    if profile.sizes:
        sizes = " or ".join(f"{w}x{h}" for w, h in profile.sizes)
        return f"Omit --size: {profile.name} was trained on {sizes} px only."
    usual = f"{profile.sampling.width}x{profile.sampling.height}"
    return f"Choose a multiple of {profile.size_multiple} px each way, such as {usual}."


def _check_frames(profile: Profile, num_frames: int) -> None:
    if profile.frame_counts:
        counts = " or ".join(str(n) for n in profile.frame_counts)
        remedy = f"Omit --frames: {profile.name} was trained on {counts} frames only."
    else:
        remedy = f"Choose a number 4n+1 up to {profile.max_frames}, such as 81."
    if num_frames < 1 or num_frames % 4 != 1:
        raise InputError(f"{num_frames} frames are not 4n+1 frames.", remedy)
    known = profile.frame_counts or (num_frames,)
    if num_frames > profile.max_frames or num_frames not in known:
        problem = f"The {profile.name} profile cannot make clips of {num_frames} frames."
        raise InputError(problem, remedy)


def parse_size(text: str) -> tuple[int, int]:
    """Parse "832x480" into (832, 480), width first, in pixels.

    Raises:
        InputError: The text is not two whole numbers joined by an x.
    """
    size = re.fullmatch("([0-9]{1,5})x([0-9]{1,5})", text.strip().lower())
    if size is None:
        remedy = "Write it like 96x96, in px, with at most 5 digits each."
        raise InputError(f"The size {text!r} is not WIDTHxHEIGHT.", remedy)
    return int(size[1]), int(size[2])


@dataclass(frozen=True)
class Environment:
    """Environment variables of procvid; no other module reads them.

    Attributes:
        openai_api_key: `OPENAI_API_KEY`, or None. Never shown or stored.
        runs_folder: `PROCVID_RUNS`, where the app keeps its runs; default `./runs`.
        assets_folder: `PROCVID_ASSETS`, a folder with other tiny models; default the package's.
        openai_url: `OPENAI_BASE_URL`, any compatible server, such as vLLM or Ollama.
        openai_model: `PROCVID_OPENAI_MODEL`.
        openai_speech: `PROCVID_OPENAI_SPEECH_MODEL` and `PROCVID_OPENAI_SPEECH_VOICE`.
        openai_budget: `PROCVID_OPENAI_MAX_CALLS`, `..._MAX_TOKENS` and `..._MAX_IMAGES`.
        cache_folder: `PROCVID_CACHE`, for answers and measured times; default `procvid` in the user's
            cache folder. Without a home folder the defaults are among the temporary files.
        models_folder: `PROCVID_MODELS`, the converted models; default `~/.cache/procvid/models`.
        space_owner: Owner of the Hugging Face Space that runs the app, from `SPACE_ID`; else "".
        profile: `PROCVID_PROFILE`, the profile of the app; default "auto".
        gpus: `PROCVID_GPUS`, the CUDA devices to use, such as "0,2"; default "auto", all.
        host: "zerogpu" where `SPACES_ZERO_GPU` is set, "space" on any other Space.
        keep_days: `PROCVID_KEEP_DAYS`, after which the app deletes a run; 0 for never.
        keep_gb: `PROCVID_KEEP_GB`, 10^9 bytes above which the app deletes the oldest runs; 0 for never.
        credentials: `PROCVID_CREDENTIALS_CERT` and `..._KEY`, PEM files that sign the app's exports.
        attention, compiles: `PROCVID_ATTENTION` and `PROCVID_COMPILE`; see `docs/gpu.md`.
    """

    openai_api_key: str | None = field(repr=False)
    runs_folder: Path
    assets_folder: Path
    openai_url: str = OPENAI_URL
    openai_model: str = OPENAI_MODEL
    openai_speech: tuple[str, str] = OPENAI_SPEECH
    openai_budget: Budget = Budget()
    cache_folder: Path = Path("cache")
    models_folder: Path = Path("models")
    space_owner: str = ""
    profile: str = "auto"
    gpus: str = "auto"
    host: Host = "machine"
    keep_days: float = 0.0
    keep_gb: float = 0.0
    credentials: tuple[str, str] = field(default=("", ""), repr=False)
    attention: AttentionKind = "auto"
    compiles: bool = False

    @property
    def has_openai(self) -> bool:
        """True if there is a model to ask: a key, or another server, which may need none."""
        return self.openai_api_key is not None or self.openai_url != OPENAI_URL


def read_environment(variables: Mapping[str, str] | None = None) -> Environment:
    """Read the environment variables; by default those of this process.

    Raises:
        InputError: One of them is not a number or not an address.
    """
    variables = os.environ if variables is None else variables
    names = ("OPENAI_SPEECH_MODEL", "OPENAI_SPEECH_VOICE", "CREDENTIALS_CERT", "CREDENTIALS_KEY")
    model, voice, certificate, key = (variables.get(f"PROCVID_{n}", "").strip() for n in names)
    assets = variables.get("PROCVID_ASSETS") or Path(__file__).parent / "assets"
    shared = variables.get("XDG_CACHE_HOME") or home_folder() / ".cache"
    limits = {
        limit.name: _limit(f"PROCVID_OPENAI_{limit.name.upper()}", variables, limit.default)
        for limit in fields(Budget)
    }
    models = variables.get("PROCVID_MODELS") or home_folder() / ".cache/procvid/models"
    owner = variables.get("SPACE_ID", "").partition("/")[0].strip()
    return Environment(
        openai_api_key=variables.get("OPENAI_API_KEY", "").strip() or None,
        runs_folder=user_path(variables.get("PROCVID_RUNS") or "runs"),
        assets_folder=user_path(assets),
        openai_url=_url("OPENAI_BASE_URL", variables.get("OPENAI_BASE_URL", "")),
        openai_model=variables.get("PROCVID_OPENAI_MODEL", "").strip() or OPENAI_MODEL,
        openai_speech=(model or OPENAI_SPEECH[0], voice or OPENAI_SPEECH[1]),
        openai_budget=Budget(**limits),
        cache_folder=user_path(variables.get("PROCVID_CACHE") or Path(shared) / "procvid"),
        models_folder=user_path(models),
        space_owner=owner if _is_space(variables) else "",
        profile=variables.get("PROCVID_PROFILE", "").strip() or "auto",
        gpus=variables.get("PROCVID_GPUS", "").strip() or "auto",
        host=_host(variables),
        keep_days=_amount("PROCVID_KEEP_DAYS", variables, SPACE_KEEPS_DAYS),
        keep_gb=_amount("PROCVID_KEEP_GB", variables, SPACE_KEEPS_GB),
        credentials=(certificate, key),
        attention=_choice("PROCVID_ATTENTION", variables, get_args(AttentionKind)),
        compiles=_choice("PROCVID_COMPILE", variables, ("0", "1")) == "1",
    )


def user_path(path: str | Path) -> Path:
    """Return a path whose `~` or `~name` is replaced by the home folder.

    Raises:
        InputError: There is no such home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        message = f"The path {str(path)[:80]!r} begins with a home folder that does not exist."
        raise InputError(message, "Write the whole path, or set HOME.") from error


def home_folder() -> Path:
    """Return the home folder, else a folder of this user alone among the temporary files."""
    with suppress(RuntimeError):
        return Path.home()
    folder = Path(tempfile.gettempdir()) / f"procvid-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    is_own = folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
    return folder if is_own else Path(tempfile.mkdtemp(prefix="procvid-"))


def _is_space(variables: Mapping[str, str]) -> bool:
    # Gradio's own test. Elsewhere Gradio signs in every visitor as the server's user.
    return variables.get("SYSTEM") == "spaces"


def _host(variables: Mapping[str, str]) -> Host:
    # The values that the spaces package reads as true.
    if variables.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true"):
        return "zerogpu"
    return "space" if _is_space(variables) else "machine"


def _url(name: str, text: str) -> str:
    """Return an http address without its final slash; OpenAI's for an empty text."""
    url = text.strip().rstrip("/") or OPENAI_URL
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


def _choice(name: str, variables: Mapping[str, str], choices: Sequence[str]) -> Any:
    """Return one of the choices; the first without a value."""
    text = variables.get(name, "").strip().lower() or choices[0]
    if text not in choices:
        raise InputError(f"{name} is {text[:40]!r}.", f"Choose one of {', '.join(choices)}.")
    return text


def _amount(name: str, variables: Mapping[str, str], default_on_space: float) -> float:
    """Return a number from 0; without one, the default of a Space, or 0 elsewhere."""
    text = variables.get(name, "").strip()
    if not text:
        return 0.0 if _host(variables) == "machine" else default_on_space
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text):
        problem = f"{name} is {text[:40]!r}, not a number of at least 0."
        raise InputError(problem, f"Write e.g. {default_on_space:g}.")
    return float(text)
