"""Profiles of procvid with their limits, and the choices of its commands.

A profile is a set of models with the clips that they can make. This module loads no model and looks
for no GPU: `procvid.machine` finds the hardware and chooses the profile.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from procvid.errors import InputError
from procvid.types import EXACT, Coherence, Sampling, Shortcuts, StepCache

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

    @property
    def weighs_references(self) -> bool:
        """Return True if clips can weigh references alone, and see the clip before.

        Wan VACE has no image guidance; all its references act through the same layers.
        """
        return self.sampling.guidance_scale_image != 1

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


def choose_sampling(
    profile: Profile,
    *,
    size: tuple[int, int] | None = None,
    num_frames: int | None = None,
    num_inference_steps: int | None = None,
    seed: int = 0,
    fast: bool = False,
    distilled: bool = False,
    coherence: Coherence = "none",
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
    sampling = replace(
        default, width=width, height=height, seed=seed, coherence=coherence, **wanted
    )
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
    if scale != 1 and not profile.weighs_references:
        problem = (
            f"The {profile.name} profile has no image guidance, but the image scale is {scale:g}."
        )
        raise InputError(problem, "Set guidance_scale_image to 1.")
    if sampling.coherence not in get_args(Coherence):
        choices = " or ".join(get_args(Coherence))
        raise InputError(f"There is no coherence {sampling.coherence!r}.", f"Choose {choices}.")
    if sampling.coherence != "none" and not profile.weighs_references:
        problem = f"Clips of the {profile.name} profile cannot see the clip before."
        raise InputError(problem, "Omit --coherence, or choose a Phantom profile.")


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
